"""What the list of providers shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from webapp.gateways.models import Gateway
from webapp.listing import Column, Filter, ListOf
from webapp.providers.models import Provider

TYPES = {
    "termination": lazy_gettext("Termination of calls"),
    "numbers": lazy_gettext("Telephone numbers"),
    "both": lazy_gettext("Calls and numbers"),
}

_gateways = select(func.count()).where(Gateway.provider_id == Provider.id).correlate(Provider).scalar_subquery()

PROVIDERS = ListOf(
    query=select(Provider),
    options=[selectinload(Provider.gateways)],
    columns=[
        Column("name", lazy_gettext("Name"), Provider.name),
        Column("type", lazy_gettext("What we buy"), Provider.type),
        Column("cost_per_minute", lazy_gettext("Cost per minute"), Provider.cost_per_minute, end=True),
        Column("gateways", lazy_gettext("Gateways"), _gateways),
    ],
    order=[Provider.name],
    search=[Provider.name],
    filters=[Filter("type", lazy_gettext("What we buy"), Provider.type, words=TYPES)],
    export={"name": Provider.name, "type": Provider.type, "cost_per_minute": Provider.cost_per_minute},
)
