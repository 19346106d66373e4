"""Reports, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, Literal

from flask import Response, jsonify
from flask_babel import gettext
from pydantic import BaseModel, Field, create_model
from pydantic_core import to_jsonable_python

from webapp.api import bp, filters_of, no_such, page, query_of, refused, shown
from webapp.calls import totals
from webapp.calls.api import REPORTS
from webapp.calls.lists import CALLS
from webapp.calls.totals import PeriodAnswer, Totals, TotalsAnswer
from webapp.listing import NoSuch
from webapp.permissions import permission
from webapp.reports import operations, traffic
from webapp.reports.lists import NUMBERS
from webapp.reports.operations import BY, SORTS, TOP, TooLong


class LineAnswer(TotalsAnswer):
    """What the calls of one thing come to."""

    thing: str = Field(
        description="Its id, number or name; a SIP status or an end; a day, or the moment an hour begins."
    )
    name: str
    before: TotalsAnswer | None = Field(description="In the period before, where that is known.")


class ReportAnswer(PeriodAnswer):
    """What the calls of a period come to, a line for each thing."""

    by: str
    items: list[LineAnswer]
    others: TotalsAnswer | None = Field(description="What the lines beyond `limit` come to.")
    without: TotalsAnswer | None = Field(description="Calls that are of no line, such as those of no customer.")
    total: TotalsAnswer
    before: TotalsAnswer | None = Field(description="All in the period before, which is as long.")


_fields: dict[str, Any] = {
    "by": (Literal[tuple(BY)], Field("customer", description="What each line is of.")),
    "sort": (Literal[("", *SORTS)], Field("", description="The column, with a minus for downwards.")),
    "limit": (int, Field(TOP, ge=1, le=500, description="Lines, unless they are days or hours.")),
    **filters_of(CALLS),
}
TotalsQuery: type[BaseModel] = create_model("TotalsQuery", **_fields)


def reports_totals(query: Any) -> Response:
    """Without `start` the last 31 days are meant, by the hour two. Most filters are answered from kept totals; others
    are counted, and refused where that takes too long. Amounts are texts, so that nobody rounds them."""
    values = totals.asked(query.model_dump())
    try:
        found = operations.report(query.by, values, query.sort, query.limit)
    except TooLong as wrong:
        return refused({wrong.name: [gettext("Choose at most %(days)s days.", days=wrong.days)]})
    except NoSuch as wrong:
        return no_such(wrong)
    if found is None:
        sentence = gettext("There are too many to be counted by these filters. Choose fewer days.")
        return refused({"start": [sentence]})
    items = [
        {"thing": line.thing, "name": line.name, **shown(TotalsAnswer, line.totals), "before": _shown(line.before)}
        for line in found.lines
    ]
    return jsonify(
        by=found.by,
        **shown(PeriodAnswer, found.period),
        items=items,
        others=_shown(found.others),
        without=_shown(found.without),
        total=_shown(found.total),
        before=_shown(found.before),
    )


def _shown(found: Totals | None) -> dict[str, Any] | None:
    return shown(TotalsAnswer, found) if found else None


reports_totals.__annotations__["query"] = TotalsQuery
bp.get("/reports/totals", tags=[REPORTS], summary="Sum calls up", responses={200: ReportAnswer})(
    permission("reports.read")(reports_totals)
)


# ---- our numbers


class NumberAnswer(BaseModel):
    """A number of ours, who has it, and how it is used."""

    id: uuid.UUID
    number: str
    status: str
    customer_id: uuid.UUID | None
    provider_id: uuid.UUID
    gateway_id: uuid.UUID | None


class NumberTraffic(NumberAnswer):
    calls: int = Field(description="Calls to it in the period.")
    answered: int
    minutes: Decimal
    cost: Decimal
    price: Decimal
    last_call_at: dt.datetime | None = Field(description="When it was last called, in the period or before.")


class NumberList(PeriodAnswer):
    items: list[NumberTraffic]
    next_cursor: str | None


def reports_dids(query: Any) -> Response:
    """With the traffic from the day `start` to the day `end`; without them that of the last 31 days."""
    values = query.model_dump()
    try:
        wanted = NUMBERS.narrow(NUMBERS.query, values)
        period = totals.period(values)
    except NoSuch as wrong:
        return no_such(wrong)
    keys, descending = NUMBERS.keys(query.sort)
    dids, following = page(wanted, keys, query, descending, NUMBERS.things)
    found = traffic.traffic([did.number for did in dids], period)
    sums = ("calls", "answered", "minutes", "cost", "price")
    items = [
        shown(NumberAnswer, did)
        | {name: to_jsonable_python(getattr(found[did.number].totals, name)) for name in sums}
        | {"last_call_at": to_jsonable_python(found[did.number].last_call_at)}
        for did in dids
    ]
    return jsonify(items=items, next_cursor=following, **shown(PeriodAnswer, period))


reports_dids.__annotations__["query"] = query_of("number", NUMBERS)
bp.get("/reports/dids", tags=[REPORTS], summary="List numbers with their calls", responses={200: NumberList})(
    permission("reports.read")(reports_dids)
)
