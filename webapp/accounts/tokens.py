"""Who a program is, by the token it shows: a JWT from a sign-in (RFC 7519, HS256, 24 hours), or an API token."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import jwt
from flask import Request, current_app
from flask_login import UserMixin
from sqlalchemy import func, or_, select, text, update

from webapp import store
from webapp.accounts.models import ROLES, User
from webapp.ext import db, login
from webapp.tokens.models import ApiToken
from webapp.tokens.operations import PREFIX, digest

SECONDS = 24 * 60 * 60
_ALGORITHM = "HS256"
_AUDIENCE = "api"  # So that nothing else we ever sign with the key can pass for a token.


@dataclass(frozen=True, eq=False)
class Program(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """A program that may come in: in whose name, as whom the log knows it, and what it may do."""

    id: uuid.UUID  # Of the user it acts for.
    username: str
    role: str
    language: str
    token_id: uuid.UUID | None = None  # None: it signed in with the user's password.


def issue(user: User) -> str:
    """A token that is its bearer's proof of being this user, for as long as the user is enabled."""
    now = dt.datetime.now(dt.UTC)
    claims = {
        "sub": str(user.id),
        "aud": _AUDIENCE,
        "iat": now.timestamp(),  # With its fraction: end_all() parts those before it from those after it.
        "exp": now.timestamp() + SECONDS,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, current_app.config["SECRET_KEY"], algorithm=_ALGORITHM)


def end_all(user: User) -> None:
    """Refuse every JWT the user has been given so far. The caller saves the user."""
    user.tokens_valid_from = dt.datetime.now(dt.UTC)


@login.request_loader  # type: ignore[untyped-decorator]  # flask_login has no types
def bearer(request: Request) -> Program | None:
    """Who sent the request, by its Authorization header; None where it has no valid token."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not request.path.startswith("/api/"):
        return None
    return _by_api_token(token) if token.startswith(PREFIX) else _by_jwt(token)


def _by_jwt(token: str) -> Program | None:
    try:
        claims = jwt.decode(
            token,
            current_app.config["SECRET_KEY"],
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": ["exp", "iat", "sub", "jti"]},
        )
        user_id = uuid.UUID(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        return None
    issued = dt.datetime.fromtimestamp(claims["iat"], dt.UTC)
    found = db.session.execute(
        select(User.id, User.username, User.role, User.language).where(
            User.id == user_id, User.enabled, User.tokens_valid_from <= issued
        )
    ).one_or_none()
    return Program(*found) if found else None


def _by_api_token(token: str) -> Program | None:
    good = (
        ApiToken.token_hash == digest(token),
        ApiToken.revoked_at.is_(None),
        or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now()),
        User.enabled,
    )
    long_ago = func.coalesce(ApiToken.last_used_at, "epoch") < func.now() - text("interval '1 minute'")
    found = db.session.execute(
        select(ApiToken.id, ApiToken.name, ApiToken.role, User.id, User.role, User.language, long_ago)
        .join(ApiToken.user)
        .where(*good)
    ).one_or_none()
    if found is None:
        return None
    token_id, name, role, owner_id, owners_role, language, is_long_ago = found
    if is_long_ago:
        used = {"last_used_at": func.now(), "updated_at": ApiToken.updated_at}
        store.note(update(ApiToken).where(ApiToken.id == token_id).values(used))
    return Program(owner_id, f"token {name}", min(role, owners_role, key=ROLES.index), language, token_id)
