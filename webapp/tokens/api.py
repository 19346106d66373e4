"""Tokens, for programs: making one, looking at all, taking one back."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from flask import Response, jsonify, make_response
from flask_babel import gettext
from flask_login import current_user
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp import store
from webapp.api import Answer, Error, Identified, bp, narrowed_list, query_of, refused, shown
from webapp.ext import db
from webapp.forms import refusal
from webapp.permissions import permission
from webapp.tokens import operations
from webapp.tokens.lists import TOKENS
from webapp.tokens.models import ApiToken
from webapp.tokens.schemas import TokenSchema

TAGS: list[Tag | dict[str, Any]] = [Tag(name="tokens", description="API tokens: what programs sign in with.")]


class TokenAnswer(Answer):
    """A token without its text, which is told once, when it is made."""

    name: str
    role: str = Field(description="What it may do at the most; what its owner may not, it may not either.")
    state: str = Field(description="active, revoked, expired, or disabled together with its owner.")
    user_id: uuid.UUID
    username: str = Field(description="Who made it.")
    expires_at: dt.datetime | None = Field(description="null: never.")
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None = Field(description="To the minute.")


class NewToken(TokenAnswer):
    """A token that was just made."""

    token: str = Field(description="To be sent as `Authorization: Bearer ...`. It is not told again.")


class TokenList(BaseModel):
    items: list[TokenAnswer]
    next_cursor: str | None


def tokens_index(query: Any) -> Response:
    """All of them, revoked ones too, by name unless `sort` says otherwise."""
    return narrowed_list(TokenAnswer, TOKENS, query)


tokens_index.__annotations__["query"] = query_of("tokens", TOKENS)
bp.get("/tokens/", tags=TAGS, summary="List tokens", responses={200: TokenList})(
    permission("tokens.read")(tokens_index)
)


@bp.post("/tokens/", tags=TAGS, summary="Make a token", responses={201: NewToken, 403: Error})
@permission("tokens.write")
def tokens_create(body: TokenSchema) -> Response:
    """The answer holds its text, this once. Sign in with a password for this: a token makes no tokens."""
    if current_user.token_id:
        # Otherwise one that expires could see to it that it never does.
        return make_response(jsonify(error=gettext("A token cannot make tokens: sign in with a password.")), 403)
    try:
        token, secret = operations.create(body)
    except store.Refused as broken:
        field, message = refusal(TokenSchema, broken)
        return refused({field: [message]})
    return make_response(shown(TokenAnswer, token) | {"token": secret}, 201)


@bp.get("/tokens/<uuid:id>", tags=TAGS, summary="Read a token", responses={200: TokenAnswer})
@permission("tokens.read")
def tokens_read(path: Identified) -> Response:
    """Everything but its text."""
    return jsonify(shown(TokenAnswer, db.get_or_404(ApiToken, path.id)))


@bp.delete("/tokens/<uuid:id>", tags=TAGS, summary="Revoke a token", responses={204: None})
@permission("tokens.write")
def tokens_delete(path: Identified) -> Response:
    """It is refused from now on, and stays in the list."""
    operations.revoke(db.get_or_404(ApiToken, path.id))
    return make_response("", 204)
