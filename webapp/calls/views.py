"""The report of calls: each with what it cost and what was earned by it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp import routing
from webapp.calls import explaining, totals
from webapp.calls.lists import CALLS, DIRECTIONS, DISPOSITIONS
from webapp.calls.models import Call
from webapp.export import csv_file, xlsx_file
from webapp.ext import db
from webapp.permissions import may, permission
from webapp.tariffs.models import PricePlan

bp = Blueprint("calls", __name__, url_prefix="/reports")


@bp.before_request
def belong_to_reports() -> None:
    """The sidebar has one line for all reports."""
    g.area = "reports"


@bp.get("/cdr")
@permission("reports.read")
def index() -> Any:
    page = CALLS.page()
    asked = totals.asked(page.chosen)
    period = totals.period(asked)
    return render_template(
        "calls/index.html",
        page=page,
        period=period,
        # Further pages do without: they are the same.
        totals=totals.sums(asked, period) if page.first_url is None else None,
        directions=DIRECTIONS,
        dispositions=DISPOSITIONS,
        reasons=routing.REASONS,
    )


@bp.get("/cdr.csv")
@permission("reports.read")
def export() -> Any:
    return csv_file(CALLS, "calls")


@bp.get("/cdr.xlsx")
@permission("reports.read")
def workbook() -> Any:
    return xlsx_file(CALLS, "calls")


@bp.get("/calls/<int(max=9223372036854775807):id>")
@permission("reports.read")
def show(id: int) -> Any:
    call = db.first_or_404(
        select(Call).where(Call.id == id).options(joinedload(Call.customer), joinedload(Call.provider))
    )
    legs = explaining.legs(call)
    return render_template(
        "calls/show.html",
        call=call,
        legs=legs,
        request_=explaining.asked(call, legs[0]),
        plan=db.session.get(PricePlan, call.price_plan_id) if call.price_plan_id else None,
        price_steps=explaining.price_steps(call),
        cost_steps=explaining.cost_steps(call),
        raw=explaining.raw(call) if may("cdr.read") else {},
        directions=DIRECTIONS,
        dispositions=DISPOSITIONS,
        verdicts=routing.VERDICTS,
        reasons=routing.REASONS,
        cost_sources=explaining.COST_SOURCES,
    )
