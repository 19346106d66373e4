"""Making tokens and taking them back."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress

from flask_login import current_user

from webapp import store
from webapp.accounts.models import ROLES
from webapp.tokens.models import ApiToken
from webapp.tokens.schemas import TokenSchema

PREFIX = "aa_"  # So that one that went astray is recognised, by people and by programs that look for such.


def create(wanted: TokenSchema) -> tuple[ApiToken, str]:
    """A new token of whoever is signed in, and its text, which is known here and never again."""
    if ROLES.index(wanted.role) > ROLES.index(current_user.role):
        raise store.Refused("role_above_own")
    secret = PREFIX + secrets.token_urlsafe(32)
    days = wanted.expires_in_days
    token = ApiToken(
        name=wanted.name,
        role=wanted.role,
        user_id=current_user.id,
        token_hash=digest(secret),
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=days) if days else None,
    )
    store.save(token)
    return token, secret


def revoke(token: ApiToken) -> None:
    """Refuse a token from now on. It stays in the list, for the audit log names it."""
    with suppress(store.Stale):  # Nothing else changes a token: somebody revoked it just now.
        revoke_all([token])


def revoke_all(tokens: Sequence[ApiToken]) -> store.Receipt:
    """Refuse many from now on; those that were revoked before keep the time of it."""
    return store.change([token for token in tokens if token.revoked_at is None], revoked_at=dt.datetime.now(dt.UTC))


def digest(secret: str) -> str:
    """What a token is known by."""
    return hashlib.sha256(secret.encode()).hexdigest()
