"""What the list of reratings shows, and by what it is sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.listing import Column, Filter, ListOf
from webapp.reratings.models import Rerating
from webapp.tariffs.models import PricePlan

STATES = {
    "comparing": lazy_gettext("Comparing"),
    "compared": lazy_gettext("Compared"),
    "applying": lazy_gettext("Applying"),
    "applied": lazy_gettext("Applied"),
}

RERATINGS = ListOf(
    query=select(Rerating).outerjoin(Rerating.customer).outerjoin(Rerating.price_plan),
    options=[contains_eager(Rerating.customer), contains_eager(Rerating.price_plan)],
    columns=[
        Column("created_at", lazy_gettext("When"), Rerating.created_at),
        Column("username", lazy_gettext("By"), Rerating.username),
        Column("since", lazy_gettext("From"), Rerating.since),
        Column("until", lazy_gettext("Until"), Rerating.until),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("price_plan", lazy_gettext("Price plan"), func.coalesce(PricePlan.name, "")),
        Column("state", lazy_gettext("State"), Rerating.state),
    ],
    order=[Rerating.created_at, Rerating.id],
    default="-created_at",
    search=[Customer.name, PricePlan.name, Rerating.username],
    filters=[Filter("state", lazy_gettext("State"), Rerating.state, words=STATES)],
)
