"""Bills of providers, and what differs between them and our calls."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Numeric, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from webapp.ext import Base
from webapp.imports.models import BroughtIn

if TYPE_CHECKING:
    from webapp.providers.models import Provider

STATES = ("mapping", "reading", "ready", "failed")
DIFFERING = ("missing", "extra", "duration", "price")
KINDS = (*DIFFERING, "equal", "unread")


class InvoiceCheck(BroughtIn, Base):
    """A bill, held against the calls that the provider carried for us. It changes nothing of them."""

    __tablename__ = "invoice_checks"

    provider_id: Mapped[uuid.UUID] = mapped_column(
        index=True
    )  # No key: what was found stays when the provider is gone.
    time_zone: Mapped[str]  # Of the times in the file.
    tolerance_seconds: Mapped[int]  # So far apart may the beginnings of the same call be, ...
    tolerance_duration: Mapped[int]  # ... its durations, ...
    tolerance_amount: Mapped[Decimal] = mapped_column(Numeric(18, 8))  # ... and its amounts.

    # What was found.
    since: Mapped[dt.datetime | None]  # The period of the bill, by our clock.
    until: Mapped[dt.datetime | None]
    clock_ahead: Mapped[int] = mapped_column(server_default="0")  # Seconds that were taken off their times.
    their_rounding: Mapped[str] = mapped_column(server_default="")  # Minimum/increment, if that explains durations.
    our_rounding: Mapped[str] = mapped_column(server_default="")
    sums: Mapped[dict[str, dict[str, Any]]] = mapped_column(JSONB, server_default="{}")  # Of each kind of line.
    differing: Mapped[int] = mapped_column(server_default="0")
    billed: Mapped[Decimal] = mapped_column(Numeric(20, 8), server_default="0")
    cost: Mapped[Decimal] = mapped_column(Numeric(20, 8), server_default="0")
    difference: Mapped[Decimal] = column_property(billed - cost)

    provider: Mapped[Provider | None] = relationship(
        primaryjoin="foreign(InvoiceCheck.provider_id) == Provider.id", viewonly=True
    )

    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", "state"),
        CheckConstraint("tolerance_seconds BETWEEN 0 AND 600", "tolerance_seconds"),
        CheckConstraint("tolerance_duration BETWEEN 0 AND 60", "tolerance_duration"),
        CheckConstraint("tolerance_amount >= 0", "tolerance_amount"),
    )

    @property
    def has_amounts(self) -> bool:
        """Whether the bill says what each call costs."""
        return "amount" in self.columns


class InvoiceLine(Base):
    """A line of a bill, and a copy of the call that it is for; or a call that no line is for."""

    __tablename__ = "invoice_lines"

    check_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    # The number of the line in the file. Calls that it leaves out come after its last line.
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    errors: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB(none_as_null=True))  # Why it was not understood.
    kind: Mapped[str] = mapped_column(server_default="")  # One of KINDS.
    started_at: Mapped[dt.datetime | None]
    number: Mapped[str | None]
    caller: Mapped[str | None]
    seconds: Mapped[int | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(18, 8))
    call_id: Mapped[int | None] = mapped_column(BigInteger)
    call_started_at: Mapped[dt.datetime | None]
    call_number: Mapped[str | None]
    call_caller: Mapped[str | None]
    call_seconds: Mapped[int | None]
    call_billed_seconds: Mapped[int | None]
    call_minimum_seconds: Mapped[int | None]
    call_increment_seconds: Mapped[int | None]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(18, 8))
    difference: Mapped[Decimal] = column_property(func.coalesce(amount, 0) - func.coalesce(cost, 0))

    __table_args__ = (Index("ix_invoice_lines_kind", "check_id", "kind", "position"),)

    @property
    def line(self) -> int | None:
        """Where it is in the file."""
        return None if self.kind == "missing" else self.position
