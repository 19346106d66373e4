"""The Asterisk servers we run, and what each of them has yet to be told."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ext import Base


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
