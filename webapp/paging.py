"""Lists by the page: rows after a key, so that page a thousand costs what page one costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, request, url_for
from sqlalchemy import ColumnElement, Select, Text, cast, false, func, inspect, literal_column, or_, select, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.exc import DataError
from sqlalchemy.orm import InstrumentedAttribute

from webapp.ext import db

PAGE = 50
FEW = 1_000  # Rows that are named one by one.

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
    try:
        things, last = keyset(query, keys, after(), PAGE)
    except ValueError:
        abort(404)
    next_url, first_url = _url(**values, after=last) if last else None, _url(**values) if after() else None
    return Page(things, next_url, first_url, search())


def after() -> list[str] | None:
    """The key that the page asked for begins after; None for the first page."""
    return [text.replace("\x00", "") for text in request.args.getlist("after")] or None


def keyset(
    query: Select[Any],
    keys: Sequence[Column],
    after: Sequence[str] | None,
    limit: int,
    descending: bool = False,
    things: Select[Any] | None = None,
) -> tuple[list[Any], list[str]]:
    """The things after the key `after` (None: from the beginning), and the key to go on with if more follow.

    The keys together are unique, and none of them is ever NULL. ValueError if `after` is no key. With `things`, which
    reads things by id with all that belongs to them, `query` only finds out which: it makes no join it does not need.
    """
    if after is not None:
        here, there = tuple_(*keys), tuple_(*(typed(key, text) for key, text in zip(keys, after, strict=True)))
        query = query.where(here < there if descending else here > there)
    order = [key.desc() if descending else key for key in keys]
    query = query.order_by(*order).limit(limit + 1)
    if things is not None:
        id = inspect(query.column_descriptions[0]["entity"]).primary_key
        found = query.with_only_columns(*id, maintain_column_froms=True).correlate(None)
        query = things.where(tuple_(*id).in_(found)).order_by(*order)
    labelled = [key.label(f"key_{n}") for n, key in enumerate(keys)]
    try:
        rows = db.session.execute(query.add_columns(*labelled)).all()
    except DataError as error:
        db.session.rollback()
        raise ValueError from error
    last = [str(value) for value in rows[limit - 1][1:]] if len(rows) > limit else []
    return [row[0] for row in rows[:limit]], last


def typed(column: Column, text: str) -> Any:
    """What a text means as a value of a column. ValueError if it means nothing."""
    kind = column.type.python_type
    if kind is object:
        return text  # Such as an address: the database knows what it is.
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    try:
        return kind.fromisoformat(text) if hasattr(kind, "fromisoformat") else kind(text)
    except ArithmeticError as error:
        raise ValueError(text) from error


@dataclass(frozen=True)
class Through:
    """To search in what a thing refers to: `column` is among the ids of `found`, whose texts hold it.

    The database is asked there first: knowing that it is these few, it finds their rows by an index.
    """

    column: Column
    found: Select[Any]
    texts: Sequence[Column]


@dataclass(frozen=True)
class Words:
    """To search in a column of words (a tsvector with its index): all are there, the last of which may be only begun.

    How many rows hold a word that is only begun, the database cannot know, and it would look for a rare one in every
    row, or sort all the rows of a common one. So the index is asked first: the rows of rare words then stand in the
    condition by their `id`, and those of common ones are soon met on the way through the list, without that index.
    """

    column: Column
    id: Column

    def holds(self, q: str) -> ColumnElement[bool]:
        holds = self.column.bool_op("@@")(_words(q))
        found = db.session.scalars(select(self.id).where(holds).limit(FEW + 1)).all()
        return holds.is_(True) if len(found) > FEW else self.id.in_(found)


def _words(q: str) -> ColumnElement[Any]:
    """A search for words. A number is found however it is spaced."""
    digits = re.sub(r"[\s()+-]", "", q)
    plain = cast(func.plainto_tsquery(literal_column("'simple'"), digits if digits.isdigit() else q), Text)
    return cast(func.nullif(plain, "") + ":*", TSQUERY)


def matches(*columns: Column | Through | Words, number: Column | None = None) -> list[ColumnElement[bool]]:
    """The condition that one of the columns holds what is searched for; none if nothing is searched.

    In the column `number` a telephone number is found as pages show it: +55 11 4000-1234.
    """
    q = search()
    if not q:
        return []
    found = [_holds(column, q) for column in columns]
    digits = re.sub(r"[\s().+-]", "", q)
    if number is not None and digits.isdecimal():
        found.append(number.contains(digits))
    return [or_(*found)]


def _holds(column: Column | Through | Words, q: str) -> ColumnElement[bool]:
    if isinstance(column, Words):
        return column.holds(q)
    if isinstance(column, Through):
        texts = [text.icontains(q, autoescape=True) for text in column.texts]
        found = column.found.where(or_(*texts))
        ids = db.session.scalars(found.limit(FEW + 1)).all()
        if not ids:
            return false()
        return column.column.in_(ids if len(ids) <= FEW else found)
    return column.icontains(q, autoescape=True)


def search() -> str:
    """What is searched for."""
    return request.args.get("q", "").replace("\x00", "").strip()[:80]


def _url(**values: Any) -> str:
    return url_for(request.endpoint or "", q=search() or None, **values)
