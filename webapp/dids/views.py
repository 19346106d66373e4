"""DIDs: the telephone numbers we own, and who has them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from os.path import commonprefix
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from webapp import store
from webapp.bulk import DELETE, Action, bulk_page, selected
from webapp.customers.models import Customer
from webapp.details import changes, some
from webapp.dids import operations
from webapp.dids.lists import DIDS
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import (
    AllocationSchema,
    DidRangeSchema,
    DidSchema,
    FreeDidSchema,
    ManyAllocatedSchema,
    ManySchema,
)
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import SchemaForm, choices, choose, delete_page, find, form_for
from webapp.gateways.models import Gateway
from webapp.pages import saved
from webapp.permissions import permission
from webapp.providers.models import Provider

bp = Blueprint("dids", __name__, url_prefix="/dids")

DidForm = form_for(DidSchema)
FreeDidForm = form_for(FreeDidSchema)
DidRangeForm = form_for(DidRangeSchema)
AllocationForm = form_for(AllocationSchema)
ManyForm = form_for(ManySchema)
ManyAllocatedForm = form_for(ManyAllocatedSchema)


def _to_be(status: str, label: Any) -> Action:
    return Action(
        status,
        label,
        do=lambda dids: operations.set_status(dids, status),
        obstacles=lambda dids: [_whose(did.current) for did in dids if did.current],
    )


def _whose(allocation: Allocation) -> str:
    return str(gettext("%(number)s is with %(name)s", number=allocation.did.number, name=allocation.customer))


ACTIONS = (
    _to_be("available", lazy_gettext("Free")),
    _to_be("reserved", lazy_gettext("Reserve")),
    _to_be("blocked", lazy_gettext("Block")),
    DELETE,
)


@bp.get("/")
@permission("dids.read")
def index() -> Any:
    return render_template("dids/index.html", page=DIDS.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("dids.read")
def export() -> Any:
    return csv_file(DIDS, "dids")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("dids.write")
def bulk() -> Any:
    return bulk_page(DIDS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("dids.read")
def show(id: uuid.UUID) -> Any:
    current = joinedload(Did.current).options(joinedload(Allocation.customer), joinedload(Allocation.extension))
    did = db.get_or_404(Did, id, options=[joinedload(Did.provider), joinedload(Did.gateway), current])
    return render_template(
        "dids/show.html",
        thing=did,
        history=some(
            select(Allocation).where(Allocation.did_id == id),
            Allocation.allocated_at.desc(),
            Allocation.id,
            url="",
            options=[joinedload(Allocation.customer), joinedload(Allocation.extension)],
        ),
        changes=changes(did, FreeDidSchema),
    )


@bp.route("/new", methods=["GET", "POST"])
@permission("dids.write")
def new() -> Any:
    form = DidRangeForm(provider_id=request.args.get("provider_id"))
    _origins(form)
    if form.validate_on_submit():
        try:
            count = operations.create_range(form.valid)
        except store.Refused as refused:
            form.refuse(refused)
        else:
            return saved(
                ngettext("%(num)s DID created.", "%(num)s DIDs created.", count),
                ".index",
                q=_common_start(form.valid.number, count),
            )
    return render_template("dids/new.html", form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("dids.write")
def edit(id: uuid.UUID) -> Any:
    did = find(Did, id)
    form: SchemaForm[Any] = DidForm(obj=did) if did.current or did.resting else FreeDidForm(obj=did)
    _origins(form)
    if form.validate_on_submit() and form.save(did):
        return saved(gettext("DID %(number)s saved.", number=did.number), ".show", id=did.id)
    return render_template("dids/edit.html", did=did, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/allocate", methods=["GET", "POST"])
@permission("dids.write")
def allocate(id: uuid.UUID) -> Any:
    did = db.get_or_404(Did, id)
    form = AllocationForm(obj=did.current, version=did.version)
    customers = select(Customer).order_by(Customer.name)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions"))
    if form.validate_on_submit() and form.attempt(did, lambda: operations.allocate(did, form.valid)):
        return saved(gettext("DID %(number)s allocated.", number=did.number), ".show", id=did.id)
    return render_template("dids/allocate.html", did=did, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/deallocate")
@permission("dids.write")
def deallocate(id: uuid.UUID) -> Any:
    did = db.get_or_404(Did, id)
    try:
        operations.deallocate(did)
    except (store.Refused, store.Stale):
        flash(gettext("Nothing was done: somebody else changed this number in the meantime."), "warning")
        return redirect(url_for(".show", id=id))
    return saved(gettext("DID %(number)s was taken back.", number=did.number), ".show", id=did.id)


@bp.post("/<uuid:id>/end-quarantine")
@permission("dids.write")
def end_quarantine(id: uuid.UUID) -> Any:
    did = db.get_or_404(Did, id)
    try:
        operations.end_quarantine(did)
    except (store.Refused, store.Stale):
        flash(gettext("Nothing was done: somebody else changed this number in the meantime."), "warning")
        return redirect(url_for(".show", id=id))
    return saved(gettext("DID %(number)s is free again.", number=did.number), ".show", id=did.id)


@bp.route("/allocate", methods=["GET", "POST"])
@permission("dids.write")
def allocate_many() -> Any:
    """Give many to one customer: those chosen in the list (?id=...&id=...), or a range."""
    form = ManyAllocatedForm()
    customers = select(Customer).order_by(Customer.name)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions"))
    if not _arriving() and form.validate_on_submit():
        count = _attempt_many(form, lambda: operations.allocate_many(form.valid))
        if count:
            return saved(ngettext("%(num)s DID allocated.", "%(num)s DIDs allocated.", count), ".index")
    return _many_page("dids/allocate_many.html", form)


@bp.route("/deallocate", methods=["GET", "POST"])
@permission("dids.write")
def deallocate_many() -> Any:
    """Take many back."""
    form = ManyForm()
    if not _arriving() and form.validate_on_submit():
        count = _attempt_many(form, lambda: operations.deallocate_many(form.valid))
        if count:
            return saved(ngettext("%(num)s DID taken back.", "%(num)s DIDs taken back.", count), ".index")
    return _many_page("dids/deallocate_many.html", form)


def _attempt_many(form: SchemaForm[Any], action: Callable[[], int]) -> int:
    """How many it was done with; 0: none, and the reason stands in the form."""
    try:
        return action()
    except operations.Unfit as unfit:
        form.form_errors.append(unfit.sentence())
    except store.Refused as refused:
        form.refuse(refused)
    return 0


def _arriving() -> bool:
    """Whether this is the list's form, with what was chosen there, and not yet the page's own."""
    return "id" in request.form


def _many_page(template: str, form: SchemaForm[Any]) -> Any:
    chosen = _chosen_in_the_list() or [id for id in request.form.get("ids", "").split(",") if id]
    page = render_template(template, form=form, chosen=chosen)
    return page, 422 if form.errors else 200


def _chosen_in_the_list() -> list[str]:
    """The rows that were ticked there, or all that its filters leave."""
    if request.args.get("all"):
        return [str(did.id) for did in selected(DIDS)]
    return request.values.getlist("id")


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("dids.write")
def delete(id: uuid.UUID) -> Any:
    count = db.session.scalar(select(func.count()).where(Allocation.did_id == id)) or 0
    lost = ngettext(
        "Its history goes with it: who had it, and when (%(num)s entry).",
        "Its history goes with it: who had it, and when (%(num)s entries).",
        count,
    )
    return delete_page(db.get_or_404(Did, id), gettext("DID"), ".index", ".show", lost if count else "")


def _origins(form: SchemaForm[Any]) -> None:
    choices(form.provider_id, db.session.scalars(select(Provider).order_by(Provider.name)))
    gateways = select(Gateway).order_by(Gateway.name)
    choose(form.gateway_id, gateways, Gateway.name, url_for("gateways.suggestions"), nothing=gettext("Any"))


def _common_start(number: str, count: int) -> str:
    """The digits that all numbers of a range begin with, by which a search finds it."""
    last = str(int(number) + count - 1)
    return commonprefix([number, last])  # noqa: RUF071 - these are no paths, and digits are what it compares
