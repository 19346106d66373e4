"""What would become of a call: the answers of the functions that calls themselves go by, side by side."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import joinedload

from webapp import routing, store
from webapp.customers.models import Customer
from webapp.dialling import operations as dialling
from webapp.dids.models import Allocation, Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.routing import Answer, Leg
from webapp.simulator.schemas import (
    SimulatedDid,
    SimulatedLeg,
    SimulatedPhone,
    SimulatedStep,
    SimulatedTariff,
    Simulation,
    SimulationSchema,
)
from webapp.tariffs.models import PricePlan

DIRECTIONS = {"route": "outbound", "did": "onnet", "internal": "internal"}

# What the call comes to with each provider, in their order.
_RATE_CALL = text("""
    SELECT rated.*
    FROM unnest(CAST(:providers AS uuid[])) WITH ORDINALITY AS leg (provider_id, place),
         rate_call(:direction, :customer_id, :number, :at, :seconds, leg.provider_id) AS rated
    ORDER BY leg.place
""")


def simulate(asked: SimulationSchema) -> Simulation:
    """What would become of a call. store.Refused if there is no such customer, or no such phone of its."""
    customer = db.session.get(Customer, asked.customer_id)
    if customer is None:
        raise store.Refused("fk_simulations_customer")
    if asked.extension and _phone(customer, asked.extension) is None:
        raise store.Refused("fk_simulations_extension")
    at = asked.at or dt.datetime.now(dt.UTC)
    reading = dialling.read(customer, asked.number)
    answer = routing.ask(
        customer.id,
        reading.dialled,
        caller=asked.caller,
        endpoint=f"{customer.code}-{asked.extension}" if asked.extension else "",
        channels=asked.channels,
        at=at,
    )
    number = answer.number or reading.number
    did = _did(number) if answer.verdict in ("did", "refused") else None
    direction = DIRECTIONS.get(answer.verdict) or ("onnet" if did else "outbound")
    # A call that is refused is not answered, and comes to nothing; what it would be charged by is said all the same.
    seconds = None if answer.verdict == "refused" else asked.seconds
    rated = _rated(direction, customer.id, number, at, seconds, answer.legs)
    return Simulation(
        customer_id=customer.id,
        dialled=reading.dialled,
        at=at,
        seconds=asked.seconds,
        emergency=reading.emergency,
        steps=[] if answer.verdict == "internal" else [SimulatedStep.model_validate(step) for step in reading.steps],
        verdict=answer.verdict,
        reason=answer.reason,
        reason_words=str(routing.REASONS.get(answer.reason, answer.reason)),
        cause=answer.cause,
        sip_status=answer.sip_status,
        number=number,
        caller_id=answer.caller_id,
        max_seconds=answer.max_seconds,
        tariff=None if answer.reason == "invalid_number" else _tariff(rated[0]),
        unrated=rated[0].unrated,
        billed_seconds=rated[0].billed_seconds,
        price=rated[0].price,
        legs=[_leg(leg, row) for leg, row in zip(answer.legs, rated, strict=False)],
        did=_own_number(did) if did and answer.verdict == "did" else None,
        phone=_ringing(customer, answer),
    )


def _rated(
    direction: str, customer_id: uuid.UUID, number: str, at: dt.datetime, seconds: int | None, legs: list[Leg]
) -> Sequence[Row[Any]]:
    """The rating of each leg, or of a call that has none: one row at the least."""
    values = {
        "providers": [leg.provider_id for leg in legs] or [None],
        "direction": direction,
        "customer_id": customer_id,
        "number": number,
        "at": at,
        "seconds": seconds,
    }
    return db.session.execute(_RATE_CALL, values).all()


def _tariff(rated: Row[Any]) -> SimulatedTariff | None:
    if not rated.prefix:
        return None
    plan = db.session.get_one(PricePlan, rated.price_plan_id)
    return SimulatedTariff(
        price_plan_id=plan.id,
        price_plan=plan.name,
        prefix=rated.prefix,
        destination=rated.destination,
        price_per_minute=rated.price_per_minute,
        connect_fee=rated.connect_fee,
        minimum_seconds=rated.minimum_seconds,
        increment_seconds=rated.increment_seconds,
    )


def _leg(leg: Leg, rated: Row[Any]) -> SimulatedLeg:
    costs = {name: value for name, value in rated._mapping.items() if name in SimulatedLeg.model_fields}
    per_minute: Decimal = rated.price_per_minute - rated.cost_per_minute
    return SimulatedLeg.model_validate(
        {**vars(leg), **costs, "margin_per_minute": per_minute, "margin": rated.price - rated.cost}
    )


def _did(number: str) -> Did | None:
    """The number, if it is one of ours that somebody has."""
    current = joinedload(Did.current)
    options = [current.joinedload(Allocation.customer), current.joinedload(Allocation.extension)]
    query = select(Did).where(Did.number == number, Did.status == "allocated").options(*options)
    return db.session.scalar(query)


def _own_number(did: Did) -> SimulatedDid | None:
    if did.current is None or did.current.customer is None:
        return None
    return SimulatedDid(
        id=did.id,
        customer_id=did.current.customer.id,
        customer=did.current.customer.name,
        customer_enabled=did.current.customer.enabled,
        extension=did.destination,
    )


def _phone(customer: Customer, extension: str) -> Extension | None:
    return db.session.scalar(
        select(Extension).where(Extension.customer_id == customer.id, Extension.extension == extension)
    )


def _ringing(customer: Customer, answer: Answer) -> SimulatedPhone | None:
    """The phone of an answer, which names it by its SIP user."""
    phone = None
    if answer.verdict == "internal":
        phone = _phone(customer, answer.number.removeprefix(f"{customer.code}-"))
    return SimulatedPhone(id=phone.id, extension=phone.extension, name=phone.name) if phone else None
