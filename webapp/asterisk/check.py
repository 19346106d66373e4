"""Proof of sync: are Asterisk's tables exactly what the things operators manage make of them?"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from webapp.asterisk.load import load
from webapp.asterisk.projection import PROJECTIONS, owner, owner_of, project
from webapp.asterisk.rows import TABLES, Row
from webapp.asterisk.sync import Change, differences, target

CANARY = "canary"  # The row that keeps the identifies from being empty (asterisk_tables.sql).
CHUNK = 2000  # Owners whose rows are held at a time.

Tell = Callable[[int, int], None]  # So many owners looked at, of so many.


def wanted(session: Session, owners: Sequence[str]) -> dict[str, Iterable[Row]]:
    """Each of these owners of rows -> the rows it needs. One that is gone needs none."""
    # Read in a session of its own: one that has read things before would not see what others made of them since.
    with Session(session.connection()) as reader:
        things = [thing for kind in PROJECTIONS for thing in _of(reader, kind, owners)]
        return dict.fromkeys(owners, ()) | {owner(thing): project(thing) for thing in things}


def check(session: Session, scope: str = "", tell: Tell = lambda _done, _total: None) -> list[Change]:
    """The changes that would set the tables right, or the rows of one owner; none if they are.

    Somebody may save while many rows are compared. So the rows that seem wrong are looked at once more.
    """
    owners = [scope] if scope else suspects(session, tell)
    return [change for some in _chunks(owners) for change in differences(session, wanted(session, some))]


def suspects(session: Session, tell: Tell = lambda _done, _total: None) -> list[str]:
    """The owners whose rows are not what they should be, or who are gone. However many there are, few are held at a
    time."""
    owners = [owner_of(kind, id) for kind in PROJECTIONS for id in session.scalars(select(kind.id))]
    wrong: dict[str, None] = {}
    for number, some in enumerate(_chunks(owners)):
        tell(number * CHUNK, len(owners))
        wrong |= dict.fromkeys(change.owner for change in differences(session, wanted(session, some)))
    there = {name for kind in TABLES for name in session.scalars(_owners(kind))}
    return [*wrong, *sorted(there - set(owners))]


def _chunks(owners: Sequence[str]) -> Iterator[Sequence[str]]:
    return (owners[start : start + CHUNK] for start in range(0, len(owners), CHUNK))


def _owners(kind: type[Row]) -> Select[str]:
    """All that are in the place of an owner of ours, whoever wrote them there."""
    column = target(kind).c.owner
    return select(column).distinct().where(column.is_not(None), column != "system")


def _of(session: Session, kind: type[Any], owners: Sequence[str]) -> Sequence[Any]:
    """The things of a kind among the owners of rows."""
    pattern = re.compile(f"{kind.__name__.lower()}:([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})")
    ids = [uuid.UUID(match[1]) for name in owners if (match := pattern.fullmatch(name))]
    return load(session, kind, ids) if ids else []


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
