"""Routes: where an outbound call may leave."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp.ext import db
from webapp.forms import choose, delete_page, find, form_for
from webapp.gateways.models import Gateway
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission
from webapp.routes import operations
from webapp.routes.models import Route
from webapp.routes.schemas import RouteSchema

bp = Blueprint("routes", __name__, url_prefix="/routes")

RouteForm = form_for(RouteSchema)


@bp.get("/")
@permission("routes.read")
def index() -> Any:
    query = select(Route).join(Route.gateway).options(joinedload(Route.gateway))
    query = query.where(*matches(Route.name, Route.pattern, Gateway.name))
    return render_template("routes/index.html", page=page(query, Route.priority, Route.name))


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>", methods=["GET", "POST"])
@permission("routes.write")
def edit(id: uuid.UUID | None) -> Any:
    route = find(Route, id)
    form = RouteForm(obj=route)
    choose(form.gateway_id, select(Gateway).order_by(Gateway.name), Gateway.name, url_for("gateways.suggestions"))
    if form.validate_on_submit() and form.save(route, lambda: operations.save(route)):
        return saved(gettext("Route %(name)s saved.", name=route.name), ".index")
    return render_template("routes/edit.html", route=route, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("routes.write")
def delete(id: uuid.UUID) -> Any:
    return delete_page(db.get_or_404(Route, id), gettext("route"), ".index", ".edit")
