"""What is done with gateways besides filling in and saving."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Text, func, select

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
    """From where it is registered now; None: there is no node yet."""
    return db.session.scalar(select(func.public.registering_node(gateway.node, type_=Text)))
