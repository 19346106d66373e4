"""Calls that were made, as they were rated. Nothing here writes them: a trigger does, where call records come in."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from webapp.ext import Base

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.gateways.models import Gateway
    from webapp.providers.models import Provider


class Call(Base):
    """One leg of a call. The table is partitioned by month, so its key holds the start."""

    __tablename__ = "calls"

    started_at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # That of its CDR.
    day: Mapped[dt.datetime]  # The company's midnight before it.
    answered_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    node: Mapped[str]
    uniqueid: Mapped[str]  # The legs of one call have it in common.
    sequence: Mapped[int]
    linkedid: Mapped[str] = mapped_column(server_default="")
    request: Mapped[str] = mapped_column(server_default="")  # Where the dialplan asked where it may go.
    direction: Mapped[str]
    customer_id: Mapped[uuid.UUID | None]
    provider_id: Mapped[uuid.UUID | None]
    gateway_id: Mapped[uuid.UUID | None]
    did: Mapped[str] = mapped_column(server_default="")
    src: Mapped[str] = mapped_column(server_default="")
    dst: Mapped[str] = mapped_column(server_default="")  # E.164 digits, where it was understood.
    disposition: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")  # Why it was refused, if it was.
    cause: Mapped[int | None]  # Q.850.
    sip_status: Mapped[int | None]
    pdd: Mapped[int | None]  # Milliseconds until it rang.
    duration: Mapped[int]  # Seconds, as billsec: what has begun counts.
    billsec: Mapped[int]

    # How the amounts came about: tariffs change, calls do not.
    price_plan_id: Mapped[uuid.UUID | None]
    prefix: Mapped[str] = mapped_column(server_default="")
    destination: Mapped[str] = mapped_column(server_default="")
    price_per_minute: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    connect_fee: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    minimum_seconds: Mapped[int] = mapped_column(server_default="0")
    increment_seconds: Mapped[int] = mapped_column(server_default="1")
    billed_seconds: Mapped[int] = mapped_column(server_default="0")
    price: Mapped[Decimal] = mapped_column(Numeric(18, 8), server_default="0")
    cost_source: Mapped[str] = mapped_column(server_default="")  # deck, tariff, provider; empty: it costs nothing.
    cost_prefix: Mapped[str] = mapped_column(server_default="")
    cost_per_minute: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    cost_connect_fee: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    cost_minimum_seconds: Mapped[int] = mapped_column(server_default="0")
    cost_increment_seconds: Mapped[int] = mapped_column(server_default="1")
    cost_billed_seconds: Mapped[int] = mapped_column(server_default="0")
    cost: Mapped[Decimal] = mapped_column(Numeric(18, 8), server_default="0")
    unrated: Mapped[str] = mapped_column(server_default="")  # Why it has no price, if it has none.
    margin: Mapped[Decimal] = column_property(price - cost)

    # No keys of the database: a call stays when whom it was carried for is gone.
    customer: Mapped[Customer | None] = relationship(
        primaryjoin="foreign(Call.customer_id) == Customer.id", viewonly=True
    )
    provider: Mapped[Provider | None] = relationship(
        primaryjoin="foreign(Call.provider_id) == Provider.id", viewonly=True
    )
    gateway: Mapped[Gateway | None] = relationship(primaryjoin="foreign(Call.gateway_id) == Gateway.id", viewonly=True)

    __table_args__ = (
        UniqueConstraint("node", "uniqueid", "sequence", "started_at", name="uq_calls_leg"),
        Index("ix_calls_id", "id", postgresql_using="brin", postgresql_with={"pages_per_range": 16}),
        Index("ix_calls_customer", "customer_id", "started_at"),
        Index("ix_calls_did", "did", "started_at", postgresql_where=text("did <> ''")),
        Index("ix_calls_loss", "started_at", postgresql_where=text("price < cost")),
        Index("ix_calls_unrated", "started_at", postgresql_where=text("unrated <> ''")),
        {"postgresql_partition_by": "RANGE (started_at)"},
    )


class UnratedCdr(Base):
    """A CDR that no call could be made of, and why."""

    __tablename__ = "unrated_cdrs"

    cdr_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reason: Mapped[str]
    noticed_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())
    code: Mapped[str] = mapped_column(server_default="")  # The SQLSTATE of the reason.
    tries: Mapped[int] = mapped_column(server_default="0")  # How often it was tried again since.
    tried_at: Mapped[dt.datetime | None]


class Journal(Base):
    """A file of a node's journal, known by its first line, and how far it has been read."""

    __tablename__ = "journals"

    node: Mapped[str] = mapped_column(primary_key=True)
    first_line: Mapped[str] = mapped_column(primary_key=True)  # A digest of it.
    path: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    counted: Mapped[int] = mapped_column(BigInteger)  # How far its records are in JournalDay.
    read_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())


class JournalDay(Base):
    """What a node's journal says of a day: its calls, those the database had missed, and what made no sense."""

    __tablename__ = "journal_days"

    day: Mapped[dt.datetime] = mapped_column(primary_key=True)  # The company's midnight.
    node: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, server_default="0")
    recovered: Mapped[int] = mapped_column(BigInteger, server_default="0")
    unreadable: Mapped[int] = mapped_column(BigInteger, server_default="0")


class CallTotal(Base):
    """What the calls of an hour or a day come to, for all, a customer, a gateway or whatever the dimension is.

    A trigger keeps it up with every change of calls. (`pdd`, `seconds` and so on are sums.)
    """

    __tablename__ = "call_totals"

    # By the hour: all, customer, gateway. By the day: customer, destination (and by the week), did, cause, node. What
    # is not there is the sum of what is: the day of a gateway is its hours, and a provider its gateways.
    dimension: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    starts_at: Mapped[dt.datetime] = mapped_column(primary_key=True)  # A day's is the company's midnight.
    # Its id, number or name; of a gateway that of its provider, a blank and its own, for it may change hands.
    thing: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    answered: Mapped[int] = mapped_column(BigInteger)
    short: Mapped[int] = mapped_column(BigInteger)  # Answered, and over within six seconds.
    seconds: Mapped[int] = mapped_column(BigInteger)
    billed_seconds: Mapped[int] = mapped_column(BigInteger)
    pdd_calls: Mapped[int] = mapped_column(BigInteger)  # How many of them it is known of how long it took to ring ...
    pdd: Mapped[int] = mapped_column(BigInteger)  # ... and how long, in milliseconds.
    cost: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    price: Mapped[Decimal] = mapped_column(Numeric(20, 8))
