"""Routes: where an outbound call may leave."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp import details
from webapp.bulk import DELETE, DISABLE, ENABLE, bulk_page
from webapp.details import changes
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choose, delete_page, find, form_for
from webapp.gateways.models import Gateway
from webapp.pages import saved
from webapp.permissions import permission
from webapp.routes import operations, patterns
from webapp.routes.lists import ROUTES
from webapp.routes.models import Route
from webapp.routes.schemas import RouteSchema

bp = Blueprint("routes", __name__, url_prefix="/routes")

RouteForm = form_for(RouteSchema)


def _dead_ends(routes: Sequence[Route]) -> Iterable[str]:
    for route in operations.without_gateway(routes):
        yield gettext("%(name)s: gateway %(gateway)s is disabled", name=route.name, gateway=route.gateway.name)


ACTIONS = (replace(ENABLE, obstacles=_dead_ends), DISABLE, DELETE)


@bp.get("/")
@permission("routes.read")
def index() -> Any:
    return render_template("routes/index.html", page=ROUTES.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("routes.read")
def export() -> Any:
    return csv_file(ROUTES, "routes")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("routes.write")
def bulk() -> Any:
    return bulk_page(ROUTES, ACTIONS)


@bp.get("/<uuid:id>")
@permission("routes.read")
def show(id: uuid.UUID) -> Any:
    route = db.get_or_404(Route, id, options=[joinedload(Route.gateway).joinedload(Gateway.provider)])
    return render_template(
        "routes/show.html",
        thing=route,
        words=patterns.in_words(route.pattern),
        example=patterns.example(route.pattern),
        changes=changes(route, RouteSchema),
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("routes.write")
def edit(id: uuid.UUID | None) -> Any:
    route = find(Route, id)
    form = RouteForm(obj=route, gateway_id=request.args.get("gateway_id"))
    choose(form.gateway_id, select(Gateway).order_by(Gateway.name), Gateway.name, url_for("gateways.suggestions"))
    if form.validate_on_submit() and form.save(route, lambda: operations.save(route)):
        return saved(gettext("Route %(name)s saved.", name=route.name), ".show", id=route.id)
    return render_template("routes/edit.html", route=route, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/enabled")
@permission("routes.write")
def switch(id: uuid.UUID) -> Any:
    return details.switch(db.get_or_404(Route, id), RouteSchema, operations.save)


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("routes.write")
def delete(id: uuid.UUID) -> Any:
    lost = gettext("Calls to such numbers leave by other routes, or not at all if there are none.")
    return delete_page(db.get_or_404(Route, id), gettext("route"), ".index", ".show", lost)
