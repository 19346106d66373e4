"""A file that comes in: kept as it is, once it is known to be a table."""

from __future__ import annotations

import re
import uuid
from typing import Any, BinaryIO, cast

from flask_babel import get_locale

from webapp import store, who
from webapp.ext import db
from webapp.imports import keeping, mapping, reading
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.models import BroughtIn, Import
from webapp.imports.schemas import FileSchema, ImportSchema


def receive(wanted: ImportSchema) -> Import:
    """Keep a file, and find out what its columns are.

    Unreadable if it is no table, WrongColumns if its columns are not as was said.
    """
    known = described(wanted, KINDS[wanted.kind])
    import_ = Import(kind=wanted.kind, target_id=wanted.target_id, valid_from=wanted.begins_at, **known)
    keeping.forget_old()
    store_with_file(import_, wanted)
    return import_


def described(wanted: FileSchema, kind: Kind) -> dict[str, Any]:
    """What is known of a file at first sight, as columns of BroughtIn: who brings it, and which of its columns is what.

    Unreadable if it is no table, WrongColumns if its columns are not as was said.
    """
    stream = cast(BinaryIO, wanted.file.stream)
    first = reading.first_lines(stream, 4)
    columns = mapping.named(kind, first[0])
    # A first line that names nothing we know is taken for data, till somebody says otherwise.
    has_header = bool(columns) if wanted.has_header is None else wanted.has_header
    if wanted.columns is not None:
        columns, has_header = mapping.chosen(kind, first, wanted.columns, has_header)
    return {
        "id": uuid.uuid4(),
        "file_name": _file_name(wanted.file.filename or ""),
        "username": who.username(),
        "request_id": who.request_id(),
        "language": str(get_locale()),
        "state": "mapping" if mapping.missing(kind, columns) else "reading",
        "header": [[cell.replace("\x00", "")[:200] for cell in cells] for cells in first],
        "has_header": has_header,
        "columns": columns,
        "total": reading.count(stream),
    }


def store_with_file(thing: BroughtIn, wanted: FileSchema) -> None:
    """Store what was made of a file, and the file."""
    db.session.add(thing)
    db.session.flush()
    keeping.keep(thing, cast(BinaryIO, wanted.file.stream))
    store.save()


def _file_name(text: str) -> str:
    """The last part of what the browser says, as one line."""
    name = re.split(r"[\\/]", text)[-1]
    return re.sub(r"[\x00-\x1f\x7f]", "", name)[:120] or "?"
