"""Fraud cases, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, Literal

from flask import Response, jsonify
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import Answer, Identified, bp, narrowed_list, query_of, shown
from webapp.ext import db
from webapp.fraud_cases import operations
from webapp.fraud_cases.lists import FRAUD_CASES
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_cases.schemas import ReleaseSchema
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="fraud-cases", description="Whom a rule against toll fraud hit.")]


class Evidence(BaseModel):
    """One of the last calls that the rule counted."""

    started_at: dt.datetime
    number: str
    seconds: int
    price: Decimal


class FraudCaseAnswer(Answer):
    """A rule hit a customer; as long as it is not released, its action stands."""

    rule_id: uuid.UUID | None
    rule_name: str
    customer_id: uuid.UUID
    action: Literal["alert", "block_international", "block_all"]
    calls: int = Field(description="What the window of the rule held.")
    seconds: int
    amount: Decimal
    evidence: list[Evidence]
    released_at: dt.datetime | None
    released_by: str
    exempt_until: dt.datetime | None


class FraudCaseList(BaseModel):
    items: list[FraudCaseAnswer]
    next_cursor: str | None


def fraud_cases_index(query: Any) -> Response:
    """The latest first, unless `sort` says otherwise; `state=open` leaves those that stand."""
    return narrowed_list(FraudCaseAnswer, FRAUD_CASES, query)


fraud_cases_index.__annotations__["query"] = query_of("fraud-cases", FRAUD_CASES)
bp.get("/fraud-cases/", tags=TAGS, summary="List fraud cases", responses={200: FraudCaseList})(
    permission("fraud_cases.read")(fraud_cases_index)
)


@bp.get("/fraud-cases/<uuid:id>", tags=TAGS, summary="Read a fraud case", responses={200: FraudCaseAnswer})
@permission("fraud_cases.read")
def fraud_cases_read(path: Identified) -> Response:
    """With the last calls that the rule counted."""
    return jsonify(shown(FraudCaseAnswer, db.get_or_404(FraudCase, path.id)))


@bp.post("/fraud-cases/<uuid:id>/release", tags=TAGS, summary="Release a case", responses={200: FraudCaseAnswer})
@permission("fraud_cases.write")
def fraud_cases_release(path: Identified, body: ReleaseSchema) -> Response:
    """The customer may call again, as far as this case stopped it. One that is released stays as it is."""
    operations.release([db.get_or_404(FraudCase, path.id)], body.exempt_hours)
    return jsonify(shown(FraudCaseAnswer, db.get_or_404(FraudCase, path.id)))
