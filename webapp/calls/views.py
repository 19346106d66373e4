"""Reports: the calls that were made, what they cost and what was earned by them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from webapp.calls.lists import CALLS, DIRECTIONS, DISPOSITIONS
from webapp.export import csv_file
from webapp.permissions import permission

bp = Blueprint("reports", __name__, url_prefix="/reports")


@bp.get("/")
@permission("reports.read")
def index() -> Any:
    return render_template("reports/index.html", page=CALLS.page(), directions=DIRECTIONS, dispositions=DISPOSITIONS)


@bp.get("/export.csv")
@permission("reports.read")
def export() -> Any:
    return csv_file(CALLS, "calls")
