"""Fraud rules, for programs."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, jsonify
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import Field

from webapp.api import Answer, Identified, attempt, bp, conflict, resource, shown
from webapp.ext import db
from webapp.fraud_rules import operations
from webapp.fraud_rules.lists import FRAUD_RULES
from webapp.fraud_rules.models import FraudRule
from webapp.fraud_rules.schemas import ArmSchema, FraudRuleSchema, FraudTestSchema
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [Tag(name="fraud-rules")]


class FraudRuleAnswer(FraudRuleSchema, Answer):
    """A rule, and whether it does anything."""

    state: Literal["draft", "armed"] = Field(
        description="Changed by `arm` and `disarm`; any other change makes a draft."
    )


resource(
    "fraud-rules",
    FraudRule,
    FraudRuleSchema,
    listing=FRAUD_RULES,
    answer=FraudRuleAnswer,
    save=operations.save,
    rights="fraud_rules",
)


@bp.post("/fraud-rules/<uuid:id>/test", tags=TAGS, summary="Test a rule", responses={200: operations.Result})
@permission("fraud_rules.write")
def fraud_rules_test(path: Identified, body: FraudTestSchema) -> Response:
    """What it would have done with the calls of the last days. 409 if there are too many of them to wait for."""
    try:
        result = operations.test(db.get_or_404(FraudRule, path.id), body.days)
    except operations.TooMuch:
        return conflict(gettext("There are too many calls to look through in time."))
    return jsonify(result.model_dump(mode="json"))


@bp.post("/fraud-rules/<uuid:id>/arm", tags=TAGS, summary="Arm a rule", responses={200: FraudRuleAnswer})
@permission("fraud_rules.write")
def fraud_rules_arm(path: Identified, body: ArmSchema) -> Response:
    """409 unless it was tested since it was last changed; `anyway` does it all the same."""
    rule = db.get_or_404(FraudRule, path.id)
    try:
        return attempt(FraudRuleSchema, lambda: operations.arm(rule, body.anyway)) or jsonify(
            shown(FraudRuleAnswer, rule)
        )
    except operations.NotTested:
        return conflict(gettext("Test it on past calls first, as it is now."))


@bp.post("/fraud-rules/<uuid:id>/disarm", tags=TAGS, summary="Disarm a rule", responses={200: FraudRuleAnswer})
@permission("fraud_rules.write")
def fraud_rules_disarm(path: Identified) -> Response:
    """Its open cases stay until they are released."""
    rule = db.get_or_404(FraudRule, path.id)
    return attempt(FraudRuleSchema, lambda: operations.disarm(rule)) or jsonify(shown(FraudRuleAnswer, rule))
