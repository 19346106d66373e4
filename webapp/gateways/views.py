"""Gateways: the SIP peers of our providers."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from webapp import details
from webapp.bulk import DELETE, DISABLE, ENABLE, bulk_page
from webapp.calls import recent
from webapp.calls.lists import DIRECTIONS, DISPOSITIONS
from webapp.details import changes, some
from webapp.dids.models import Allocation, Did
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choices, delete_page, find, form_for, suggested
from webapp.gateways import operations
from webapp.gateways.lists import GATEWAYS
from webapp.gateways.models import Gateway
from webapp.gateways.schemas import GatewaySchema
from webapp.live import operations as live
from webapp.live.models import LiveCall
from webapp.pages import saved
from webapp.permissions import permission
from webapp.providers.models import Provider
from webapp.routes.models import Route

bp = Blueprint("gateways", __name__, url_prefix="/gateways")

GatewayForm = form_for(GatewaySchema)

ACTIONS = (ENABLE, DISABLE, DELETE)


@bp.get("/")
@permission("gateways.read")
def index() -> Any:
    page = GATEWAYS.page()
    return render_template(
        "gateways/index.html",
        page=page,
        actions=ACTIONS,
        seen=live.seen(page.things),
        calls=live.calls_of(LiveCall.gateway_id, page.things),
    )


@bp.get("/export.csv")
@permission("gateways.read")
def export() -> Any:
    return csv_file(GATEWAYS, "gateways")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("gateways.write")
def bulk() -> Any:
    return bulk_page(GATEWAYS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("gateways.read")
def show(id: uuid.UUID) -> Any:
    return _page(id)


@bp.post("/<uuid:id>/password")
@permission("gateways.reveal")
def reveal(id: uuid.UUID) -> Any:
    return _page(id, operations.reveal(db.get_or_404(Gateway, id)))


def _page(id: uuid.UUID, password: str = "") -> str:
    gateway = db.get_or_404(Gateway, id, options=[joinedload(Gateway.provider)])
    return render_template(
        "gateways/show.html",
        thing=gateway,
        password=password,
        seen=live.seen([gateway]),
        calls=live.calls_of(LiveCall.gateway_id, [gateway])[id],
        node=operations.registering_node(gateway) if gateway.registration and gateway.enabled else None,
        routes=some(
            select(Route).where(Route.gateway_id == id),
            Route.priority,
            Route.name,
            url=url_for("routes.index", gateway_id=id),
        ),
        dids=some(
            select(Did).where(Did.gateway_id == id),
            Did.number,
            url=url_for("dids.index", gateway_id=id),
            options=[selectinload(Did.current).joinedload(Allocation.customer)],
        ),
        recent=recent.of_gateway(id),
        directions=DIRECTIONS,
        dispositions=DISPOSITIONS,
        changes=changes(gateway, GatewaySchema),
    )


@bp.get("/suggestions")
@permission("gateways.read")
def suggestions() -> Any:
    """For fields that ask for a gateway."""
    query = select(Gateway).join(Gateway.provider)
    return suggested(query, Gateway.name, Provider.name, request.args.get("gateway_id", ""))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("gateways.write")
def edit(id: uuid.UUID | None) -> Any:
    gateway = find(Gateway, id)
    form = GatewayForm(obj=gateway, provider_id=request.args.get("provider_id"))
    choices(form.provider_id, db.session.scalars(select(Provider).order_by(Provider.name)))
    form.node.choices = [("", gettext("The first node")), *((name, name) for name in operations.nodes())]
    if form.validate_on_submit() and form.save(gateway):
        return saved(gettext("Gateway %(name)s saved.", name=gateway.name), ".show", id=gateway.id)
    return render_template("gateways/edit.html", gateway=gateway, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/enabled")
@permission("gateways.write")
def switch(id: uuid.UUID) -> Any:
    return details.switch(db.get_or_404(Gateway, id), GatewaySchema)


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("gateways.write")
def delete(id: uuid.UUID) -> Any:
    lost = gettext("Its password is gone, and calls from its addresses are strangers' then.")
    return delete_page(db.get_or_404(Gateway, id), gettext("gateway"), ".index", ".show", lost)
