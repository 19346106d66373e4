"""Extensions: the phones of our customers."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import select

from webapp.bulk import DELETE, DISABLE, ENABLE, bulk_page
from webapp.customers.models import Customer
from webapp.export import csv_file
from webapp.ext import db
from webapp.extensions.lists import EXTENSIONS
from webapp.extensions.models import Extension
from webapp.extensions.schemas import ExtensionSchema, new_secret
from webapp.forms import choices, delete_page, form_for
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("extensions", __name__, url_prefix="/extensions")

ExtensionForm = form_for(ExtensionSchema)

ACTIONS = (ENABLE, DISABLE, DELETE)


@bp.get("/")
@permission("extensions.read")
def index() -> Any:
    return render_template("extensions/index.html", page=EXTENSIONS.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("extensions.read")
def export() -> Any:
    return csv_file(EXTENSIONS, "extensions")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("extensions.write")
def bulk() -> Any:
    return bulk_page(EXTENSIONS, ACTIONS)


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("extensions.write")
def edit(id: uuid.UUID | None) -> Any:
    extension = db.get_or_404(Extension, id) if id else Extension()
    form = ExtensionForm(obj=extension, customer_id=request.args.get("customer_id"))
    if request.method == "GET" and not id:
        form.secret.data = new_secret()
    customers = select(Customer).where(Customer.type == "extension").order_by(Customer.name)
    choices(form.customer_id, db.session.scalars(customers))
    if form.validate_on_submit() and form.save(extension):
        return saved(gettext("Extension %(name)s saved.", name=extension.sip_user), ".index")
    return render_template("extensions/edit.html", extension=extension, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("extensions.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Extension, id), gettext("extension"), ".index", ".edit")
