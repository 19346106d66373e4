"""Tariffs: price plans with what we sell, and decks with what providers charge."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext, ngettext
from pydantic import ValidationError
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp import store, typed
from webapp.bulk import DELETE, bulk_page
from webapp.customers.models import Customer
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choices, delete_page, find, form_for
from webapp.listing import ListOf
from webapp.pages import saved
from webapp.permissions import permission
from webapp.providers.models import Provider
from webapp.tariffs import operations, prices
from webapp.tariffs.lists import DECKS, PRICE_PLANS, TARIFFS
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tariffs.prices import Line
from webapp.tariffs.schemas import LookupSchema, PlanCopySchema, PricePlanSchema, ProviderTariffSchema, TariffSchema
from webapp.validation import Schema, messages

bp = Blueprint("tariffs", __name__)

PricePlanForm = form_for(PricePlanSchema)
PlanCopyForm = form_for(PlanCopySchema)
TariffForm = form_for(TariffSchema)
ProviderTariffForm = form_for(ProviderTariffSchema)


def _what_is_lost(lines: Sequence[Line]) -> Iterable[str]:
    yield from DELETE.warnings(lines)
    yield _what_counts_then(lines)


def _dated(line: Line) -> str:
    """Of a prefix there may be many."""
    return str(gettext("%(name)s, from %(time)s", name=line, time=typed.when(line.valid_from)))


ACTIONS = (replace(DELETE, warnings=_what_is_lost, called=_dated),)


# ---- price plans


@bp.get("/price-plans/")
@permission("tariffs.read")
def index() -> Any:
    plans = PRICE_PLANS.page()
    ids = [plan.id for plan in plans.things]
    return render_template(
        "tariffs/index.html",
        page=plans,
        tariffs=_counted(Tariff.price_plan_id, ids),
        customers=_counted(Customer.price_plan_id, ids),
        providers=db.session.scalars(select(Provider).where(Provider.type != "numbers").order_by(Provider.name)).all(),
    )


@bp.get("/price-plans/export.csv")
@permission("tariffs.read")
def export() -> Any:
    return csv_file(PRICE_PLANS, "price-plans")


@bp.get("/price-plans/<uuid:id>")
@permission("tariffs.read")
def show(id: uuid.UUID) -> Any:
    plan, listing = db.get_or_404(PricePlan, id), _tariffs_of(id)
    lines = listing.page()
    losing = lines.chosen.get("show") == "loss"
    lookup = _lookup(lambda number, at: prices.tariff_for(id, number, at))
    return render_template(
        "tariffs/show.html",
        plan=plan,
        page=lines,
        actions=ACTIONS,
        losing=losing,
        compared=not losing or prices.few(listing.narrow(listing.query, {**lines.chosen, "show": ""})),
        lookup=lookup,
        appraisals=prices.appraise([*lines.things, *lookup.lines]),
        customers=_counted(Customer.price_plan_id, [id]).get(id, 0),
        losses=prices.losses(id),
        most_losses=prices.MOST_LOSSES,
    )


@bp.route("/price-plans/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/price-plans/<uuid:id>/edit", methods=["GET", "POST"])
@permission("tariffs.write")
def edit(id: uuid.UUID | None) -> Any:
    plan = find(PricePlan, id)
    form = PricePlanForm(obj=plan)
    plans = db.session.scalars(select(PricePlan).order_by(PricePlan.name))
    choices(form.inbound_plan_id, plans, nothing=gettext("None: they are free"))
    if form.validate_on_submit() and form.save(plan):
        return saved(gettext("Price plan %(name)s saved.", name=plan.name), ".show", id=plan.id)
    return render_template("tariffs/edit.html", plan=plan, form=form), 422 if form.errors else 200


@bp.route("/price-plans/<uuid:id>/copy", methods=["GET", "POST"])
@permission("tariffs.write")
def copy(id: uuid.UUID) -> Any:
    plan = db.get_or_404(PricePlan, id)
    form = PlanCopyForm()
    if form.validate_on_submit():
        try:
            new_id = operations.copy(plan, form.valid)
        except store.Refused as refused:
            form.refuse(refused)
        else:
            return saved(gettext("Price plan %(name)s saved.", name=form.valid.name), ".show", id=new_id)
    return render_template("tariffs/copy.html", plan=plan, form=form), 422 if form.errors else 200


@bp.route("/price-plans/<uuid:id>/delete", methods=["GET", "POST"])
@permission("tariffs.write")
def delete(id: uuid.UUID) -> Any:
    plan = db.get_or_404(PricePlan, id)
    count = operations.tariff_count(id)
    warning = ngettext("Its %(num)s tariff is lost with it.", "Its %(num)s tariffs are lost with it.", count)
    return delete_page(
        plan,
        gettext("price plan"),
        ".index",
        ".show",
        lost=warning if count else "",
        remove=operations.delete,
    )


# ---- the tariffs of a plan


def _tariffs_of(id: uuid.UUID) -> ListOf:
    return TARIFFS.of(Tariff.price_plan_id, id)


@bp.get("/price-plans/<uuid:id>/tariffs.csv")
@permission("tariffs.read")
def export_tariffs(id: uuid.UUID) -> Any:
    db.get_or_404(PricePlan, id)
    return csv_file(_tariffs_of(id), "tariffs")


@bp.route("/price-plans/<uuid:id>/tariffs/bulk", methods=["GET", "POST"])
@permission("tariffs.write")
def bulk_tariffs(id: uuid.UUID) -> Any:
    db.get_or_404(PricePlan, id)
    return bulk_page(_tariffs_of(id), ACTIONS)


@bp.route("/price-plans/<uuid:id>/tariffs/new", methods=["GET", "POST"])
@permission("tariffs.write")
def new_tariff(id: uuid.UUID) -> Any:
    plan = db.get_or_404(PricePlan, id)
    like = _like(Tariff, TariffSchema, Tariff.price_plan_id == id)
    return _edit_tariff(plan, Tariff(), TariffForm(data=like | {"price_plan_id": id}))


@bp.route("/tariffs/<uuid:id>/edit", methods=["GET", "POST"])
@permission("tariffs.write")
def edit_tariff(id: uuid.UUID) -> Any:
    anew = _anew(".new_tariff", "price_plan_id")
    tariff = find(Tariff, id, anew)
    return _edit_tariff(tariff.price_plan, tariff, TariffForm(obj=tariff), anew)


def _edit_tariff(plan: PricePlan, tariff: Tariff, form: Any, anew: str = "") -> Any:
    form.anew = anew
    return _edit_line(tariff, form, plan, ".show", ".new_tariff", ".delete_tariff")


@bp.route("/tariffs/<uuid:id>/delete", methods=["GET", "POST"])
@permission("tariffs.write")
def delete_tariff(id: uuid.UUID) -> Any:
    tariff = db.get_or_404(Tariff, id)
    return delete_page(
        tariff, gettext("tariff"), ".show", ".edit_tariff", lost=_what_counts_then([tariff]), id=tariff.price_plan_id
    )


# ---- the decks of providers


@bp.get("/providers/<uuid:id>/tariffs")
@permission("tariffs.read")
def deck(id: uuid.UUID) -> Any:
    provider = db.get_or_404(Provider, id)
    lines = _deck_of(id).page()
    lookup = _lookup(lambda number, at: prices.provider_tariff_for(id, number, at))
    return render_template(
        "tariffs/deck.html",
        provider=provider,
        page=lines,
        actions=ACTIONS,
        lookup=lookup,
        appraisals=prices.appraise_deck([*lines.things, *lookup.lines]),
    )


def _deck_of(id: uuid.UUID) -> ListOf:
    return DECKS.of(ProviderTariff.provider_id, id)


@bp.get("/providers/<uuid:id>/tariffs.csv")
@permission("tariffs.read")
def export_deck(id: uuid.UUID) -> Any:
    db.get_or_404(Provider, id)
    return csv_file(_deck_of(id), "tariffs")


@bp.route("/providers/<uuid:id>/tariffs/bulk", methods=["GET", "POST"])
@permission("tariffs.write")
def bulk_deck(id: uuid.UUID) -> Any:
    db.get_or_404(Provider, id)
    return bulk_page(_deck_of(id), ACTIONS)


@bp.route("/providers/<uuid:id>/tariffs/new", methods=["GET", "POST"])
@permission("tariffs.write")
def new_deck_line(id: uuid.UUID) -> Any:
    provider = db.get_or_404(Provider, id)
    like = _like(ProviderTariff, ProviderTariffSchema, ProviderTariff.provider_id == id)
    return _edit_deck_line(provider, ProviderTariff(), ProviderTariffForm(data=like | {"provider_id": id}))


@bp.route("/provider-tariffs/<uuid:id>/edit", methods=["GET", "POST"])
@permission("tariffs.write")
def edit_deck_line(id: uuid.UUID) -> Any:
    anew = _anew(".new_deck_line", "provider_id")
    line = find(ProviderTariff, id, anew)
    return _edit_deck_line(line.provider, line, ProviderTariffForm(obj=line), anew)


def _edit_deck_line(provider: Provider, line: ProviderTariff, form: Any, anew: str = "") -> Any:
    form.anew = anew
    return _edit_line(line, form, provider, ".deck", ".new_deck_line", ".delete_deck_line")


@bp.route("/provider-tariffs/<uuid:id>/delete", methods=["GET", "POST"])
@permission("tariffs.write")
def delete_deck_line(id: uuid.UUID) -> Any:
    line = db.get_or_404(ProviderTariff, id)
    return delete_page(
        line, gettext("tariff"), ".deck", ".edit_deck_line", lost=_what_counts_then([line]), id=line.provider_id
    )


# ---- what they share


def _edit_line(line: Line, form: Any, owner: PricePlan | Provider, back: str, new: str, delete: str) -> Any:
    """The form of a line of a price plan or deck, its `owner`; the others are endpoints."""
    if form.validate_on_submit() and form.save(line):
        message = gettext("Tariff %(prefix)s saved.", prefix=line.prefix)
        return saved(message, back, id=owner.id, q=line.prefix, show="all")
    return render_template(
        "tariffs/edit_line.html",
        line=line,
        form=form,
        owner=owner,
        back_url=url_for(back, id=owner.id),
        new_url=url_for(new, id=owner.id, like=line.id) if line.id else "",
        delete_url=url_for(delete, id=line.id) if line.id else "",
        has_begun=_has_begun(line),
    ), 422 if form.errors else 200


@dataclass(frozen=True)
class Lookup:
    """The question which line counts for a number, as it was typed, and the answer."""

    typed: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    line: Line | None = None

    @property
    def lines(self) -> list[Any]:
        return [self.line] if self.line else []


def _lookup(find: Callable[[str, dt.datetime], Line | None]) -> Lookup:
    """Ask `find` about the number in the query of the page, if there is one."""
    typed = {name: request.args.get(name, "").strip()[:80] for name in ("number", "at")}
    if not typed["number"]:
        return Lookup()
    try:
        asked = LookupSchema.model_validate({name: text for name, text in typed.items() if text})
    except ValidationError as error:
        return Lookup(typed, messages(error))
    return Lookup(typed, line=find(asked.number, asked.at))


def _counted(column: InstrumentedAttribute[Any], ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many things refer to each of `ids`."""
    query = select(column, func.count()).where(column.in_(ids)).group_by(column)
    return dict(iter(db.session.execute(query)))


def _anew(endpoint: str, owner: str) -> str:
    """Where a line that is deleted while its form is open can be made anew: at the `owner` that the form names."""
    try:
        return url_for(endpoint, id=uuid.UUID(request.form.get(owner, "")), restored=1)
    except ValueError:
        return ""


def _like(kind: prices.Kind, schema: type[Schema], mine: ColumnElement[bool]) -> dict[str, Any]:
    """What a new line begins with: the values of the line that ?like= names, but for its date."""
    try:
        id = uuid.UUID(request.args.get("like", ""))
    except ValueError:
        return {}
    line = db.session.scalar(select(kind).where(kind.id == id, mine))
    return {name: getattr(line, name) for name in schema.model_fields if name != "valid_from"} if line else {}


def _has_begun(line: Line) -> bool:
    """Whether calls may have been rated by it."""
    return line.id is not None and line.valid_from <= dt.datetime.now(dt.UTC)


def _what_counts_then(lines: Sequence[Line]) -> str:
    """What becomes of calls when these lines are gone."""
    told = gettext(
        "Calls that were rated keep their price. For later ones an earlier price of the prefix counts again, "
        "or else a shorter prefix."
    )
    left = prices.left_without(lines)
    nothing = ngettext(
        "For %(num)s prefix there is neither: nothing counts for it any more.",
        "For %(num)s prefixes there is neither: nothing counts for them any more.",
        left,
    )
    return f"{told} {nothing}" if left else str(told)
