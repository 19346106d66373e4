"""Invoice checks, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from flask import Response, make_response, request
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import Identified, bp, conflict, narrowed_list, query_of, refused, shown
from webapp.ext import db
from webapp.imports import reading
from webapp.imports.operations import NotNow, Unfit
from webapp.invoice_checks import operations
from webapp.invoice_checks.lists import INVOICE_CHECKS, LINES
from webapp.invoice_checks.models import InvoiceCheck, InvoiceLine
from webapp.invoice_checks.schemas import ChangeSchema, InvoiceCheckSchema
from webapp.permissions import permission

TAGS: list[Tag | dict[str, Any]] = [
    Tag(name="invoice-checks", description="What a provider bills, held against our calls.")
]


class KindSums(BaseModel):
    """What the lines of one kind come to."""

    lines: int
    seconds: int = Field(description="Theirs.")
    call_seconds: int = Field(description="Ours, as the provider's deck rounds them.")
    billed: Decimal
    cost: Decimal


class InvoiceCheckAnswer(BaseModel):
    """A bill, and how far it is."""

    id: uuid.UUID
    provider_id: uuid.UUID
    file_name: str
    username: str = Field(description="Who brought it in.")
    created_at: dt.datetime
    state: str = Field(description="mapping: choose the columns. reading: ask again in a second. ready, or failed.")
    interrupted: bool = Field(description="Whoever worked at it was stopped; PATCH begins anew.")
    error: str = Field(description="Why it was not read.")
    header: list[list[str]] = Field(description="The first lines of the file.")
    has_header: bool
    columns: dict[str, int] = Field(description="Field -> position of its column, counted from 0.")
    progress: int = Field(description="Lines read, of `total`; 0 where that is not known.")
    total: int
    time_zone: str
    tolerance_seconds: int
    tolerance_duration: int
    tolerance_amount: Decimal
    since: dt.datetime | None = Field(description="The period of the bill, by our clock.")
    until: dt.datetime | None
    clock_ahead: int = Field(description="Seconds by which their clock is ahead, taken off before lines were matched.")
    their_rounding: str = Field(description="Minimum/increment that explains the durations that differ, if one does.")
    our_rounding: str
    sums: dict[str, KindSums] = Field(description="By kind: missing, extra, duration, price, equal, unread.")
    differing: int
    billed: Decimal
    cost: Decimal
    difference: Decimal


class InvoiceCheckList(BaseModel):
    items: list[InvoiceCheckAnswer]
    next_cursor: str | None


class InvoiceLineAnswer(BaseModel):
    """A line of a bill beside its call, or a call that no line is for."""

    line: int | None = Field(description="Where it is in the file; null for calls that are missing there.")
    kind: str
    errors: list[dict[str, str]] | None = Field(description="Of what was not understood: column, value, reason.")
    started_at: dt.datetime | None
    number: str | None
    caller: str | None
    seconds: int | None
    amount: Decimal | None
    call_id: int | None
    call_started_at: dt.datetime | None
    call_number: str | None
    call_caller: str | None
    call_seconds: int | None = Field(description="From the answer to the end.")
    call_billed_seconds: int | None = Field(description="As the provider's deck rounds them.")
    cost: Decimal | None
    difference: Decimal


class InvoiceLineList(BaseModel):
    items: list[InvoiceLineAnswer]
    next_cursor: str | None


@bp.before_request
def take_large_bills() -> None:
    """It is known by now that whoever sends one may do so."""
    if request.endpoint == "api.invoice_checks_create":
        request.max_content_length = reading.MOST_BYTES


def invoice_checks_index(query: Any) -> Response:
    """The latest first."""
    return narrowed_list(InvoiceCheckAnswer, INVOICE_CHECKS, query)


def invoice_checks_lines(path: Identified, query: Any) -> Response:
    """In the order of the file; the calls that it leaves out come last."""
    db.get_or_404(InvoiceCheck, path.id)
    return narrowed_list(InvoiceLineAnswer, LINES, query, InvoiceLine.check_id == path.id)


invoice_checks_index.__annotations__["query"] = query_of("invoice_checks", INVOICE_CHECKS)
invoice_checks_lines.__annotations__["query"] = query_of("invoice_lines", LINES)
bp.get(
    "/invoice-checks/",
    tags=TAGS,
    summary="List invoice checks",
    responses={200: InvoiceCheckList},
    endpoint="invoice_checks_index",
)(permission("invoice_checks.read")(invoice_checks_index))
bp.get(
    "/invoice-checks/<uuid:id>/lines",
    tags=TAGS,
    summary="The lines of an invoice check",
    responses={200: InvoiceLineList},
    endpoint="invoice_checks_lines",
)(permission("invoice_checks.read")(invoice_checks_lines))


@bp.post("/invoice-checks/", tags=TAGS, summary="Check an invoice", responses={202: InvoiceCheckAnswer})
@permission("invoice_checks.write")
def invoice_checks_create(form: InvoiceCheckSchema) -> Response:
    """It is read and held against our calls while you ask how far it is. No call is changed."""
    try:
        check = operations.bring_in(form)
    except Unfit as unfit:
        return refused(unfit.errors)
    return _answer(check.id, 202)


@bp.get("/invoice-checks/<uuid:id>", tags=TAGS, summary="Read an invoice check", responses={200: InvoiceCheckAnswer})
@permission("invoice_checks.read")
def invoice_checks_read(path: Identified) -> Response:
    db.get_or_404(InvoiceCheck, path.id)
    return _answer(path.id)


@bp.patch("/invoice-checks/<uuid:id>", tags=TAGS, summary="Check an invoice again", responses={202: InvoiceCheckAnswer})
@permission("invoice_checks.write")
def invoice_checks_change(path: Identified, body: ChangeSchema) -> Response:
    """Read the file anew, by these columns and tolerances. It is kept for seven days."""
    check = db.get_or_404(InvoiceCheck, path.id)
    try:
        operations.check_again(check, **body.model_dump(exclude_none=True))
    except Unfit as unfit:
        return refused(unfit.errors)
    except NotNow as why:
        return conflict(str(why))
    return _answer(path.id, 202)


@bp.delete("/invoice-checks/<uuid:id>", tags=TAGS, summary="Delete an invoice check", responses={204: None})
@permission("invoice_checks.write")
def invoice_checks_delete(path: Identified) -> Response:
    """With its lines. 409 while it is being read."""
    try:
        operations.forget(db.get_or_404(InvoiceCheck, path.id))
    except NotNow as why:
        return conflict(str(why))
    return make_response("", 204)


def _answer(id: uuid.UUID, status: int = 200) -> Response:
    check = db.session.get_one(InvoiceCheck, id, populate_existing=True)
    return make_response(shown(InvoiceCheckAnswer, check), status)
