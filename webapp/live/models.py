"""The calls that go on now. Nothing here writes them: the agents do."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Integer, Numeric, cast, extract, func
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from webapp.ext import Base

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.gateways.models import Gateway


class LiveCall(Base):
    """One call, by the channel of who calls."""

    __tablename__ = "live_channels"

    node: Mapped[str] = mapped_column(primary_key=True)
    uniqueid: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column()
    customer_id: Mapped[uuid.UUID | None] = mapped_column()
    gateway_id: Mapped[uuid.UUID | None]
    provider_id: Mapped[uuid.UUID | None]
    src: Mapped[str] = mapped_column(server_default="")
    dst: Mapped[str] = mapped_column(server_default="")  # E.164 digits, where it was understood.
    did: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]  # ringing or answered.
    started_at: Mapped[dt.datetime] = mapped_column()
    answered_at: Mapped[dt.datetime | None] = mapped_column()  # When the agent first saw that it was.

    # Since its start. The clock of another machine may be a little ahead.
    seconds: Mapped[int] = column_property(
        cast(func.greatest(func.ceil(extract("epoch", func.now() - started_at)), 0), Integer)
    )
    price: Mapped[Decimal | None] = column_property(
        func.public.price_so_far(direction, customer_id, dst, started_at, answered_at, type_=Numeric(18, 8))
    )

    # No keys of the database: the agents write what they see, whoever is stored.
    customer: Mapped[Customer | None] = relationship(
        primaryjoin="foreign(LiveCall.customer_id) == Customer.id", viewonly=True
    )
    gateway: Mapped[Gateway | None] = relationship(
        primaryjoin="foreign(LiveCall.gateway_id) == Gateway.id", viewonly=True
    )

    __table_args__ = (CheckConstraint("state IN ('ringing', 'answered')", "state"), {"prefixes": ["UNLOGGED"]})


class LiveNode(Base):
    """When the agent of a node last looked what goes on there."""

    __tablename__ = "live_nodes"

    node: Mapped[str] = mapped_column(primary_key=True)
    looked_at: Mapped[dt.datetime]

    __table_args__ = ({"prefixes": ["UNLOGGED"]},)


class LiveContact(Base):
    """Where a phone is registered, or a gateway or PBX is, as one node sees it."""

    __tablename__ = "live_contacts"

    node: Mapped[str] = mapped_column(primary_key=True)
    aor: Mapped[str] = mapped_column(primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    thing_id: Mapped[uuid.UUID | None] = mapped_column(index=True)  # The extension, gateway or customer.
    address: Mapped[str] = mapped_column(server_default="")
    user_agent: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]  # reachable, unreachable, or unchecked: it is not asked whether it is.
    rtt: Mapped[Decimal | None] = mapped_column(Numeric(10, 1))  # Milliseconds until it answered.
    since: Mapped[dt.datetime]

    __table_args__ = (
        CheckConstraint("state IN ('reachable', 'unreachable', 'unchecked')", "state"),
        {"prefixes": ["UNLOGGED"]},
    )


class LiveRegistration(Base):
    """How a node is registered with a gateway that asks for it."""

    __tablename__ = "live_registrations"

    node: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    thing_id: Mapped[uuid.UUID | None] = mapped_column(index=True)  # The gateway.
    state: Mapped[str]  # registered, unregistered, rejected or stopped: what Asterisk says.
    since: Mapped[dt.datetime]

    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
