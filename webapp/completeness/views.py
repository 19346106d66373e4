"""Completeness: whether every call that a node saw is in the books."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from webapp.completeness import operations
from webapp.permissions import permission

bp = Blueprint("completeness", __name__, url_prefix="/reports/completeness")


@bp.get("/")
@permission("completeness.read")
def index() -> Any:
    return render_template("completeness/index.html", days=operations.days(), count=operations.DAYS)
