"""Customers: who we sell to."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import contains_eager, joinedload

from webapp import details
from webapp.bulk import DELETE, DISABLE, ENABLE, bulk_page
from webapp.calls import recent
from webapp.calls.lists import DIRECTIONS, DISPOSITIONS
from webapp.customers import operations
from webapp.customers.lists import CUSTOMERS
from webapp.customers.models import Customer
from webapp.customers.schemas import CustomerSchema
from webapp.destination_lists.models import DestinationList
from webapp.details import changes, some
from webapp.dids.models import Allocation, Did
from webapp.export import csv_file
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.forms import choices, delete_page, find, form_for, suggested
from webapp.fraud_cases import operations as fraud
from webapp.live import operations as live
from webapp.live.models import LiveCall
from webapp.pages import saved
from webapp.payments import operations as payments
from webapp.payments.models import Payment
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
    page = CUSTOMERS.page()
    calls = live.calls_of(LiveCall.customer_id, page.things)
    return render_template("customers/index.html", page=page, actions=ACTIONS, calls=calls)


@bp.get("/export.csv")
@permission("customers.read")
def export() -> Any:
    return csv_file(CUSTOMERS, "customers")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("customers.write")
def bulk() -> Any:
    return bulk_page(CUSTOMERS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("customers.read")
def show(id: uuid.UUID) -> Any:
    customer = db.get_or_404(
        Customer,
        id,
        options=[joinedload(Customer.price_plan), joinedload(Customer.blocked_list), joinedload(Customer.allowed_list)],
    )
    paid = some(
        select(Payment).where(Payment.customer_id == id),
        Payment.created_at.desc(),
        url=url_for("payments.index", customer_id=id),
    )
    return render_template(
        "customers/show.html",
        thing=customer,
        seen=live.seen([customer]),
        calls=live.calls_of(LiveCall.customer_id, [customer])[id],
        payments=paid,
        # Who pays afterwards and elsewhere has no account here.
        account=payments.account(customer) if customer.prepaid or paid.count else None,
        dids=some(
            select(Did).join(Did.current).where(Allocation.customer_id == id),
            Did.number,
            url=url_for("dids.index", customer_id=id),
            options=[contains_eager(Did.current).joinedload(Allocation.extension)],
        ),
        extensions=some(
            select(Extension).where(Extension.customer_id == id),
            Extension.extension,
            url=url_for("extensions.index", customer_id=id),
        ),
        fraud_cases=fraud.open_cases(id),
        recent=recent.of_customer(id),
        directions=DIRECTIONS,
        dispositions=DISPOSITIONS,
        changes=changes(customer, CustomerSchema),
    )


@bp.get("/suggestions")
@permission("customers.read")
def suggestions() -> Any:
    """For fields that ask for a customer; ?type= leaves only those of one type."""
    query = select(Customer)
    if kind := request.args.get("type"):
        query = query.where(Customer.type == kind)
    return suggested(query, Customer.code, Customer.name, request.args.get("customer_id", ""))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("customers.write")
def edit(id: uuid.UUID | None) -> Any:
    customer = find(Customer, id)
    form = CustomerForm(obj=customer, **operations.at_first())
    plans = db.session.scalars(select(PricePlan).order_by(PricePlan.name))
    choices(form.price_plan_id, plans, nothing=gettext("None"))
    lists = db.session.scalars(select(DestinationList).order_by(DestinationList.name)).all()
    for field in (form.blocked_list_id, form.allowed_list_id):
        choices(field, lists, nothing=gettext("None"))
    if form.validate_on_submit() and form.save(customer):
        return saved(gettext("Customer %(name)s saved.", name=customer.name), ".show", id=customer.id)
    return render_template("customers/edit.html", customer=customer, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/enabled")
@permission("customers.write")
def switch(id: uuid.UUID) -> Any:
    return details.switch(db.get_or_404(Customer, id), CustomerSchema)


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("customers.write")
def delete(id: uuid.UUID) -> Any:
    lost = gettext("Its calls stay in the records, and its code in the history of the DIDs it had.")
    return delete_page(db.get_or_404(Customer, id), gettext("customer"), ".index", ".show", lost)
