"""The calls that go on now, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from flask import Response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import bp, narrowed_list, query_of
from webapp.live import operations
from webapp.live.lists import LIVE
from webapp.permissions import permission


class LiveCallAnswer(BaseModel):
    """A call that goes on now."""

    node: str
    uniqueid: str
    direction: str = Field(description="`inbound`, `outbound`, `internal` or `onnet` (between customers).")
    customer_id: uuid.UUID | None
    gateway_id: uuid.UUID | None
    provider_id: uuid.UUID | None
    src: str
    dst: str
    did: str
    state: str = Field(description="`ringing` or `answered`.")
    started_at: dt.datetime
    answered_at: dt.datetime | None = Field(description="When it was seen to be: up to some seconds late.")
    seconds: int = Field(description="Since its start, ringing included.")
    price: Decimal | None = Field(description="What it would be charged if it ended now; null if there is no price.")


class LiveCallList(BaseModel):
    items: list[LiveCallAnswer]
    next_cursor: str | None
    unknown: list[str] = Field(description="The nodes of which it is not known what goes on there now.")


def live_calls(query: Any) -> Response:
    """The last to begin is the first, unless `sort` says otherwise. Amounts are texts, so that nobody rounds them."""
    return narrowed_list(LiveCallAnswer, LIVE, query, unknown=list(operations.unknown()))


live_calls.__annotations__["query"] = query_of("live", LIVE)
bp.get(
    "/live-calls/",
    tags=[Tag(name="live", description="What goes on now.")],
    summary="List calls that go on",
    responses={200: LiveCallList},
)(permission("live.read")(live_calls))
