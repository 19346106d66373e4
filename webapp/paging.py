"""Lists by the page: rows after a key, so that page a thousand costs what page one costs."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, request, url_for
from sqlalchemy import ColumnElement, Select, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from webapp.ext import db

PAGE = 50

Column = ColumnElement[Any] | InstrumentedAttribute[Any]


@dataclass(frozen=True)
class Page:
    """The things of one page, where the next one begins, and the way back if it is not the first."""

    things: Sequence[Any]
    next_url: str | None
    first_url: str | None
    q: str


def page(query: Select[Any], *keys: InstrumentedAttribute[Any], **values: Any) -> Page:
    """One page of `query` in the order of `keys`, which together are unique, from ?after= on.

    `values` are what else the address of the list holds: ids in its path, filters in its query.
    """
    texts = [text.replace("\x00", "") for text in request.args.getlist("after")]
    try:
        things, last = keyset(query, keys, texts or None, PAGE)
    except ValueError:
        abort(404)
    next_url, first_url = _url(**values, after=last) if last else None, _url(**values) if texts else None
    return Page(things, next_url, first_url, _search())


def keyset(
    query: Select[Any], keys: Sequence[InstrumentedAttribute[Any]], after: Sequence[str] | None, limit: int
) -> tuple[list[Any], list[str]]:
    """The things after the key `after` (None: from the beginning), and the key to go on with if more follow.

    ValueError if `after` is no key.
    """
    if after is not None:
        typed = [_typed(key, text) for key, text in zip(keys, after, strict=True)]
        query = query.where(tuple_(*keys) > tuple_(*typed))
    rows = db.session.execute(query.add_columns(*keys).order_by(*keys).limit(limit + 1)).all()
    last = [str(value) for value in rows[limit - 1][1:]] if len(rows) > limit else []
    return [row[0] for row in rows[:limit]], last


def _typed(key: InstrumentedAttribute[Any], text: str) -> Any:
    kind = key.type.python_type
    return kind.fromisoformat(text) if kind is dt.datetime else kind(text)


def matches(*columns: Column, number: Column | None = None) -> list[ColumnElement[bool]]:
    """The condition that one of the columns holds what is searched for; none if nothing is searched.

    In the column `number` a telephone number is also found as pages show it: +55 11 4000-1234.
    """
    q = _search()
    if not q:
        return []
    found = [column.icontains(q, autoescape=True) for column in columns]
    digits = re.sub(r"[\s().+-]", "", q)
    if number is not None and digits.isdigit():
        found.append(number.contains(digits))
    return [or_(*found)]


def _url(**values: Any) -> str:
    return url_for(request.endpoint or "", q=_search() or None, **values)


def _search() -> str:
    return request.args.get("q", "").replace("\x00", "").strip()[:80]
