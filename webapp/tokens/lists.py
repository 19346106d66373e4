"""What the list of API tokens shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

import datetime as dt

from flask_babel import lazy_gettext
from sqlalchemy import case, func, select
from sqlalchemy.orm import contains_eager

from webapp.accounts.models import User
from webapp.listing import Column, Filter, ListOf
from webapp.tokens.models import ApiToken
from webapp.users.lists import ROLES

STATES = {
    "active": lazy_gettext("Active"),
    "expired": lazy_gettext("Expired"),
    "revoked": lazy_gettext("Revoked"),
    "disabled": lazy_gettext("Its owner is disabled"),
}
# As ApiToken.state says it.
_STATE = case(
    (ApiToken.revoked_at.is_not(None), "revoked"),
    (ApiToken.expires_at <= func.now(), "expired"),
    (User.enabled, "active"),
    else_="disabled",
)
_LAST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)  # When those expire that never do.
_FIRST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)  # When those were used that never were.

TOKENS = ListOf(
    query=select(ApiToken).join(ApiToken.user),
    options=[contains_eager(ApiToken.user)],
    columns=[
        Column("name", lazy_gettext("Name"), ApiToken.name),
        Column("role", lazy_gettext("Role"), ApiToken.role),
        Column("state", lazy_gettext("State"), _STATE),
        Column("expires_at", lazy_gettext("Expires"), func.coalesce(ApiToken.expires_at, _LAST)),
        Column("last_used_at", lazy_gettext("Last used"), func.coalesce(ApiToken.last_used_at, _FIRST)),
        Column("username", lazy_gettext("Made by"), User.username),
    ],
    order=[ApiToken.name],
    search=[ApiToken.name],
    filters=[
        Filter("role", lazy_gettext("Role"), ApiToken.role, words=ROLES),
        Filter("state", lazy_gettext("State"), _STATE, words=STATES),
        Filter("user_id", lazy_gettext("Made by"), ApiToken.user_id, things=User),
    ],
    export={
        "name": ApiToken.name,
        "role": ApiToken.role,
        "state": _STATE,
        "expires_at": ApiToken.expires_at,
        "last_used_at": ApiToken.last_used_at,
        "username": User.username,
        "created_at": ApiToken.created_at,
        "revoked_at": ApiToken.revoked_at,
    },
)
