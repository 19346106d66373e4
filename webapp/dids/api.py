"""DIDs, for programs: a number or a range of them, giving them away and taking them back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Annotated, Any

from flask import Response, jsonify, make_response
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp import store
from webapp.api import Answer, Identified, attempt, bp, conflict, listed, resource, shown
from webapp.dids import operations
from webapp.dids.lists import DIDS
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema, DidSchema, ManyAllocatedSchema, ManySchema
from webapp.ext import db
from webapp.forms import CHANGED_MEANWHILE
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="dids")]


class DidAnswer(Answer):
    """A number, and who has it now."""

    number: str
    status: str
    provider_id: uuid.UUID
    gateway_id: uuid.UUID | None
    description: str
    quarantine_until: Annotated[dt.datetime | None, Field(description="Until then nobody else gets it.")]
    customer_id: uuid.UUID | None
    destination: Annotated[str | None, Field(description="The extension that rings; null for a trunk.")]


DidList = resource(
    "dids",
    Did,
    DidSchema,
    listing=DIDS,
    answer=DidAnswer,
    creatable=False,
)


@bp.post("/dids/", tags=TAGS, summary="Enter DIDs", responses={201: DidList})
@permission("dids.write")
def create_dids(body: DidRangeSchema) -> Response:
    """Enter a number, or with `count` a range of them: all or none."""
    stopped = attempt(DidRangeSchema, lambda: operations.create_range(body))
    if stopped:
        return stopped
    last = str(int(body.number) + body.count - 1)
    created = db.session.scalars(DIDS.things.where(Did.number.between(body.number, last)).order_by(Did.number))
    return make_response(listed(DidAnswer, [did for did in created if len(did.number) == len(last)]), 201)


@bp.post("/dids/<uuid:id>/allocate", tags=TAGS, summary="Allocate a DID", responses={200: DidAnswer})
@permission("dids.write")
def allocate_did(path: Identified, body: AllocationSchema) -> Response:
    """Give a number to a customer, or to another one; `destination` is an extension, or null for the trunk."""
    did = db.get_or_404(Did, path.id)
    return attempt(AllocationSchema, lambda: operations.allocate(did, body)) or jsonify(shown(DidAnswer, did))


@bp.post("/dids/<uuid:id>/deallocate", tags=TAGS, summary="Take a DID back", responses={200: DidAnswer})
@permission("dids.write")
def deallocate_did(path: Identified) -> Response:
    """Take a number back."""
    did = db.get_or_404(Did, path.id)
    try:
        operations.deallocate(did)
    except store.Refused:
        return conflict(gettext("Nobody has this number."))
    return jsonify(shown(DidAnswer, did))


@bp.post("/dids/<uuid:id>/end-quarantine", tags=TAGS, responses={200: DidAnswer})
@permission("dids.write")
def end_quarantine(path: Identified) -> Response:
    """Let a number that was taken back rest no longer."""
    did = db.get_or_404(Did, path.id)
    try:
        operations.end_quarantine(did)
    except store.Refused:
        return conflict(gettext("This number is not in quarantine."))
    except store.Stale:
        return conflict(gettext(CHANGED_MEANWHILE))
    return jsonify(shown(DidAnswer, did))


class Count(BaseModel):
    count: int


@bp.post("/dids/allocate", tags=TAGS, responses={200: Count})
@permission("dids.write")
def allocate_dids(body: ManyAllocatedSchema) -> Response:
    """Give many free numbers to a customer, all or none: `ids`, or `count` numbers from `number` on."""
    return _many(body, lambda: operations.allocate_many(body))


@bp.post("/dids/deallocate", tags=TAGS, responses={200: Count})
@permission("dids.write")
def deallocate_dids(body: ManySchema) -> Response:
    """Take many numbers back, all or none."""
    return _many(body, lambda: operations.deallocate_many(body))


def _many(body: ManySchema, action: Callable[[], int]) -> Response:
    done: list[int] = []
    try:
        stopped = attempt(type(body), lambda: done.append(action()))
    except operations.Unfit as unfit:
        return conflict(unfit.sentence())
    return stopped or jsonify(count=done[0])
