"""Providers: the carriers we buy minutes and numbers from."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from webapp.ext import db
from webapp.forms import delete_page, find, form_for
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission
from webapp.providers.models import Provider
from webapp.providers.schemas import ProviderSchema

bp = Blueprint("providers", __name__, url_prefix="/providers")

ProviderForm = form_for(ProviderSchema)


@bp.get("/")
@permission("providers.read")
def index() -> Any:
    query = select(Provider).options(selectinload(Provider.gateways)).where(*matches(Provider.name))
    return render_template("providers/index.html", page=page(query, Provider.name))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("providers.write")
def edit(id: uuid.UUID | None) -> Any:
    provider = find(Provider, id)
    form = ProviderForm(obj=provider)
    if form.validate_on_submit() and form.save(provider):
        return saved(gettext("Provider %(name)s saved.", name=provider.name), ".index")
    return render_template("providers/edit.html", provider=provider, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("providers.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Provider, id), gettext("provider"), ".index", ".edit")
