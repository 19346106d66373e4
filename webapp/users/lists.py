"""What the list of users shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.accounts.models import SecondFactor, User
from webapp.listing import STATES, Column, Filter, ListOf

ROLES = {
    "viewer": lazy_gettext("Viewer"),
    "operator": lazy_gettext("Operator"),
    "admin": lazy_gettext("Administrator"),
}
_TWO_STEPS = func.coalesce(SecondFactor.confirmed, False)  # SQL has no names for it

USERS = ListOf(
    query=select(User).outerjoin(User.second_factor),
    options=[contains_eager(User.second_factor)],
    columns=[
        Column("username", lazy_gettext("User name"), User.username),
        Column("role", lazy_gettext("Role"), User.role),
        Column("second_factor", lazy_gettext("Two-step sign-in"), _TWO_STEPS),
        Column("created_at", lazy_gettext("Created"), User.created_at),
        Column("enabled", lazy_gettext("State"), User.enabled),
    ],
    order=[User.username],
    search=[User.username],
    filters=[
        Filter("role", lazy_gettext("Role"), User.role, words=ROLES),
        Filter("enabled", lazy_gettext("State"), User.enabled, words=STATES),
    ],
    export={
        "username": User.username,
        "role": User.role,
        "second_factor": _TWO_STEPS,
        "created_at": User.created_at,
        "enabled": User.enabled,
    },
)
