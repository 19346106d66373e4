"""What is done with accounts besides filling in and saving."""

from __future__ import annotations

import bcrypt
from sqlalchemy import func, select

from webapp.accounts.models import User
from webapp.ext import db

# Compared with when there is no such user, so that the answer takes as long as for a wrong password.
_NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt())


def authenticate(username: str, password: str) -> User | None:
    """The enabled user with this name (in any case) and password, or None."""
    user = db.session.scalar(select(User).where(func.lower(User.username) == username.strip().lower()))
    if user is None:
        bcrypt.checkpw(password.encode()[:72], _NOBODY)
        return None
    return user if user.has_password(password) and user.enabled else None
