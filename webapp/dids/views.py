"""DIDs: the telephone numbers we own, and who has them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from os.path import commonprefix
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from webapp import store
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import (
    AllocationSchema,
    DidRangeSchema,
    DidSchema,
    FreeDidSchema,
    ManyAllocatedSchema,
    ManySchema,
)
from webapp.ext import db
from webapp.forms import SchemaForm, choices, delete_page, form_for
from webapp.gateways.models import Gateway
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission
from webapp.providers.models import Provider

bp = Blueprint("dids", __name__, url_prefix="/dids")

DidForm = form_for(DidSchema)
FreeDidForm = form_for(FreeDidSchema)
DidRangeForm = form_for(DidRangeSchema)
AllocationForm = form_for(AllocationSchema)
ManyForm = form_for(ManySchema)
ManyAllocatedForm = form_for(ManyAllocatedSchema)
NAMED = 5  # Numbers that stand in the way, by name.


@bp.get("/")
@permission("dids.read")
def index() -> Any:
    query = (
        select(Did)
        .join(Did.provider)
        .outerjoin(Did.current)
        .outerjoin(Allocation.customer)
        .options(
            joinedload(Did.provider),
            selectinload(Did.current).options(joinedload(Allocation.customer), joinedload(Allocation.extension)),
        )
    )
    shown = (Did.number, Did.description, Provider.name, Customer.name, Allocation.customer_code)
    query = query.where(*matches(*shown, number=Did.number))
    return render_template("dids/index.html", page=page(query, Did.number))


@bp.route("/new", methods=["GET", "POST"])
@permission("dids.write")
def new() -> Any:
    form = DidRangeForm()
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


@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("dids.write")
def edit(id: uuid.UUID) -> Any:
    did = _with_history(id)
    form: SchemaForm[Any] = DidForm(obj=did) if did.current or did.resting else FreeDidForm(obj=did)
    _origins(form)
    if form.validate_on_submit() and form.save(did):
        return saved(gettext("DID %(number)s saved.", number=did.number), ".edit", id=did.id)
    return render_template("dids/edit.html", did=did, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/allocate", methods=["GET", "POST"])
@permission("dids.write")
def allocate(id: uuid.UUID) -> Any:
    did = _with_history(id)
    form = AllocationForm(obj=did.current, version=did.version)
    choices(form.customer_id, db.session.scalars(select(Customer).order_by(Customer.name)))
    if form.validate_on_submit() and form.attempt(did, lambda: operations.allocate(did, form.valid)):
        return saved(gettext("DID %(number)s allocated.", number=did.number), ".edit", id=did.id)
    return render_template("dids/allocate.html", did=did, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/deallocate")
@permission("dids.write")
def deallocate(id: uuid.UUID) -> Any:
    did = _with_history(id)
    try:
        operations.deallocate(did)
    except (store.Refused, store.Stale):
        flash(gettext("Nothing was done: somebody else changed this number in the meantime."), "warning")
        return redirect(url_for(".edit", id=id))
    return saved(gettext("DID %(number)s was taken back.", number=did.number), ".edit", id=did.id)


@bp.post("/<uuid:id>/end-quarantine")
@permission("dids.write")
def end_quarantine(id: uuid.UUID) -> Any:
    did = db.get_or_404(Did, id)
    try:
        operations.end_quarantine(did)
    except (store.Refused, store.Stale):
        flash(gettext("Nothing was done: somebody else changed this number in the meantime."), "warning")
        return redirect(url_for(".edit", id=id))
    return saved(gettext("DID %(number)s is free again.", number=did.number), ".edit", id=did.id)


@bp.route("/allocate", methods=["GET", "POST"])
@permission("dids.write")
def allocate_many() -> Any:
    """Give many to one customer: those chosen in the list (?id=...&id=...), or a range."""
    form = ManyAllocatedForm()
    choices(form.customer_id, db.session.scalars(select(Customer).order_by(Customer.name)))
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
        form.form_errors.append(unfit_sentence(unfit))
    except store.Refused as refused:
        form.refuse(refused)
    return 0


def unfit_sentence(unfit: operations.Unfit) -> str:
    """Which numbers stand in the way, the first of them by name."""
    names = ", ".join(unfit.numbers[:NAMED])
    more = len(unfit.numbers) - NAMED
    if more > 0:
        names = gettext("%(names)s and %(count)s more", names=names, count=more)
    return f"{gettext(unfit.reason)} {names}".strip()


def _arriving() -> bool:
    """Whether this is the list's form, with what was chosen there, and not yet the page's own."""
    return "id" in request.form


def _many_page(template: str, form: SchemaForm[Any]) -> Any:
    chosen = request.values.getlist("id") or [id for id in request.form.get("ids", "").split(",") if id]
    page = render_template(template, form=form, chosen=chosen)
    return page, 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("dids.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Did, id), gettext("DID"), ".index", ".edit")


def _origins(form: SchemaForm[Any]) -> None:
    choices(form.provider_id, db.session.scalars(select(Provider).order_by(Provider.name)))
    gateways = db.session.scalars(select(Gateway).order_by(Gateway.name))
    choices(form.gateway_id, gateways, nothing=gettext("Any"))


def _common_start(number: str, count: int) -> str:
    """The digits that all numbers of a range begin with, by which a search finds it."""
    last = str(int(number) + count - 1)
    return commonprefix([number, last])  # noqa: RUF071 - these are no paths, and digits are what it compares


def _with_history(id: uuid.UUID) -> Did:
    history = selectinload(Did.allocations)
    query = select(Did).where(Did.id == id).options(history.joinedload(Allocation.customer))
    return db.session.scalar(query) or abort(404)
