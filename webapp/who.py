"""Who is acting, and in which request: for the audit log, the outbox and the log lines."""

from __future__ import annotations

import getpass

from flask import g, has_request_context
from flask_login import current_user


def username() -> str:
    """The signed-in user, or the account a command was started from."""
    if has_request_context():
        return current_user.username if current_user.is_authenticated else "anonymous"
    return f"{getpass.getuser()} (command)"


def request_id() -> str:
    """The id of the request, which also stands in its log lines; empty for a command."""
    return g.get("request_id", "") if has_request_context() else ""
