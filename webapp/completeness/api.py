"""Completeness, for programs: what monitoring asks every hour."""

from __future__ import annotations

import datetime as dt

from flask import Response, jsonify
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import bp
from webapp.completeness import operations
from webapp.permissions import permission


class Asked(BaseModel):
    days: int = Field(operations.DAYS, ge=1, le=400, description="So many, to today.")


class DayAnswer(BaseModel):
    """A day of a node, as the company counts days."""

    day: dt.datetime
    node: str
    state: operations.State = Field(
        description="`complete`; `lost`: the journal has calls that the database has not; `unreadable`: a part of the "
        "journal makes no sense; `unrated`: some have no price yet; `unread`: nobody reads the journal; `reading`: it "
        "is being read; `unjournaled`: the database has calls that the journal has not."
    )
    journal: int | None = Field(description="Calls that the node wrote down itself.")
    stored: int = Field(description="Call records of calls in the database.")
    calls: int
    rated: int
    without_price: int
    no_calls: int = Field(description="Records that no call could be made of.")
    recovered: int = Field(description="Taken from the journal, for the database had missed them.")
    unreadable: int = Field(description="Places in the journal that make no sense.")


class Days(BaseModel):
    items: list[DayAnswer]


@bp.get(
    "/reports/completeness",
    tags=[Tag(name="reports")],
    summary="Compare the nodes' journals with the books",
    responses={200: Days},
)
@permission("completeness.read")
def reports_completeness(query: Asked) -> Response:
    """The latest day first. Days on which a node had no calls are left out."""
    items = [DayAnswer.model_validate(each, from_attributes=True) for each in operations.days(query.days)]
    return jsonify(items=[each.model_dump(mode="json") for each in items])
