"""What the list of extensions shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import case, select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.extensions.models import Extension
from webapp.listing import STATES, Column, Filter, ListOf, TypedFilter
from webapp.live.models import LiveContact
from webapp.live.operations import watched

REGISTERED = (
    select(LiveContact).where(LiveContact.thing_id == Extension.id, LiveContact.node.in_(watched())).exists()
)  # At some node.

EXTENSIONS = ListOf(
    query=select(Extension).join(Extension.customer),
    options=[contains_eager(Extension.customer)],
    columns=[
        Column("sip_user", lazy_gettext("SIP user"), Customer.code),
        Column("customer", lazy_gettext("Customer"), Customer.name),
        Column("extension", lazy_gettext("Number"), Extension.extension),
        Column("name", lazy_gettext("Name"), Extension.name),
        Column("phone", lazy_gettext("Phone"), case((REGISTERED, 1), else_=0)),
        Column("enabled", lazy_gettext("State"), Extension.enabled),
    ],
    order=[Customer.code, Extension.extension],
    search=[Extension.extension, Extension.name, Customer.code, Customer.name],
    filters=[
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            Extension.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter(
            "registered",
            lazy_gettext("Phone"),
            case((REGISTERED, "true"), else_="false"),
            words={"true": lazy_gettext("Registered"), "false": lazy_gettext("Not registered")},
        ),
        Filter("enabled", lazy_gettext("State"), Extension.enabled, words=STATES),
    ],
    export={
        "customer": Customer.code,
        "extension": Extension.extension,
        "name": Extension.name,
        "enabled": Extension.enabled,
    },
)
