"""What is kept of an import besides its row, and for how long."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from flask_babel import gettext
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from webapp.ext import db
from webapp.imports.kinds import KINDS
from webapp.imports.models import KEEP_DAYS, UNDO_DAYS, BroughtIn, Import, ImportChange, ImportFile
from webapp.validation import N_

PART_BYTES = 512 * 1024


def keep(import_: BroughtIn, stream: BinaryIO) -> None:
    """Store the file, from its beginning."""
    stream.seek(0)
    for number, data in enumerate(iter(lambda: stream.read(PART_BYTES), b"")):
        db.session.execute(insert(ImportFile), {"import_id": import_.id, "part": number, "data": data})


@contextmanager
def kept(session: Session, import_: BroughtIn) -> Iterator[BinaryIO]:
    """The file as it was stored; it is empty if it is no longer there."""
    with tempfile.TemporaryFile() as file:
        parts = select(ImportFile.data).where(ImportFile.import_id == import_.id).order_by(ImportFile.part)
        for data in session.scalars(parts.execution_options(yield_per=4)):
            file.write(data)
        yield cast(BinaryIO, file)


def forget(session: Session, import_: Import) -> None:
    """Let go of what is only needed until an import is applied."""
    line = KINDS[import_.kind].line
    session.execute(delete(line).where(line.import_id == import_.id))
    session.execute(delete(ImportFile).where(ImportFile.import_id == import_.id))


def forget_old() -> None:
    """Let go of the lines and files of imports that came to nothing, and of what undid those of long ago."""
    old = select(Import.id).where(Import.created_at < _ago(KEEP_DAYS), Import.state.in_(("mapping", "ready")))
    ids = db.session.scalars(old).all()
    for id in ids:
        forget(db.session(), db.session.get_one(Import, id))
    db.session.execute(update(Import).where(Import.id.in_(ids)).values(state="failed", error=gettext(N_("Forgotten."))))
    # A day later than it is offered, so that nobody is undoing it now.
    settled = select(Import.id).where(Import.applied_at < _ago(UNDO_DAYS + 1), Import.undone_at.is_(None))
    db.session.execute(delete(ImportChange).where(ImportChange.import_id.in_(settled)))


def _ago(days: int) -> ColumnElement[dt.datetime]:
    return func.now() - func.make_interval(0, 0, 0, days)
