"""Rating calls again, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from flask import Response, make_response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import Identified, bp, conflict, shown
from webapp.ext import db
from webapp.permissions import permission
from webapp.reratings import operations
from webapp.reratings.models import Rerating
from webapp.reratings.schemas import RerateSchema

TAGS: list[Tag | dict[str, Any]] = [Tag(name="calls", description="What is done with calls that were made.")]


class Sum(BaseModel):
    """Of the calls that change, how many, and their sums before and after."""

    calls: int
    price_before: Decimal
    price_after: Decimal
    cost_before: Decimal
    cost_after: Decimal


class CustomerSum(Sum):
    customer_id: uuid.UUID | None
    customer: str


class ReratingAnswer(BaseModel):
    """Which calls, and how far it is."""

    id: uuid.UUID
    state: str = Field(description="`comparing`, `compared`, `applying`, `applied`.")
    interrupted: bool = Field(description="Whoever worked at it stopped; `apply` goes on with it.")
    percent: int
    since: dt.datetime
    until: dt.datetime
    customer_id: uuid.UUID | None
    price_plan_id: uuid.UUID | None
    direction: str
    only_unrated: bool
    calls: int = Field(description="Looked at so far.")
    username: str
    created_at: dt.datetime
    applied_at: dt.datetime | None
    error: str


class ReratingDetail(ReratingAnswer):
    """What it would change, or has changed, so far."""

    total: Sum
    customers: list[CustomerSum] = Field(description="The greatest differences first, 500 at the most.")
    sample: list[dict[str, Any]] = Field(description="The first 20 calls that change, before and after.")


@bp.post("/calls/rerate", tags=TAGS, summary="Rate calls again", responses={202: ReratingAnswer})
@permission("reratings.write")
def calls_rerate(body: RerateSchema) -> Response:
    """Compared while you ask how far it is. Without `preview` what is different is changed at once."""
    return _accepted(operations.compare(body, apply=not body.preview).id)


@bp.get("/calls/rerate/<uuid:id>", tags=TAGS, summary="Read a rerating", responses={200: ReratingDetail})
@permission("reratings.read")
def calls_rerate_read(path: Identified) -> Response:
    """How far it is and what it comes to. Of one that is applied the sums are those of what was changed."""
    rerating = db.get_or_404(Rerating, path.id)
    known = {
        "total": shown(Sum, operations.total(rerating)),
        "customers": [shown(CustomerSum, each) for each in operations.by_customer(rerating)],
        "sample": rerating.sample,
    }
    return make_response(shown(ReratingAnswer, rerating) | known)


@bp.post("/calls/rerate/<uuid:id>/apply", tags=TAGS, summary="Apply a rerating", responses={202: ReratingAnswer})
@permission("reratings.write")
def calls_rerate_apply(path: Identified) -> Response:
    """Change what is different by now, a thousand calls at a time; 409 unless it is compared or interrupted."""
    try:
        operations.apply(db.get_or_404(Rerating, path.id))
    except operations.NotNow as why:
        return conflict(str(why))
    return _accepted(path.id)


def _accepted(id: uuid.UUID) -> Response:
    rerating = db.session.get_one(Rerating, id, populate_existing=True)
    return make_response(shown(ReratingAnswer, rerating), 202)
