"""Who may use the program, and what they did."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import bcrypt
from flask_login import UserMixin
from sqlalchemy import CheckConstraint, Computed, Index, func
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ext import Base, Managed

ROLES = ("viewer", "operator", "admin")


class User(Managed, UserMixin, Base):  # type: ignore[misc]  # flask_login has no types
    """A person who works with the program."""

    __tablename__ = "users"

    username: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="viewer")
    enabled: Mapped[bool] = mapped_column(server_default="true")
    language: Mapped[str] = mapped_column(server_default="")  # Empty: what the browser asks for.
    tokens_valid_from: Mapped[dt.datetime] = mapped_column(server_default="epoch")  # Older tokens are no good.

    __table_args__ = (CheckConstraint(f"role IN {ROLES}", "role"),)

    @property
    def is_active(self) -> bool:
        return self.enabled

    def set_password(self, password: str) -> None:
        """Keep a bcrypt hash. bcrypt reads 72 bytes at the most, so a longer password is refused here."""
        if len(password.encode()) > 72:
            raise ValueError("a password has 72 bytes at the most")
        self.password_hash = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()

    def has_password(self, password: str) -> bool:
        secret = password.encode()
        return len(secret) <= 72 and bcrypt.checkpw(secret, self.password_hash.encode())

    def __str__(self) -> str:
        return self.username


class AuditEntry(Base):
    """One change: who made it, to what, and how it was before and after. Secrets are masked."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    username: Mapped[str]  # A name rather than a reference: the entry outlives the user.
    request_id: Mapped[str] = mapped_column(server_default="")
    action: Mapped[str]  # create, update, delete
    kind: Mapped[str]  # The table of the thing.
    thing_id: Mapped[uuid.UUID]
    label: Mapped[str]
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # What a search looks into.
    words: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('simple', left(label || ' ' || request_id || ' ' || before::text || ' ' || after::text, "
            "100000))",
            persisted=True,
        ),
        deferred=True,
    )

    __table_args__ = (
        Index("ix_audit_log_at", "at", "id"),
        Index("ix_audit_log_thing", "thing_id", "at", "id"),
        Index("ix_audit_log_username", "username", "at", "id"),
        Index("ix_audit_log_kind", "kind", "at", "id"),
        Index("ix_audit_log_action", "action", "at", "id"),
        Index("ix_audit_log_words", "words", postgresql_using="gin"),
    )
