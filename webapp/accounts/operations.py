"""What is done with accounts besides filling in and saving."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import bcrypt
import structlog
from flask import g, request
from flask_login import current_user
from sqlalchemy import delete, inspect, select
from sqlalchemy.orm import InstanceState

from webapp import store
from webapp.accounts import tokens, tries
from webapp.accounts.models import User, UserSession
from webapp.ext import db

# Compared with when there is no such user, so that the answer takes as long as for a wrong password.
NOBODY = User(password_hash=bcrypt.hashpw(b"nobody", bcrypt.gensalt()).decode())

# Whoever is signed in is so by these, and must sign in again when they change.
_CREDENTIALS = ("password_hash", "role", "enabled")

log = structlog.get_logger()


def authenticate(username: str, password: str) -> User | None:
    """The enabled user with this name (in any case) and password, or None; TooManyTries if he has to wait."""
    username = username.replace("\x00", "").strip().lower()
    count_try(username)
    user: User | None = db.session.scalar(select(User).where(User.username == username))
    right = (user or NOBODY).has_password(password)
    if user and right and user.enabled:
        return user
    log.warning("sign-in refused", user=username, address=request.remote_addr)
    return None


def count_try(username: str) -> None:
    """Before a password or a code of a user is looked at; TooManyTries if there have been too many."""
    try:
        tries.begin(username, request.remote_addr or "")
    except tries.TooManyTries as wait:
        log.warning("sign-in has to wait", user=username, address=request.remote_addr, seconds=wait.seconds)
        raise


def forget_tries(user: User) -> None:
    """After a right password or code. It is stored with the next note or save."""
    tries.forget(user, request.remote_addr or "")


def welcome(user: User, with_what: str = "password") -> None:
    """Somebody has proved to be this user. It is stored with the next note."""
    g._login_user = user  # From here on the request is his, in the log and in the audit.
    forget_tries(user)
    store.record("sign in", "users", user.id, user.username, address=request.remote_addr or "", proof=with_what)
    log.info("signed in", user=user.username, address=request.remote_addr)


def save(user: User) -> store.Receipt:
    """Store a user. Whoever is signed in under a password or role that is no more has to sign in again."""
    if not user.password_hash:
        raise store.Refused("users_no_password")
    stored: InstanceState[User] = inspect(user)
    if stored.persistent and any(stored.attrs[name].history.has_changes() for name in _CREDENTIALS):
        db.session.execute(delete(UserSession).where(UserSession.user_id == user.id))
        tokens.end_all(user)
    return store.save(user)


def enable(users: Sequence[User]) -> store.Receipt:
    """Let users in again who were disabled."""
    return store.change(users, enabled=True)


def disable(users: Sequence[User]) -> store.Receipt:
    """Keep users out, and those who are in: their sessions and tokens are good no more."""
    db.session.execute(delete(UserSession).where(UserSession.user_id.in_([user.id for user in users])))
    return store.change(users, enabled=False, tokens_valid_from=dt.datetime.now(dt.UTC))


def delete_other(user: User) -> store.Receipt:
    """Delete a user who is not the one who asks for it."""
    if user.id == current_user.id:
        raise store.Refused("users_own_account")
    return store.delete(user)
