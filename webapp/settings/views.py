"""Settings: what the company has settled for all its customers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, url_for
from flask_babel import gettext
from sqlalchemy import select

from webapp.customers.models import Customer
from webapp.ext import db
from webapp.forms import choose, form_for
from webapp.pages import saved
from webapp.permissions import permission
from webapp.settings import operations
from webapp.settings.schemas import SettingsSchema, time_zones

bp = Blueprint("settings", __name__, url_prefix="/settings")

SettingsForm = form_for(SettingsSchema)


@bp.get("/")
@permission("settings.read")
def index() -> Any:
    settings = operations.stored()
    payer = db.session.get(Customer, settings.conference_customer_id) if settings.conference_customer_id else None
    return render_template("settings/index.html", form=SettingsForm(obj=settings), payer=payer)


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
    if form.validate_on_submit() and form.save(settings):
        return saved(gettext("Settings saved."), ".index")
    page = render_template("settings/edit.html", form=form, time_zones=time_zones())
    return page, 422 if form.errors else 200
