"""Rules about dialled numbers, for programs, and what becomes of a number."""

from __future__ import annotations

import uuid

from flask import Response, jsonify
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp import routing
from webapp.api import Identified, bp, resource, shown
from webapp.customers.models import Customer
from webapp.dialling import operations
from webapp.dialling.models import NumberRule
from webapp.dialling.schemas import NumberRuleSchema
from webapp.ext import db
from webapp.number_rules.lists import NUMBER_RULES
from webapp.permissions import permission

resource(
    "number-rules",
    NumberRule,
    NumberRuleSchema,
    listing=NUMBER_RULES,
    save=operations.save,
)


class Dialled(BaseModel):
    number: str = Field(min_length=1, max_length=80, description="As it is dialled.")


class Step(BaseModel):
    rule: str
    pattern: str
    before: str
    after: str


class Way(BaseModel):
    gateway_id: uuid.UUID
    gateway: str
    number: str = Field(description="As it is sent to the gateway.")


class Normalized(BaseModel):
    """What is meant by a number, and where a call to it would go: nothing is dialled."""

    dialled: str
    number: str = Field(description="E.164 digits if a rule knows it, else as dialled.")
    emergency: bool
    steps: list[Step]
    verdict: str = Field(description="route, did, internal or refused.")
    reason: str = Field(description="Why it is refused.")
    cause: int = Field(description="Q.850 cause of a refusal.")
    caller_id: str
    legs: list[Way] = Field(description="The gateways, in the order in which they are tried.")


@bp.get("/customers/<uuid:id>/normalize", tags=[Tag(name="customers")], responses={200: Normalized})
@permission("customers.read")
def normalize(path: Identified, query: Dialled) -> Response:
    """The simulator says what it would come to besides."""
    customer = db.get_or_404(Customer, path.id)
    reading = operations.read(customer, query.number)
    answer = routing.ask(customer.id, reading.dialled)
    return jsonify(
        dialled=reading.dialled,
        number=answer.number or reading.number,
        emergency=reading.emergency,
        steps=[] if answer.verdict == "internal" else reading.steps,
        verdict=answer.verdict,
        reason=answer.reason,
        cause=answer.cause,
        caller_id=answer.caller_id,
        legs=[shown(Way, leg) for leg in answer.legs],
    )
