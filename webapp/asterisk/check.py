"""Proof of sync: are Asterisk's tables exactly what the things operators manage make of them?"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.asterisk.load import load
from webapp.asterisk.projection import PROJECTIONS, owner, project
from webapp.asterisk.rows import TABLES, Row
from webapp.asterisk.sync import Change, differences, present, target

CANARY = "canary"  # The row that keeps the identifies from being empty (asterisk_tables.sql).


def wanted(session: Session, scope: str = "") -> dict[str, Iterable[Row]]:
    """Every owner there is or has rows -> the rows it needs. Owners that are gone need none. `scope`: of one alone."""
    if scope:
        return {scope: [row for thing in _of(session, scope) for row in project(thing)]}
    rows: dict[str, Iterable[Row]] = {
        has_rows: [] for kind in TABLES for has_rows, _ in present(session, kind, owners=None)
    }
    for kind in PROJECTIONS:
        rows |= {owner(thing): project(thing) for thing in load(session, kind)}
    return rows


def check(session: Session, scope: str = "") -> list[Change]:
    """The changes that would set the tables right, or the rows of one owner; none if they are."""
    return differences(session, wanted(session, scope))


def by_hand(session: Session) -> dict[str, list[str]]:
    """Table -> the keys of the rows that are none of ours: somebody made them by hand, and nothing touches them."""
    found = {}
    for kind in TABLES:
        source = target(kind)
        query = select(*(source.c[name] for name in kind.KEY)).where(
            source.c.owner.is_(None) | (source.c.owner == "system")
        )
        keys = {"/".join(map(str, key)) for key in session.execute(query)} - {CANARY}
        if keys:
            found[kind.TABLE] = sorted(keys)
    return found


def _of(session: Session, scope: str) -> Iterable[Any]:
    """The thing that bears the name of an owner of rows; nothing if it is gone."""
    name, _, id = scope.partition(":")
    kinds = [kind for kind in PROJECTIONS if kind.__name__.lower() == name]
    return [thing for kind in kinds for thing in load(session, kind, [uuid.UUID(id)])]
