"""What is done with price plans besides filling in and saving: copying one, and deleting one with all its tariffs."""

from __future__ import annotations

import uuid
from decimal import Decimal

from sqlalchemy import func, insert, literal, select, text

from webapp import store
from webapp.ext import db
from webapp.tariffs.models import PricePlan, Tariff
from webapp.tariffs.schemas import PlanCopySchema

TOO_LARGE = Decimal(10) ** 8  # Amounts have eight digits before the point.


def tariff_count(price_plan_id: uuid.UUID) -> int:
    """How many tariffs a plan has."""
    return db.session.scalar(select(func.count()).where(Tariff.price_plan_id == price_plan_id)) or 0


def copy(plan: PricePlan, wanted: PlanCopySchema) -> uuid.UUID:
    """Make a price plan with the tariffs of another one, earlier and later prices included; its id."""
    factor = 1 + wanted.percent / 100
    dearest = select(func.max(func.greatest(Tariff.price_per_minute, Tariff.connect_fee)))
    highest = db.session.scalar(dearest.where(Tariff.price_plan_id == plan.id)) or Decimal(0)
    if round(highest * factor, 8) >= TOO_LARGE:
        raise store.Refused("ck_tariffs_price_fits")

    copied = {
        "price_plan_id": literal(id := uuid.uuid4()),
        "price_per_minute": func.round(Tariff.price_per_minute * factor, 8),
        "connect_fee": func.round(Tariff.connect_fee * factor, 8),
    }
    same = ("prefix", "description", "cost_per_minute", "minimum_seconds", "increment_seconds", "valid_from")
    copied |= {name: getattr(Tariff, name) for name in same}
    # Hundreds of thousands of lines take longer than a statement of a page may.
    db.session.execute(text("SET LOCAL statement_timeout = '120s'"))
    store.insert(PricePlan, [{"id": id, "name": wanted.name}])
    tariffs = select(*copied.values()).where(Tariff.price_plan_id == plan.id)
    db.session.execute(insert(Tariff).from_select(list(copied), tariffs, include_defaults=False))
    store.record(
        "create",
        PricePlan.__tablename__,
        id,
        wanted.name,
        copy_of=plan.name,
        percent=wanted.percent,
        tariffs=tariff_count(id),
    )
    store.save()
    return id


def delete(plan: PricePlan) -> store.Receipt:
    """Delete a price plan and its tariffs; store.InUse if customers have it."""
    if lost := tariff_count(plan.id):
        store.record("delete", Tariff.__tablename__, plan.id, plan.name, count=lost)
    try:
        return store.delete(plan)
    except store.InUse:
        db.session.rollback()  # Nothing was lost, so nothing is recorded.
        raise
