"""Files that operators bring in, the lines they hold, and what became of them."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Numeric, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ext import Base

# What a program is busy with, and what an import is left as when it stops half way.
WORKING = ("reading", "applying", "undoing")
STATES = ("mapping", "reading", "ready", "applying", "applied", "undoing", "undone", "failed")
HEARTBEAT_SECONDS = 15  # Whoever works at an import says so every second; silent for so long, it is dead.
KEEP_DAYS = 7  # What was never applied is then forgotten.
UNDO_DAYS = 90  # What was there before an import is kept for so long after it.

Cells = list[str]


class BroughtIn:
    """A file that is read after the request that brought it was answered: what it is, and how far that is."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, server_default=func.gen_random_uuid())
    file_name: Mapped[str]
    username: Mapped[str]  # Who brought the file, in which request and language.
    request_id: Mapped[str] = mapped_column(server_default="")
    language: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), index=True)
    state: Mapped[str]
    header: Mapped[list[Cells]] = mapped_column(JSONB, server_default="[]")  # The first lines of the file, as cells.
    has_header: Mapped[bool] = mapped_column(server_default="true")  # Whether the first line names the columns.
    columns: Mapped[dict[str, int]] = mapped_column(JSONB, server_default="{}")  # Field -> position of its cell.
    progress: Mapped[int] = mapped_column(server_default="0")  # Lines read, of `total`; 0: not known.
    total: Mapped[int] = mapped_column(server_default="0")
    heartbeat: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    error: Mapped[str] = mapped_column(server_default="")  # Why the last step did not work, in a sentence.

    @property
    def interrupted(self) -> bool:
        """Whether whoever worked at it has died."""
        silence = dt.datetime.now(dt.UTC) - self.heartbeat
        return self.state in WORKING and silence.total_seconds() > HEARTBEAT_SECONDS

    @property
    def working(self) -> bool:
        return self.state in WORKING and not self.interrupted

    def __str__(self) -> str:
        return self.file_name


class Import(BroughtIn, Base):
    """One file: read, looked at, applied as a whole, and undone if it was the wrong one."""

    __tablename__ = "imports"

    kind: Mapped[str]  # One of the keys of kinds.KINDS.
    target_id: Mapped[uuid.UUID | None]  # The price plan or provider whose tariffs they are.
    valid_from: Mapped[dt.datetime | None]  # From when on tariffs count for which the file does not say it.
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, server_default="{}")  # new, changed, unchanged, rejected
    applied_at: Mapped[dt.datetime | None]
    undone_at: Mapped[dt.datetime | None]

    __table_args__ = (CheckConstraint(f"state IN {STATES}", "state"),)

    @property
    def undo_until(self) -> dt.datetime | None:
        """Until when it can be undone; None for what is not applied."""
        applied = self.applied_at if self.state in ("applied", "undoing") else None
        return applied and applied + dt.timedelta(days=UNDO_DAYS)

    @property
    def undoable(self) -> bool:
        return self.undo_until is not None and dt.datetime.now(dt.UTC) < self.undo_until


class ImportFile(Base):
    """A part of the file: any web process can read it, on whatever machine it was brought in."""

    __tablename__ = "import_files"

    # What it is the file of: an import, or the check of an invoice.
    import_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]

    __table_args__ = {"prefixes": ["UNLOGGED"]}


class Line:
    """A line of a file as it was understood; if it was refused, what is wrong: column, value, reason."""

    import_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, sort_order=-2)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, sort_order=-2)
    errors: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB(none_as_null=True), sort_order=-1)


class DidLine(Line, Base):
    __tablename__ = "import_dids"

    number: Mapped[str | None]
    provider_id: Mapped[uuid.UUID | None]
    gateway_id: Mapped[uuid.UUID | None]
    status: Mapped[str | None]
    description: Mapped[str | None]
    customer_id: Mapped[uuid.UUID | None]
    destination: Mapped[str | None]

    __table_args__ = {"prefixes": ["UNLOGGED"]}


class TariffLine(Line, Base):
    """Of a price plan, or of a provider's deck, which has no prices."""

    __tablename__ = "import_tariffs"

    prefix: Mapped[str | None]
    description: Mapped[str | None]
    cost_per_minute: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))
    price_per_minute: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))
    minimum_seconds: Mapped[int | None]
    increment_seconds: Mapped[int | None]
    connect_fee: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))
    valid_from: Mapped[dt.datetime | None]

    __table_args__ = {"prefixes": ["UNLOGGED"]}


class ImportChange(Base):
    """What an import did to one thing."""

    __tablename__ = "import_changes"

    import_id: Mapped[uuid.UUID] = mapped_column(index=True)
    thing_id: Mapped[uuid.UUID] = mapped_column()
    version: Mapped[int]  # The thing's version after it; another one now means that somebody changed it since.
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # None: the thing is new.

    # The database needs no key here, but the mapper does.
    __mapper_args__ = {"primary_key": [import_id, thing_id]}
