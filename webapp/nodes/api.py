"""Nodes, for programs."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from flask import Response, jsonify, make_response
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import BaseModel, ConfigDict, Field

from webapp import store
from webapp.api import bp, conflict, listed, shown
from webapp.forms import CHANGED_MEANWHILE
from webapp.nodes import operations
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="nodes", description="The Asterisk servers that carry our calls.")]


class NodeAnswer(BaseModel):
    """One Asterisk server, and what it has yet to be told."""

    name: str
    enabled: bool = Field(description="One that is not is told of no change; when it is again, it begins afresh.")
    state: Literal["disabled", "agent_away", "asterisk_away", "catching_up", "up_to_date"]
    seen_at: dt.datetime | None = Field(description="When its agent last signed in.")
    owed: int = Field(description="Orders that it has yet to carry out.")
    since: dt.datetime | None = Field(description="When the oldest of them was given.")
    reason: str = Field(description="What its agent last complained of.")


class NodeList(BaseModel):
    items: list[NodeAnswer]
    next_cursor: None = Field(description="There are so few that one answer holds all.")


class NodeChange(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    enabled: bool


class Named(BaseModel):
    name: str


@bp.get("/nodes/", tags=TAGS, summary="List nodes", responses={200: NodeList})
@permission("nodes.read")
def nodes_index() -> Response:
    """All of them, by name."""
    return listed(NodeAnswer, operations.states())


@bp.get("/nodes/<name>", tags=TAGS, summary="Read a node", responses={200: NodeAnswer})
@permission("nodes.read")
def nodes_read(path: Named) -> Response:
    """How it is now."""
    return jsonify(shown(NodeAnswer, operations.state_of(path.name)))


@bp.patch("/nodes/<name>", tags=TAGS, summary="Enable or disable a node", responses={200: NodeAnswer})
@permission("nodes.write")
def nodes_change(path: Named, body: NodeChange) -> Response:
    """A node that is disabled is told nothing, not even what it is owed; when it is enabled again, it begins afresh."""
    try:
        operations.switch(path.name, body.enabled)
    except store.Stale:
        return conflict(gettext(CHANGED_MEANWHILE))
    return jsonify(shown(NodeAnswer, operations.state_of(path.name)))


@bp.delete("/nodes/<name>", tags=TAGS, summary="Delete a node", responses={204: None})
@permission("nodes.write")
def nodes_delete(path: Named) -> Response:
    """With what it is owed. Refused with 409 while its agent has signed in within the last hour."""
    try:
        operations.remove(path.name)
    except operations.StillThere:
        return conflict(gettext("Its agent has signed in within the last hour. Stop it first."))
    return make_response("", 204)
