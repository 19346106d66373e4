"""Calls that are rated again: which ones, how far it is, and what came of it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Numeric, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.tariffs.models import PricePlan

WORKING = ("comparing", "applying")
STATES = ("comparing", "compared", "applying", "applied")
SILENCE_SECONDS = 30  # Whoever works at one says so with each thousand calls; silent for so long, it is dead.


class Rerating(Base):
    """Some calls, compared with what they would cost by the tariffs as they are now, and then set right."""

    __tablename__ = "reratings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, server_default=func.gen_random_uuid())
    username: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
    since: Mapped[dt.datetime]
    until: Mapped[dt.datetime]
    customer_id: Mapped[uuid.UUID | None]
    price_plan_id: Mapped[uuid.UUID | None]
    direction: Mapped[str] = mapped_column(server_default="")
    only_unrated: Mapped[bool] = mapped_column(server_default="false")
    state: Mapped[str]
    heartbeat: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())
    reached_at: Mapped[dt.datetime]  # The call it has got to, ...
    reached_id: Mapped[int] = mapped_column(BigInteger, server_default="0")
    calls: Mapped[int] = mapped_column(BigInteger, server_default="0")  # ... and how many that were.
    sample: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")  # The first that change.
    error: Mapped[str] = mapped_column(server_default="")  # What stopped it, in the words of the database.
    applied_at: Mapped[dt.datetime | None]

    customer: Mapped[Customer | None] = relationship(
        primaryjoin="foreign(Rerating.customer_id) == Customer.id", viewonly=True
    )
    price_plan: Mapped[PricePlan | None] = relationship(
        primaryjoin="foreign(Rerating.price_plan_id) == PricePlan.id", viewonly=True
    )

    __table_args__ = (CheckConstraint(f"state IN {STATES}", "state"), CheckConstraint("since < until", "period"))

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} – {self.until:%Y-%m-%d %H:%M}"

    @property
    def interrupted(self) -> bool:
        """Whether whoever worked at it has died, or given up."""
        silence = dt.datetime.now(dt.UTC) - self.heartbeat
        return self.state in WORKING and (bool(self.error) or silence.total_seconds() > SILENCE_SECONDS)

    @property
    def working(self) -> bool:
        return self.state in WORKING and not self.interrupted

    @property
    def percent(self) -> int:
        """How far it is, by the time that it has got to."""
        return int(100 * (self.reached_at - self.since) / (self.until - self.since))


class ReratingCustomer(Base):
    """What a rerating comes to for one customer: the calls that change, and their sums before and after."""

    __tablename__ = "rerating_customers"

    rerating_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reratings.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)  # Zero: of nobody.
    calls: Mapped[int] = mapped_column(BigInteger)
    price_before: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    price_after: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    cost_before: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    cost_after: Mapped[Decimal] = mapped_column(Numeric(20, 8))
