"""What customers have paid."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer


class Payment(Managed, Base):
    """Money that a customer paid, or below zero, got back. It is never changed: a wrong one is set right by another."""

    __tablename__ = "payments"

    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customers.id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(16, 8))
    note: Mapped[str] = mapped_column(server_default="")
    recorded_by: Mapped[str]

    customer: Mapped[Customer] = relationship(back_populates="payments")

    __table_args__ = (
        CheckConstraint("amount <> 0", "amount"),
        Index("ix_payments_customer_id", "customer_id", postgresql_include=["amount"]),
        Index("ix_payments_created_at", "created_at", "id"),
    )

    def __str__(self) -> str:
        return f"{self.amount.normalize():f}"


class Reservation(Base):
    """What is put by for a call of a prepaid customer that is going on, until it is known what it came to."""

    __tablename__ = "reservations"

    request: Mapped[str] = mapped_column(primary_key=True)  # What the dialplan asked (asterisk.call_requests).
    customer_id: Mapped[uuid.UUID] = mapped_column(index=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    made_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    until: Mapped[dt.datetime]  # From then on it counts no more, whether the call's record came or not.
