"""The calls that go on now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from webapp.calls.lists import DIRECTIONS
from webapp.live import operations
from webapp.live.lists import LIVE
from webapp.permissions import permission

bp = Blueprint("live", __name__, url_prefix="/live")


@bp.get("/")
@permission("live.read")
def index() -> Any:
    return render_template(
        "live/index.html",
        page=LIVE.page(),
        now=operations.calls_now(),
        unknown=operations.unknown(),
        directions=DIRECTIONS,
    )
