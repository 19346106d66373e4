"""Signing in, for programs."""

from __future__ import annotations

from flask import Response, jsonify, make_response
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import BaseModel, ConfigDict, Field

from webapp import store
from webapp.accounts import second_factor, tokens
from webapp.accounts.operations import authenticate, welcome
from webapp.accounts.tries import TooManyTries
from webapp.api import bp
from webapp.permissions import public


class Credentials(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "olga", "password": "a long pass phrase"}]})

    username: str = Field(min_length=1, max_length=80)
    password: str = Field(min_length=1, max_length=200)
    code: str = Field("", max_length=40, description="For users who sign in in two steps.")


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
    try:
        user = authenticate(body.username, body.password)
    except TooManyTries as wait:
        answer = _refused(429, gettext("Too many tries. Wait a few minutes and try again."))
        answer.headers["Retry-After"] = str(wait.seconds)
        return answer
    if user is None:
        return _refused(401, gettext("The user name or the password is wrong."))
    used = "password"
    if second_factor.is_on(user):
        if not body.code:
            return _refused(401, gettext("This user signs in in two steps: a code is needed."))
        used = second_factor.accept(user, body.code)
        if not used:
            return _refused(401, gettext("The code is wrong, or it was used before."))
    welcome(user, used)
    store.note()
    return jsonify(access_token=tokens.issue(user), token_type="bearer", expires_in=tokens.SECONDS)  # noqa: S106 - no secret


def _refused(status: int, sentence: str) -> Response:
    return make_response(jsonify(error=sentence), status)
