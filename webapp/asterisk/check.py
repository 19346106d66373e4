"""Proof of sync: are Asterisk's tables exactly what the things operators manage make of them?"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from webapp.asterisk.load import load
from webapp.asterisk.projection import PROJECTIONS, owner, project
from webapp.asterisk.rows import TABLES, Row
from webapp.asterisk.sync import Change, differences, present


def wanted(session: Session) -> dict[str, Iterable[Row]]:
    """Every owner there is or has rows -> the rows it needs. Owners that are gone need none."""
    rows: dict[str, Iterable[Row]] = {
        has_rows: [] for kind in TABLES for has_rows, _ in present(session, kind, owners=None)
    }
    for kind in PROJECTIONS:
        rows |= {owner(thing): project(thing) for thing in load(session, kind)}
    return rows


def check(session: Session) -> list[Change]:
    """The changes that would set the tables right; none if they are."""
    return differences(session, wanted(session))
