"""Who may do what: the only place that says it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import abort
from flask_login import current_user

from webapp.ext import login

View = TypeVar("View", bound=Callable[..., Any])

# permission -> the roles that have it. Everybody may read; operators do the daily work; admins do the rest.
_READERS = frozenset({"viewer", "operator", "admin"})
_WRITERS = frozenset({"operator", "admin"})
_ADMINS = frozenset({"admin"})
_AREAS = (
    "dashboard",
    "customers",
    "payments",
    "extensions",
    "dids",
    "providers",
    "gateways",
    "routes",
    "tariffs",
    "number-rules",
    "destination_lists",
    "fraud_cases",
    "fraud_rules",
    "conferences",
    "imports",
)
PERMISSIONS: dict[str, frozenset[str]] = {
    **{f"{area}.read": _READERS for area in _AREAS},
    **{f"{area}.write": _WRITERS for area in _AREAS},
    "settings.read": _READERS,
    "settings.write": _ADMINS,
    "alerts.read": _ADMINS,  # The address of a webhook may be a secret.
    "alerts.write": _ADMINS,
    "nodes.read": _READERS,
    "nodes.write": _ADMINS,
    "users.read": _ADMINS,
    "users.write": _ADMINS,
    "audit.read": _WRITERS,  # Who may change things may see who changed them.
    "tokens.read": _ADMINS,
    "tokens.write": _ADMINS,
    "extensions.reveal": _WRITERS,  # Secrets are shown to who sets up phones, and to nobody by the way.
    "gateways.reveal": _ADMINS,
    "simulator.read": _READERS,  # It changes nothing.
    "live.read": _READERS,
    "reports.read": _READERS,
    "cdr.read": _ADMINS,  # The record of a call as Asterisk wrote it, beside what was made of it.
    "unrated.read": _READERS,
    "unrated.write": _WRITERS,
    "reratings.read": _READERS,
    "reratings.write": _WRITERS,
    "completeness.read": _READERS,
    "invoice_checks.read": _READERS,
    "invoice_checks.write": _WRITERS,
    "realtime.read": _READERS,
    "proof.read": _READERS,
    "proof.write": _WRITERS,
    "search": _READERS,
    "session": _READERS,  # What everybody may do for himself who is signed in: his profile, signing out.
}


def may(permission: str) -> bool:
    """Whether the signed-in user has a permission."""
    return current_user.is_authenticated and current_user.role in PERMISSIONS[permission]


def permission(name: str) -> Callable[[View], View]:
    """A view for those who have this permission: others are asked to sign in, or refused."""
    roles = PERMISSIONS[name]  # A name that is not there stops the start.

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*arguments: Any, **values: Any) -> Any:
            if not current_user.is_authenticated:
                return login.unauthorized()
            if current_user.role not in roles:
                abort(403)
            return view(*arguments, **values)

        guarded.permission = name  # type: ignore[attr-defined]  # a test asks every view for it
        return guarded  # type: ignore[return-value]  # wraps keeps the view's signature

    return decorate


def public(view: View) -> View:
    """A view for everybody, signed in or not."""
    view.permission = "public"  # type: ignore[attr-defined]  # a test asks every view for it
    return view
