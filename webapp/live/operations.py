"""Which nodes are watched, and how many calls go on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pydantic import BaseModel, Field
from sqlalchemy import Select, func, select

from webapp.ext import db
from webapp.live.models import LiveCall, LiveNode
from webapp.settings.models import Node

FRESH = dt.timedelta(seconds=15)  # What an agent saw longer ago says nothing about now.


class CallsNow(BaseModel):
    """Calls that go on, or ring."""

    count: int
    answered: int
    inbound: int
    outbound: int = Field(description="Those between customers and between phones are neither inbound nor outbound.")


def watched() -> Select[str]:
    """The nodes of which it is known what goes on there."""
    return select(LiveNode.node).where(LiveNode.looked_at > func.now() - FRESH)


def unknown() -> Sequence[str]:
    """The nodes of which it is not known: their agent or their Asterisk is away."""
    return db.session.scalars(
        select(Node.name).where(Node.enabled, Node.name.not_in(watched())).order_by(Node.name)
    ).all()


def calls_now() -> CallsNow:
    """How many calls go on at all nodes together."""
    counted = select(
        func.count().label("count"),
        func.count().filter(LiveCall.state == "answered").label("answered"),
        func.count().filter(LiveCall.direction == "inbound").label("inbound"),
        func.count().filter(LiveCall.direction == "outbound").label("outbound"),
    ).where(LiveCall.node.in_(watched()))
    return CallsNow(**db.session.execute(counted).mappings().one())
