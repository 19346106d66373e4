"""Extensions: the phones of our customers."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.extensions.schemas import ExtensionSchema, new_secret
from webapp.forms import choose, delete_page, find, form_for
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission

bp = Blueprint("extensions", __name__, url_prefix="/extensions")

ExtensionForm = form_for(ExtensionSchema)


@bp.get("/")
@permission("extensions.read")
def index() -> Any:
    query = select(Extension).join(Extension.customer).options(contains_eager(Extension.customer))
    query = query.where(*matches(Extension.extension, Extension.name, Customer.code, Customer.name))
    return render_template("extensions/index.html", page=page(query, Customer.code, Extension.extension))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("extensions.write")
def edit(id: uuid.UUID | None) -> Any:
    extension = find(Extension, id)
    form = ExtensionForm(obj=extension, customer_id=request.args.get("customer_id"))
    if request.method == "GET" and not id:
        form.secret.data = new_secret()
    customers = select(Customer).where(Customer.type == "extension").order_by(Customer.name)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions", type="extension"))
    if form.validate_on_submit() and form.save(extension):
        return saved(gettext("Extension %(name)s saved.", name=extension.sip_user), ".index")
    return render_template("extensions/edit.html", extension=extension, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("extensions.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Extension, id), gettext("extension"), ".index", ".edit")
