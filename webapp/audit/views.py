"""The audit log: who did what, when, and how it was before."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import get_timezone

from webapp.accounts.models import AuditEntry
from webapp.audit import operations
from webapp.audit.operations import ACTIONS, KINDS, Filters, Key
from webapp.export import csv_of
from webapp.paging import PAGE, Page
from webapp.permissions import permission

bp = Blueprint("audit", __name__, url_prefix="/audit")

COLUMNS = (
    AuditEntry.at,
    AuditEntry.username,
    AuditEntry.action,
    AuditEntry.kind,
    AuditEntry.thing_id,
    AuditEntry.label,
    AuditEntry.before,
    AuditEntry.after,
    AuditEntry.request_id,
)


@bp.get("/")
@permission("audit.read")
def index() -> Any:
    filters = _filters()
    entries, last = operations.page(filters, _after(), PAGE)
    following = [last[0].isoformat(), str(last[1])] if last else None
    page = Page(
        operations.lines(entries),
        _url(".index", after=following) if following else None,
        _url(".index") if "after" in request.args else None,
        filters.q,
    )
    return render_template(
        "audit/index.html",
        page=page,
        chosen=_chosen(),
        kinds=KINDS,
        actions=ACTIONS,
        export_url=_url(".export"),
    )


@bp.get("/export")
@permission("audit.read")
def export() -> Any:
    """All entries that the filters leave as CSV, streamed as they are read; moments in UTC, values as stored."""
    query = operations.wanted(_filters()).with_only_columns(*COLUMNS)
    return csv_of(query, [column.key for column in COLUMNS], "audit")


# ---- what was asked for


def _chosen() -> dict[str, str]:
    """The filters as they stand in the address."""
    names = ("who", "kind", "action", "thing_id", "since", "until", "q")
    return {name: request.args.get(name, "").replace("\x00", "").strip()[:80] for name in names}


def _filters() -> Filters:
    chosen = _chosen()
    until = _day(chosen["until"])
    return Filters(
        who=chosen["who"],
        kind=chosen["kind"],
        action=chosen["action"],
        thing_id=_id(chosen["thing_id"]),
        since=_midnight(_day(chosen["since"])),
        until=_midnight(until + dt.timedelta(days=1)) if until else None,
        q=chosen["q"],
    )


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        abort(404)


def _day(text: str) -> dt.date | None:
    """A day of our times; one that makes no sense leaves everything in."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 <= day.year <= 9000 else None


def _midnight(day: dt.date | None) -> dt.datetime | None:
    """When a day begins where the operator is."""
    return dt.datetime.combine(day, dt.time(), ZoneInfo(str(get_timezone()))) if day else None


def _after() -> Key | None:
    texts = request.args.getlist("after")
    if not texts:
        return None
    try:
        moment, number = texts
        return operations.key(moment, number)
    except ValueError:
        abort(404)


def _url(endpoint: str, **values: Any) -> str:
    """An address with the same filters."""
    chosen: dict[str, Any] = {name: value for name, value in _chosen().items() if value}
    return url_for(endpoint, **chosen, **values)
