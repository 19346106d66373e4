"""Conferences: who is called into which, who is there, and an end to it."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from webapp.conferences import operations
from webapp.conferences.lists import CONFERENCES, END_REASONS, STATES
from webapp.conferences.models import Conference
from webapp.conferences.schemas import ConferenceSchema, NumberSchema
from webapp.customers.models import Customer
from webapp.details import changes
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choose, form_for
from webapp.pages import saved
from webapp.permissions import permission
from webapp.settings import operations as settings

bp = Blueprint("conferences", __name__, url_prefix="/conferences")

ConferenceForm = form_for(ConferenceSchema)
NumberForm = form_for(NumberSchema)


@bp.get("/")
@permission("conferences.read")
def index() -> Any:
    return render_template("conferences/index.html", page=CONFERENCES.page(), states=STATES)


@bp.get("/export.csv")
@permission("conferences.read")
def export() -> Any:
    return csv_file(CONFERENCES, "conferences")


@bp.get("/<uuid:id>")
@permission("conferences.read")
def show(id: uuid.UUID) -> Any:
    return _page(id, NumberForm())


def _page(id: uuid.UUID, form: Any) -> Any:
    options = [joinedload(Conference.customer), selectinload(Conference.participants)]
    conference = db.get_or_404(Conference, id, options=options)
    if request.headers.get("HX-Request") and not conference.is_open:  # It has just ended: nothing goes on any more.
        return Response(headers={"HX-Refresh": "true"})
    page = render_template(
        "conferences/show.html",
        thing=conference,
        lines=operations.lines(conference),
        known=not conference.is_open or operations.is_known(conference),
        form=form,
        states=STATES,
        end_reasons=END_REASONS,
        changes=changes(conference, ConferenceSchema),
    )
    return page, 422 if form.errors else 200


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/new/<uuid:id>", methods=["GET", "POST"])
@permission("conferences.write")
def edit(id: uuid.UUID | None) -> Any:
    """The form knows the id of the conference it makes, so a second click on its button calls nobody twice."""
    if id and db.session.get(Conference, id):
        return redirect(url_for(".show", id=id))
    form = ConferenceForm(obj=None, customer_id=request.args.get("customer_id"))
    payer = settings.current().conference_customer_id
    usual = db.session.get(Customer, payer) if payer else None
    customers = select(Customer).where(Customer.enabled).order_by(Customer.name, Customer.code)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions"), nothing=str(usual or ""))
    if form.validate_on_submit():
        try:
            conference = operations.hold(form.valid, id)
        except operations.Impossible as reason:
            _show(form, reason)
        else:
            return saved(gettext("The numbers are being called."), ".show", id=conference.id)
    action = url_for(".edit", id=id or uuid.uuid4())
    return render_template("conferences/edit.html", form=form, action=action), 422 if form.errors else 200


@bp.post("/<uuid:id>/call")
@permission("conferences.write")
def call(id: uuid.UUID) -> Any:
    form = NumberForm()
    if form.validate_on_submit():
        try:
            operations.call(id, form.valid.number)
        except operations.Impossible as reason:
            _show(form, reason)
        else:
            return saved(gettext("%(number)s is being called.", number=form.valid.number), ".show", id=id)
    return _page(id, form)


@bp.post("/<uuid:id>/participants/<uuid:participant_id>/drop")
@permission("conferences.write")
def drop(id: uuid.UUID, participant_id: uuid.UUID) -> Any:
    number = operations.drop(id, participant_id)
    return saved(gettext("%(number)s is hung up on.", number=number), ".show", id=id)


@bp.post("/<uuid:id>/close")
@permission("conferences.write")
def close(id: uuid.UUID) -> Any:
    operations.close(id)
    return saved(gettext("Everybody is hung up on."), ".show", id=id)


def _show(form: Any, reason: operations.Impossible) -> None:
    """What stands in the way, at its field."""
    for name, sentences in reason.errors.items():
        if name in form:
            form[name].errors = [*form[name].errors, *sentences]
        else:
            form.form_errors.extend(sentences)
