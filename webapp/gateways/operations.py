"""What is done with gateways besides filling in and saving."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from webapp import store
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.settings.models import Node


def reveal(gateway: Gateway) -> str:
    """The password that the provider gave us. That somebody saw it is recorded."""
    password = gateway.password
    store.record("reveal", Gateway.__tablename__, gateway.id, str(gateway))
    store.save()
    return password


def nodes() -> Sequence[str]:
    """Where a gateway may be registered from."""
    return db.session.scalars(select(Node.name).order_by(Node.name)).all()


def registering_node(gateway: Gateway) -> str | None:
    """From where it is registered now, as the view own_registrations has it; None: there is no node yet."""
    first = select(Node.name).order_by(Node.enabled.desc(), (Node.name == gateway.node).desc(), Node.name)
    return db.session.scalar(first.limit(1))
