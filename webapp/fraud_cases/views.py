"""Fraud cases: whom a rule hit, and letting them call again."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext
from sqlalchemy.orm import joinedload

from webapp.customers.models import Customer
from webapp.details import changes
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import form_for
from webapp.fraud_cases import operations
from webapp.fraud_cases.api import Evidence
from webapp.fraud_cases.lists import FRAUD_CASES
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_cases.schemas import ReleaseSchema
from webapp.fraud_rules.lists import ACTIONS
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("fraud_cases", __name__, url_prefix="/fraud")

ReleaseForm = form_for(ReleaseSchema)


@bp.get("/")
@permission("fraud_cases.read")
def index() -> Any:
    return render_template("fraud_cases/index.html", page=FRAUD_CASES.page(), rule_actions=ACTIONS)


@bp.get("/export.csv")
@permission("fraud_cases.read")
def export() -> Any:
    return csv_file(FRAUD_CASES, "fraud-cases")


@bp.get("/cases/<uuid:id>")
@permission("fraud_cases.read")
def show(id: uuid.UUID) -> Any:
    case = db.get_or_404(FraudCase, id, options=[joinedload(FraudCase.customer), joinedload(FraudCase.rule)])
    return render_template(
        "fraud_cases/show.html",
        thing=case,
        calls=[Evidence.model_validate(call) for call in case.evidence],
        form=ReleaseForm(),
        rule_actions=ACTIONS,
        changes=changes(case, ReleaseSchema),
    )


@bp.post("/cases/<uuid:id>/release")
@permission("fraud_cases.write")
def release(id: uuid.UUID) -> Any:
    """Let the customer call again, as far as this case stopped it."""
    case = db.get_or_404(FraudCase, id)
    form = ReleaseForm()
    if not form.validate_on_submit():
        flash(" ".join(error for errors in form.errors.values() for error in errors), "danger")
        return redirect(url_for(".show", id=id))
    if not case.is_open:
        flash(_released_before(case), "info")
        return redirect(url_for(".show", id=id))
    operations.release([case], form.valid.exempt_hours)
    left = operations.open_cases(case.customer_id)
    told = gettext("Released. Other cases of this customer are still open.") if left else gettext("Released.")
    return saved(told, ".show", id=id)


@bp.post("/customers/<uuid:customer_id>/release")
@permission("fraud_cases.write")
def release_all(customer_id: uuid.UUID) -> Any:
    """Let a customer call again: all its open cases are released."""
    customer = db.get_or_404(Customer, customer_id)
    operations.release(operations.open_cases(customer_id))
    return saved(gettext("%(name)s may call again.", name=str(customer)), "customers.show", id=customer_id)


def _released_before(case: FraudCase) -> str:
    return str(gettext("%(user)s has released it already.", user=case.released_by))
