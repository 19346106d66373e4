"""Calls that were made, as they were rated. Nothing here writes them: a trigger does, where call records come in."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import Index, Numeric, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from webapp.ext import Base, db

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.gateways.models import Gateway
    from webapp.providers.models import Provider


class Call(Base):
    """One leg of a call. The table is partitioned by month, so its key holds the start."""

    __tablename__ = "calls"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    started_at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    answered_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    node: Mapped[str]
    uniqueid: Mapped[str]
    sequence: Mapped[int]
    direction: Mapped[str]
    customer_id: Mapped[uuid.UUID | None]
    provider_id: Mapped[uuid.UUID | None]
    gateway_id: Mapped[uuid.UUID | None]
    did: Mapped[str] = mapped_column(server_default="")
    src: Mapped[str] = mapped_column(server_default="")
    dst: Mapped[str] = mapped_column(server_default="")
    disposition: Mapped[str]
    duration: Mapped[int]
    billsec: Mapped[int]
    cost: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default="0")
    price: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default="0")
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
        Index("ix_calls_customer", "customer_id", "started_at"),
        Index("ix_calls_started", "started_at", "id"),
        {"postgresql_partition_by": "RANGE (started_at)"},
    )


def latest_calls(customer_id: uuid.UUID, count: int = 20) -> Sequence[Call]:
    """The last calls of a customer, the latest first."""
    query = select(Call).where(Call.customer_id == customer_id).order_by(Call.started_at.desc()).limit(count)
    return db.session.scalars(query).all()
