"""The lines of a file into the table where they wait: understood by the schema, copied by the batch."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import Any

import psycopg2
from flask_babel import gettext
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Numeric, delete, text
from sqlalchemy.orm import Session

from webapp.export import as_meant
from webapp.imports import keeping, reading
from webapp.imports.kinds import Kind
from webapp.imports.models import BroughtIn
from webapp.imports.reading import Unreadable
from webapp.validation import N_, messages, operators_zone

BATCH = 1000
Lines = Iterator[tuple[int, list[str]]]


def stage(session: Session, import_: BroughtIn, kind: Kind, lines: Lines, progress: Any) -> None:
    """Copy every line into the kind's table; the memory it takes does not depend on how many they are."""
    names = ", ".join([*kind.line.__table__.primary_key.c.keys(), "errors", *kind.staged])
    # Whatever is asked of the database is asked now: in the course of a COPY it takes no questions.
    context = kind.context()
    operators_zone()
    copied = _File(_copied(import_, kind, context, lines, progress))
    cursor = session.connection().connection.cursor()
    try:
        cursor.copy_expert(f"COPY {kind.line.__tablename__} ({names}) FROM STDIN", copied, 1 << 16)
    except psycopg2.Error:
        if copied.failure:
            raise copied.failure from None
        raise


def column_name(import_: BroughtIn, kind: Kind, field: str) -> str:
    """What the file calls a field; else what we call it."""
    position = import_.columns.get(field)
    if position is not None and import_.has_header and import_.header[0][position].strip():
        return import_.header[0][position].strip()
    info = kind.schema.model_fields.get({"extension_id": "destination"}.get(field, field))
    return gettext(info.title) if info and info.title else field


def stage_file(session: Session, import_: BroughtIn, kind: Kind, progress: Any) -> None:
    """Copy every line of its file into the kind's table, in place of those that are there."""
    owner = next(iter(kind.line.__table__.primary_key))
    session.execute(delete(kind.line).where(owner == import_.id))
    with keeping.kept(session, import_) as file:
        if not file.tell():
            raise Unreadable(N_("The file is no longer there. Bring it in again."))
        with reading.lines(file) as lines:
            stage(session, import_, kind, lines, progress)
    session.execute(text(f"ANALYZE {kind.line.__tablename__}"))


class _File:
    """Texts as a file that COPY reads from."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._left = b""
        self.failure: Unreadable | None = None  # psycopg2 tells only that there was one.

    def read(self, size: int) -> bytes:
        try:
            while len(self._left) < size and (text := next(self._texts, None)) is not None:
                self._left += text.encode(errors="replace")
        except Unreadable as error:
            self.failure = error
            raise
        some, self._left = self._left[:size], self._left[size:]
        return some


def _copied(import_: BroughtIn, kind: Kind, context: dict[str, Any], lines: Lines, progress: Any) -> Iterator[str]:
    """The lines in the format of COPY, a batch at a time."""
    if import_.has_header:
        next(lines, None)
    many = TypeAdapter(list[kind.schema])  # type: ignore[name-defined]  # a schema is known only now
    amounts = {column.name for column in kind.line.__table__.c if isinstance(column.type, Numeric)}
    columns = [(name, position, name in amounts) for name, position in import_.columns.items()]
    values = attrgetter(*kind.staged)
    fixed = kind.fixed(import_)
    own = str(import_.id)
    while batch := list(islice(lines, BATCH)):
        payloads = [_payload(fixed, columns, cells) for _, cells in batch]
        try:
            valid = many.validate_python(payloads, context=context)
        except ValidationError:
            judged = (_one(import_, kind, context, values, payload) for payload in payloads)
        else:
            judged = ("\\N\t" + "\t".join([_cell(value) for value in values(line)]) for line in valid)
        yield "".join([f"{own}\t{number}\t{rest}\n" for (number, _), rest in zip(batch, judged, strict=True)])
        progress.lines += len(batch)


def _payload(fixed: dict[str, Any], columns: list[tuple[str, int, bool]], cells: list[str]) -> dict[str, Any]:
    """What a line says, under the schema's names. An empty cell is left out, which means the default."""
    last = len(cells)
    payload = dict(fixed)
    for name, position, is_amount in columns:
        if position < last and (text := as_meant(cells[position].strip())):
            payload[name] = _amount(text) if is_amount else text
    return payload


def _amount(text: str) -> str:
    """Of comma and point, the last is the decimal sign: 1.234,56 and 1,234.56 are both 1234.56, and 0,05 is 0.05."""
    text = text.removeprefix("R$").lstrip()
    thousands, decimal = (".", ",") if text.rfind(",") > text.rfind(".") else (",", ".")
    return text.replace(thousands, "").replace(decimal, ".")


def _one(import_: BroughtIn, kind: Kind, context: dict[str, Any], values: Any, payload: dict[str, Any]) -> str:
    """One line of a batch in which something is wrong: its errors and its values."""
    try:
        line = kind.schema.model_validate(payload, context=context)
    except ValidationError as error:
        wrong = [
            {
                "column": column_name(import_, kind, field),
                "value": _storable(str(payload.get(field, "")))[:200],
                "reason": _storable(" ".join(texts)),
            }
            for field, texts in messages(error).items()
        ]
        return "\t".join([_cell(json.dumps(wrong)), *["\\N"] * len(kind.staged)])
    return "\t".join(["\\N", *map(_cell, values(line))])


def _storable(text: str) -> str:
    """A text as JSON in the database can hold it."""
    return text.replace("\x00", "�").encode(errors="replace").decode()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPED)
    if value is None:
        return "\\N"
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
