"""The documentation of the API: Swagger UI, drawn from the description that programs read."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, url_for

from webapp.permissions import permission, public

bp = Blueprint("docs", __name__)


@bp.get("/docs")
@permission("session")
def index() -> Any:
    return render_template("docs/index.html")


@bp.get("/api/v1/docs")
@public
def at_the_api() -> Any:
    """Where people look for it. Below /api a session counts for nothing, so the page itself is elsewhere."""
    return redirect(url_for(".index"))
