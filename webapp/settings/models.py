"""What the company has settled; the Asterisk servers we run, and what each of them has yet to be told."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Numeric, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ext import Base, Managed

THE_ONE = uuid.UUID(int=1)  # The id of the company's settings.


class CompanySettings(Managed, Base):
    """What the company has settled for all its customers: there is one row, and it is always there."""

    __tablename__ = "settings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=str(THE_ONE), sort_order=-1)
    company_name: Mapped[str] = mapped_column(server_default="")
    currency: Mapped[str] = mapped_column(server_default="BRL")  # ISO 4217.
    time_zone: Mapped[str] = mapped_column(server_default="America/Sao_Paulo")
    country_code: Mapped[str] = mapped_column(server_default="55")
    area_code: Mapped[str] = mapped_column(server_default="11")  # Of customers who have none of their own.
    emergency_numbers: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default="{112,180,188,190,191,192,193,194,197,198,199,911}"
    )
    quarantine_days: Mapped[int] = mapped_column(server_default="30")  # How long a DID rests that was taken back.
    max_call_seconds: Mapped[int] = mapped_column(server_default="14400")  # The longest call out.
    prepaid_call_seconds: Mapped[int] = mapped_column(server_default="3600")  # What is put by for is no longer.
    price_places: Mapped[int] = mapped_column(server_default="4")  # What a call costs and is sold for is rounded to.
    # Who pays for conferences that name no customer.
    conference_customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"))
    # What new customers are limited to and may not call, until something else is said of them; as in customers.
    default_max_channels: Mapped[int] = mapped_column(server_default="0")
    default_calls_per_second: Mapped[int] = mapped_column(server_default="0")
    default_max_price_per_minute: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))
    default_daily_limit: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))
    default_blocked_list_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("destination_lists.id"))
    default_allowed_list_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("destination_lists.id"))
    call_requests_days: Mapped[int] = mapped_column(server_default="90")  # How long routing decisions are kept.

    __table_args__ = (
        CheckConstraint(f"id = '{THE_ONE}'", "one"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", "currency"),
        CheckConstraint("country_code ~ '^[1-9][0-9]{0,2}$'", "country_code"),
        CheckConstraint("area_code ~ '^[0-9]{0,5}$'", "area_code"),
        CheckConstraint("cardinality(emergency_numbers) > 0", "emergency_numbers"),
        CheckConstraint("quarantine_days BETWEEN 0 AND 365", "quarantine_days"),
        CheckConstraint("max_call_seconds BETWEEN 60 AND 86400", "max_call_seconds"),
        CheckConstraint("prepaid_call_seconds BETWEEN 60 AND 86400", "prepaid_call_seconds"),
        CheckConstraint("price_places BETWEEN 0 AND 8", "price_places"),
        CheckConstraint("call_requests_days BETWEEN 1 AND 365", "call_requests_days"),
        CheckConstraint("default_max_channels BETWEEN 0 AND 10000", "default_max_channels"),
        CheckConstraint("default_calls_per_second BETWEEN 0 AND 1000", "default_calls_per_second"),
        CheckConstraint("default_max_price_per_minute >= 0 AND default_daily_limit >= 0", "default_amounts"),
    )

    def __str__(self) -> str:
        return self.company_name or "Asterisk Admin"


# So long after its agent last signed in, which it does every 5 seconds, a node counts as there.
ALIVE_SECONDS = 15


class Node(Base):
    """One Asterisk server. Its agent enters it here when it first starts, and signs in every few seconds."""

    __tablename__ = "nodes"

    name: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool] = mapped_column(server_default="true")
    seen_at: Mapped[dt.datetime | None]  # When the agent last signed in.
    asterisk_up: Mapped[bool] = mapped_column(server_default="false")
    detail: Mapped[str] = mapped_column(server_default="")  # Why Asterisk is not up, in a sentence.


class OutboxEntry(Base):
    """One thing that one node's Asterisk must be told, written in the transaction that made it necessary."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    node: Mapped[str] = mapped_column(ForeignKey("nodes.name", ondelete="CASCADE"))
    action: Mapped[str]
    object: Mapped[str] = mapped_column(server_default="")
    request_id: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())
    done_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(server_default="")  # Why the last try failed.

    __table_args__ = (Index("ix_outbox_owed", "node", "id", postgresql_where="done_at IS NULL"),)
