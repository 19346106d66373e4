"""Customers: who we sell to."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template
from flask_babel import gettext
from sqlalchemy import select

from webapp.bulk import DELETE, DISABLE, ENABLE, bulk_page
from webapp.customers.lists import CUSTOMERS
from webapp.customers.models import Customer
from webapp.customers.schemas import CustomerSchema
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choices, delete_page, form_for
from webapp.pages import saved
from webapp.permissions import permission
from webapp.tariffs.models import PricePlan

bp = Blueprint("customers", __name__, url_prefix="/customers")

CustomerForm = form_for(CustomerSchema)

ACTIONS = (
    ENABLE,
    replace(DISABLE, warnings=lambda _: [gettext("Calls of disabled customers are refused, both ways.")]),
    DELETE,
)


@bp.get("/")
@permission("customers.read")
def index() -> Any:
    return render_template("customers/index.html", page=CUSTOMERS.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("customers.read")
def export() -> Any:
    return csv_file(CUSTOMERS, "customers")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("customers.write")
def bulk() -> Any:
    return bulk_page(CUSTOMERS, ACTIONS)


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("customers.write")
def edit(id: uuid.UUID | None) -> Any:
    customer = db.get_or_404(Customer, id) if id else Customer()
    form = CustomerForm(obj=customer)
    plans = db.session.scalars(select(PricePlan).order_by(PricePlan.name))
    choices(form.price_plan_id, plans, nothing=gettext("None"))
    if form.validate_on_submit() and form.save(customer):
        return saved(gettext("Customer %(name)s saved.", name=customer.name), ".index")
    return render_template("customers/edit.html", customer=customer, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("customers.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Customer, id), gettext("customer"), ".index", ".edit")
