"""Gateways: the SIP peers of our providers."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp.ext import db
from webapp.forms import choices, delete_page, find, form_for, suggested
from webapp.gateways.models import Gateway
from webapp.gateways.schemas import GatewaySchema
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission
from webapp.providers.models import Provider

bp = Blueprint("gateways", __name__, url_prefix="/gateways")

GatewayForm = form_for(GatewaySchema)


@bp.get("/")
@permission("gateways.read")
def index() -> Any:
    query = select(Gateway).join(Gateway.provider).options(joinedload(Gateway.provider))
    query = query.where(*matches(Gateway.name, Gateway.ip_address, Provider.name))
    return render_template("gateways/index.html", page=page(query, Gateway.name))


@bp.get("/suggestions")
@permission("gateways.read")
def suggestions() -> Any:
    """For fields that ask for a gateway."""
    query = select(Gateway).join(Gateway.provider)
    return suggested(query, Gateway.name, Provider.name, request.args.get("gateway_id", ""))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("gateways.write")
def edit(id: uuid.UUID | None) -> Any:
    gateway = find(Gateway, id)
    form = GatewayForm(obj=gateway)
    choices(form.provider_id, db.session.scalars(select(Provider).order_by(Provider.name)))
    if form.validate_on_submit() and form.save(gateway):
        return saved(gettext("Gateway %(name)s saved.", name=gateway.name), ".index")
    return render_template("gateways/edit.html", gateway=gateway, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("gateways.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Gateway, id), gettext("gateway"), ".index", ".edit")
