"""The start page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from webapp.dashboard import operations
from webapp.nodes import operations as nodes
from webapp.permissions import permission
from webapp.unrated import operations as unrated

bp = Blueprint("dashboard", __name__)


@bp.get("/")
@permission("dashboard.read")
def index() -> Any:
    stats = operations.stats()
    counts = {
        "live.index": stats.calls_now.count,
        "customers.index": stats.customers,
        "extensions.index": stats.extensions,
        "dids.index": stats.dids.total,
        "providers.index": stats.providers,
        "gateways.index": stats.gateways,
        "routes.index": stats.routes,
    }
    return render_template("dashboard/index.html", counts=counts, nodes=nodes.states(), unrated=unrated.count())
