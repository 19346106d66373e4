"""The rows a thing has in Asterisk's tables, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from webapp.asterisk import check
from webapp.asterisk.projection import owner, project
from webapp.asterisk.rows import TABLES, Stored
from webapp.asterisk.sync import Values, present
from webapp.asterisk.used import COLUMNS, SECRET, Finding, found


@dataclass(frozen=True)
class Column:
    """A column of a row: what it should be, what the row says, and whether a node says what it uses."""

    name: str
    wanted: Stored
    there: Stored
    right: bool
    comparable: bool


@dataclass(frozen=True)
class Sides:
    """A row of a thing, as it should be and as it is. Either may be missing as a whole."""

    table: str
    key: str
    wanted: bool
    there: bool
    columns: list[Column]


def sides(session: Session, thing: Any) -> list[Sides]:
    """The rows that a thing should have or has, column by column, but for secrets; columns that are empty are left
    out."""
    should = {(row.TABLE, row.key()): row.stored() for row in project(thing)}
    there = {
        (kind.TABLE, key): values
        for kind in TABLES
        for (_, key), values in present(session, kind, [owner(thing)]).items()
    }
    return [
        Sides(
            kind.TABLE,
            "/".join(map(str, key)),
            (table, key) in should,
            (table, key) in there,
            _columns(table, should.get((table, key), {}), there.get((table, key), {})),
        )
        for kind in TABLES
        for table, key in sorted(should.keys() | there.keys(), key=str)
        if table == kind.TABLE
    ]


def _columns(table: str, wanted: Values, there: Values) -> list[Column]:
    shown, seen = _without_secrets(wanted), _without_secrets(there)
    return [
        Column(
            name,
            shown.get(name),
            seen.get(name),
            wanted.get(name) == there.get(name),
            name in {"id", *COLUMNS[table]} if table in COLUMNS else False,
        )
        for name in wanted or there
        if wanted.get(name) is not None or there.get(name) is not None
    ]


def differences(session: Session, scope: str, tell: check.Tell) -> list[Finding]:
    """What is not as it should be in Asterisk's tables, or in the rows of one owner."""
    return sorted(found(check.check(session, scope, tell)), key=lambda each: (each.table, each.key, each.owner))


def by_hand(session: Session) -> dict[str, list[str]]:
    """Table -> the keys of the rows that somebody made by hand."""
    return check.by_hand(session)


def owner_of(thing: Any) -> str:
    """Whose rows a thing's are."""
    return owner(thing)


def _without_secrets(values: Values) -> Values:
    return {name: "***" if name in SECRET and value else value for name, value in values.items()}
