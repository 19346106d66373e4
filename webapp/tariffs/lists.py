"""What the list of price plans shows, and by what it is searched and sorted."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select

from webapp.customers.models import Customer
from webapp.listing import Column, ListOf
from webapp.tariffs.models import PricePlan, Tariff

_TARIFFS = select(func.count()).where(Tariff.price_plan_id == PricePlan.id).correlate(PricePlan).scalar_subquery()
_CUSTOMERS = select(func.count()).where(Customer.price_plan_id == PricePlan.id).correlate(PricePlan).scalar_subquery()

PRICE_PLANS = ListOf(
    query=select(PricePlan),
    columns=[
        Column("name", lazy_gettext("Name"), PricePlan.name),
        Column("tariffs", lazy_gettext("Tariffs"), _TARIFFS, end=True),
        Column("customers", lazy_gettext("Customers"), _CUSTOMERS, end=True),
    ],
    order=[PricePlan.name],
    search=[PricePlan.name],
    export={"name": PricePlan.name, "tariffs": _TARIFFS, "customers": _CUSTOMERS},
)
