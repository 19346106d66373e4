"""Dialling: what number is meant by what a customer dials, step by step, and the rules that say so."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select

from webapp import store
from webapp.customers.models import Customer
from webapp.dialling import operations
from webapp.dialling.models import NumberRule
from webapp.dialling.schemas import NumberRuleSchema
from webapp.ext import db
from webapp.forms import CHANGED_MEANWHILE, choices, delete_page, find, form_for
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("dialling", __name__, url_prefix="/dialling")

NumberRuleForm = form_for(NumberRuleSchema)


@bp.get("/")
@permission("number-rules.read")
def index() -> Any:
    """How a customer's numbers are read, or how they are by the company's rules."""
    customer = _customer(request.args.get("customer_id"))
    if customer:
        g.area = "customers"
    typed = request.args.get("number", "")
    return render_template(
        "dialling/index.html",
        customer=customer,
        rules=operations.rules_in_force(customer),
        editable=customer is None or customer.number_rules == "own",
        waiting=bool(customer and customer.number_rules != "own" and operations.own_rules(customer.id)),
        words=operations.words,
        typed=typed[:80],
        reading=operations.read(customer, typed) if typed.strip() else None,
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("number-rules.write")
def edit(id: uuid.UUID | None) -> Any:
    rule = find(NumberRule, id)
    form = NumberRuleForm(obj=rule, customer_id=request.args.get("customer_id"))
    customers = db.session.scalars(select(Customer).order_by(Customer.name))
    choices(form.customer_id, customers, nothing=gettext("All who go by the company's rules"))
    if form.validate_on_submit() and form.save(rule, lambda: operations.save(rule)):
        return saved(gettext("Rule saved."), ".index", customer_id=rule.customer_id)
    return render_template("dialling/edit.html", rule=rule, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/move")
@permission("number-rules.write")
def move(id: uuid.UUID) -> Any:
    rule = db.get_or_404(NumberRule, id)
    customer_id = rule.customer_id
    try:
        operations.move(rule, -1 if request.form.get("to") == "up" else 1)
    except store.Stale:
        flash(gettext(CHANGED_MEANWHILE), "warning")
    return redirect(url_for(".index", customer_id=customer_id))


@bp.post("/copy")
@permission("number-rules.write")
def copy() -> Any:
    """Rules of one's own, to begin with: those in force, or Brazil's."""
    customer = _customer(request.form.get("customer_id"))
    customer_id = customer.id if customer else None
    try:
        operations.make_own(customer)
    except (store.Refused, store.Stale):
        flash(gettext("Nothing was done: there are rules already."), "warning")
        return redirect(url_for(".index", customer_id=customer_id))
    return saved(gettext("These rules can now be changed."), ".index", customer_id=customer_id)


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("number-rules.write")
def delete(id: uuid.UUID) -> Any:
    rule = db.get_or_404(NumberRule, id)
    return delete_page(rule, gettext("rule"), ".index", ".edit", customer_id=rule.customer_id)


def _customer(id: str | None) -> Customer | None:
    """The customer with this id; None if none is named."""
    if not id:
        return None
    try:
        return db.get_or_404(Customer, uuid.UUID(id))
    except ValueError:
        abort(404)
