"""The numbers of the dashboard, for programs."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi import Tag

from webapp.api import bp
from webapp.dashboard import operations
from webapp.permissions import permission


@bp.get(
    "/dashboard/stats",
    tags=[Tag(name="dashboard", description="What there is at a glance.")],
    summary="Read the numbers of the dashboard",
    responses={200: operations.Stats},
)
@permission("dashboard.read")
def dashboard_stats() -> Response:
    """Amounts are texts, so that nobody rounds them."""
    return jsonify(operations.stats().model_dump(mode="json"))
