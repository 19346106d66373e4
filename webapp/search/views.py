"""The search box of every page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webapp.permissions import permission
from webapp.search.operations import search, the_one

bp = Blueprint("search", __name__, url_prefix="/search")


@bp.get("")
@permission("search")
def index() -> Any:
    """Straight to the thing that was meant; else all that was found."""
    q = _typed()
    groups = search(q)
    thing = the_one(groups, q)
    if thing is not None:
        return redirect(url_for(f"{thing.__tablename__}.show", id=thing.id))
    return render_template("search/index.html", groups=groups, q=q)


@bp.get("/suggestions")
@permission("search")
def suggestions() -> Any:
    """What stands below the box while somebody types."""
    q = _typed()
    return render_template("search/suggestions.html", groups=search(q) if len(q) > 1 else [], q=q)


def _typed() -> str:
    return request.args.get("q", "").replace("\x00", "").strip()[:80]
