"""What the report of calls shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.calls.models import Call
from webapp.customers.models import Customer
from webapp.gateways.models import Gateway
from webapp.listing import Column, Filter, ListOf, PeriodFilter, TypedFilter
from webapp.providers.models import Provider

DIRECTIONS = {
    "inbound": lazy_gettext("Inbound"),
    "outbound": lazy_gettext("Outbound"),
    "internal": lazy_gettext("Internal"),
    "onnet": lazy_gettext("Between customers"),
}
# How a call ended, as Asterisk says it.
DISPOSITIONS = {
    "ANSWERED": lazy_gettext("Answered"),
    "NO ANSWER": lazy_gettext("No answer"),
    "BUSY": lazy_gettext("Busy"),
    "CONGESTION": lazy_gettext("Congestion"),
    "FAILED": lazy_gettext("Failed"),
}

CALLS = ListOf(
    query=select(Call).outerjoin(Call.customer).outerjoin(Call.gateway).outerjoin(Call.provider),
    options=[contains_eager(Call.customer), contains_eager(Call.gateway)],
    columns=[
        Column("started_at", lazy_gettext("Start"), Call.started_at),
        Column("direction", lazy_gettext("Direction"), Call.direction),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("src", lazy_gettext("From"), Call.src),
        Column("dst", lazy_gettext("To"), Call.dst),
        Column("gateway", lazy_gettext("Gateway"), func.coalesce(Gateway.name, "")),
        Column("disposition", lazy_gettext("End"), Call.disposition),
        Column("duration", lazy_gettext("Duration"), Call.duration, end=True),
        Column("billsec", lazy_gettext("Billed"), Call.billsec, end=True),
        Column("cost", lazy_gettext("Cost"), Call.cost, end=True),
        Column("price", lazy_gettext("Price"), Call.price, end=True),
        Column("margin", lazy_gettext("Margin"), Call.margin, end=True),
    ],
    order=[Call.started_at, Call.id],
    default="-started_at",
    search=[Call.src, Call.dst, Call.did],
    number=Call.dst,
    filters=[
        PeriodFilter("since", lazy_gettext("From day"), Call.started_at),
        PeriodFilter("until", lazy_gettext("To day"), Call.started_at, end=True),
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            Call.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter("gateway_id", lazy_gettext("Gateway"), Call.gateway_id, things=Gateway),
        Filter("direction", lazy_gettext("Direction"), Call.direction, words=DIRECTIONS),
        Filter("disposition", lazy_gettext("End"), Call.disposition, words=DISPOSITIONS),
    ],
    export={
        "started_at": Call.started_at,
        "answered_at": Call.answered_at,
        "ended_at": Call.ended_at,
        "direction": Call.direction,
        "customer": Customer.code,
        "src": Call.src,
        "dst": Call.dst,
        "did": Call.did,
        "provider": Provider.name,
        "gateway": Gateway.name,
        "disposition": Call.disposition,
        "duration": Call.duration,
        "billsec": Call.billsec,
        "cost": Call.cost,
        "price": Call.price,
        "margin": Call.margin,
        "node": Call.node,
        "uniqueid": Call.uniqueid,
    },
)
