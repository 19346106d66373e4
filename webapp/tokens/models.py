"""The tokens of programs."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.accounts.models import ROLES, User
from webapp.ext import Base, Managed


class ApiToken(Managed, Base):
    """What a program shows to be let in. It is known by its hash only, and no good once its owner is disabled."""

    __tablename__ = "api_tokens"

    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]  # What it may do at the most: what its owner may not, it may not either.
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)  # Who made it.
    token_hash: Mapped[str] = mapped_column(unique=True)  # SHA-256: enough for what has 256 random bits.
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]  # To the minute.

    user: Mapped[User] = relationship()

    __table_args__ = (CheckConstraint(f"role IN {ROLES}", "role"),)

    @property
    def username(self) -> str:
        """Who made it."""
        return self.user.username

    @property
    def state(self) -> str:
        """Whether it is good: active, revoked, expired, or disabled together with its owner."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= dt.datetime.now(dt.UTC):
            return "expired"
        return "active" if self.user.enabled else "disabled"

    def __str__(self) -> str:
        return self.name


class RateLimit(Base):
    """How often one caller asked in the minute that ends at `ends_at`."""

    __tablename__ = "rate_limits"

    caller: Mapped[str] = mapped_column(primary_key=True)
    hits: Mapped[int]
    ends_at: Mapped[dt.datetime] = mapped_column(index=True)

    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
