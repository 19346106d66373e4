"""Whom to tell when something needs somebody, and what is yet to be told."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ext import Base, Managed
from webapp.settings.models import THE_ONE


class AlertSettings(Managed, Base):
    """Whom to tell: there is one row, and it is always there."""

    __tablename__ = "alert_settings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=str(THE_ONE), sort_order=-1)
    emails: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    language: Mapped[str] = mapped_column(server_default="pt_BR")  # Of the messages.
    webhook_url: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        CheckConstraint(f"id = '{THE_ONE}'", "one"),
        CheckConstraint("language IN ('pt_BR', 'en')", "language"),
    )

    def __str__(self) -> str:
        return "alerts"


class Alert(Base):
    """One message by one way. An agent sends it, at least once, until it is taken or too old to matter."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    channel: Mapped[str]  # email or webhook.
    kind: Mapped[str]  # fraud or test.
    about: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tries: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[dt.datetime | None]
    given_up_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(server_default="")  # Why the last try failed.

    __table_args__ = (
        CheckConstraint("channel IN ('email', 'webhook')", "channel"),
        Index("ix_alerts_owed", "next_try_at", postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL")),
    )
