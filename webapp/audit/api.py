"""The audit log, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from flask import Response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import bp, narrowed_list, query_of
from webapp.audit.lists import AUDIT
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="audit", description="Who changed what, when, and how it was before.")]


class AuditAnswer(BaseModel):
    """One change. Of secrets it holds only whether there was one."""

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


def audit_index(query: Any) -> Response:
    """The latest first, unless `sort` says otherwise.

    `who` is a user name, or `token ` and the name of a token. `q` finds words, the last of which may be only begun.
    """
    return narrowed_list(AuditAnswer, AUDIT, query)


audit_index.__annotations__["query"] = query_of("audit", AUDIT)
bp.get("/audit/", tags=TAGS, summary="List changes", responses={200: AuditList})(permission("audit.read")(audit_index))
