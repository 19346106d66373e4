"""Settings: what the company has settled for all its customers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, url_for
from flask_babel import gettext
from sqlalchemy import select

from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.ext import Managed, db
from webapp.forms import choices, choose, form_for
from webapp.pages import saved
from webapp.permissions import permission
from webapp.settings import operations
from webapp.settings.schemas import SettingsSchema, time_zones

bp = Blueprint("settings", __name__, url_prefix="/settings")

SettingsForm = form_for(SettingsSchema)

# The settings that name another thing.
CHOSEN: dict[str, type[Managed]] = {
    "conference_customer_id": Customer,
    "default_blocked_list_id": DestinationList,
    "default_allowed_list_id": DestinationList,
}


@bp.get("/")
@permission("settings.read")
def index() -> Any:
    settings = operations.stored()
    chosen = {
        name: db.session.get(kind, getattr(settings, name)) if getattr(settings, name) else None
        for name, kind in CHOSEN.items()
    }
    return render_template("settings/index.html", form=SettingsForm(obj=settings), chosen=chosen)


@bp.route("/edit", methods=["GET", "POST"])
@permission("settings.write")
def edit() -> Any:
    settings = operations.stored()
    form = SettingsForm(obj=settings)
    customers = select(Customer).order_by(Customer.name, Customer.code)
    choose(
        form.conference_customer_id,
        customers,
        Customer.code,
        url_for("customers.suggestions"),
        nothing=gettext("Nobody"),
    )
    lists = db.session.scalars(select(DestinationList).order_by(DestinationList.name)).all()
    for field in (form.default_blocked_list_id, form.default_allowed_list_id):
        choices(field, lists, nothing=gettext("None"))
    if form.validate_on_submit() and form.save(settings):
        return saved(gettext("Settings saved."), ".index")
    page = render_template("settings/edit.html", form=form, time_zones=time_zones())
    return page, 422 if form.errors else 200
