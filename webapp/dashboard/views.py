"""The start page, and the answer to whoever asks whether we live."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import func, select, text

from webapp.dashboard import operations
from webapp.ext import db
from webapp.permissions import permission, public
from webapp.settings.models import Node, OutboxEntry
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
    owed = select(func.count()).where(OutboxEntry.node == Node.name, OutboxEntry.done_at.is_(None))
    nodes = db.session.execute(
        select(
            Node,
            owed.correlate(Node).scalar_subquery().label("owed"),
            (Node.seen_at > func.now() - text("interval '15 seconds'")).label("alive"),
        ).order_by(Node.name)
    ).all()
    return render_template("dashboard/index.html", counts=counts, nodes=nodes, unrated=unrated.count())


@bp.get("/healthz")
@public
def healthz() -> Any:
    """200 while the process serves; it asks nothing of the database."""
    return {"status": "ok"}
