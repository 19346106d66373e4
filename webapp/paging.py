"""Lists by the page: rows after a key, so that page a thousand costs what page one costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from webapp.ext import db

PAGE = 50


@dataclass(frozen=True)
class Page:
    """The things of one page, and where the next one begins."""

    things: Sequence[Any]
    next_url: str | None
    q: str


def page(query: Select[Any], *keys: InstrumentedAttribute[Any]) -> Page:
    """One page of `query` in the order of `keys`, which together are unique, from ?after= on."""
    after = request.args.getlist("after")
    if len(after) == len(keys):
        query = query.where(tuple_(*keys) > tuple_(*after))
    things = db.session.scalars(query.order_by(*keys).limit(PAGE + 1)).all()
    next_url = None
    if len(things) > PAGE:
        last = things[PAGE - 1]
        next_url = url_for(request.endpoint or "", q=_search() or None, after=[getattr(last, key.key) for key in keys])
    return Page(things[:PAGE], next_url, _search())


def matches(*columns: ColumnElement[Any] | InstrumentedAttribute[Any]) -> list[ColumnElement[bool]]:
    """The condition that one of the columns holds what is searched for; none if nothing is searched."""
    if not _search():
        return []
    first, *others = (column.icontains(_search(), autoescape=True) for column in columns)
    for other in others:
        first |= other
    return [first]


def _search() -> str:
    return request.args.get("q", "").strip()[:80].replace("\x00", "")
