"""Whom a rule against fraud hit. The agents make these rows, by open_fraud_cases()."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.fraud_rules.models import FraudRule


class FraudCase(Managed, Base):
    """A rule hit a customer. As long as the case is open, its action stands: route_call() asks here."""

    __tablename__ = "fraud_cases"

    rule_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("fraud_rules.id", ondelete="SET NULL"))
    rule_name: Mapped[str]  # The case outlives its rule.
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    action: Mapped[str]  # As the rule had it.
    # What the window of the rule held, and the last calls in it.
    calls: Mapped[int]
    seconds: Mapped[int]
    amount: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    released_at: Mapped[dt.datetime | None]
    released_by: Mapped[str] = mapped_column(server_default="")
    exempt_until: Mapped[dt.datetime | None]  # No call of the customer before this makes another case.

    customer: Mapped[Customer] = relationship()
    rule: Mapped[FraudRule | None] = relationship()

    __table_args__ = (
        CheckConstraint("action IN ('alert', 'block_international', 'block_all')", "action"),
        Index(
            "uq_fraud_cases_open", "rule_id", "customer_id", unique=True, postgresql_where=text("released_at IS NULL")
        ),
        Index("ix_fraud_cases_open", "customer_id", postgresql_where=text("released_at IS NULL")),
        Index("ix_fraud_cases_created_at", "created_at", "id"),
    )

    def __str__(self) -> str:
        return self.rule_name

    @property
    def is_open(self) -> bool:
        return self.released_at is None
