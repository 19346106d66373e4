"""The audit log, for programs."""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from typing import Annotated, Any

from flask import Response, abort, jsonify
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from webapp.api import Listing, bp
from webapp.audit import operations
from webapp.audit.operations import Filters, Key
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="audit", description="Who changed what, when, and how it was before.")]

Moment = Annotated[AwareDatetime, Field(ge=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))]


class AuditListing(Listing):
    """Which entries are wanted."""

    q: str = Field("", max_length=80, description="Words of the entry; the last may be only begun.")
    who: str = Field("", max_length=80, description="A user name, or `token ` and the name of a token.")
    kind: str = Field("", max_length=80, description="The kind of thing, such as `gateways`.")
    action: str = Field("", max_length=80, description="`create`, `update`, `delete`, `reveal`.")
    thing_id: uuid.UUID | None = None
    since: Moment | None = Field(None, description="This moment and later.")
    until: Moment | None = Field(None, description="Before this moment.")


class AuditAnswer(BaseModel):
    """One change. Of secrets it holds only whether there was one."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: dt.datetime
    username: str
    request_id: str
    action: str
    kind: str
    thing_id: uuid.UUID
    label: str = Field(description="What the thing was called then.")
    before: dict[str, Any]
    after: dict[str, Any]


class AuditList(BaseModel):
    items: list[AuditAnswer]
    next_cursor: str | None


@bp.get("/audit/", tags=TAGS, summary="List changes", responses={200: AuditList})
@permission("audit.read")
def audit_index(query: AuditListing) -> Response:
    """The latest first."""
    texts = query.model_dump(include={"who", "kind", "action", "q"})
    texts = {name: text.replace("\x00", "") for name, text in texts.items()}
    filters = Filters(thing_id=query.thing_id, since=query.since, until=query.until, **texts)
    entries, last = operations.page(filters, _key(query.cursor) if query.cursor else None, query.limit)
    items = [AuditAnswer.model_validate(entry).model_dump(mode="json") for entry in entries]
    return jsonify(items=items, next_cursor=_cursor(last) if last else None)


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([key[0].isoformat(), str(key[1])]).encode()).decode()


def _key(cursor: str) -> Key:
    try:
        moment, number = json.loads(base64.urlsafe_b64decode(cursor))
        return operations.key(moment, number)
    except (ValueError, TypeError):  # What is not ours may be of any shape.
        abort(400, gettext("The cursor is not one of ours."))
