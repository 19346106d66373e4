"""The audit log: who did what, when, and how it was before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template

from webapp.audit.lists import AUDIT
from webapp.audit.operations import lines
from webapp.export import csv_file
from webapp.permissions import permission

bp = Blueprint("audit", __name__, url_prefix="/audit")


@bp.get("/")
@permission("audit.read")
def index() -> Any:
    page = AUDIT.page()
    return render_template("audit/index.html", page=replace(page, things=lines(page.things)))


@bp.get("/export.csv")
@permission("audit.read")
def export() -> Any:
    """Moments in UTC, and values as they are stored."""
    return csv_file(AUDIT, "audit")
