"""Which calls out look like toll fraud. What the rules see in them is in schema/sql/functions/fraud.sql."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer


class FraudRule(Managed, Base):
    """Calls out of one customer or of each, counted in a window of time: beyond a limit they look like fraud."""

    __tablename__ = "fraud_rules"

    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # Which calls are counted: spending, destination, burst, night (fraud_counted()).
    customer_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE"), index=True
    )  # None: each customer by itself.
    destinations: Mapped[str] = mapped_column(server_default="international")  # all, international or prefixes.
    prefixes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    window_minutes: Mapped[int] = mapped_column(server_default="15")

    # More than this in the window is a hit; None is no limit.
    max_calls: Mapped[int | None]
    max_minutes: Mapped[int | None]
    max_amount: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))

    short_seconds: Mapped[int] = mapped_column(server_default="6")  # burst: so long at the most.
    known_days: Mapped[int] = mapped_column(server_default="90")  # destination: not called for so long.
    night_from: Mapped[str] = mapped_column(server_default="22:00")  # night: where the company is.
    night_until: Mapped[str] = mapped_column(server_default="06:00")

    action: Mapped[str] = mapped_column(server_default="alert")  # alert, block_international or block_all.
    state: Mapped[str] = mapped_column(server_default="draft")  # Only an armed rule does anything.
    # When it came to be what it is, so that it is known whether it was tested since.
    changed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())

    customer: Mapped[Customer | None] = relationship()
    test: Mapped[FraudTest | None] = relationship(viewonly=True)
    look: Mapped[FraudLook | None] = relationship(viewonly=True)

    __table_args__ = (
        CheckConstraint("kind IN ('spending', 'destination', 'burst', 'night')", "kind"),
        CheckConstraint("destinations IN ('all', 'international', 'prefixes')", "destinations"),
        CheckConstraint(
            "array_to_string(prefixes, ',') ~ '^([0-9]{1,15}(,[0-9]{1,15})*)?$' "
            "AND (destinations <> 'prefixes' OR cardinality(prefixes) > 0)",
            "prefixes",
        ),
        CheckConstraint("window_minutes BETWEEN 1 AND 1440", "window_minutes"),
        CheckConstraint(
            "num_nonnulls(max_calls, max_minutes, max_amount) > 0 "
            "AND max_calls BETWEEN 0 AND 1000000 AND max_minutes BETWEEN 0 AND 1000000 AND max_amount >= 0",
            "limits",
        ),
        CheckConstraint("short_seconds BETWEEN 1 AND 3600", "short_seconds"),
        CheckConstraint("known_days BETWEEN 1 AND 365", "known_days"),
        CheckConstraint(
            "night_from || night_until ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]){2}$' AND night_from <> night_until", "night"
        ),
        CheckConstraint("action IN ('alert', 'block_international', 'block_all')", "action"),
        CheckConstraint("state IN ('draft', 'armed')", "state"),
    )

    def __str__(self) -> str:
        return self.name

    @property
    def is_armed(self) -> bool:
        return self.state == "armed"

    @property
    def is_tested(self) -> bool:
        """Whether it was tested on past calls as it is now."""
        return self.test is not None and self.test.tested_at >= self.changed_at


class FraudTest(Base):
    """What a rule would have done with past calls, as it was last found out."""

    __tablename__ = "fraud_tests"

    rule_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("fraud_rules.id", ondelete="CASCADE"), primary_key=True)
    days: Mapped[int]
    tested_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())
    username: Mapped[str]
    result: Mapped[dict[str, Any]] = mapped_column(JSONB)  # operations.Result


class FraudLook(Base):
    """When an agent last looked by an armed rule, and what was wrong if it failed."""

    __tablename__ = "fraud_looks"

    rule_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("fraud_rules.id", ondelete="CASCADE"), primary_key=True)
    looked_at: Mapped[dt.datetime]
    milliseconds: Mapped[int]
    error: Mapped[str] = mapped_column(server_default="")
