"""Calls, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from flask import Response, jsonify
from flask_openapi import Tag
from pydantic import BaseModel, Field
from sqlalchemy import select

from webapp.api import bp, narrowed_list, no_such, query_of, shown
from webapp.calls import explaining, totals
from webapp.calls.lists import CALLS
from webapp.calls.models import Call
from webapp.calls.totals import PeriodAnswer, TotalsAnswer
from webapp.ext import db
from webapp.listing import NoSuch
from webapp.permissions import may, permission

REPORTS = Tag(name="reports", description="Calls that were made, what they cost and what was earned by them.")


class CallAnswer(BaseModel):
    """One leg of a call, as it was rated."""

    id: int
    started_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    direction: str = Field(description="`inbound`, `outbound`, `internal` or `onnet` (between customers).")
    customer_id: uuid.UUID | None
    provider_id: uuid.UUID | None
    gateway_id: uuid.UUID | None
    did: str
    src: str
    dst: str
    disposition: str = Field(description="How it ended, as Asterisk says it.")
    reason: str = Field(description="Why it was refused, if it was.")
    cause: int | None = Field(description="Q.850.")
    sip_status: int | None
    pdd: int | None = Field(description="Milliseconds until it rang.")
    duration: int = Field(description="Seconds, ringing included.")
    billsec: int = Field(description="Seconds since it was answered.")
    billed_seconds: int = Field(description="Seconds that are charged.")
    destination: str
    cost: Decimal
    price: Decimal
    margin: Decimal = Field(description="Price less cost.")
    unrated: str = Field(description="`no_price_plan` or `no_tariff` where there is no price; else empty.")
    node: str
    uniqueid: str
    sequence: int


class PeriodTotals(TotalsAnswer, PeriodAnswer):
    """What the calls of the whole list come to."""


class CallList(BaseModel):
    items: list[CallAnswer]
    next_cursor: str | None
    totals: PeriodTotals | None = Field(
        description="With the first page only. Without `start` those of the last 31 days. Null if there are too many"
        " calls to be counted by these filters: ask for fewer days."
    )


def reports_cdr(query: Any) -> Response:
    """The latest first, unless `sort` says otherwise. Amounts are texts, so that nobody rounds them."""
    try:
        found = None if query.cursor else _totals(query.model_dump())
    except NoSuch as wrong:
        return no_such(wrong)
    return narrowed_list(CallAnswer, CALLS, query, totals=found)


def _totals(values: dict[str, Any]) -> dict[str, Any] | None:
    asked = totals.asked(values)
    period = totals.period(asked)
    found = totals.sums(asked, period)
    return shown(TotalsAnswer, found) | shown(PeriodAnswer, period) if found else None


reports_cdr.__annotations__["query"] = query_of("reports", CALLS)
bp.get("/reports/cdr", tags=[REPORTS], summary="List calls", responses={200: CallList})(
    permission("reports.read")(reports_cdr)
)


class Numbered(BaseModel):
    id: int = Field(ge=1, le=2**63 - 1)


class PlannedLegAnswer(BaseModel):
    gateway_id: uuid.UUID | None = Field(description="Null if the gateway is not there any more.")
    gateway: str
    provider_id: uuid.UUID | None
    provider: str
    number: str = Field(description="As it is sent there.")
    caller_id: str = Field(description="As that gateway gets it.")
    max_channels: int = Field(description="Calls at once that it takes; 0: any number.")


class RequestAnswer(BaseModel):
    """What the dialplan asked before the call, and the answer."""

    requested_at: dt.datetime
    dialed: str
    caller: str
    verdict: str = Field(description="`route`, `did`, `internal` or `refused`.")
    reason: str
    cause: int
    number: str
    caller_id: str
    max_seconds: int
    legs: list[PlannedLegAnswer] = Field(description="The ways out, in the order to try.")


class RatedCall(CallAnswer):
    """One leg of a call with all that its amounts follow from."""

    linkedid: str
    price_plan_id: uuid.UUID | None
    prefix: str
    price_per_minute: Decimal
    connect_fee: Decimal
    minimum_seconds: int
    increment_seconds: int
    cost_source: str = Field(description="`deck`, `tariff` or `provider`; empty if it costs nothing.")
    cost_prefix: str
    cost_per_minute: Decimal
    cost_connect_fee: Decimal
    cost_minimum_seconds: int
    cost_increment_seconds: int
    cost_billed_seconds: int


class ExplainedCall(RatedCall):
    """One leg of a call with how its amounts came about, its other legs, and why it went there."""

    price_steps: list[str] = Field(description="How the price came about, in words and figures.")
    cost_steps: list[str]
    legs: list[CallAnswer] = Field(description="All legs of the call in their order, this one among them.")
    asked: RequestAnswer | None = Field(description="Null if nothing was asked, or if it is kept no longer.")
    cdr: dict[str, Any] | None = Field(description="The record as Asterisk wrote it, for administrators.")


@bp.get("/calls/<int:id>", tags=[REPORTS], summary="Explain a call", responses={200: ExplainedCall})
@permission("reports.read")
def calls_read(path: Numbered) -> Response:
    """Amounts are texts, so that nobody rounds them."""
    call = db.first_or_404(select(Call).where(Call.id == path.id))
    legs = explaining.legs(call)
    asked = explaining.asked(call, legs[0])
    more = {
        "price_steps": explaining.price_steps(call),
        "cost_steps": explaining.cost_steps(call),
        "legs": [shown(CallAnswer, leg) for leg in legs],
        "asked": asked and shown(RequestAnswer, asked),
        "cdr": explaining.raw(call) if may("cdr.read") else None,
    }
    return jsonify(shown(RatedCall, call) | more)
