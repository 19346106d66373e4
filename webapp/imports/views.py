"""Imports: files that operators bring in."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from pydantic import ValidationError
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse
from wtforms import FileField, SelectField, StringField

from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import choices
from webapp.imports import applying, looking, mapping, operations, reading
from webapp.imports.kinds import KINDS
from webapp.imports.lists import IMPORTS
from webapp.imports.models import UNDO_DAYS, Import
from webapp.imports.schemas import ImportSchema
from webapp.imports.staging import column_name
from webapp.permissions import may, permission
from webapp.validation import messages

bp = Blueprint("imports", __name__, url_prefix="/imports")


class ImportForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """Which file, and what it is about."""

    file = FileField(lazy_gettext("File"))
    target_id = SelectField(lazy_gettext("Price plan"), choices=[], validate_choice=False)
    valid_from = StringField(
        lazy_gettext("Valid from"),
        description=lazy_gettext(
            "A date, with a time if you like. Empty: from now on. A column of the file goes before it."
        ),
    )


@bp.url_value_preprocessor
def take_large_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Whoever may bring in files may send large ones. This comes before the form is read to check its token."""
    if endpoint == "imports.new" and request.method == "POST" and may("imports.write"):
        request.max_content_length = reading.MOST_BYTES


@bp.get("/")
@permission("imports.read")
def index() -> Any:
    return render_template("imports/index.html", page=IMPORTS.page(), kinds=KINDS)


@bp.get("/export.csv")
@permission("imports.read")
def export() -> Any:
    return csv_file(IMPORTS, "imports")


@bp.route("/new", methods=["GET", "POST"])
@permission("imports.write")
def new() -> Any:
    """A file with ?kind= of things, for the plan or provider ?target= where they belong to one."""
    kind = request.args.get("kind", "")
    if kind not in KINDS:
        abort(404)
    form, what = ImportForm(), KINDS[kind]
    form.target_id.data = form.target_id.data or request.args.get("target", "")
    if what.targets:
        choices(form.target_id, db.session.scalars(select(what.targets).order_by(what.targets.name)))
        form.target_id.label.text = gettext(what.schema.model_fields[what.scope].title or "")
    if form.validate_on_submit():
        import_ = _received(form, kind)
        if import_:
            return redirect(url_for(".show", id=import_.id))
    return render_template("imports/new.html", form=form, kind=kind, what=what), 422 if form.errors else 200


def _received(form: ImportForm, kind: str) -> Import | None:
    """The import, or None and the reasons in the form."""
    what = KINDS[kind]
    sent = {
        "file": request.files.get("file"),
        "kind": kind,
        "target_id": (what.targets and form.target_id.data) or None,
        "valid_from": (what.dated and (form.valid_from.data or "").strip()) or None,
    }
    try:
        return operations.bring_in(ImportSchema.model_validate(sent))
    except ValidationError as error:
        errors = messages(error)
    except operations.Unfit as unfit:
        errors = unfit.errors
    for name, texts in errors.items():
        form[name].errors = texts
    return None


@bp.get("/<uuid:id>")
@permission("imports.read")
def show(id: uuid.UUID) -> Any:
    import_ = db.get_or_404(Import, id)
    what = KINDS[import_.kind]
    values: dict[str, Any] = {"import_": import_, "what": what, "column_name": column_name}
    if request.headers.get("HX-Request"):
        if not import_.working:  # It is done: the page shows what came of it.
            return Response(headers={"HX-Refresh": "true"})
        return render_template("imports/_progress.html", **values)
    if preview := looking.preview(import_):
        values |= {"preview": preview, "names": looking.names(import_, preview), "unused": mapping.unused(import_)}
    target = db.session.get(what.targets, import_.target_id) if what.targets and import_.target_id else None
    values |= {"target": target, "may_be_applied": applying.may_be_applied(import_), "undo_days": UNDO_DAYS}
    return render_template("imports/show.html", **values)


@bp.post("/<uuid:id>/columns")
@permission("imports.write")
def columns(id: uuid.UUID) -> Any:
    """Which column is what, where the header did not say it."""
    import_ = db.get_or_404(Import, id)
    chosen = {name: request.form.get(name, "") for name in KINDS[import_.kind].fields}
    positions = {name: int(text) for name, text in chosen.items() if re.fullmatch(r"[0-9]{1,3}", text)}
    try:
        operations.choose_columns(import_, positions, "has_header" in request.form)
    except operations.Unfit:
        flash(gettext("Choose a column for each of the fields that are needed."), "warning")
    except operations.NotNow as why:
        flash(str(why), "warning")
    return redirect(url_for(".show", id=id))


@bp.post("/<uuid:id>/read")
@permission("imports.write")
def read(id: uuid.UUID) -> Any:
    return _ask(operations.read_again, id)


@bp.post("/<uuid:id>/apply")
@permission("imports.write")
def apply(id: uuid.UUID) -> Any:
    return _ask(operations.apply, id)


@bp.post("/<uuid:id>/undo")
@permission("imports.write")
def undo(id: uuid.UUID) -> Any:
    return _ask(operations.undo, id)


def _ask(action: Callable[[Import], None], id: uuid.UUID) -> BaseResponse:
    try:
        action(db.get_or_404(Import, id))
    except operations.NotNow as why:
        flash(str(why), "warning")
    return redirect(url_for(".show", id=id))


@bp.get("/<uuid:id>/rejected.csv")
@permission("imports.read")
def rejected(id: uuid.UUID) -> Any:
    import_ = db.get_or_404(Import, id)
    if import_.state != "ready":
        abort(404)
    return looking.rejected_csv(import_)
