"""Calls that are not rated: what is missing, and trying them again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for

from webapp.calls.models import UnratedCdr
from webapp.ext import db
from webapp.permissions import permission
from webapp.reratings import operations as reratings
from webapp.unrated import operations
from webapp.unrated.lists import UNRATED

bp = Blueprint("unrated", __name__, url_prefix="/reports/unrated")


@bp.get("/")
@permission("unrated.read")
def index() -> Any:
    page = UNRATED.page()
    return render_template(
        "unrated/index.html",
        page=page,
        groups=operations.groups(),
        cdrs=operations.cdrs(each.cdr_id for each in page.things),
        explained=operations.explained,
    )


@bp.get("/<int:id>")
@permission("unrated.read")
def show(id: int) -> Any:
    """The record as Asterisk stored it."""
    if id >= 1 << 63:
        abort(404)
    unrated = db.get_or_404(UnratedCdr, id)
    cdr = operations.cdrs([id]).get(id, {})
    return render_template("unrated/show.html", unrated=unrated, cdr=cdr, explained=operations.explained)


@bp.post("/rate")
@permission("unrated.write")
def rate() -> Any:
    """Try all of them again."""
    try:
        return redirect(url_for("reratings.show", id=reratings.rate_unrated().id))
    except reratings.NotNow as why:
        flash(str(why), "warning")
        return redirect(url_for(".index"))
