"""What the page of live calls shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.calls.lists import DIRECTIONS
from webapp.customers.models import Customer
from webapp.gateways.models import Gateway
from webapp.listing import Column, Filter, ListOf, TypedFilter
from webapp.live.models import LiveCall
from webapp.live.operations import watched

LIVE = ListOf(
    query=select(LiveCall).outerjoin(LiveCall.customer).outerjoin(LiveCall.gateway).where(LiveCall.node.in_(watched())),
    options=[contains_eager(LiveCall.customer), contains_eager(LiveCall.gateway)],
    columns=[
        Column("started_at", lazy_gettext("Start"), LiveCall.started_at),
        Column("direction", lazy_gettext("Direction"), LiveCall.direction),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("src", lazy_gettext("From"), LiveCall.src),
        Column("dst", lazy_gettext("To"), LiveCall.dst),
        Column("gateway", lazy_gettext("Gateway"), func.coalesce(Gateway.name, "")),
        Column("state", lazy_gettext("State"), LiveCall.state),
        Column("seconds", lazy_gettext("Duration"), end=True),
        Column("price", lazy_gettext("Price so far"), end=True),
    ],
    order=[LiveCall.started_at, LiveCall.node, LiveCall.uniqueid],
    default="-started_at",
    search=[LiveCall.src, LiveCall.dst],
    number=LiveCall.dst,
    filters=[
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            LiveCall.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter("direction", lazy_gettext("Direction"), LiveCall.direction, words=DIRECTIONS),
        Filter("gateway_id", lazy_gettext("Gateway"), LiveCall.gateway_id, things=Gateway),
    ],
)
