"""What the list of conferences shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.conferences.models import Conference
from webapp.customers.models import Customer
from webapp.listing import Column, Filter, ListOf, TypedFilter

STATES = {"open": lazy_gettext("Goes on"), "closing": lazy_gettext("Is being closed"), "ended": lazy_gettext("Ended")}
OPEN = {"true": STATES["open"], "false": STATES["ended"]}
END_REASONS = {
    "left": lazy_gettext("All have left."),
    "nobody": lazy_gettext("Nobody came."),
    "closed": lazy_gettext("It was closed."),
    "time": lazy_gettext("Time was up."),
    "lost": lazy_gettext("Its server never came back to tell."),
}

CONFERENCES = ListOf(
    query=select(Conference).outerjoin(Conference.customer),
    options=[contains_eager(Conference.customer)],
    columns=[
        Column("created_at", lazy_gettext("When"), Conference.created_at),
        Column("name", lazy_gettext("Name"), Conference.name),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("numbers", lazy_gettext("Numbers"), end=True),
        Column("username", lazy_gettext("By"), Conference.username),
        Column("open", lazy_gettext("State"), Conference.is_open),
    ],
    order=[Conference.created_at, Conference.id],
    default="-created_at",
    search=[Conference.name, Customer.name, Conference.username, func.array_to_string(Conference.numbers, " ")],
    filters=[
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            Conference.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter("open", lazy_gettext("State"), Conference.is_open, words=OPEN),
    ],
    export={
        "created_at": Conference.created_at,
        "name": Conference.name,
        "customer": Customer.name,
        "numbers": Conference.numbers,
        "caller_id": Conference.caller_id,
        "record": Conference.record,
        "max_minutes": Conference.max_minutes,
        "node": Conference.node,
        "username": Conference.username,
        "ended_at": Conference.ended_at,
        "end_reason": Conference.end_reason,
    },
)
