"""The tokens programs sign in with: JWT (RFC 7519), HS256, valid for 24 hours."""

from __future__ import annotations

import datetime as dt
import uuid

import jwt
from flask import Request, current_app

from webapp.accounts.models import User
from webapp.ext import db, login

SECONDS = 24 * 60 * 60
_ALGORITHM = "HS256"
_AUDIENCE = "api"  # So that nothing else we ever sign with the key can pass for a token.


def issue(user: User) -> str:
    """A token that is its bearer's proof of being this user, for as long as the user is enabled."""
    now = dt.datetime.now(dt.UTC)
    claims = {
        "sub": str(user.id),
        "aud": _AUDIENCE,
        "iat": now,
        "exp": now + dt.timedelta(seconds=SECONDS),
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, current_app.config["SECRET_KEY"], algorithm=_ALGORITHM)


@login.request_loader  # type: ignore[untyped-decorator]  # flask_login has no types
def bearer(request: Request) -> User | None:
    """Who sent the request, by its Authorization header; None where it has no valid token."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    try:
        claims = jwt.decode(
            token,
            current_app.config["SECRET_KEY"],
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": ["exp", "iat", "sub", "jti"]},
        )
        user = db.session.get(User, uuid.UUID(claims["sub"]))
    except (jwt.InvalidTokenError, ValueError):
        return None
    return user if user and user.enabled else None
