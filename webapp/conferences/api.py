"""Conferences, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from flask import Response, jsonify, make_response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import Identified, bp, narrowed_list, query_of, refused, shown
from webapp.conferences import operations
from webapp.conferences.lists import CONFERENCES
from webapp.conferences.models import Conference
from webapp.conferences.schemas import ConferenceSchema, NumberSchema
from webapp.ext import db
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="conference", description="Numbers that are called and joined in a room.")]


class ConferenceAnswer(BaseModel):
    """A conference, without who is there."""

    id: uuid.UUID
    created_at: dt.datetime
    name: str
    customer_id: uuid.UUID = Field(description="Who pays for the calls.")
    numbers: list[str]
    caller_id: str
    record: bool
    recording: str = Field(description="The file in Asterisk's folder `monitor`; empty if nothing is recorded.")
    max_minutes: int
    node: str = Field(description="The Asterisk server that holds it.")
    username: str = Field(description="Who asked for it.")
    state: Literal["open", "closing", "ended"]
    ends_at: dt.datetime = Field(description="When time is up.")
    ended_at: dt.datetime | None
    end_reason: str = Field(
        description="`left` (all did), `nobody` (came), `closed`, `time` (was up), `lost` (its server never told)."
    )


class ParticipantAnswer(BaseModel):
    """One call of a number. Who is called again is a participant twice."""

    id: uuid.UUID = Field(description="`request` of its calls.")
    number: str
    state: Literal["asked", "calling", "ringing", "joined", "over", "not_called"] = Field(
        description="`joined`: in the room. `not_called`: it is certain that nobody dialled it."
    )
    outcome: str = Field(
        description="`left`, `refused`, `busy`, `no_answer`, `failed` or `cancelled`, once the call's record is there."
    )
    reason: str = Field(description="Why it was refused.")
    reason_words: str
    cause: int | None = Field(description="Q.850 cause of its end.")
    sip_status: int | None
    price: Decimal | None = Field(description="Of its call, once the record is there; null if there is no price.")
    asked_at: dt.datetime
    called_at: dt.datetime | None
    joined_at: dt.datetime | None
    left_at: dt.datetime | None


class ConferenceDetail(ConferenceAnswer):
    """A conference, and where its participants are."""

    known: bool = Field(description="false: its server is away, and nobody knows what goes on there.")
    participants: list[ParticipantAnswer]


class ConferenceList(BaseModel):
    items: list[ConferenceAnswer]
    next_cursor: str | None


class NewConference(ConferenceSchema):
    id: uuid.UUID | None = Field(
        None, description="Choose one, and a conference that is sent twice is held once: the same is answered."
    )


class OfParticipant(Identified):
    participant_id: uuid.UUID


def conference_index(query: Any) -> Response:
    """The latest first, unless `sort` says otherwise."""
    return narrowed_list(ConferenceAnswer, CONFERENCES, query)


conference_index.__annotations__["query"] = query_of("conference", CONFERENCES)
bp.get("/conference/", tags=TAGS, summary="List conferences", responses={200: ConferenceList})(
    permission("conferences.read")(conference_index)
)


@bp.post("/conference/", tags=TAGS, summary="Hold a conference", responses={201: ConferenceDetail})
@permission("conferences.write")
def conference_create(body: NewConference) -> Response:
    """The numbers are called by the customer's routes and at its cost; without `customer_id` it is the settings' one.
    Where one of them would be refused, 422 says so and nobody is called."""
    if body.id and db.session.get(Conference, body.id):
        return make_response(_detail(body.id), 201)
    wanted = ConferenceSchema.model_validate(body.model_dump(exclude={"id"}))
    try:
        conference = operations.hold(wanted, body.id)
    except operations.Impossible as reason:
        return refused(reason.errors)
    return make_response(_detail(conference.id), 201)


@bp.get("/conference/<uuid:id>", tags=TAGS, summary="Read a conference", responses={200: ConferenceDetail})
@permission("conferences.read")
def conference_read(path: Identified) -> Response:
    """Where its participants are, up to two seconds ago."""
    return _detail(path.id)


@bp.post("/conference/<uuid:id>/call", tags=TAGS, summary="Call one more number", responses={200: ConferenceDetail})
@permission("conferences.write")
def conference_call(path: Identified, body: NumberSchema) -> Response:
    """Or one once more that was not reached. 422 if it is in the room already, and if the conference is over."""
    return _done(path.id, lambda: operations.call(path.id, body.number))


@bp.post(
    "/conference/<uuid:id>/participants/<uuid:participant_id>/drop",
    tags=TAGS,
    summary="Drop a participant",
    responses={200: ConferenceDetail},
)
@permission("conferences.write")
def conference_drop(path: OfParticipant) -> Response:
    """Who is in the room is hung up on, and who is not is called no more. It takes a second or two."""
    return _done(path.id, lambda: operations.drop(path.id, path.participant_id))


@bp.post("/conference/<uuid:id>/close", tags=TAGS, summary="Close a conference", responses={200: ConferenceDetail})
@permission("conferences.write")
def conference_close(path: Identified) -> Response:
    """Everybody is hung up on. It takes a second or two."""
    return _done(path.id, lambda: operations.close(path.id))


def _done(id: uuid.UUID, action: Callable[[], object]) -> Response:
    try:
        action()
    except operations.Impossible as reason:
        return refused(reason.errors)
    return _detail(id)


def _detail(id: uuid.UUID) -> Response:
    conference = db.get_or_404(Conference, id)
    known = not conference.is_open or operations.is_known(conference)
    participants = [_participant(line) for line in operations.lines(conference)]
    return jsonify(shown(ConferenceAnswer, conference) | {"known": known, "participants": participants})


def _participant(line: operations.Line) -> dict[str, Any]:
    names = ParticipantAnswer.model_fields
    values = {name: getattr(line if hasattr(line, name) else line.participant, name) for name in names}
    return ParticipantAnswer(**values).model_dump(mode="json")
