"""What the calls of a period come to, line by line: of each customer, gateway, day and so on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext, lazy_gettext
from sqlalchemy import ColumnElement, Row, Select, Text, cast, func, select

from webapp import typed
from webapp.calls import totals
from webapp.calls.lists import DISPOSITIONS
from webapp.calls.models import Call, CallTotal
from webapp.calls.totals import Kept, Period, Totals
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.listing import NoSuch
from webapp.providers.models import Provider

BY = {
    "customer": lazy_gettext("Customer"),
    "destination": lazy_gettext("Destination"),
    "provider": lazy_gettext("Provider"),
    "gateway": lazy_gettext("Gateway"),
    "day": lazy_gettext("Day"),
    "hour": lazy_gettext("Hour"),
    "cause": lazy_gettext("End"),
    "did": lazy_gettext("DID"),
}
# What a line shows besides its name, and what it may be sorted by.
COLUMNS = {
    "calls": lazy_gettext("Calls"),
    "answered": lazy_gettext("Answered"),
    "asr": "ASR",
    "acd": "ACD",
    "pdd": "PDD",
    "short": lazy_gettext("Short"),
    "minutes": lazy_gettext("Minutes"),
    "billed_minutes": lazy_gettext("Billed"),
    "cost": lazy_gettext("Cost"),
    "price": lazy_gettext("Price"),
    "margin": lazy_gettext("Margin"),
    "margin_rate": lazy_gettext("Margin rate"),
}
SORTS = [sign + name for name in ("name", *COLUMNS) for sign in ("", "-")]
SERIES = ("day", "hour")
TOP = 50
MOST_HOURS, MOST_DAYS = 31, 400  # Of so many days at the most there are lines by the hour, and others.
MOST_COMPARED = 500  # Of so many lines it is said what they were before.
BRIEFLY = ("calls", "answered", "cost", "price")  # What an overview tells of its lines.

_NAMED: dict[str, type[Any]] = {"customer": Customer, "provider": Provider, "gateway": Gateway}
_COUNTED: dict[str, ColumnElement[Any]] = {
    "customer": cast(Call.customer_id, Text),
    "provider": cast(Call.provider_id, Text),
    "gateway": cast(Call.gateway_id, Text),
    "destination": func.nullif(Call.destination, ""),
    "did": func.nullif(Call.did, ""),
    "cause": func.coalesce(cast(Call.sip_status, Text), Call.disposition),
    "day": Call.day.expression,
    "hour": func.date_trunc("hour", Call.started_at, "UTC"),
}
# What telephone engineers call the answers that are seen most (RFC 3261).
SIP = {
    "400": "Bad Request",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "Not Found",
    "407": "Proxy Authentication Required",
    "408": "Request Timeout",
    "410": "Gone",
    "480": "Temporarily Unavailable",
    "484": "Address Incomplete",
    "486": "Busy Here",
    "487": "Request Terminated",
    "488": "Not Acceptable Here",
    "500": "Server Internal Error",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Server Time-out",
    "600": "Busy Everywhere",
    "603": "Decline",
    "604": "Does Not Exist Anywhere",
}


class TooLong(NoSuch):
    """The period has more days than there are lines for."""

    def __init__(self, days: int) -> None:
        super().__init__("start")
        self.days = days


@dataclass(slots=True)
class Line:
    """What the calls of one thing come to, and what those of the period before did. Days and hours are ISO 8601."""

    thing: str
    name: str
    totals: Totals
    before: Totals | None = None

    def value(self, column: str) -> Any:
        return self.name.casefold() if column == "name" else getattr(self.totals, column)


@dataclass(frozen=True)
class Report:
    """The first lines, what the further ones come to together, calls that are of none, and all calls."""

    by: str
    period: Period
    lines: Sequence[Line]
    others: Totals | None
    other_lines: int
    without: Totals | None
    total: Totals
    before: Totals | None


def default_sort(by: str) -> str:
    return "" if by in SERIES else "-calls" if by in ("cause", "did") else "-price"


def period_of(by: str, values: Mapping[str, str]) -> Period:
    """The period asked for: two days by the hour, else a month. NoSuch if there is none such, TooLong."""
    found = totals.period(values, days=2 if by == "hour" else 0)
    most = MOST_HOURS if by == "hour" else MOST_DAYS
    if found.days > most:
        raise TooLong(most)
    return found


def report(
    by: str, values: Mapping[str, str], sort: str = "", top: int | None = TOP, *, compared: bool = True
) -> Report | None:
    """What the calls come to that filters leave; None if it takes too long to count them. `top` None: all lines.

    `compared` says whether it is wanted what each line was before. NoSuch if a filter has no such value, TooLong.
    """
    period = period_of(by, values)
    found = _first(by, values, period, sort or default_sort(by), None if by in SERIES else top)
    # Every call has its day and its hour, but some have no gateway, or no destination.
    total = found.total if found and by in SERIES else totals.sums(values, period) if found else None
    if found is None or total is None:
        return None
    others = found.total - totals.sum_of(line.totals for line in found.lines)
    without = total - found.total
    return Report(
        by=by,
        period=period,
        lines=_compared(by, found.lines, values, period) if compared else found.lines,
        others=others if found.count > len(found.lines) else None,
        other_lines=found.count - len(found.lines),
        without=without if without.calls else None,
        total=total,
        before=totals.sums(values, period.before()),
    )


def first_lines(by: str, values: Mapping[str, str], top: int) -> Sequence[Line]:
    """Who pays most: only of BRIEFLY, and only where totals are kept of what the filters leave."""
    found = _first(by, values, period_of(by, values), default_sort(by), top, BRIEFLY)
    return found.lines if found else []


# ---- the lines


@dataclass(frozen=True)
class First:
    """The first lines, how many there are in all, and what all of them come to."""

    lines: list[Line]
    count: int
    total: Totals


def _first(
    by: str,
    values: Mapping[str, str],
    period: Period,
    sort: str,
    top: int | None,
    names: tuple[str, ...] = totals.SUMS,
) -> First | None:
    """As many lines as are wanted, of thousands; None if it takes too long to count them."""
    is_sorted_here = by in SERIES or sort.endswith("name")
    query, is_kept = _sums(by, values, period, names)
    query = _with_all(query, "" if is_sorted_here else sort, None if is_sorted_here else top)
    rows = db.session.execute(query).all() if is_kept else totals.patiently(query)
    if rows is None:
        return None
    lines = _lines(by, rows, period)
    if is_sorted_here:
        lines = _sorted(lines, sort)[:top]
    if not rows:
        return First(lines, len(lines), Totals())
    thing_and_sums = 1 + len(totals.SUMS)
    return First(lines, max(rows[0][thing_and_sums], len(lines)), totals.totals_of(rows[0]))


def _sums(by: str, values: Mapping[str, str], period: Period, names: tuple[str, ...]) -> tuple[Select[Any], bool]:
    """A row for each thing: what it is, and its sums. Whether that is kept, or to be counted."""
    if found := _kept(by, values, period):
        whose, unit = found
        thing = _kept_thing(by, whose, unit).label("thing")
        rows = totals.rows_kept(period, whose, unit, each=by in SERIES)
        query = select(thing, *totals.kept_sums(names)).where(*rows)
        return query.group_by(thing), True
    thing = _COUNTED[by].label("thing")
    query = select(thing, *totals.counted_sums()).where(thing.is_not(None)).group_by(thing)
    return totals.narrowed(query, values, period), False


def _with_all(query: Select[Any], sort: str, top: int | None) -> Select[Any]:
    """The first rows of a query, each with the number and the sums of all of them."""
    every = query.subquery("every")
    found = select(every, func.count().over(), *totals.sums_of_all(every.c)).limit(top)
    if not sort:
        return found
    column = totals.measure(every.c, sort.removeprefix("-"))
    direction = column.desc() if sort.startswith("-") else column.asc()
    return found.order_by(direction.nulls_last(), every.c.thing)


def _kept(by: str, values: Mapping[str, str], period: Period) -> tuple[Kept, str] | None:
    """Whose totals tell of it, those of the days or of the hours; None if calls are to be counted."""
    whose = totals.kept(values)
    if whose is None or (by not in SERIES and whose.dimension != "all"):
        return None
    if by not in SERIES:
        whose = Kept(by, "", whose.direction)
    unit = totals.unit(period, whose.dimension)
    if by == "hour":
        unit = "hour" if period.is_hours and whose.dimension in totals.BY_HOUR else ""
    elif by == "day" and not period.is_days:
        unit = ""
    return (whose, unit) if unit else None


def _kept_thing(by: str, whose: Kept, unit: str) -> ColumnElement[Any]:
    if by == "day" and unit == "hour":
        return func.date_trunc("day", CallTotal.starts_at, str(typed.zone()))
    return CallTotal.starts_at.expression if by in SERIES else totals.thing_of(whose.dimension)


def _lines(by: str, rows: Sequence[Row[Any]], period: Period) -> list[Line]:
    if by not in SERIES:
        names = _names(by, [row[0] for row in rows])
        return [Line(row[0], names.get(row[0]) or _name(by, row[0]), totals.first_totals_of(row)) for row in rows]
    found: dict[str, Totals] = {}
    for row in rows:
        moment = totals.local(row[0])
        key = moment.date().isoformat() if by == "day" else moment.isoformat()
        found[key] = found.get(key, Totals()) + totals.first_totals_of(row)
    return [Line(key, name, found.get(key, Totals())) for key, name in _moments(by, period).items()]


def _names(by: str, things: Sequence[str]) -> dict[str, str]:
    if by not in _NAMED:
        return {}
    kind = _NAMED[by]
    query = select(kind.id, kind.name).where(kind.id.in_(things))
    return {str(row.id): row.name for row in db.session.execute(query)}


def _name(by: str, thing: str) -> str:
    """What a thing is called that has no name of its own."""
    if by in _NAMED:
        return str(gettext("No longer there"))
    if by == "cause":
        return f"{thing} {SIP.get(thing, '')}".strip() if thing.isdecimal() else str(DISPOSITIONS.get(thing, thing))
    return thing


def _moments(by: str, period: Period) -> dict[str, str]:
    """The days or hours of a period until now in their order, and what they are called, those without calls too."""
    until = min(period.end, dt.datetime.now(dt.UTC))
    found = {}
    if by == "day":
        day = totals.local(period.start).date()
        while day <= totals.local(until - dt.timedelta(microseconds=1)).date():
            found[day.isoformat()] = typed.shown_day(day)
            day += dt.timedelta(days=1)
        return found
    hour = period.start.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    while hour < until:
        found[totals.local(hour).isoformat()] = typed.when(hour)
        hour += dt.timedelta(hours=1)
    return found


def _sorted(lines: list[Line], sort: str) -> list[Line]:
    """The lines by a column, with a minus downwards; those where there is no such average last."""
    if not sort:
        return lines
    column = sort.removeprefix("-")
    values = {line.thing: line.value(column) for line in lines}
    known = sorted((line for line in lines if values[line.thing] is not None), key=lambda line: line.value("name"))
    known.sort(key=lambda line: values[line.thing], reverse=sort.startswith("-"))
    return known + [line for line in lines if values[line.thing] is None]


def _compared(by: str, lines: list[Line], values: Mapping[str, str], period: Period) -> list[Line]:
    """The lines with what they were in the period before, where the database keeps that."""
    before = period.before()
    found = _kept(by, values, before)
    if by in SERIES or found is None or len(lines) > MOST_COMPARED:
        return lines
    whose, unit = found
    thing = totals.thing_of(whose.dimension)
    things = [line.thing for line in lines]
    query = select(thing, *totals.kept_sums()).where(*totals.rows_kept(before, whose, unit, things))
    rows = {row[0]: totals.totals_of(row) for row in db.session.execute(query.group_by(thing))}
    return [Line(line.thing, line.name, line.totals, rows.get(line.thing, Totals())) for line in lines]


def calls_of(by: str, thing: str, values: Mapping[str, str], period: Period) -> dict[str, str]:
    """The filters that leave the calls of a line in the report of calls."""
    bounds = {"start": period.start.isoformat(), "end": period.end.isoformat()}
    if period.is_days:
        bounds = {"start": totals.local(period.start).date().isoformat(), "end": period.last_day.isoformat()}
    if by == "day":
        bounds = {"start": thing, "end": thing}
    elif by == "hour":
        bounds = {"start": thing, "end": (dt.datetime.fromisoformat(thing) + dt.timedelta(hours=1)).isoformat()}
    names = {dimension: name for name, dimension in totals.DIMENSIONS.items()}
    return {**values, **bounds, **({names[by]: thing} if by in names else {})}
