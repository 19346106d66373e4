"""Reratings: what calls would cost by the tariffs as they are now, and setting them right."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select

from webapp.calls.lists import DIRECTIONS
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.forms import choices, choose, form_for
from webapp.permissions import permission
from webapp.reratings import operations
from webapp.reratings.lists import RERATINGS
from webapp.reratings.models import Rerating
from webapp.reratings.schemas import ReratingSchema
from webapp.tariffs.models import PricePlan

bp = Blueprint("reratings", __name__, url_prefix="/reports/reratings")

ReratingForm = form_for(ReratingSchema)


@bp.get("/")
@permission("reratings.read")
def index() -> Any:
    return render_template("reratings/index.html", page=RERATINGS.page())


@bp.route("/new", methods=["GET", "POST"])
@permission("reratings.write")
def new() -> Any:
    given = {name: request.args.get(name) for name in ("customer_id", "price_plan_id")}
    form = ReratingForm(**given)
    customers = select(Customer).order_by(Customer.name)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions"), nothing=gettext("All"))
    choices(form.price_plan_id, db.session.scalars(select(PricePlan).order_by(PricePlan.name)), nothing=gettext("All"))
    if form.validate_on_submit():
        return redirect(url_for(".show", id=operations.compare(form.valid).id))
    return render_template("reratings/new.html", form=form), 422 if form.errors else 200


@bp.get("/<uuid:id>")
@permission("reratings.read")
def show(id: uuid.UUID) -> Any:
    rerating = db.get_or_404(Rerating, id)
    if request.headers.get("HX-Request"):
        if not rerating.working:  # It is done: the page shows what came of it.
            return Response(headers={"HX-Refresh": "true"})
        return render_template("reratings/_progress.html", rerating=rerating)
    return render_template(
        "reratings/show.html",
        rerating=rerating,
        total=operations.total(rerating),
        customers=operations.by_customer(rerating),
        sample=operations.sample(rerating),
        directions=DIRECTIONS,
    )


@bp.post("/<uuid:id>/apply")
@permission("reratings.write")
def apply(id: uuid.UUID) -> Any:
    try:
        operations.apply(db.get_or_404(Rerating, id))
    except operations.NotNow as why:
        flash(str(why), "warning")
    return redirect(url_for(".show", id=id))
