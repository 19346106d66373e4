"""Customers: who we sell to."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import String, cast, select

from webapp.customers.models import Customer
from webapp.customers.schemas import CustomerSchema
from webapp.ext import db
from webapp.forms import choices, delete_page, find, form_for, suggested
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission
from webapp.tariffs.models import PricePlan

bp = Blueprint("customers", __name__, url_prefix="/customers")

CustomerForm = form_for(CustomerSchema)


@bp.get("/")
@permission("customers.read")
def index() -> Any:
    addresses = cast(Customer.trunk_ip, String)
    query = select(Customer).where(*matches(Customer.code, Customer.name, addresses))
    return render_template("customers/index.html", page=page(query, Customer.code))


@bp.get("/suggestions")
@permission("customers.read")
def suggestions() -> Any:
    """For fields that ask for a customer; ?type= leaves only those of one type."""
    query = select(Customer)
    if kind := request.args.get("type"):
        query = query.where(Customer.type == kind)
    return suggested(query, Customer.code, Customer.name, request.args.get("customer_id", ""))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("customers.write")
def edit(id: uuid.UUID | None) -> Any:
    customer = find(Customer, id)
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
