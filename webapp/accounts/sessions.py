"""Who is signed in where. A browser's cookie holds, signed, the id of a row: without it, it is nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from flask import request, session
from sqlalchemy import ColumnElement, delete, func, or_, select, update

from webapp import store
from webapp.accounts.models import User, UserSession
from webapp.ext import db, login

IDLE = dt.timedelta(hours=12)
LONGEST = dt.timedelta(days=7)
NOTED = dt.timedelta(minutes=1)  # How exactly it is known when a session was last used.
_KEY = "_user_id"  # Where flask_login keeps what it asks `user_of` for.

_OVER = or_(UserSession.expires_at <= func.now(), UserSession.seen_at <= func.now() - IDLE)


def begin(user: User) -> None:
    """Sign a user in in this browser, in a new session: one that somebody else may have planted is worth nothing."""
    started = UserSession(
        id=uuid.uuid4(),
        user_id=user.id,
        expires_at=func.now() + LONGEST,
        address=request.remote_addr or "",
        user_agent=request.user_agent.string[:300],
    )
    language = user.language or session.get("language", "")
    db.session.add(started)
    session.clear()
    session[_KEY] = str(started.id)
    session["language"] = language
    store.note(delete(UserSession).where(_OVER))


@login.user_loader  # type: ignore[untyped-decorator]  # flask_login has no types
def user_of(session_id: str) -> User | None:
    """Whose session it is, if it is not over."""
    if request.path.startswith("/api/"):
        return None  # Programs show a token: a session would let other sites' pages speak for its owner.
    mine = UserSession.id == uuid.UUID(session_id)
    due = UserSession.seen_at < func.now() - NOTED
    wanted = select(User, due).join(UserSession, UserSession.user_id == User.id).where(mine, ~_OVER, User.enabled)
    found = db.session.execute(wanted).one_or_none()
    if found is None:
        return None
    user, is_due = found
    if is_due and "X-By-Itself" not in request.headers:  # What a page asks by itself, nobody is there for.
        store.note(update(UserSession).where(mine).values(seen_at=func.now()))
    return user


def current_id() -> uuid.UUID | None:
    """The session that this request belongs to."""
    return uuid.UUID(session[_KEY]) if _KEY in session else None


def of(user: User) -> Sequence[UserSession]:
    """The sessions of a user that are not over, the one used last first."""
    return db.session.scalars(
        select(UserSession).where(UserSession.user_id == user.id, ~_OVER).order_by(UserSession.seen_at.desc())
    ).all()


def leave() -> None:
    """Sign out."""
    store.note(delete(UserSession).where(UserSession.id == current_id()))
    session.clear()


def end(user: User, *which: ColumnElement[bool]) -> int:
    """End sessions of a user; how many there were."""
    ended = delete(UserSession).where(UserSession.user_id == user.id, *which).returning(UserSession.address)
    addresses = sorted(db.session.scalars(ended))
    if addresses:
        store.record("end sessions", "users", user.id, user.username, addresses=addresses)
    store.note()
    return len(addresses)
