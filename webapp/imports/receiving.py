"""A file that comes in: kept as it is, once it is known to be a table."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import BinaryIO, cast

from flask_babel import get_locale
from werkzeug.datastructures import FileStorage

from webapp import store, who
from webapp.ext import db
from webapp.imports import keeping, mapping, reading
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import


def receive(file: FileStorage, kind: str, target_id: uuid.UUID | None, valid_from: dt.datetime | None) -> Import:
    """Keep a file, and find out what its columns are. Unreadable if it is no table."""
    stream = cast(BinaryIO, file.stream)
    first = reading.first_lines(stream, 4)
    found = mapping.named(KINDS[kind], first[0])
    import_ = Import(
        id=uuid.uuid4(),
        kind=kind,
        target_id=target_id,
        file_name=_file_name(file.filename or ""),
        username=who.username(),
        request_id=who.request_id(),
        language=str(get_locale()),
        valid_from=valid_from,
        header=[[cell.replace("\x00", "")[:200] for cell in cells] for cells in first],
        has_header=bool(found),  # A first line that names nothing we know is taken for data, till somebody says so.
        columns=found,
        total=reading.count(stream),
    )
    import_.state = "mapping" if mapping.missing(import_) else "reading"
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
