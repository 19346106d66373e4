"""The start page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from webapp.dashboard import operations
from webapp.live import operations as live
from webapp.nodes import operations as nodes
from webapp.permissions import permission
from webapp.reports.charts import of_lines

bp = Blueprint("dashboard", __name__)


@bp.get("/")
@permission("dashboard.read")
def index() -> Any:
    stats = operations.stats()
    counts = {
        "customers.index": stats.customers,
        "extensions.index": stats.extensions,
        "dids.index": stats.dids.total,
        "providers.index": stats.providers,
        "gateways.index": stats.gateways,
        "routes.index": stats.routes,
    }
    hours = operations.last_hours()
    gateways = operations.gateways()
    return render_template(
        "dashboard/index.html",
        stats=stats,
        counts=counts,
        today=operations.today(),
        chart=of_lines(hours.lines, "calls") if hours else None,
        top=operations.top_customers(),
        nodes=nodes.states(),
        gateways=gateways,
        seen=live.seen(gateways),
    )
