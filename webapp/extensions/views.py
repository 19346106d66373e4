"""Extensions: the phones of our customers."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp import details
from webapp.bulk import DELETE, DISABLE, ENABLE, bulk_page
from webapp.customers.models import Customer
from webapp.details import changes, some
from webapp.dids.models import Allocation, Did
from webapp.export import csv_file
from webapp.ext import db
from webapp.extensions import operations
from webapp.extensions.lists import EXTENSIONS
from webapp.extensions.models import Extension
from webapp.extensions.schemas import ExtensionSchema
from webapp.forms import choose, delete_page, find, form_for
from webapp.live import operations as live
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("extensions", __name__, url_prefix="/extensions")

ExtensionForm = form_for(ExtensionSchema)

ACTIONS = (ENABLE, DISABLE, DELETE)


@bp.get("/")
@permission("extensions.read")
def index() -> Any:
    page = EXTENSIONS.page()
    return render_template("extensions/index.html", page=page, actions=ACTIONS, seen=live.seen(page.things))


@bp.get("/export.csv")
@permission("extensions.read")
def export() -> Any:
    return csv_file(EXTENSIONS, "extensions")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("extensions.write")
def bulk() -> Any:
    return bulk_page(EXTENSIONS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("extensions.read")
def show(id: uuid.UUID) -> Any:
    return _page(id)


@bp.post("/<uuid:id>/secret")
@permission("extensions.reveal")
def reveal(id: uuid.UUID) -> Any:
    return _page(id, operations.reveal(db.get_or_404(Extension, id)))


def _page(id: uuid.UUID, secret: str = "") -> str:
    extension = db.get_or_404(Extension, id, options=[joinedload(Extension.customer)])
    return render_template(
        "extensions/show.html",
        thing=extension,
        secret=secret,
        seen=live.seen([extension]),
        dids=some(
            select(Did).join(Did.current).where(Allocation.extension_id == id),
            Did.number,
            url=url_for("dids.index", extension_id=id),
        ),
        changes=changes(extension, ExtensionSchema),
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("extensions.write")
def edit(id: uuid.UUID | None) -> Any:
    extension = find(Extension, id)
    form = ExtensionForm(obj=extension, customer_id=request.args.get("customer_id"))
    if not id:
        form.secret.if_empty = gettext("Leave it empty to have one made up.")
    customers = select(Customer).where(Customer.type == "extension").order_by(Customer.name)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions", type="extension"))
    if form.validate_on_submit() and form.save(extension):
        return saved(gettext("Extension %(name)s saved.", name=extension.sip_user), ".show", id=extension.id)
    return render_template("extensions/edit.html", extension=extension, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/enabled")
@permission("extensions.write")
def switch(id: uuid.UUID) -> Any:
    return details.switch(db.get_or_404(Extension, id), ExtensionSchema)


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("extensions.write")
def delete(id: uuid.UUID) -> Any:
    lost = gettext("The phone can no longer register, and its secret is gone.")
    return delete_page(db.get_or_404(Extension, id), gettext("extension"), ".index", ".show", lost)
