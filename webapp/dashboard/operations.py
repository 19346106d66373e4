"""The numbers of the dashboard."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import get_timezone
from pydantic import BaseModel, Field
from sqlalchemy import Numeric, cast, column, func, select, table, true

from webapp.customers.models import Customer
from webapp.dids.models import STATUSES, Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route

_CALLS = table("calls", *map(column, ("started_at", "answered_at", "billsec", "cost", "price")), schema="public")


class Dids(BaseModel):
    """Telephone numbers by what has become of them."""

    available: int
    reserved: int
    allocated: int
    quarantine: int
    blocked: int

    @property
    def total(self) -> int:
        return sum(getattr(self, status) for status in STATUSES)


class CallsToday(BaseModel):
    """Call legs since midnight, where the operator is."""

    count: int
    answered: int
    minutes: Decimal = Field(description="Talked, to a tenth.")
    cost: Decimal
    price: Decimal


class Stats(BaseModel):
    """How many there are of everything, and what was said today."""

    customers: int
    extensions: int
    providers: int
    gateways: int
    routes: int
    dids: Dids
    calls_today: CallsToday


def stats() -> Stats:
    """All numbers in one statement."""
    zone = ZoneInfo(str(get_timezone()))
    midnight = dt.datetime.combine(dt.datetime.now(zone).date(), dt.time(), zone)
    kinds = {
        "customers": Customer,
        "extensions": Extension,
        "providers": Provider,
        "gateways": Gateway,
        "routes": Route,
    }
    counts = [select(func.count()).select_from(kind).scalar_subquery().label(name) for name, kind in kinds.items()]
    dids = select(*(func.count().filter(Did.status == status).label(status) for status in STATUSES)).subquery()
    calls = (
        select(
            func.count().label("count"),
            func.count(_CALLS.c.answered_at).label("answered"),
            func.round(cast(func.coalesce(func.sum(_CALLS.c.billsec), 0), Numeric) / 60, 1).label("minutes"),
            func.coalesce(func.sum(_CALLS.c.cost), 0).label("cost"),
            func.coalesce(func.sum(_CALLS.c.price), 0).label("price"),
        )
        .where(_CALLS.c.started_at >= midnight)
        .subquery()
    )
    numbers = select(*counts, dids, calls).select_from(dids.join(calls, true()))  # One row each.
    found: dict[str, Any] = dict(db.session.execute(numbers).mappings().one())
    return Stats(dids=Dids(**found), calls_today=CallsToday(**found), **found)
