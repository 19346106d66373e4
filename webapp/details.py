"""What the pages of single things share: the first of what belongs to them, what was changed, switching on and off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy import Select, func, select
from sqlalchemy.sql.base import ExecutableOption
from werkzeug.wrappers import Response

from webapp import store
from webapp.accounts.models import AuditEntry
from webapp.audit.operations import action_word, choice_word
from webapp.ext import db
from webapp.forms import CHANGED_MEANWHILE, refusal
from webapp.validation import Schema

FIRST = 20  # Of what belongs to a thing, so many are on its page.


@dataclass(frozen=True)
class Some:
    """The first of the things that belong to another one, how many they are, and where all of them are listed."""

    things: Sequence[Any]
    count: int
    url: str


def some(query: Select[Any], *order: Any, url: str, options: Sequence[ExecutableOption] = ()) -> Some:
    """The first things of a query without options or order, in two queries however many there are."""
    count = db.session.scalar(query.with_only_columns(func.count(), maintain_column_froms=True)) or 0
    things = db.session.scalars(query.options(*options).order_by(*order).limit(FIRST)).all() if count else []
    return Some(things, count, url)


@dataclass(frozen=True)
class Changed:
    """A line of a thing's history: (label, before, after) of each field; amounts of nothing are empty."""

    at: dt.datetime
    username: str
    action: str
    fields: Sequence[tuple[str, str, str]]


def changes(thing: Any, schema: type[Schema]) -> list[Changed]:
    """What was last done to a thing, the latest first; fields are called as in its form."""
    found = db.session.scalars(
        select(AuditEntry)
        .where(AuditEntry.kind == thing.__tablename__, AuditEntry.thing_id == thing.id)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(FIRST)
    )
    return [Changed(entry.at, entry.username, action_word(entry.action), _fields(entry, schema)) for entry in found]


def _fields(entry: AuditEntry, schema: type[Schema]) -> list[tuple[str, str, str]]:
    """What an update changed. Of a reference to another thing only that it changed: ids tell nobody much."""
    if entry.action != "update":
        return []
    found = []
    for name in entry.after:
        title = schema.model_fields[name].title if name in schema.model_fields else None
        label = gettext(title) if title else name
        before, after = (_text(schema, name, values.get(name)) for values in (entry.before, entry.after))
        found.append((label, "", "") if name.endswith("_id") else (label, before, after))
    return found


def _text(schema: type[Schema], name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else choice_word(schema, name, str(value))


def switch(thing: Any, schema: type[Schema], save: Callable[[Any], object] = store.save) -> Response:
    """Switch a thing on or off, as the button on its page says, and go back there.

    The button says which of both it wants, so that two who press it at once want the same.
    """
    thing.enabled = request.form.get("enabled") == "yes"
    name, page = str(thing), url_for(".show", id=thing.id)
    try:
        save(thing)
    except store.Refused as refused:
        flash(refusal(schema, refused)[1], "danger")
    except store.Stale:
        flash(gettext(CHANGED_MEANWHILE), "warning")
    else:
        on, off = gettext("%(name)s is enabled.", name=name), gettext("%(name)s is disabled.", name=name)
        flash(on if thing.enabled else off, "success")
    return redirect(page)
