"""The start page, and the answer to whoever asks whether we live."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import func, select, text

from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.permissions import permission, public
from webapp.providers.models import Provider
from webapp.routes.models import Route
from webapp.settings.models import Node, OutboxEntry

bp = Blueprint("dashboard", __name__)

COUNTED = (
    ("customers.index", Customer),
    ("extensions.index", Extension),
    ("dids.index", Did),
    ("providers.index", Provider),
    ("gateways.index", Gateway),
    ("routes.index", Route),
)


@bp.get("/")
@permission("dashboard.read")
def index() -> Any:
    counts = {endpoint: db.session.scalar(select(func.count()).select_from(kind)) for endpoint, kind in COUNTED}
    owed = select(func.count()).where(OutboxEntry.node == Node.name, OutboxEntry.done_at.is_(None))
    nodes = db.session.execute(
        select(
            Node,
            owed.correlate(Node).scalar_subquery().label("owed"),
            (Node.seen_at > func.now() - text("interval '15 seconds'")).label("alive"),
        ).order_by(Node.name)
    ).all()
    return render_template("dashboard/index.html", counts=counts, nodes=nodes)


@bp.get("/healthz")
@public
def healthz() -> Any:
    """200 while the process serves; it asks nothing of the database."""
    return {"status": "ok"}
