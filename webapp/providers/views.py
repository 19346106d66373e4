"""Providers: the carriers we buy minutes and numbers from."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager, selectinload

from webapp.bulk import DELETE, bulk_page
from webapp.calls import recent
from webapp.calls.lists import DIRECTIONS, DISPOSITIONS
from webapp.details import changes, some
from webapp.dids.models import Allocation, Did
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import delete_page, find, form_for
from webapp.gateways.models import Gateway
from webapp.pages import saved
from webapp.permissions import permission
from webapp.providers.lists import PROVIDERS
from webapp.providers.models import Provider
from webapp.providers.schemas import ProviderSchema
from webapp.routes.models import Route
from webapp.tariffs import prices
from webapp.tariffs.models import ProviderTariff

bp = Blueprint("providers", __name__, url_prefix="/providers")

ProviderForm = form_for(ProviderSchema)

ACTIONS = (DELETE,)


@bp.get("/")
@permission("providers.read")
def index() -> Any:
    return render_template("providers/index.html", page=PROVIDERS.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("providers.read")
def export() -> Any:
    return csv_file(PROVIDERS, "providers")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("providers.write")
def bulk() -> Any:
    return bulk_page(PROVIDERS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("providers.read")
def show(id: uuid.UUID) -> Any:
    provider = db.get_or_404(Provider, id)
    tariffs = some(
        select(ProviderTariff).where(ProviderTariff.provider_id == id),
        ProviderTariff.prefix,
        ProviderTariff.valid_from,
        url=url_for("tariffs.deck", id=id, show="all"),
    )
    statuses = select(Did.status, func.count()).where(Did.provider_id == id).group_by(Did.status).order_by(Did.status)
    return render_template(
        "providers/show.html",
        thing=provider,
        gateways=some(
            select(Gateway).where(Gateway.provider_id == id),
            Gateway.name,
            url=url_for("gateways.index", provider_id=id),
        ),
        routes=some(
            select(Route).join(Route.gateway).where(Gateway.provider_id == id),
            Route.priority,
            Route.name,
            url=url_for("routes.index", provider_id=id),
            options=[contains_eager(Route.gateway)],
        ),
        statuses=db.session.execute(statuses).all(),
        dids=some(
            select(Did).where(Did.provider_id == id),
            Did.number,
            url=url_for("dids.index", provider_id=id),
            options=[selectinload(Did.current).joinedload(Allocation.customer)],
        ),
        tariffs=tariffs,
        appraisals=prices.appraise_deck(tariffs.things),
        recent=recent.of_provider(id),
        directions=DIRECTIONS,
        dispositions=DISPOSITIONS,
        changes=changes(provider, ProviderSchema),
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("providers.write")
def edit(id: uuid.UUID | None) -> Any:
    provider = find(Provider, id)
    form = ProviderForm(obj=provider)
    if form.validate_on_submit() and form.save(provider):
        return saved(gettext("Provider %(name)s saved.", name=provider.name), ".show", id=provider.id)
    return render_template("providers/edit.html", provider=provider, form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("providers.write")
def delete(id: uuid.UUID) -> Any:
    count = db.session.scalar(select(func.count()).where(ProviderTariff.provider_id == id)) or 0
    lost = ngettext(
        "What it charges is lost with it (%(num)s tariff).", "What it charges is lost with it (%(num)s tariffs).", count
    )
    return delete_page(
        db.get_or_404(Provider, id), gettext("provider"), ".index", ".show", lost=str(lost) if count else ""
    )
