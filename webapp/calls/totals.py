"""What calls come to: from the totals that the database keeps, or where those do not tell it, counted."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from operator import attrgetter, sub
from typing import Any

from psycopg2.errors import QueryCanceled
from pydantic import BaseModel, Field
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Numeric,
    Row,
    Select,
    Text,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from webapp import paging, typed
from webapp.calls.lists import CALLS, DIRECTIONS, first_day
from webapp.calls.models import Call, CallTotal
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.listing import NoSuch, as_moment

PATIENCE = "3s"  # So long calls are counted where the totals do not tell it; then the reader is asked for less.


def asked(values: Mapping[str, Any]) -> dict[str, str]:
    """What leaves only some calls, of the parameters of a request: filters, and what is searched for."""
    found = {filter.name: str(values.get(filter.name) or "") for filter in CALLS.filters} | {"q": paging.search()}
    return {name: value for name, value in found.items() if value}


# ---- periods


@dataclass(frozen=True)
class Period:
    """From one moment until before another one."""

    start: dt.datetime
    end: dt.datetime

    @property
    def is_days(self) -> bool:
        """Whether it is whole days where the operator is."""
        return all(local(end).time() == dt.time() for end in (self.start, self.end))

    @property
    def is_hours(self) -> bool:
        """Whether it is whole hours, as they are everywhere but where clocks differ by half an hour."""
        return all(end.timestamp() % 3600 == 0 for end in (self.start, self.end))

    @property
    def days(self) -> int:
        """How many days it touches."""
        return max((self.last_day - local(self.start).date()).days + 1, 0)

    @property
    def last_day(self) -> dt.date:
        return local(self.end - dt.timedelta(microseconds=1)).date()

    def before(self) -> Period:
        """The period before it, as long."""
        if not self.is_days:
            return Period(self.start - (self.end - self.start), self.start)
        first = local(self.start).date() - dt.timedelta(self.days)
        return Period(dt.datetime.combine(first, dt.time(), typed.zone()), self.start)


def local(moment: dt.datetime) -> dt.datetime:
    """A moment where the operator is."""
    return moment.astimezone(typed.zone())


def period(values: Mapping[str, str], days: int = 0) -> Period:
    """The period that `start` and `end` say: to the end of today, and of 31 days or `days`. NoSuch if one is none."""
    given = {}
    for name in ("start", "end"):
        try:
            value = values.get(name) or ""
            given[name] = as_moment(value, end=name == "end") if value not in ("", "all") else None
        except ValueError:
            raise NoSuch(name) from None
    today = dt.datetime.now(typed.zone()).date().isoformat()
    end = given["end"] or as_moment(today, end=True)
    if given["start"]:
        return Period(given["start"], end)
    if days:
        last = local(end - dt.timedelta(microseconds=1)).date()
        return Period(as_moment((last - dt.timedelta(days - 1)).isoformat()), end)
    return Period(as_moment(first_day(values.get("end") or "")), end)


# ---- sums


@dataclass(slots=True)
class Totals:
    """What some calls come to."""

    calls: int = 0
    answered: int = 0
    short: int = 0
    seconds: int = 0
    billed_seconds: int = 0
    pdd_calls: int = 0
    pdd_sum: int = 0
    cost: Decimal = Decimal(0)
    price: Decimal = Decimal(0)

    # What is derived of sums here, measure() derives in SQL.

    @property
    def minutes(self) -> Decimal:
        return _tenths(Decimal(self.seconds) / 60)

    @property
    def billed_minutes(self) -> Decimal:
        return _tenths(Decimal(self.billed_seconds) / 60)

    @property
    def asr(self) -> Decimal | None:
        return _tenths(Decimal(100 * self.answered) / self.calls) if self.calls else None

    @property
    def acd(self) -> int | None:
        return round(self.seconds / self.answered) if self.answered else None

    @property
    def pdd(self) -> int | None:
        return round(self.pdd_sum / self.pdd_calls) if self.pdd_calls else None

    @property
    def margin(self) -> Decimal:
        return self.price - self.cost

    @property
    def margin_rate(self) -> Decimal | None:
        return _tenths(100 * self.margin / self.price) if self.price else None

    def __add__(self, other: Totals) -> Totals:
        return sum_of([self, other])

    def __sub__(self, other: Totals) -> Totals:
        return Totals(*map(sub, _figures(self), _figures(other)))


_figures = attrgetter(*(field.name for field in fields(Totals)))


def sum_of(several: Iterable[Totals]) -> Totals:
    """What several come to together. (There may be thousands, so they are added figure by figure.)"""
    sums: list[Any] = [sum(figures) for figures in zip(*map(_figures, several), strict=True)]
    return Totals(*sums)


def _tenths(value: Decimal) -> Decimal:
    return round(value, 1)


class PeriodAnswer(BaseModel):
    """From a moment until before another one."""

    start: dt.datetime
    end: dt.datetime


class TotalsAnswer(BaseModel):
    """What some calls come to. A leg is a call: each gateway that was tried counts."""

    calls: int
    answered: int
    asr: Decimal | None = Field(description="Answered of a hundred.")
    acd: int | None = Field(description="Seconds that an answered call took on the average.")
    pdd: int | None = Field(description="Milliseconds until it rang, on the average.")
    short: int = Field(description="Answered, and over within six seconds.")
    minutes: Decimal = Field(description="Talked, to a tenth.")
    billed_minutes: Decimal
    cost: Decimal
    price: Decimal
    margin: Decimal = Field(description="Price less cost.")
    margin_rate: Decimal | None = Field(description="Of a hundred of the price.")


SUMS = ("calls", "answered", "short", "seconds", "billed_seconds", "pdd_calls", "pdd", "cost", "price")


@cache
def kept_sums(names: tuple[str, ...] = SUMS) -> list[ColumnElement[Any]]:
    """The sums of Totals over rows of call_totals; NULL for those that nobody asks for, for it is half the work."""
    return [_kept_sum(name) if name in names else cast(null(), BigInteger).label(name) for name in SUMS]


def _kept_sum(name: str) -> ColumnElement[Any]:
    """(Of large numbers PostgreSQL makes a numeric.)"""
    found = func.coalesce(func.sum(getattr(CallTotal, name)), 0)
    return (found if name in ("cost", "price") else cast(found, BigInteger)).label(name)


@cache
def counted_sums() -> list[ColumnElement[Any]]:
    """The sums of Totals over calls."""
    answered = Call.answered_at.is_not(None)
    return [
        func.count().label("calls"),
        func.count(Call.answered_at).label("answered"),
        func.count().filter(answered, Call.billsec <= 6).label("short"),
        *(
            func.coalesce(func.sum(column), 0).label(name)
            for name, column in (("seconds", Call.billsec), ("billed_seconds", Call.billed_seconds))
        ),
        func.count(Call.pdd).label("pdd_calls"),
        *(func.coalesce(func.sum(column), 0).label(column.key) for column in (Call.pdd, Call.cost, Call.price)),
    ]


def sums_of_all(every: Any) -> list[ColumnElement[Any]]:
    """In each row of sums, the sums of all rows."""
    sums = [(name, func.sum(every[name]).over()) for name in SUMS]
    return [sum if name in ("cost", "price") else cast(sum, BigInteger) for name, sum in sums]


def measure(sums: Any, name: str) -> ColumnElement[Any]:
    """What Totals.<name> is, by columns of sums: to sort by, so minutes may as well be seconds."""
    averages = {"asr": ("answered", "calls"), "acd": ("seconds", "answered"), "pdd": ("pdd", "pdd_calls")}
    lengths = {"minutes": "seconds", "billed_minutes": "billed_seconds"}
    margin: ColumnElement[Any] = sums.price - sums.cost
    if name == "margin":
        return margin
    if name == "margin_rate":
        return margin / func.nullif(sums.price, 0)
    if name in averages:
        what, by = averages[name]
        return cast(sums[what], Numeric) / func.nullif(sums[by], 0)
    found: ColumnElement[Any] = sums[lengths.get(name, name)]
    return found


def totals_of(row: Row[Any]) -> Totals:
    """A row of which the last columns are the sums."""
    return Totals(*row[-len(SUMS) :])


def first_totals_of(row: Row[Any]) -> Totals:
    """A row that begins with a thing and its sums."""
    return Totals(*row[1 : 1 + len(SUMS)])


# ---- what the database keeps

# Of what totals are kept, by the filter that asks for one of it ...
DIMENSIONS = {
    "customer_id": "customer",
    "provider_id": "provider",
    "gateway_id": "gateway",
    "destination": "destination",
    "did": "did",
    "cause": "cause",
}
# ... by the hour or by the day, by both, and one by the week as well. All calls of a day are those of all its causes, a
# provider's those of its gateways, and a gateway's day is its hours.
BY_HOUR = {"all", "customer", "provider", "gateway"}
BY_DAY = {"all", "customer", "destination", "did", "cause"}
BY_WEEK = {"destination"}
WEEK = 7 * 86400


@dataclass(frozen=True)
class Kept:
    """Whose totals answer what is asked: everybody's, or those of one thing."""

    dimension: str
    thing: str
    direction: str


def kept(values: Mapping[str, str]) -> Kept | None:
    """Whose totals tell of the calls that filters leave; None if those are to be counted."""
    others = {name: value for name, value in values.items() if value and name not in ("start", "end", "direction")}
    direction = values.get("direction", "")
    if direction and direction not in DIRECTIONS:
        return None
    if not others:
        return Kept("all", "", direction)
    if len(others) > 1 or others.keys() - DIMENSIONS.keys():
        return None
    [(name, value)] = others.items()
    thing = _thing(name, value)
    return Kept(DIMENSIONS[name], thing, direction) if thing else None


def _thing(name: str, value: str) -> str:
    """One thing as the totals call it; empty if the value may mean several, or nothing."""
    if "\x00" in value:
        return ""
    if name == "did":
        return value if re.fullmatch("[0-9]+", value) else ""
    if not name.endswith("_id"):
        return value
    try:
        return str(uuid.UUID(value))
    except ValueError:
        by_code = select(Customer.id).where(Customer.code == value.strip().lower())
        return str(db.session.scalar(by_code) or "") if name == "customer_id" else ""


def unit(period: Period, dimension: str) -> str:
    """By which totals a period is told, those of the days or of the hours; empty if by neither."""
    if period.is_days and dimension in BY_DAY:
        return "day"
    return "hour" if period.is_hours and dimension in BY_HOUR else ""


def thing_of(dimension: str) -> ColumnElement[str]:
    """Whose totals a row of call_totals has."""
    parts = {"provider": 1, "gateway": 2}
    if dimension in parts:
        return func.split_part(CallTotal.thing, " ", parts[dimension])
    return CallTotal.thing.expression


def rows_kept(
    period: Period, whose: Kept, unit: str, things: Sequence[str] | None = None, *, each: bool = False
) -> list[ColumnElement[bool]]:
    """The conditions that leave the rows of call_totals that tell of a period, by the hour or by the day.

    A few `things` are looked up in the index at each moment, instead of reading all there are. `each` says that days
    are told apart.
    """
    stored = "cause" if (whose.dimension, unit) == ("all", "day") else whose.dimension.replace("provider", "gateway")
    if whose.thing:
        things = [whose.thing]
    conditions = [CallTotal.dimension == stored]
    if whose.dimension in BY_WEEK and not each:
        conditions.append(_of_weeks_and_days(period, things))
    else:
        conditions += [CallTotal.period == unit, *within(CallTotal, period)]
        if things is not None:
            conditions += [CallTotal.starts_at.in_(_moments(period, unit)), thing_of(whose.dimension).in_(things)]
    return [*conditions, CallTotal.direction == whose.direction] if whose.direction else conditions


def within(kind: Any, period: Period) -> list[ColumnElement[bool]]:
    """The conditions that leave the rows of call_totals that begin in a period."""
    return [kind.starts_at >= period.start, kind.starts_at < period.end]


def _moments(period: Period, unit: str) -> Select[Any]:
    """The hours or days of a period in which there were calls."""
    every = aliased(CallTotal)
    stored = {"day": "cause", "hour": "all"}[unit]
    return select(every.starts_at).where(every.dimension == stored, every.period == unit, *within(every, period))


def _of_weeks_and_days(period: Period, things: Sequence[str] | None) -> ColumnElement[bool]:
    """A condition that leaves the rows of the weeks in a period, and those of the days before and after them.

    The week that we are in is there as a whole, if there are no calls of a time to come.
    """
    first, last = -(-period.start.timestamp() // WEEK), period.end.timestamp() // WEEK
    if period.end > dt.datetime.now(dt.UTC) and not _is_followed(period):
        last += 1
    weeks = [dt.datetime.fromtimestamp(week * WEEK, dt.UTC) for week in range(int(first), int(last))]
    every = aliased(CallTotal)
    days = select(every.period, every.starts_at).where(
        every.dimension == "cause", every.period == "day", *within(every, period)
    )
    if weeks:
        days = days.where(or_(every.starts_at < weeks[0], every.starts_at >= weeks[-1] + dt.timedelta(seconds=WEEK)))
    starts = func.unnest(cast(weeks, ARRAY(DateTime(timezone=True))))
    moments = union_all(days, select(literal("week"), starts))
    if things is None:
        return tuple_(CallTotal.period, CallTotal.starts_at).in_(moments)
    moment = moments.subquery()
    of_things = select(moment, func.unnest(cast(things, ARRAY(Text))))
    return tuple_(CallTotal.period, CallTotal.starts_at, CallTotal.thing).in_(of_things)


def _is_followed(period: Period) -> bool:
    """Whether there are calls of days after a period."""
    later = select(CallTotal.starts_at).where(
        CallTotal.dimension == "cause", CallTotal.period == "day", CallTotal.starts_at >= period.end
    )
    return bool(db.session.scalar(select(later.exists())))


def sums(values: Mapping[str, str], period: Period) -> Totals | None:
    """What the calls of a period come to that filters leave; None if it would take too long to count them."""
    whose = kept(values)
    if whose and (found := unit(period, whose.dimension)):
        query = select(*kept_sums()).where(*rows_kept(period, whose, found))
        return totals_of(db.session.execute(query).one())
    rows = patiently(narrowed(select(*counted_sums()), values, period))
    return totals_of(rows[0]) if rows else None


def narrowed(query: Select[Any], values: Mapping[str, str], period: Period) -> Select[Any]:
    """Of a query of calls what the filters leave of a period. NoSuch if a filter has no such value."""
    bounds = [Call.started_at >= period.start, Call.started_at < period.end]
    return CALLS.narrow(query.select_from(Call).where(*bounds), {**values, "start": "all", "end": ""})


def patiently(query: Select[Any]) -> list[Row[Any]] | None:
    """The rows of a query, unless it takes longer than we wait."""
    attempt = db.session.begin_nested()
    try:
        db.session.execute(text("SELECT set_config('statement_timeout', :patience, true)"), {"patience": PATIENCE})
        return list(db.session.execute(query).all())
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            return None
        raise
    finally:
        attempt.rollback()  # Which also takes back how long we wait.
