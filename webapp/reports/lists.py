"""What the report of our numbers shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace

from flask import request
from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, exists, true

from webapp.calls.lists import first_day
from webapp.calls.models import Call
from webapp.dids.lists import DIDS
from webapp.dids.models import Did
from webapp.listing import Filter, PeriodFilter, as_moment

MOST_DAYS = 3650


@dataclass(frozen=True, kw_only=True)
class UnusedFilter(Filter):
    """Only numbers that nobody has called for so many days."""

    @property
    def hint(self) -> str:
        return "So many days without a call to it."

    def condition(self, value: str) -> ColumnElement[bool]:
        if not re.fullmatch("[0-9]{1,4}", value) or int(value) > MOST_DAYS:
            raise ValueError(value)
        since = dt.datetime.now(dt.UTC) - dt.timedelta(days=int(value))
        # That it is not empty says the index of calls by their number, too.
        return ~exists().where(Call.did == self.column, Call.did != "", Call.started_at >= since)


@dataclass(frozen=True, kw_only=True)
class TrafficFilter(PeriodFilter):
    """The days of which the traffic is shown; all numbers are, those without any too."""

    @property
    def hint(self) -> str:
        return f"{'Last' if self.end else 'First'} day of the traffic that is shown."

    def condition(self, value: str) -> ColumnElement[bool]:
        dt.date.fromisoformat(value)
        as_moment(value)
        return true()


NUMBERS = replace(
    DIDS,
    columns=[column for column in DIDS.columns if column.name != "description"],
    filters=[
        TrafficFilter(
            "start", lazy_gettext("From day"), Did.number, default=lambda: first_day(request.args.get("end", ""))
        ),
        TrafficFilter("end", lazy_gettext("To day"), Did.number, end=True),
        UnusedFilter("unused", lazy_gettext("Unused for days"), Did.number),
        *(filter for filter in DIDS.filters if filter.name != "extension_id"),
    ],
    index=".dids",
    file=".dids_csv",
)
