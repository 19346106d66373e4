"""Signing in, for programs."""

from __future__ import annotations

import structlog
from flask import Response, jsonify, make_response, request
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import BaseModel, ConfigDict, Field

from webapp.accounts import tokens
from webapp.accounts.operations import authenticate
from webapp.api import bp
from webapp.permissions import public

log = structlog.get_logger()


class Credentials(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "olga", "password": "correct horse"}]})

    username: str = Field(min_length=1, max_length=80)
    password: str = Field(min_length=1, max_length=200)


class Token(BaseModel):
    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds.")


@bp.post(
    "/auth/login",
    tags=[Tag(name="auth", description="Signing in.")],
    summary="Sign in",
    responses={200: Token},
    security=[{}],
)
@public
def api_sign_in(body: Credentials) -> Response:
    """A token for 24 hours, to be sent as `Authorization: Bearer ...`."""
    user = authenticate(body.username, body.password)
    if user is None:
        log.warning("sign-in refused", user=body.username, address=request.remote_addr)
        return make_response(jsonify(error=gettext("The user name or the password is wrong.")), 401)
    log.info("signed in", user=user.username)
    return jsonify(access_token=tokens.issue(user), token_type="bearer", expires_in=tokens.SECONDS)  # noqa: S106 - no secret
