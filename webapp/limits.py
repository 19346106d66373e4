"""How often programs may ask: so many requests in a minute, counted in the database for all web processes alike.

A table of our own rather than Flask-Limiter, which knows no PostgreSQL and would ask a store of ours three times for
each request: to count, and for what is left and until when. This asks once.
"""

from __future__ import annotations

import math

from flask import Response, current_app, g, request
from flask_login import current_user
from sqlalchemy import case, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from werkzeug.exceptions import TooManyRequests

from webapp import store
from webapp.tokens.models import RateLimit

_MINUTE = text("interval '1 minute'")


def count() -> None:
    """Count the request of a program, and refuse it if there were too many in this minute.

    A database that is away is told as it is told everywhere: nothing could be answered without it.
    """
    if request.endpoint == "api.api_sign_in":
        caller, most = f"sign-in {request.remote_addr}", current_app.config["API_LOGIN_LIMIT"]
    elif current_user.is_authenticated:
        caller, most = f"program {current_user.token_id or current_user.id}", current_app.config["API_RATE_LIMIT"]
    else:
        caller, most = f"address {request.remote_addr}", current_app.config["API_RATE_LIMIT"]
    hits, seconds = _hit(caller)
    g.limit = {"Limit": most, "Remaining": max(0, most - hits), "Reset": seconds}
    if hits > most:
        raise TooManyRequests(retry_after=seconds)


def tell(response: Response) -> Response:
    """Say in the answer how much is left, and in how many seconds it is as much as before."""
    for name, value in g.get("limit", {}).items():
        response.headers[f"RateLimit-{name}"] = str(value)
    return response


def _hit(caller: str) -> tuple[int, int]:
    """How often this caller has asked in its minute, now included, and how many seconds of the minute are left."""
    over, end = RateLimit.ends_at <= func.now(), func.now() + _MINUTE
    first = insert(RateLimit).values(caller=caller, hits=1, ends_at=end)
    again = {
        "hits": case((over, 1), else_=RateLimit.hits + 1),
        "ends_at": case((over, end), else_=RateLimit.ends_at),
    }
    left = func.extract("epoch", RateLimit.ends_at - func.now())
    counted = first.on_conflict_do_update(index_elements=[RateLimit.caller], set_=again)
    [(hits, seconds)] = store.note(counted.returning(RateLimit.hits, left))
    if hits == 1:
        _forget()
    return hits, max(1, math.ceil(seconds))


def _forget() -> None:
    """Let some of those go who have not asked for an hour."""
    gone = (
        select(RateLimit.caller)
        .where(RateLimit.ends_at < func.now() - text("interval '1 hour'"))
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    store.note(delete(RateLimit).where(RateLimit.caller.in_(gone)))
