"""What the nodes saw, what is stored and what is rated, side by side."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import column, func, select, table

from webapp import typed
from webapp.calls.models import Call, CallTotal, JournalDay, UnratedCdr
from webapp.ext import db

DAYS = 31
_CDRS = table("cdr", column("id"), column("node"), column("start"), column("received_at"), schema="asterisk")

State = Literal["complete", "unread", "reading", "lost", "unreadable", "unrated", "unjournaled"]
Key = tuple[dt.datetime, str]


@dataclass(frozen=True)
class Day:
    """A day of a node. `journal` is None if nobody has read its journal."""

    day: dt.datetime
    node: str
    journal: int | None  # Calls the node wrote down itself.
    calls: int  # Calls in the books, ...
    without_price: int  # ... of which so many have none.
    no_calls: int  # Records that no call could be made of.
    recovered: int  # Taken from the journal, for the database had missed them.
    unreadable: int  # Places in the journal that make no sense.
    is_today: bool = False

    @property
    def stored(self) -> int:
        """Call records in the database."""
        return self.calls + self.no_calls

    @property
    def rated(self) -> int:
        return self.calls - self.without_price

    @property
    def difference(self) -> int:
        """What the journal has that the database has not; below zero the other way round."""
        return (self.journal or 0) - self.stored

    @property
    def state(self) -> State:
        """The worst that is to be said of it."""
        if self.journal is not None and self.difference > 0:
            return "lost"
        if self.unreadable:
            return "unreadable"
        if self.without_price or self.no_calls:
            return "unrated"
        if self.journal is None:
            return "unread"
        if self.difference < 0:
            return "reading" if self.is_today else "unjournaled"
        return "complete"


def days(count: int = DAYS) -> Sequence[Day]:
    """So many days to today, the latest first, of each node that had calls."""
    zone = typed.zone()
    today = dt.datetime.combine(dt.datetime.now(zone).date(), dt.time(), zone)
    since = dt.datetime.combine(today.date() - dt.timedelta(count - 1), dt.time(), zone)
    journal = {
        (_utc(each.day), each.node): each
        for each in db.session.scalars(select(JournalDay).where(JournalDay.day >= since))
    }
    calls, without_price, no_calls = _counted(since), _without_price(since), _no_calls(since, zone)
    found = []
    for day, node in sorted({*journal, *calls, *no_calls}, key=lambda key: (-key[0].timestamp(), key[1])):
        known, key = journal.get((day, node)), (day, node)
        each = Day(
            day,
            node,
            known.calls if known else None,
            calls[key],
            without_price[key],
            no_calls[key],
            known.recovered if known else 0,
            known.unreadable if known else 0,
            is_today=day >= today,
        )
        if each.stored or each.journal or each.unreadable:
            found.append(each)
    return found


def _counted(since: dt.datetime) -> Counter[Key]:
    total = CallTotal
    rows = db.session.execute(
        select(total.starts_at, total.thing, func.sum(total.calls))
        .where(total.dimension == "node", total.period == "day", total.starts_at >= since)
        .group_by(total.starts_at, total.thing)
    )
    return Counter({(_utc(day), node): int(calls) for day, node, calls in rows})


def _without_price(since: dt.datetime) -> Counter[Key]:
    rows = db.session.execute(
        select(Call.day, Call.node, func.count())
        .where(Call.unrated != "", Call.started_at >= since)
        .group_by(Call.day, Call.node)
    )
    return Counter({(_utc(day), node): calls for day, node, calls in rows})


def _no_calls(since: dt.datetime, zone: dt.tzinfo) -> Counter[Key]:
    """By the day of their start, or if that is none, of their coming in."""
    rows = db.session.execute(
        select(_CDRS.c.node, _CDRS.c.start, _CDRS.c.received_at)
        .join(UnratedCdr, UnratedCdr.cdr_id == _CDRS.c.id)
        .where(_CDRS.c.received_at >= since)
    )
    counted: Counter[Key] = Counter()
    for node, start, received_at in rows:
        try:
            began = dt.datetime.fromisoformat(start or "").replace(tzinfo=dt.UTC)
        except ValueError:
            began = received_at
        day = dt.datetime.combine(began.astimezone(zone).date(), dt.time(), zone)
        counted[_utc(day), node or ""] += 1
    return counted


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC)
