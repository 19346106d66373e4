"""What the list of DIDs shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.listing import Column, Filter, ListOf, TypedFilter
from webapp.paging import Through
from webapp.providers.models import Provider

STATUSES = {
    "available": lazy_gettext("Available"),
    "reserved": lazy_gettext("Reserved"),
    "allocated": lazy_gettext("Allocated"),
    "quarantine": lazy_gettext("Quarantine"),
    "blocked": lazy_gettext("Blocked"),
}

DIDS = ListOf(
    query=(
        select(Did)
        .join(Did.provider)  # It always has one, and so the numbers can be read by the provider, in order.
        .outerjoin(Did.gateway)
        .outerjoin(Did.current)
        .outerjoin(Allocation.customer)
        .outerjoin(Allocation.extension)
    ),
    options=[
        contains_eager(Did.provider),
        contains_eager(Did.current).options(contains_eager(Allocation.customer), contains_eager(Allocation.extension)),
    ],
    columns=[
        Column("number", lazy_gettext("Number"), Did.number),
        Column("provider", lazy_gettext("Provider"), Provider.name),
        Column("status", lazy_gettext("Status"), Did.status),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("description", lazy_gettext("Description"), Did.description),
    ],
    order=[Did.number],
    search=[
        Did.description,
        Through(Did.provider_id, select(Provider.id), [Provider.name]),
        Through(
            Did.id,
            select(Allocation.did_id).join(Allocation.customer).where(Allocation.released_at.is_(None)),
            [Customer.name, Customer.code],
        ),
    ],
    number=Did.number,
    filters=[
        Filter("status", lazy_gettext("Status"), Did.status, words=STATUSES),
        Filter("provider_id", lazy_gettext("Provider"), Did.provider_id, things=Provider),
        Filter("gateway_id", lazy_gettext("Gateway"), Did.gateway_id, things=Gateway),
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            Allocation.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        TypedFilter(
            "extension_id",
            lazy_gettext("Extension"),
            Allocation.extension_id,
            things=Extension,
            code=select(Customer.code + "-" + Extension.extension)
            .where(Customer.id == Extension.customer_id)
            .scalar_subquery(),
            title=Extension.name,
        ),
    ],
    export={
        "number": Did.number,
        "provider": Provider.name,
        "gateway": Gateway.name,
        "status": Did.status,
        "description": Did.description,
        "customer": Customer.code,
        "destination": Extension.extension,
    },
)
