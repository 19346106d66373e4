"""Files, for programs: brought in, looked at, applied and undone as on the pages."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Response, abort, make_response, request
from flask_openapi import Tag
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python

from webapp.api import Identified, bp, conflict, narrowed_list, query_of, refused, shown
from webapp.ext import db
from webapp.imports import looking, mapping, operations, reading
from webapp.imports.kinds import KINDS
from webapp.imports.lists import IMPORTS
from webapp.imports.models import UNDO_DAYS, Import
from webapp.imports.schemas import ColumnsSchema, ImportSchema
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [
    Tag(name="imports", description="Files that are brought in: read, compared, applied as a whole, undone.")
]


class ImportAnswer(BaseModel):
    """A file, and how far it is."""

    id: uuid.UUID
    kind: str
    target_id: uuid.UUID | None
    file_name: str
    username: str = Field(description="Who brought it in.")
    created_at: dt.datetime
    state: str = Field(
        description="mapping: choose the columns. reading, applying, undoing: ask again in a second. "
        "ready: to be applied. Then applied, undone, or failed."
    )
    interrupted: bool = Field(description="Whoever worked at it was stopped. Nothing was changed; ask for it again.")
    error: str = Field(description="Why the last step did not work. Nothing was changed.")
    valid_from: dt.datetime | None
    has_header: bool
    columns: dict[str, int] = Field(description="Field -> position of its column, counted from 0.")
    progress: int = Field(description="Lines read, of `total`; 0 where that is not known.")
    total: int
    counts: dict[str, int] = Field(description="Lines: new, changed, unchanged, rejected, below_cost.")
    applied_at: dt.datetime | None
    undone_at: dt.datetime | None
    undo_until: dt.datetime | None


class Wrong(BaseModel):
    column: str
    value: str | None
    reason: str


class RejectedLine(BaseModel):
    line: int
    errors: list[Wrong]


class Line(BaseModel):
    """A line and what is stored where it belongs: `before` is null for what is new."""

    line: int
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any]


class LosingLine(BaseModel):
    line: int
    prefix: str
    cost_per_minute: Decimal
    price_per_minute: Decimal


class ImportDetail(ImportAnswer):
    """A file, and what is known of its lines: of each sort the first ones."""

    header: list[list[str]] = Field(description="The first lines of the file.")
    missing: list[str] = Field(description="Fields that are needed and that no column was found for.")
    unused: list[str] = Field(description="Columns of the file that are not brought in.")
    new: list[Line]
    changed: list[Line]
    rejected: list[RejectedLine] = Field(description="Nothing is applied while there are any.")
    below_cost: list[LosingLine] = Field(description="What would be sold below its cost.")


class ImportList(BaseModel):
    items: list[ImportAnswer]
    next_cursor: str | None


@bp.before_request
def take_large_files() -> None:
    """It is known by now that whoever sends one may bring in files."""
    if request.endpoint == "api.imports_create":
        request.max_content_length = reading.MOST_BYTES


def imports_index(query: Any) -> Response:
    """The latest first."""
    return narrowed_list(ImportAnswer, IMPORTS, query)


imports_index.__annotations__["query"] = query_of("imports", IMPORTS)
bp.get("/imports/", tags=TAGS, summary="List imports", responses={200: ImportList}, endpoint="imports_index")(
    permission("imports.read")(imports_index)
)


@bp.post("/imports/", tags=TAGS, summary="Bring in a file", responses={202: ImportAnswer})
@permission("imports.write")
def imports_create(form: ImportSchema) -> Response:
    """It is read and compared while you ask how far it is; nothing is stored before it is applied."""
    try:
        import_ = operations.bring_in(form)
    except operations.Unfit as unfit:
        return refused(unfit.errors)
    return _accepted(import_.id)


@bp.get("/imports/<uuid:id>", tags=TAGS, summary="Read an import", responses={200: ImportDetail})
@permission("imports.read")
def imports_read(path: Identified) -> Response:
    """How far it is, and when it is ready what applying it would do."""
    import_ = db.get_or_404(Import, path.id)
    kind = KINDS[import_.kind]
    preview = looking.preview(import_) or looking.Preview({}, [], [])
    keys, values = kind.key, kind.shown
    lines = {
        outcome: [
            {
                "line": line["line"],
                "key": {name: line[name] for name in keys},
                "before": {name: line[f"old_{name}"] for name in values} if outcome == "changed" else None,
                "after": {name: line[f"new_{name}"] for name in values},
            }
            for line in preview.outcomes.get(outcome, [])
        ]
        for outcome in ("new", "changed")
    }
    known = {
        "header": import_.header,
        "missing": mapping.missing(kind, import_.columns),
        "unused": mapping.unused(import_),
        "rejected": [{"line": line, "errors": errors} for line, errors in preview.rejected],
        "below_cost": [
            {
                "line": line.line,
                "prefix": line.prefix,
                "cost_per_minute": line.cost,
                "price_per_minute": line.new_price_per_minute,
            }
            for line in preview.below
        ],
    }
    return make_response(shown(ImportAnswer, import_) | to_jsonable_python(known | lines))


@bp.patch("/imports/<uuid:id>", tags=TAGS, summary="Choose the columns of an import", responses={202: ImportAnswer})
@permission("imports.write")
def imports_change(path: Identified, body: ColumnsSchema) -> Response:
    """Read the file anew, by these columns."""
    try:
        return _accepted(path.id, lambda import_: operations.choose_columns(import_, body.columns, body.has_header))
    except operations.Unfit as unfit:
        return refused(unfit.errors)


@bp.post("/imports/<uuid:id>/read", tags=TAGS, summary="Compare an import again", responses={202: ImportAnswer})
@permission("imports.write")
def imports_read_again(path: Identified) -> Response:
    """After something else was changed, or who did it was interrupted."""
    return _accepted(path.id, operations.read_again)


@bp.post("/imports/<uuid:id>/apply", tags=TAGS, summary="Apply an import", responses={202: ImportAnswer})
@permission("imports.write")
def imports_apply(path: Identified) -> Response:
    """All of it or nothing. 409 if it is not ready, says nothing new, has rejected lines, or is outdated."""
    return _accepted(path.id, operations.apply)


@bp.post(
    "/imports/<uuid:id>/undo",
    tags=TAGS,
    summary="Undo an import",
    description=f"All of it or nothing, within {UNDO_DAYS} days. 409 if it is not applied, or that was longer ago.",
    responses={202: ImportAnswer},
)
@permission("imports.write")
def imports_undo(path: Identified) -> Response:
    return _accepted(path.id, operations.undo)


@bp.get(
    "/imports/<uuid:id>/rejected.csv",
    tags=TAGS,
    summary="The rejected lines of an import",
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
@permission("imports.read")
def imports_rejected(path: Identified) -> Response:
    """As they are in the file, with the reason at the end. 404 unless the import is ready."""
    import_ = db.get_or_404(Import, path.id)
    if import_.state != "ready":
        abort(404)
    return looking.rejected_csv(import_)


def _accepted(id: uuid.UUID, action: Callable[[Import], None] = lambda import_: None) -> Response:
    """202, for the work goes on after the answer; 409 if it cannot be done now."""
    try:
        action(db.get_or_404(Import, id))
    except operations.NotNow as why:
        return conflict(str(why))
    import_ = db.session.get_one(Import, id, populate_existing=True)
    return make_response(shown(ImportAnswer, import_), 202)
