"""Lists as CSV files: all rows that the page's search and filters leave, in its order, streamed as they are read.

Excel opens such a file with a double click: it takes it for UTF-8 only if a byte order mark says so, and splits it at
the sign that the language uses. The heads are the names of fields, so that what was exported can be imported.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from flask import Response, abort, stream_with_context
from flask_babel import get_locale, get_timezone

from webapp.ext import db
from webapp.listing import ListOf, NoSuch

ROWS = 1000  # Read and sent at a time.


def csv_file(listing: ListOf, name: str) -> Response:
    """The list as the file `name`-<today>.csv, narrowed and sorted as the request says."""
    chosen = listing.chosen()
    try:
        query = listing.sort(listing.narrow(listing.query, chosen), chosen.get("sort", ""))
    except NoSuch:
        abort(404)
    query = query.with_only_columns(*listing.export.values(), maintain_column_froms=True)
    rows = db.session.execute(query, execution_options={"yield_per": ROWS})
    today = dt.datetime.now(get_timezone()).date()
    return Response(
        stream_with_context(_lines(list(listing.export), rows.partitions(), comma=str(get_locale()).startswith("pt"))),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{today}.csv"'},
    )


def _lines(heads: list[str], partitions: Iterable[Iterable[Any]], comma: bool) -> Iterator[str]:
    """The file in pieces. `comma` says that the language has a decimal comma, and so a semicolon between cells."""
    buffer = io.StringIO("\ufeff")
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer, delimiter=";" if comma else ",")
    writer.writerow(heads)
    for rows in partitions:
        writer.writerows([_cell(value, comma) for value in row] for row in rows)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


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
            return value.isoformat(timespec="seconds")
        case list():
            return defused(" ".join(map(str, value)))
        case _:
            return str(value) if isinstance(value, int) else defused(str(value))


def defused(text: str) -> str:
    """A text that a spreadsheet would take for a formula, as the text it is."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
