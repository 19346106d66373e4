"""Invoice checks: what a provider bills, held against our calls."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from pydantic import ValidationError
from sqlalchemy import select
from wtforms import FileField

from webapp.export import csv_file, xlsx_file
from webapp.ext import db
from webapp.forms import SchemaForm, choices, form_for
from webapp.imports import reading
from webapp.imports.operations import NotNow, Unfit
from webapp.invoice_checks import operations
from webapp.invoice_checks.kind import BILL
from webapp.invoice_checks.lists import INVOICE_CHECKS, KINDS, LINES
from webapp.invoice_checks.models import InvoiceCheck, InvoiceLine
from webapp.invoice_checks.schemas import BillSchema, InvoiceCheckSchema, ToleranceSchema
from webapp.listing import ListOf
from webapp.permissions import may, permission
from webapp.providers.models import Provider
from webapp.settings import operations as settings
from webapp.settings.schemas import time_zones
from webapp.validation import messages

bp = Blueprint("invoice_checks", __name__, url_prefix="/reports/invoice-checks")

ToleranceForm = form_for(ToleranceSchema)


class BillForm(form_for(BillSchema)):  # type: ignore[misc]  # the class is made of a schema
    """The file of a bill, and what the schema asks of it."""

    file = FileField(lazy_gettext("File"))


@bp.url_value_preprocessor
def take_large_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Whoever may check bills may send large ones. This comes before the form is read to check its token."""
    if endpoint == "invoice_checks.new" and request.method == "POST" and may("invoice_checks.write"):
        request.max_content_length = reading.MOST_BYTES


@bp.get("/")
@permission("invoice_checks.read")
def index() -> Any:
    return render_template("invoice_checks/index.html", page=INVOICE_CHECKS.page())


@bp.route("/new", methods=["GET", "POST"])
@permission("invoice_checks.write")
def new() -> Any:
    form = BillForm(provider_id=request.args.get("provider_id", ""), time_zone=settings.current_or_first().time_zone)
    choices(form.provider_id, db.session.scalars(select(Provider).order_by(Provider.name)))
    if form.validate_on_submit():
        check = _received(form)
        if check:
            return redirect(url_for(".show", id=check.id))
    page = render_template("invoice_checks/new.html", form=form, what=BILL, time_zones=time_zones())
    return page, 422 if form.errors else 200


def _received(form: SchemaForm[BillSchema]) -> InvoiceCheck | None:
    """The check, or None and the reasons in the form."""
    try:
        sent = {"file": request.files.get("file"), **form.valid.model_dump()}
        return operations.bring_in(InvoiceCheckSchema.model_validate(sent))
    except ValidationError as error:
        errors = messages(error)
    except Unfit as unfit:
        errors = unfit.errors
    for name, texts in errors.items():
        form[name].errors = texts
    return None


@bp.get("/<uuid:id>")
@permission("invoice_checks.read")
def show(id: uuid.UUID) -> Any:
    check = db.get_or_404(InvoiceCheck, id)
    if request.headers.get("HX-Request"):
        if not check.working:  # It is done: the page shows what came of it.
            return Response(headers={"HX-Refresh": "true"})
        return render_template("invoice_checks/_progress.html", check=check)
    return _shown(check, _tolerances(check))


def _shown(check: InvoiceCheck, form: SchemaForm[ToleranceSchema]) -> str:
    """The page of a check, with the form to check it again."""
    ready = check.state == "ready"
    return render_template(
        "invoice_checks/show.html",
        check=check,
        page=_lines(check.id).page() if ready else None,
        sums=_sums(check),
        kinds=KINDS,
        what=BILL,
        hints=_hints(check) if ready else [],
        form=form,
        time_zones=time_zones(),
    )


def _hints(check: InvoiceCheck) -> list[str]:
    """What explains many differences at once."""
    found = []
    if check.clock_ahead > 0:
        found.append(gettext("Their clock is %(time)s ahead of ours, which was allowed for.", time=_length(check)))
    if check.clock_ahead < 0:
        found.append(gettext("Their clock is %(time)s behind ours, which was allowed for.", time=_length(check)))
    if check.their_rounding:
        rules = {"theirs": check.their_rounding, "ours": check.our_rounding}
        found.append(gettext("They round to %(theirs)s seconds where %(ours)s is agreed, which explains it.", **rules))
    if not check.has_amounts:
        found.append(gettext("No column is taken for the amount, so only calls and durations are compared."))
    return found


def _length(check: InvoiceCheck) -> str:
    """By how much a clock is wrong: 3 h, or 2 min 17 s."""
    minutes, seconds = divmod(abs(check.clock_ahead), 60)
    hours, minutes = divmod(minutes, 60)
    parts = {"h": hours, "min": minutes, "s": seconds}
    return " ".join(f"{number} {unit}" for unit, number in parts.items() if number)


def _lines(id: uuid.UUID) -> ListOf:
    return LINES.of(InvoiceLine.check_id, id)


def _sums(check: InvoiceCheck) -> dict[str, dict[str, Any]]:
    """What the lines of each kind come to, with amounts as such again, in the order of the kinds."""
    amounts = {kind: {name: Decimal(check.sums[kind][name]) for name in ("billed", "cost")} for kind in check.sums}
    return {kind: check.sums[kind] | amounts[kind] for kind in KINDS if kind in check.sums}


def _tolerances(check: InvoiceCheck) -> SchemaForm[ToleranceSchema]:
    return ToleranceForm(**{name: getattr(check, name) for name in ToleranceSchema.model_fields})


@bp.post("/<uuid:id>/columns")
@permission("invoice_checks.write")
def columns(id: uuid.UUID) -> Any:
    """Which column is what, where the header did not say it, or said it wrong."""
    check = db.get_or_404(InvoiceCheck, id)
    chosen = {name: request.form.get(name, "") for name in BILL.fields}
    positions = {name: int(text) for name, text in chosen.items() if re.fullmatch(r"[0-9]{1,3}", text)}
    try:
        operations.check_again(check, positions, "has_header" in request.form)
    except Unfit:
        flash(gettext("Choose a column for each of the fields that are needed."), "warning")
    except NotNow as why:
        flash(str(why), "warning")
    return redirect(url_for(".show", id=id))


@bp.post("/<uuid:id>/read")
@permission("invoice_checks.write")
def read(id: uuid.UUID) -> Any:
    """Once more: by what is stored now, and by other tolerances if some are sent."""
    check = db.get_or_404(InvoiceCheck, id)
    form, again = _tolerances(check), "time_zone" not in request.form
    if not again and not form.validate():
        return _shown(check, form), 422
    try:
        operations.check_again(check, **({} if again else form.valid.model_dump()))
    except (NotNow, Unfit) as why:
        flash(str(why), "warning")
    return redirect(url_for(".show", id=id))


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("invoice_checks.write")
def delete(id: uuid.UUID) -> Any:
    check, reason = db.get_or_404(InvoiceCheck, id), ""
    name = str(check)
    if request.method == "POST":
        try:
            operations.forget(check)
        except NotNow as why:
            reason = str(why)
        else:
            flash(gettext("%(name)s is deleted.", name=name), "success")
            return redirect(url_for(".index"))
    page = render_template(
        "delete.html",
        thing=check,
        kind=gettext("invoice check"),
        name=name,
        reason=reason,
        cancel_url=url_for(".show", id=id),
    )
    return page, 409 if reason else 200


@bp.get("/<uuid:id>/export.csv")
@permission("invoice_checks.read")
def export(id: uuid.UUID) -> Any:
    """The lines that differ, or those that the page shows."""
    db.get_or_404(InvoiceCheck, id)
    return csv_file(_lines(id), "invoice-check")


@bp.get("/<uuid:id>/export.xlsx")
@permission("invoice_checks.read")
def workbook(id: uuid.UUID) -> Any:
    db.get_or_404(InvoiceCheck, id)
    return xlsx_file(_lines(id), "invoice-check")
