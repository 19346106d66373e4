"""What the list of routes shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from webapp.gateways.models import Gateway
from webapp.listing import STATES, Column, Filter, ListOf
from webapp.routes.models import Route

ROUTES = ListOf(
    query=select(Route).join(Route.gateway),
    options=[contains_eager(Route.gateway)],
    columns=[
        Column("priority", lazy_gettext("Priority"), Route.priority, end=True),
        Column("name", lazy_gettext("Name"), Route.name),
        Column("pattern", lazy_gettext("Pattern"), Route.pattern),
        Column("gateway", lazy_gettext("Gateway"), Gateway.name),
        Column("change", lazy_gettext("Change"), [Route.strip, Route.prepend]),
        Column("enabled", lazy_gettext("State"), Route.enabled),
    ],
    order=[Route.priority, Route.name],
    search=[Route.name, Route.pattern, Gateway.name],
    filters=[
        Filter("gateway_id", lazy_gettext("Gateway"), Route.gateway_id, things=Gateway),
        Filter("enabled", lazy_gettext("State"), Route.enabled, words=STATES),
    ],
    export={
        "name": Route.name,
        "pattern": Route.pattern,
        "gateway": Gateway.name,
        "priority": Route.priority,
        "strip": Route.strip,
        "prepend": Route.prepend,
        "enabled": Route.enabled,
    },
)
