"""Payments: what customers have paid."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select

from webapp.customers.models import Customer
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choose, form_for
from webapp.pages import saved
from webapp.payments import operations
from webapp.payments.lists import PAYMENTS
from webapp.payments.models import Payment
from webapp.payments.schemas import PaymentSchema
from webapp.permissions import permission

bp = Blueprint("payments", __name__, url_prefix="/payments")

PaymentForm = form_for(PaymentSchema)


@bp.get("/")
@permission("payments.read")
def index() -> Any:
    return render_template("payments/index.html", page=PAYMENTS.page())


@bp.get("/export.csv")
@permission("payments.read")
def export() -> Any:
    return csv_file(PAYMENTS, "payments")


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/new/<uuid:id>", methods=["GET", "POST"])
@permission("payments.write")
def new(id: uuid.UUID | None) -> Any:
    """The form knows the id of the payment it makes, so a second click on its button makes no second one."""
    payment = Payment()
    form = PaymentForm(obj=payment, customer_id=request.args.get("customer_id"))
    choose(
        form.customer_id,
        select(Customer).order_by(Customer.name),
        Customer.code,
        url_for("customers.suggestions"),
    )
    if form.validate_on_submit() and form.save(payment, lambda: operations.record(payment, id)):
        customer = db.session.get_one(Customer, payment.customer_id)
        told = gettext("A payment of %(customer)s is recorded.", customer=customer.name)
        return saved(told, "customers.show", id=customer.id)
    action = url_for(".new", id=id or uuid.uuid4())
    return render_template("payments/new.html", form=form, action=action), 422 if form.errors else 200
