"""Reports: what the calls of a period come to, by customer, gateway, day and so on; how our numbers are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import Select
from werkzeug.wrappers import Response

from webapp.calls import totals
from webapp.calls.lists import CALLS
from webapp.export import csv_of, read, xlsx_of
from webapp.listing import DrawnFilter, Head, NoSuch
from webapp.permissions import permission
from webapp.reports import operations, traffic
from webapp.reports.charts import of_lines
from webapp.reports.lists import NUMBERS
from webapp.reports.operations import BY, COLUMNS, SERIES, Report, TooLong

bp = Blueprint("reports", __name__, url_prefix="/reports")

FEW = 8  # Lines of a part of the first page.
# What the chart of days and hours shows.
DRAWN = {"day": "margin", "hour": "calls"}


@bp.get("/")
@permission("reports.read")
def index() -> Any:
    parts = {by: operations.report(by, {}, compared=False) for by in ("hour", "day")}
    return render_template(
        "reports/index.html",
        parts=parts,
        tops={by: operations.first_lines(by, {}, FEW) for by in ("destination", "customer")},
        charts={by: of_lines(part.lines, DRAWN[by]) for by, part in parts.items() if part},
        columns=COLUMNS,
        BY=BY,
    )


@bp.get("/totals")
@permission("reports.read")
def totals_by() -> Any:
    by, sort, values = _asked()
    try:
        found = operations.report(by, values, sort)
        sentence = "" if found else gettext("There are too many to be counted by these filters. Choose fewer days.")
    except TooLong as error:
        found, sentence = None, gettext("Choose at most %(days)s days.", days=error.days)
    except NoSuch:
        abort(404)
    page = render_template(
        "reports/totals.html",
        by=by,
        report=found,
        sentence=sentence,
        values=values,
        filters=_filters(by, values),
        columns=COLUMNS,
        heads=_heads(by, sort, values),
        sort=sort,
        chart=of_lines(found.lines, DRAWN[by]) if found and by in SERIES else None,
        drawn=DRAWN,
        largest=_largest(found),
        BY=BY,
        calls_of=operations.calls_of,
    )
    return page, 200 if found else 422


@bp.get("/totals.csv")
@permission("reports.read")
def totals_csv() -> Response:
    heads, rows, name = _file()
    return csv_of(rows, heads, name)


@bp.get("/totals.xlsx")
@permission("reports.read")
def totals_xlsx() -> Response:
    heads, rows, name = _file()
    return xlsx_of(rows, heads, name)


def _asked() -> tuple[str, str, dict[str, str]]:
    """By what the lines are, what they are sorted by, and the filters."""
    given = {name: value.replace("\x00", "") for name, value in request.args.items()}
    by, sort = given.get("by", "customer"), given.get("sort", "")
    if by not in BY or sort not in ("", *operations.SORTS):
        abort(404)
    return by, sort, totals.asked(given)


def _filters(by: str, values: dict[str, str]) -> list[DrawnFilter]:
    """The filters of calls that mean something here: not that by what the lines are."""
    own = next((name for name, dimension in totals.DIMENSIONS.items() if dimension == by), "")
    try:
        period = operations.period_of(by, values)
        first = {"start": totals.local(period.start).date().isoformat()}
    except NoSuch:
        first = {}
    shown = {**first, **values}
    return [filter.drawn(shown.get(filter.name, "")) for filter in CALLS.filters if filter.name != own]


def _heads(by: str, sort: str, values: dict[str, str]) -> list[Head]:
    """A click sorts downwards by a column, for most is what people look for; another one turns it round."""
    sort = sort or operations.default_sort(by) or "name"
    directions = {"": "ascending", "-": "descending"}
    heads = []
    for name, label in {"name": BY[by], **COLUMNS}.items():
        first = "name" if name == "name" else f"-{name}"
        other = "-name" if name == "name" else name
        query: dict[str, Any] = {**values, "by": by, "sort": other if sort == first else first}
        url = url_for(".totals_by", **query)
        direction = directions[sort.removesuffix(name)] if sort.removeprefix("-") == name else None
        heads.append(Head(label, url, direction, end=name != "name"))
    return heads


def _largest(report: Report | None) -> Any:
    """The largest price of a line, to which the others are drawn."""
    return max((line.totals.price for line in report.lines), default=0) if report else 0


def _file() -> tuple[list[str], Iterator[list[Any]], str]:
    by, sort, values = _asked()
    try:
        found = operations.report(by, values, sort, top=None)
    except NoSuch:
        abort(404)
    if found is None:
        abort(404)
    heads = [by, "name", *COLUMNS]
    rows = ([line.thing, line.name, *map(line.value, COLUMNS)] for line in found.lines)
    return heads, rows, f"calls-by-{by}"


# ---- our numbers


@bp.get("/dids")
@permission("reports.read")
def dids() -> Any:
    page = NUMBERS.page()
    period = totals.period(page.chosen)
    return render_template(
        "reports/dids.html",
        page=page,
        period=period,
        traffic=traffic.traffic([did.number for did in page.things], period),
    )


@bp.get("/dids.csv")
@permission("reports.read")
def dids_csv() -> Response:
    return csv_of(_dids_file(), traffic.HEADS, "dids")


@bp.get("/dids.xlsx")
@permission("reports.read")
def dids_xlsx() -> Response:
    return xlsx_of(read(_dids_file()), traffic.HEADS, "dids")


def _dids_file() -> Select[Any]:
    chosen = NUMBERS.chosen()
    try:
        return traffic.file(chosen, totals.period(chosen))
    except NoSuch:
        abort(404)
