"""What is listed of what goes on now, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.calls.lists import DIRECTIONS
from webapp.customers.models import Customer
from webapp.gateways.models import Gateway
from webapp.listing import Column, Filter, ListOf, TypedFilter
from webapp.live.models import LiveCall, LiveContact, LiveRegistration
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

# For programs: a page shows them beside the extension, gateway or customer.
SEEN_AS = {
    "reachable": lazy_gettext("Answers"),
    "unreachable": lazy_gettext("Does not answer"),
    "unchecked": lazy_gettext("Not asked"),
}
CONTACTS = ListOf(
    query=select(LiveContact).where(LiveContact.node.in_(watched())),
    columns=[Column("aor", lazy_gettext("SIP user"), LiveContact.aor)],
    order=[LiveContact.aor, LiveContact.node, LiveContact.uri],
    search=[LiveContact.aor, LiveContact.address, LiveContact.user_agent],
    filters=[
        Filter("node", lazy_gettext("Node"), LiveContact.node),
        Filter("state", lazy_gettext("State"), LiveContact.state, words=SEEN_AS),
    ],
)
REGISTRATIONS = ListOf(
    query=select(LiveRegistration).where(LiveRegistration.node.in_(watched())),
    columns=[Column("name", lazy_gettext("Name"), LiveRegistration.name)],
    order=[LiveRegistration.name, LiveRegistration.node],
    search=[LiveRegistration.name],
    filters=[Filter("node", lazy_gettext("Node"), LiveRegistration.node)],
)
