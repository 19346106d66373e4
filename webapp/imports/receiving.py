"""A file that comes in: kept as it is, once it is known to be a table."""

from __future__ import annotations

import re
import uuid
from typing import BinaryIO, cast

from flask_babel import get_locale

from webapp import store, who
from webapp.ext import db
from webapp.imports import keeping, mapping, reading
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import
from webapp.imports.schemas import ImportSchema


def receive(wanted: ImportSchema) -> Import:
    """Keep a file, and find out what its columns are.

    Unreadable if it is no table, WrongColumns if its columns are not as was said.
    """
    kind, stream = KINDS[wanted.kind], cast(BinaryIO, wanted.file.stream)
    first = reading.first_lines(stream, 4)
    columns = mapping.named(kind, first[0])
    # A first line that names nothing we know is taken for data, till somebody says otherwise.
    has_header = bool(columns) if wanted.has_header is None else wanted.has_header
    if wanted.columns is not None:
        columns, has_header = mapping.chosen(kind, first, wanted.columns, has_header)
    import_ = Import(
        id=uuid.uuid4(),
        kind=wanted.kind,
        target_id=wanted.target_id,
        file_name=_file_name(wanted.file.filename or ""),
        username=who.username(),
        request_id=who.request_id(),
        language=str(get_locale()),
        valid_from=wanted.begins_at,
        header=[[cell.replace("\x00", "")[:200] for cell in cells] for cells in first],
        has_header=has_header,
        columns=columns,
        total=reading.count(stream),
    )
    import_.state = "mapping" if mapping.missing(kind, columns) else "reading"
    keeping.forget_old()
    db.session.add(import_)
    db.session.flush()
    keeping.keep(import_, stream)
    store.save()
    return import_


def _file_name(text: str) -> str:
    """The last part of what the browser says, as one line."""
    name = re.split(r"[\\/]", text)[-1]
    return re.sub(r"[\x00-\x1f\x7f]", "", name)[:120] or "?"
