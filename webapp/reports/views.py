"""Reports: what the calls of a period come to, by customer, gateway, day and so on; how our numbers are used."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from webapp.permissions import permission

bp = Blueprint("reports", __name__, url_prefix="/reports")


@bp.get("/")
@permission("reports.read")
def index() -> Any:
    return render_template("reports/index.html")
