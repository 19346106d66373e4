"""Calls, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from flask import Response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import bp, narrowed_list, query_of
from webapp.calls.lists import CALLS
from webapp.permissions import permission


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
    duration: int = Field(description="Seconds, ringing included.")
    billsec: int = Field(description="Seconds since it was answered.")
    cost: Decimal
    price: Decimal
    margin: Decimal = Field(description="Price less cost.")
    node: str
    uniqueid: str
    sequence: int


class CallList(BaseModel):
    items: list[CallAnswer]
    next_cursor: str | None


def reports_cdr(query: Any) -> Response:
    """The latest first, unless `sort` says otherwise. Amounts are texts, so that nobody rounds them."""
    return narrowed_list(CallAnswer, CALLS, query)


reports_cdr.__annotations__["query"] = query_of("reports", CALLS)
bp.get(
    "/reports/cdr",
    tags=[Tag(name="reports", description="Calls that were made, what they cost and what was earned by them.")],
    summary="List calls",
    responses={200: CallList},
)(permission("reports.read")(reports_cdr))
