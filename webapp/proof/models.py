"""The last proof of each node, and of Asterisk's tables."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ext import Base

TABLES = ""  # In the place of a node: the tables that Asterisk reads.
EVERYTHING = ""  # In the place of an owner of rows.
MOST = 1000  # Findings that are kept; how many there are is always told.


class SyncCheck(Base):
    """Asked by the web; a node's agent answers in the same row. One that was asked for again begins anew."""

    __tablename__ = "sync_checks"

    node: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True, server_default="")  # An owner of rows: gateway:<uuid>.
    asked_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())
    asked_by: Mapped[str]
    done: Mapped[int] = mapped_column(server_default="0")  # So many objects looked at, ...
    total: Mapped[int] = mapped_column(server_default="0")  # ... of so many.
    finished_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(server_default="")  # Why it could not be checked.
    differences: Mapped[int] = mapped_column(server_default="0")
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")
    by_hand: Mapped[dict[str, list[str]]] = mapped_column(JSONB, server_default="{}")  # Table -> rows of nobody.
