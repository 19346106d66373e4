"""Lists as CSV and XLSX files: all rows that the page's search and filters leave, in its order, sent as they are read.

Excel opens a CSV file with a double click: it takes it for UTF-8 only if a byte order mark says so, and splits it at
the sign that the language uses. The heads are the names of fields, so that what was exported can be imported.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from flask import Response, abort, stream_with_context
from flask_babel import get_locale, get_timezone
from sqlalchemy import ColumnElement, DateTime, Numeric, Select, String, Text, and_, case, cast, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from webapp import copying, typed, xlsx
from webapp.ext import db
from webapp.listing import ListOf, NoSuch

ROWS = 1000  # Read and sent at a time.
# What begins a formula, the wide signs where Excel is Japanese or Chinese. Before it any quotation marks, so that each
# text can be told from the one it was made of.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_SUSPECT = frozenset(map(ord, "'=+-@\t\r\n＝＋－＠"))


def csv_file(listing: ListOf, name: str) -> Response:
    """The list as the file `name`-<today>.csv, narrowed and sorted as the request says."""
    return csv_of(_columns(listing), list(listing.export), name)


def xlsx_file(listing: ListOf, name: str) -> Response:
    """The same as the file `name`-<today>.xlsx."""
    return xlsx_of(read(_columns(listing)), list(listing.export), name)


def _columns(listing: ListOf) -> Select[Any]:
    """The columns of the file, of the rows that the request asks for."""
    chosen = listing.chosen()
    try:
        query = listing.sort(listing.narrow(listing.query, chosen), chosen.get("sort", ""))
    except NoSuch:
        abort(404)
    return query.with_only_columns(*listing.export.values(), maintain_column_froms=True)


def csv_of(rows: Select[Any] | Iterable[Sequence[Any]], heads: Sequence[str], name: str) -> Response:
    """Rows, or what a query finds, as the file `name`-<today>.csv, a column below each head."""
    comma = str(get_locale()).startswith("pt")
    lines = _copied(rows, heads, comma) if isinstance(rows, Select) else _lines(rows, heads, comma)
    return _file(lines, "text/csv; charset=utf-8", f"{name}-{_today()}.csv")


def xlsx_of(rows: Iterable[Sequence[Any]], heads: Sequence[str], name: str) -> Response:
    """Rows as the file `name`-<today>.xlsx, a column below each head."""
    return _file(xlsx.workbook(heads, rows, typed.zone()), xlsx.TYPE, f"{name}-{_today()}.xlsx")


def _today() -> dt.date:
    return dt.datetime.now(get_timezone()).date()


def _file(pieces: Iterator[bytes], content_type: str, name: str) -> Response:
    return Response(
        stream_with_context(pieces),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def read(query: Select[Any]) -> Iterator[Sequence[Any]]:
    """What a query finds, a part at a time.

    The view's session ends before the first piece is sent, so this has one of its own.
    """
    with Session(db.engine, join_transaction_mode="create_savepoint") as session:
        for rows in session.execute(query, execution_options={"yield_per": ROWS}).partitions():
            yield from rows


def _lines(rows: Iterable[Sequence[Any]], heads: Sequence[str], comma: bool) -> Iterator[bytes]:
    """The file in pieces. `comma` says that the language has a decimal comma, and so a semicolon between cells."""
    yield codecs.BOM_UTF8 + _csv([heads], comma)
    remaining = iter(rows)
    while part := list(islice(remaining, ROWS)):
        yield _csv(([_cell(value, comma) for value in row] for row in part), comma)


def _copied(query: Select[Any], heads: Sequence[str], comma: bool) -> Iterator[bytes]:
    """The same of what a query finds, in a fifth of the time: the database writes it."""
    yield codecs.BOM_UTF8 + _csv([heads], comma).replace(b"\r\n", b"\n")  # As COPY ends lines.
    columns = [_written(column, comma) for column in query.selected_columns]
    yield from copying.copied(query.with_only_columns(*columns, maintain_column_froms=True), _delimiter(comma))


def _csv(rows: Iterable[Sequence[str]], comma: bool) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=_delimiter(comma)).writerows(rows)
    return buffer.getvalue().encode()


def _delimiter(comma: bool) -> str:
    return ";" if comma else ","


def _cell(value: Any, comma: bool) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            figures = f"{value.normalize():f}"
            return figures.replace(".", ",") if comma else figures
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat()
        case list():
            return defused(" ".join(map(str, value)))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value) if isinstance(value, int) else defused(str(value))


def _written(column: ColumnElement[Any], comma: bool) -> ColumnElement[Any]:
    """What _cell() makes of a value of the column, as an expression of SQL."""
    match column.type:
        case DateTime():
            return func.replace(cast(func.timezone("UTC", column), Text), " ", "T") + "+00:00"
        case Numeric():
            figures = cast(func.trim_scale(column), Text)
            return func.replace(figures, ".", ",") if comma else figures
        case ARRAY():
            return _defused(func.array_to_string(column, " "))
        case String() | NullType():  # Of an unknown type it may be a text.
            return _defused(cast(column, Text))
        case _:
            return cast(column, Text)


def _defused(column: ColumnElement[str]) -> ColumnElement[str]:
    """As defused(); of an empty text nothing, for COPY would write two quotation marks."""
    bare = func.ltrim(column, "'")
    return case(
        (column == "", None),
        # Most texts begin with another sign, and this is asked for millions of them.
        (func.ascii(column).not_in(_SUSPECT), column),
        (and_(bare != "", func.ascii(bare).in_(_SUSPECT - {ord("'")})), "'" + column),
        else_=column,
    )


def defused(text: str) -> str:
    """A text that a spreadsheet would take for a formula, as the text it is."""
    return f"'{text}" if _FORMULA.match(text) else text


def as_meant(cell: str) -> str:
    """The text of a cell, without the sign that kept it from being a formula."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
