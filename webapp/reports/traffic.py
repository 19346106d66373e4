"""How our numbers are used: the calls to each of them in a period, and the last one ever."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Numeric, ScalarSelect, Select, cast, func, select

from webapp.calls import totals
from webapp.calls.models import Call, CallTotal
from webapp.calls.totals import Kept, Period, Totals
from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.reports.lists import NUMBERS

_ALL = Kept("did", "", "")


@dataclass(frozen=True)
class Traffic:
    """The calls to a number in a period, and when the last one was, whenever that was."""

    totals: Totals
    last_call_at: dt.datetime | None


def traffic(numbers: Sequence[str], period: Period) -> dict[str, Traffic]:
    """That of some numbers, in two questions however many they are."""
    query = (
        select(CallTotal.thing, *totals.kept_sums())
        .where(*totals.rows_kept(period, _ALL, "day", numbers))
        .group_by(CallTotal.thing)
    )
    found = {row[0]: totals.totals_of(row) for row in db.session.execute(query)}
    lasts = db.session.execute(select(Did.number, _last_call()).where(Did.number.in_(numbers)))
    return {number: Traffic(found.get(number, Totals()), last) for number, last in lasts}


def _last_call() -> ScalarSelect[Any]:
    last = select(Call.started_at).where(Call.did == Did.number, Call.did != "").order_by(Call.started_at.desc())
    return last.limit(1).correlate(Did).scalar_subquery()


HEADS = (
    "number",
    "status",
    "customer",
    "provider",
    "gateway",
    "description",
    "calls",
    "answered",
    "minutes",
    "cost",
    "price",
    "last_call_at",
)


def file(values: Mapping[str, str], period: Period) -> Select[Any]:
    """The columns HEADS of the numbers that filters leave. NoSuch if a filter has no such value."""
    thing = CallTotal.thing.label("number")
    sums = select(thing, *totals.kept_sums()).where(*totals.rows_kept(period, _ALL, "day")).group_by(thing).subquery()
    query = NUMBERS.sort(NUMBERS.narrow(NUMBERS.query, values), values.get("sort", ""))
    columns: list[Any] = [
        Did.number,
        Did.status,
        Customer.code,
        Provider.name,
        Gateway.name,
        Did.description,
        func.coalesce(sums.c.calls, 0),
        func.coalesce(sums.c.answered, 0),
        func.round(cast(func.coalesce(sums.c.seconds, 0), Numeric) / 60, 1, type_=Numeric),
        func.coalesce(sums.c.cost, 0),
        func.coalesce(sums.c.price, 0),
        _last_call(),
    ]
    return query.outerjoin(sums, sums.c.number == Did.number).with_only_columns(*columns, maintain_column_froms=True)
