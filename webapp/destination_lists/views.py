"""Destination lists: which numbers customers may call, and which they may not."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, url_for
from flask_babel import gettext
from sqlalchemy import select

from webapp.bulk import DELETE, bulk_page
from webapp.customers.models import Customer
from webapp.destination_lists.lists import DESTINATION_LISTS
from webapp.destination_lists.models import DestinationList
from webapp.destination_lists.schemas import DestinationListSchema
from webapp.details import changes, some
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import delete_page, find, form_for
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("destination_lists", __name__, url_prefix="/destination-lists")

DestinationListForm = form_for(DestinationListSchema)

ACTIONS = (DELETE,)


@bp.get("/")
@permission("destination_lists.read")
def index() -> Any:
    return render_template("destination_lists/index.html", page=DESTINATION_LISTS.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("destination_lists.read")
def export() -> Any:
    return csv_file(DESTINATION_LISTS, "destination-lists")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("destination_lists.write")
def bulk() -> Any:
    return bulk_page(DESTINATION_LISTS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("destination_lists.read")
def show(id: uuid.UUID) -> Any:
    found = db.get_or_404(DestinationList, id)
    return render_template(
        "destination_lists/show.html",
        thing=found,
        blocked_for=some(
            select(Customer).where(Customer.blocked_list_id == id),
            Customer.code,
            url=url_for("customers.index", blocked_list_id=id),
        ),
        allowed_for=some(
            select(Customer).where(Customer.allowed_list_id == id),
            Customer.code,
            url=url_for("customers.index", allowed_list_id=id),
        ),
        changes=changes(found, DestinationListSchema),
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("destination_lists.write")
def edit(id: uuid.UUID | None) -> Any:
    found = find(DestinationList, id)
    form = DestinationListForm(obj=found)
    if form.validate_on_submit() and form.save(found):
        return saved(gettext("Destination list %(name)s saved.", name=found.name), ".show", id=found.id)
    return render_template("destination_lists/edit.html", found=found, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("destination_lists.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(DestinationList, id), gettext("destination list"), ".index", ".show")
