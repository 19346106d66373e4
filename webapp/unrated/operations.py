"""What could not be rated, why, and what to do about it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from sqlalchemy import func, select, text

from webapp.calls.models import Call, UnratedCdr
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.tariffs.models import PricePlan
from webapp.validation import N_

MOST = 100  # Groups of calls on the page.

# What is wrong with a CDR, by the SQLSTATE of the first attempt to make a call of it.
_BUSY = N_("The database was busy. It is tried again by itself, for a day.")
_REASONS = {
    **dict.fromkeys(("40001", "40P01", "55P03", "57014"), _BUSY),
    "22007": N_("A time in it is none. Nobody can tell when the call was; look at the record."),
    "22008": N_("A time in it is none. Nobody can tell when the call was; look at the record."),
    "22003": N_("A number in it is too large. Look at the record."),
    "22P02": N_("There is something in it where a number belongs. Look at the record."),
    "23502": N_("It lacks what every call has, such as its start. Look at the record."),
}
_OTHER = N_("No call could be made of it. Look at the record, and rate it again when the cause is gone.")


@dataclass(frozen=True)
class Group:
    """Calls without a price for the same reason."""

    unrated: str  # no_price_plan or no_tariff
    customer_id: uuid.UUID | None
    customer: str
    price_plan_id: uuid.UUID | None
    price_plan: str
    calls: int
    first_at: dt.datetime
    last_at: dt.datetime
    number: str  # One that was called, as an example.


def explained(cdr: UnratedCdr) -> str:
    """Why there is no call of it, and what to do."""
    return str(gettext(_BUSY if cdr.code.startswith("53") else _REASONS.get(cdr.code, _OTHER)))


def count() -> int:
    """How many calls have no price, or are none yet."""
    without_price = select(func.count()).where(Call.unrated != "").scalar_subquery()
    no_calls = select(func.count()).select_from(UnratedCdr).scalar_subquery()
    return db.session.scalar(select(without_price + no_calls)) or 0


def groups() -> Sequence[Group]:
    """The calls without a price, by what is missing; the most first."""
    counted = (
        select(
            Call.unrated,
            Call.customer_id,
            Call.price_plan_id,
            func.count().label("calls"),
            func.min(Call.started_at).label("first_at"),
            func.max(Call.started_at).label("last_at"),
            func.min(Call.dst).label("number"),
        )
        .where(Call.unrated != "")
        .group_by(Call.unrated, Call.customer_id, Call.price_plan_id)
        .subquery()
    )
    rows = db.session.execute(
        select(counted, Customer.name.label("customer"), PricePlan.name.label("price_plan"))
        .outerjoin(Customer, Customer.id == counted.c.customer_id)
        .outerjoin(PricePlan, PricePlan.id == counted.c.price_plan_id)
        .order_by(counted.c.calls.desc(), counted.c.first_at)
        .limit(MOST)
    ).mappings()
    return [Group(**{**row, "customer": row["customer"] or "", "price_plan": row["price_plan"] or ""}) for row in rows]


def cdrs(ids: Iterable[int]) -> Mapping[int, Mapping[str, Any]]:
    """The call records with these ids, as Asterisk stored them."""
    rows = db.session.execute(text("SELECT * FROM asterisk.cdr WHERE id = ANY (:ids)"), {"ids": list(ids)})
    return {row["id"]: dict(row) for row in rows.mappings()}
