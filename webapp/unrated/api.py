"""Calls that are not rated, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from flask import Response, jsonify, make_response
from flask_openapi import Tag
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python

from webapp.api import Listing, bp, conflict, page, shown
from webapp.calls.models import UnratedCdr
from webapp.permissions import permission
from webapp.reratings import operations as reratings
from webapp.reratings.api import ReratingAnswer
from webapp.unrated import operations
from webapp.unrated.lists import UNRATED

TAGS: list[Tag | dict[str, Any]] = [Tag(name="reports")]


class GroupAnswer(BaseModel):
    """Calls without a price for the same reason."""

    unrated: str = Field(description="`no_price_plan`: the customer has none; `no_tariff`: its plan has none for them.")
    customer_id: uuid.UUID | None
    customer: str
    price_plan_id: uuid.UUID | None
    price_plan: str
    calls: int
    first_at: dt.datetime
    last_at: dt.datetime
    number: str = Field(description="One that was called, as an example.")


class Groups(BaseModel):
    items: list[GroupAnswer]


class CdrAnswer(BaseModel):
    """A call record that no call could be made of."""

    cdr_id: int
    reason: str = Field(description="In the words of the database.")
    code: str = Field(description="The SQLSTATE of it.")
    noticed_at: dt.datetime
    tries: int
    tried_at: dt.datetime | None
    cdr: dict[str, Any] = Field(description="As Asterisk stored it.")


class CdrList(BaseModel):
    items: list[CdrAnswer]
    next_cursor: str | None


@bp.get("/reports/unrated", tags=TAGS, summary="List records that are no calls", responses={200: CdrList})
@permission("unrated.read")
def reports_unrated(query: Listing) -> Response:
    """The first noticed is the first."""
    wanted = UNRATED.narrow(UNRATED.query, {})
    found, following = page(wanted, [UnratedCdr.noticed_at, UnratedCdr.cdr_id], query)
    cdrs = operations.cdrs(each.cdr_id for each in found)
    names = ("cdr_id", "reason", "code", "noticed_at", "tries", "tried_at")
    items = [{name: getattr(each, name) for name in names} | {"cdr": dict(cdrs.get(each.cdr_id, {}))} for each in found]
    return jsonify(to_jsonable_python({"items": items, "next_cursor": following}))


@bp.get("/reports/unrated/calls", tags=TAGS, summary="Count calls without a price", responses={200: Groups})
@permission("unrated.read")
def reports_unrated_calls() -> Response:
    """By what is missing, the most first, 100 groups at the most."""
    items = [GroupAnswer.model_validate(each, from_attributes=True) for each in operations.groups()]
    return jsonify(items=[each.model_dump(mode="json") for each in items])


@bp.post("/reports/unrated/rate", tags=TAGS, summary="Rate what is not rated", responses={202: ReratingAnswer})
@permission("unrated.write")
def reports_unrated_rate() -> Response:
    """All of it, once more; 409 if everything is rated. How far it is tells `/calls/rerate/<id>`."""
    try:
        return make_response(shown(ReratingAnswer, reratings.rate_unrated()), 202)
    except reratings.NotNow as why:
        return conflict(str(why))
