"""The numbers of the dashboard."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import func, select, true

from webapp.calls import totals
from webapp.calls.models import CallTotal
from webapp.customers.models import Customer
from webapp.dids.models import STATUSES, Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.live import operations as live
from webapp.live.operations import CallsNow
from webapp.providers.models import Provider
from webapp.routes.models import Route


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
    """How many there are of everything, what was said today, and what goes on now."""

    customers: int
    extensions: int
    providers: int
    gateways: int
    routes: int
    dids: Dids
    calls_today: CallsToday
    calls_now: CallsNow


def stats() -> Stats:
    """All numbers in two statements."""
    kinds = {
        "customers": Customer,
        "extensions": Extension,
        "providers": Provider,
        "gateways": Gateway,
        "routes": Route,
    }
    counts = [select(func.count()).select_from(kind).scalar_subquery().label(name) for name, kind in kinds.items()]
    dids = select(*(func.count().filter(Did.status == status).label(status) for status in STATUSES)).subquery()
    today = totals.period({}, days=1)
    calls = select(
        func.coalesce(func.sum(CallTotal.calls), 0).label("count"),
        func.coalesce(func.sum(CallTotal.answered), 0).label("answered"),
        func.round(func.coalesce(func.sum(CallTotal.seconds), 0) / 60, 1).label("minutes"),
        func.coalesce(func.sum(CallTotal.cost), 0).label("cost"),
        func.coalesce(func.sum(CallTotal.price), 0).label("price"),
    ).where(*totals.rows_kept(today, totals.Kept("all", "", ""), "day"))
    today_calls = calls.subquery()
    numbers = select(*counts, dids, today_calls).select_from(dids.join(today_calls, true()))  # One row each.
    found: dict[str, Any] = dict(db.session.execute(numbers).mappings().one())
    return Stats(dids=Dids(**found), calls_today=CallsToday(**found), calls_now=live.calls_now(), **found)
