"""Fraud rules: which calls out look like toll fraud, and what to do about them."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp import store
from webapp.customers.models import Customer
from webapp.details import changes, some
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import CHANGED_MEANWHILE, choose, delete_page, find, form_for
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules import operations
from webapp.fraud_rules.lists import ACTIONS, FRAUD_RULES, KINDS
from webapp.fraud_rules.models import FraudRule
from webapp.fraud_rules.schemas import FraudRuleSchema
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("fraud_rules", __name__, url_prefix="/fraud/rules")

FraudRuleForm = form_for(FraudRuleSchema)


@bp.get("/")
@permission("fraud_rules.read")
def index() -> Any:
    return render_template("fraud_rules/index.html", page=FRAUD_RULES.page(), kinds=KINDS, rule_actions=ACTIONS)


@bp.get("/export.csv")
@permission("fraud_rules.read")
def export() -> Any:
    return csv_file(FRAUD_RULES, "fraud-rules")


@bp.get("/<uuid:id>")
@permission("fraud_rules.read")
def show(id: uuid.UUID) -> Any:
    rule = db.get_or_404(
        FraudRule, id, options=[joinedload(FraudRule.customer), joinedload(FraudRule.look), joinedload(FraudRule.test)]
    )
    result = operations.result(rule)
    return render_template(
        "fraud_rules/show.html",
        thing=rule,
        result=result,
        customers=operations.names(result.hits) if result else {},
        cases=some(
            select(FraudCase).where(FraudCase.rule_id == id),
            FraudCase.created_at.desc(),
            url=url_for("fraud_cases.index", rule_id=id),
            options=[joinedload(FraudCase.customer)],
        ),
        kinds=KINDS,
        rule_actions=ACTIONS,
        changes=changes(rule, FraudRuleSchema),
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("fraud_rules.write")
def edit(id: uuid.UUID | None) -> Any:
    rule = find(FraudRule, id)
    form = FraudRuleForm(obj=rule, customer_id=request.args.get("customer_id"))
    customers = select(Customer).order_by(Customer.name, Customer.code)
    everybody = gettext("Each customer by itself")
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions"), nothing=everybody)
    if form.validate_on_submit() and form.save(rule, lambda: operations.save(rule)):
        told = gettext("Rule %(name)s saved. It is a draft: test it on past calls, then arm it.", name=rule.name)
        return saved(told, ".show", id=rule.id)
    return render_template("fraud_rules/edit.html", rule=rule, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/test")
@permission("fraud_rules.write")
def test(id: uuid.UUID) -> Any:
    """Try it on the calls of the last days."""
    rule = db.get_or_404(FraudRule, id)
    try:
        operations.test(rule, 30 if request.form.get("days") == "30" else 7)
    except operations.TooMuch:
        flash(
            gettext(
                "There are too many calls to look through in %(seconds)s seconds. Try fewer days, or a rule for other "
                "countries or for one customer.",
                seconds=operations.LONGEST_SECONDS,
            ),
            "warning",
        )
    return redirect(url_for(".show", id=id, _anchor="test"))


@bp.post("/<uuid:id>/armed")
@permission("fraud_rules.write")
def arm(id: uuid.UUID) -> Any:
    """The button says which of both it wants, so that two who press it at once want the same."""
    rule = db.get_or_404(FraudRule, id)
    name = rule.name
    try:
        if request.form.get("armed") == "yes":
            operations.arm(rule, anyway=request.form.get("anyway") == "yes")
            flash(gettext("%(name)s is armed.", name=name), "success")
        else:
            operations.disarm(rule)
            flash(gettext("%(name)s is a draft again. Cases that are open stay so.", name=name), "success")
    except operations.NotTested:
        flash(gettext("Test it on past calls first, as it is now."), "warning")
    except store.Stale:
        flash(gettext(CHANGED_MEANWHILE), "warning")
    return redirect(url_for(".show", id=id))


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("fraud_rules.write")
def delete(id: uuid.UUID) -> Any:
    lost = gettext("Its cases stay, and what they stop is stopped until somebody releases it.")
    return delete_page(db.get_or_404(FraudRule, id), gettext("rule"), ".index", ".show", lost)
