"""Imports: files that operators bring in."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, stream_with_context, url_for
from flask_babel import get_locale, gettext, lazy_gettext
from flask_wtf import FlaskForm
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse
from wtforms import FileField, SelectField, StringField

from webapp.export import csv_file
from webapp.ext import Managed, db
from webapp.forms import choices
from webapp.imports import applying, comparing, keeping, looking, mapping, reading, receiving, working
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.lists import IMPORTS
from webapp.imports.models import Import
from webapp.imports.staging import column_name
from webapp.permissions import may, permission
from webapp.validation import Moment, messages, translated

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
        import_ = _received(form, kind, what)
        if import_:
            if import_.state == "reading":
                working.start(import_, comparing.read)
            return redirect(url_for(".show", id=import_.id))
    return render_template("imports/new.html", form=form, kind=kind, what=what), 422 if form.errors else 200


def _received(form: ImportForm, kind: str, what: Kind) -> Import | None:
    """The import, or None and the reasons in the form."""
    target = _target(form, what)
    moment = _moment(form) if what.dated else None
    file = request.files.get("file")
    if not file or not file.filename:
        form.file.errors = [gettext("Choose a file.")]
    if form.errors or not file:
        return None
    try:
        return receiving.receive(file, kind, target, moment)
    except reading.Unreadable as error:
        form.file.errors = [translated(error.sentence, error.values)]
        return None
    finally:
        file.close()  # A large one is on the disk.


def _target(form: ImportForm, what: Kind) -> uuid.UUID | None:
    if not what.targets:
        return None
    try:
        found: Managed | None = db.session.get(what.targets, uuid.UUID(form.target_id.data or ""))
    except ValueError:
        found = None
    if not found:
        form.target_id.errors = [gettext("Choose one of the options.")]
        return None
    return found.id


def _moment(form: ImportForm) -> dt.datetime:
    typed = (form.valid_from.data or "").strip()
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    try:
        return TypeAdapter(Moment).validate_python(typed) if typed else now
    except ValidationError as error:
        form.valid_from.errors = [" ".join(texts) for texts in messages(error).values()]
        return now


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
    if import_.state == "mapping":
        values |= {"missing": mapping.missing(import_)}
    if import_.state == "ready":
        values |= _preview(import_, what)
    target = db.session.get(what.targets, import_.target_id) if what.targets and import_.target_id else None
    return render_template("imports/show.html", target=target, **values)


def _preview(import_: Import, what: Kind) -> dict[str, Any]:
    outcomes = {name: looking.sample(import_, name) for name in ("new", "changed") if import_.counts[name]}
    losing = comparing.below_cost(import_, what)
    below = db.session.execute(losing.order_by("line").limit(looking.SHOWN)).all() if losing is not None else []
    return {
        "outcomes": outcomes,
        "rejected": looking.rejected(import_) if import_.counts["rejected"] else [],
        "below": below,
        "names": looking.names(import_, outcomes),
        "unused": mapping.unused(import_),
    }


@bp.post("/<uuid:id>/columns")
@permission("imports.write")
def columns(id: uuid.UUID) -> Any:
    """Which column is what, where the header did not say it."""
    import_ = db.get_or_404(Import, id)
    if not mapping.choose(import_, dict(request.form.items())):
        flash(gettext("Choose a column for each of the fields that are needed."), "warning")
        return redirect(url_for(".show", id=id))
    return _go_on(import_, "reading", comparing.read, *mapping.REMAPPED)


@bp.post("/<uuid:id>/read")
@permission("imports.write")
def read(id: uuid.UUID) -> Any:
    """Once more: whoever read it has died, or what is stored has changed."""
    return _go_on(db.get_or_404(Import, id), "reading", comparing.read, "ready")


@bp.post("/<uuid:id>/apply")
@permission("imports.write")
def apply(id: uuid.UUID) -> Any:
    import_ = db.get_or_404(Import, id)
    if not applying.may_be_applied(import_):
        flash(gettext("Nothing was applied: there is nothing to apply, or lines are refused."), "warning")
        return redirect(url_for(".show", id=id))
    return _go_on(import_, "applying", applying.apply, "ready")


@bp.post("/<uuid:id>/undo")
@permission("imports.write")
def undo(id: uuid.UUID) -> Any:
    return _go_on(db.get_or_404(Import, id), "undoing", applying.undo, "applied")


def _go_on(import_: Import, doing: str, step: working.Step, *states: str) -> BaseResponse:
    if working.claim(import_, doing, *states):
        working.start(import_, step)
    else:
        flash(gettext("Nothing was done: somebody else is at it, or was before you."), "warning")
    return redirect(url_for(".show", id=import_.id))


@bp.get("/<uuid:id>/rejected.csv")
@permission("imports.read")
def rejected(id: uuid.UUID) -> Any:
    """The lines that were refused, as they are in the file, with the reason at the end: to correct and send again."""
    import_ = db.get_or_404(Import, id)
    if import_.state != "ready":
        abort(404)
    name = f"rejected-{import_.created_at:%Y-%m-%d}.csv"
    answer = Response(stream_with_context(_rejected_lines(import_)), mimetype="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _rejected_lines(import_: Import) -> Iterator[str]:
    # Spreadsheets in Brazil take the comma for the decimal sign, and know UTF-8 by its mark only.
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if str(get_locale()).startswith("pt") else ",")
    out.write("\ufeff")
    line = KINDS[import_.kind].line
    wrong = select(line.line, line.errors).where(line.import_id == import_.id, line.errors.is_not(None))
    refused = db.session.execute(wrong.order_by(line.line).execution_options(yield_per=1000))
    with keeping.kept(db.session(), import_) as file, reading.lines(file) as lines:
        if import_.has_header:
            writer.writerow([*map(_harmless, next(lines)[1]), gettext("Reason")])
        for number, errors in refused:
            cells = next(cells for n, cells in lines if n == number)
            reason = " ".join(f"{each['column']}: {each['reason']}" for each in errors)
            writer.writerow([*map(_harmless, cells), _harmless(reason)])
            if out.tell() > 1 << 16:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet would take for a formula, as text. Amounts and numbers are no formulas."""
    risky = cell[:1] in ("=", "@", "\t", "\r") or (cell[:1] in ("+", "-") and cell[1:].strip(" ()-.,0123456789") != "")
    return f"'{cell}" if risky else cell
