"""What a minute costs us and what we sell it for."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.providers.models import Provider


class PricePlan(Managed, Base):
    """A list of tariffs that customers are given."""

    __tablename__ = "price_plans"
    DEPENDENTS = ("customers", "inbound_plan_of")

    name: Mapped[str] = mapped_column(unique=True)
    # By whose tariffs calls to a customer's own numbers are charged; none: they are free.
    inbound_plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("price_plans.id"), index=True)
    onnet_charged: Mapped[bool] = mapped_column(server_default="false")  # Calls to other customers cost as any other.

    inbound_plan: Mapped[PricePlan | None] = relationship(remote_side="PricePlan.id", back_populates="inbound_plan_of")
    inbound_plan_of: Mapped[list[PricePlan]] = relationship(back_populates="inbound_plan", passive_deletes="all")
    tariffs: Mapped[list[Tariff]] = relationship(
        back_populates="price_plan",
        cascade="all, delete-orphan",
        passive_deletes=True,  # They go with their plan in the database: there may be hundreds of thousands.
    )
    customers: Mapped[list[Customer]] = relationship(back_populates="price_plan", passive_deletes="all")

    def __str__(self) -> str:
        return self.name


class Tariff(Managed, Base):
    """What calls to numbers of a prefix cost and are sold for, from a day on. The longest prefix counts."""

    __tablename__ = "tariffs"

    price_plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("price_plans.id", ondelete="CASCADE"))
    prefix: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    cost_per_minute: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    price_per_minute: Mapped[Decimal] = mapped_column(Numeric(16, 8))
    minimum_seconds: Mapped[int] = mapped_column(server_default="30")
    increment_seconds: Mapped[int] = mapped_column(server_default="6")
    connect_fee: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    valid_from: Mapped[dt.datetime] = mapped_column(server_default=func.now())

    price_plan: Mapped[PricePlan] = relationship(back_populates="tariffs")

    __table_args__ = (
        UniqueConstraint("price_plan_id", "prefix", "valid_from"),
        Index(
            "ix_tariffs_loss",
            "price_plan_id",
            "prefix",
            "valid_from",
            postgresql_where=text("price_per_minute < cost_per_minute"),
        ),
        CheckConstraint("prefix ~ '^[0-9]{1,15}$'", "prefix"),
        CheckConstraint("cost_per_minute >= 0 AND price_per_minute >= 0 AND connect_fee >= 0", "amounts"),
        CheckConstraint("minimum_seconds BETWEEN 0 AND 3600", "minimum_seconds"),
        CheckConstraint("increment_seconds BETWEEN 1 AND 3600", "increment_seconds"),
    )

    def __str__(self) -> str:
        return f"{self.prefix} {self.description}".strip()


class ProviderTariff(Managed, Base):
    """A line of a provider's deck: what it charges for calls to numbers of a prefix, from a day on."""

    __tablename__ = "provider_tariffs"

    provider_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("providers.id", ondelete="CASCADE"))
    prefix: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    cost_per_minute: Mapped[Decimal] = mapped_column(Numeric(16, 8))
    minimum_seconds: Mapped[int] = mapped_column(server_default="30")
    increment_seconds: Mapped[int] = mapped_column(server_default="6")
    connect_fee: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    valid_from: Mapped[dt.datetime] = mapped_column(server_default=func.now())

    provider: Mapped[Provider] = relationship()

    __table_args__ = (
        UniqueConstraint("provider_id", "prefix", "valid_from"),
        CheckConstraint("prefix ~ '^[0-9]{1,15}$'", "prefix"),
        CheckConstraint("cost_per_minute >= 0 AND connect_fee >= 0", "amounts"),
        CheckConstraint("minimum_seconds BETWEEN 0 AND 3600", "minimum_seconds"),
        CheckConstraint("increment_seconds BETWEEN 1 AND 3600", "increment_seconds"),
    )

    def __str__(self) -> str:
        return f"{self.prefix} {self.description}".strip()
