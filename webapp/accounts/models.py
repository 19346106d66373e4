"""Who may use the program, and what they did."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import bcrypt
from flask_login import UserMixin
from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Identity, Index, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.encryption import EncryptedText
from webapp.ext import Base, Managed

ROLES = ("viewer", "operator", "admin")
# What tells browsers and systems apart: the first that is found, for most pretend to be several.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
THEMES = ("system", "light", "dark")


class User(Managed, UserMixin, Base):  # type: ignore[misc]  # flask_login has no types
    """A person who works with the program."""

    __tablename__ = "users"

    username: Mapped[str] = mapped_column(unique=True)  # In small letters.
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="viewer")
    enabled: Mapped[bool] = mapped_column(server_default="true")
    language: Mapped[str] = mapped_column(server_default="")  # Empty: what the browser asks for.
    theme: Mapped[str] = mapped_column(server_default="system")
    tokens_valid_from: Mapped[dt.datetime] = mapped_column(server_default="epoch")  # Older tokens are no good.

    second_factor: Mapped[SecondFactor | None] = relationship(viewonly=True)

    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", "role"),
        CheckConstraint(f"theme IN {THEMES}", "theme"),
        CheckConstraint("username = lower(username)", "username_lower"),
    )

    @property
    def is_active(self) -> bool:
        return self.enabled

    @property
    def password(self) -> str:
        """Never known. It is written only, and writing nothing keeps the one there is."""
        return ""

    @password.setter
    def password(self, password: str) -> None:
        if password:
            self.set_password(password)

    def set_password(self, password: str) -> None:
        """Keep a bcrypt hash. bcrypt reads 72 bytes at the most, so a longer password is refused here."""
        secret = password.strip().encode()
        if len(secret) > 72:
            raise ValueError("a password has 72 bytes at the most")
        self.password_hash = bcrypt.hashpw(secret, bcrypt.gensalt()).decode()

    def has_password(self, password: str) -> bool:
        """Whether this is it; blanks around it do not count, for forms cut them off. As slow for any other."""
        secret = password.strip().encode()
        return bcrypt.checkpw(secret[:72], self.password_hash.encode()) and len(secret) <= 72

    def __str__(self) -> str:
        return self.username


class UserSession(Base):
    """A browser in which somebody is signed in; its cookie holds the id. It ends by being deleted, or by age."""

    __tablename__ = "sessions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, server_default=func.gen_random_uuid())
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())  # To the minute.
    expires_at: Mapped[dt.datetime]
    address: Mapped[str]
    user_agent: Mapped[str]

    @property
    def browser(self) -> str:
        """What the browser says it is, in two words; all it says if that is something else."""
        found = [next((name for sign, name in signs if sign in self.user_agent), "") for signs in (_BROWSERS, _SYSTEMS)]
        return " · ".join(filter(None, found)) or self.user_agent[:60]


class SecondFactor(Base):
    """What a user signs in with besides the password: an app that shows a new code every 30 s (TOTP, RFC 6238)."""

    __tablename__ = "second_factors"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    # Read apart from the rest: recovery codes are right without it.
    secret: Mapped[str] = mapped_column(EncryptedText, deferred=True)
    confirmed: Mapped[bool] = mapped_column(server_default="false")  # By a first code; before that nobody is asked.
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")  # Of the last code, which is used up.
    recovery_codes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")  # Hashes of those left.
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class KnownAddress(Base):
    """Where a user has signed in from: there nobody else's tries make him wait."""

    __tablename__ = "known_addresses"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class SignInTry(Base):
    """A try to sign in that has come to nothing so far. The name is as it was typed: there may be no such user."""

    __tablename__ = "sign_in_tries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), index=True)
    username: Mapped[str] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(index=True)

    __table_args__ = ({"prefixes": ["UNLOGGED"]},)


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
