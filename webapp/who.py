"""Who is acting, and in which request: for the audit log, the outbox and the log lines."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flask import g, has_request_context
from flask_login import current_user

# Of work that goes on after the request that asked for it: its user, and its id.
_on_behalf: ContextVar[tuple[str, str] | None] = ContextVar("on_behalf", default=None)


@contextmanager
def on_behalf_of(username: str, request_id: str) -> Iterator[None]:
    """What happens within is done for this user, as this request asked."""
    token = _on_behalf.set((username, request_id))
    try:
        yield
    finally:
        _on_behalf.reset(token)


def username() -> str:
    """The signed-in user, or the account a command was started from."""
    if behalf := _on_behalf.get():
        return behalf[0]
    if has_request_context():
        return current_user.username if current_user.is_authenticated else "anonymous"
    return f"{getpass.getuser()} (command)"


def request_id() -> str:
    """The id of the request, which also stands in its log lines; empty for a command."""
    if behalf := _on_behalf.get():
        return behalf[1]
    return g.get("request_id", "") if has_request_context() else ""
