"""Alerts: whom to tell when something needs somebody, and what was told."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext

from webapp.alerts import operations
from webapp.alerts.schemas import AlertSettingsSchema
from webapp.details import changes
from webapp.forms import form_for
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("alerts", __name__, url_prefix="/fraud/alerts")

AlertSettingsForm = form_for(AlertSettingsSchema)


@bp.get("/")
@permission("alerts.read")
def index() -> Any:
    settings = operations.stored()
    return render_template(
        "alerts/index.html",
        settings=settings,
        channels=operations.channels(settings),
        alerts=operations.latest(),
        form=AlertSettingsForm(obj=settings),
        changes=changes(settings, AlertSettingsSchema),
    )


@bp.route("/edit", methods=["GET", "POST"])
@permission("alerts.write")
def edit() -> Any:
    settings = operations.stored()
    form = AlertSettingsForm(obj=settings)
    if form.validate_on_submit() and form.save(settings):
        return saved(gettext("Alerts saved. Send a test alert to see whether it arrives."), ".index")
    return render_template("alerts/edit.html", form=form), 422 if form.errors else 200


@bp.post("/test")
@permission("alerts.write")
def test() -> Any:
    """Send an alert that says that it is none."""
    try:
        operations.send_test()
    except operations.NobodyToTell:
        flash(gettext("Say first whom to tell."), "warning")
        return redirect(url_for(".index"))
    return saved(gettext("A test alert is on its way. The list below says what became of it."), ".index")
