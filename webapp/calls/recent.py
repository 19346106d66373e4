"""The last calls of a customer, a gateway or a provider, and what its last 30 days came to."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, true, tuple_
from sqlalchemy.orm import joinedload

from webapp.calls import totals
from webapp.calls.models import Call, CallTotal
from webapp.calls.totals import Kept, Period, Totals
from webapp.ext import db

DAYS = 30
COUNT = 20


@dataclass(frozen=True)
class Recent:
    """The last calls, what those of a period came to, and the filters that leave them in reports."""

    filters: dict[str, str]
    period: Period
    totals: Totals | None
    calls: Sequence[Call]


def of_customer(id: uuid.UUID) -> Recent:
    """The last ones ever: an index has them."""
    return _recent("customer_id", id, true())


def of_gateway(id: uuid.UUID) -> Recent:
    return _recent("gateway_id", id, _lately(Kept("gateway", str(id), "")))


def of_provider(id: uuid.UUID) -> Recent:
    return _recent("provider_id", id, _lately(Kept("provider", str(id), "")))


def _lately(whose: Kept) -> ColumnElement[bool]:
    """Those of the last hours of these days in which something had calls. No index has the calls of a gateway, and to
    look for those of one that is idle would be to read all calls there are."""
    kept = totals.rows_kept(totals.period({}, DAYS), whose, "hour")
    hours = (
        select(CallTotal.starts_at).where(*kept).distinct().order_by(CallTotal.starts_at.desc()).limit(COUNT).subquery()
    )
    each = (
        select(Call.id, Call.started_at)
        .where(
            getattr(Call, f"{whose.dimension}_id") == uuid.UUID(whose.thing),
            Call.started_at >= hours.c.starts_at,
            Call.started_at < hours.c.starts_at + dt.timedelta(hours=1),
        )
        .order_by(Call.started_at.desc())
        .limit(COUNT)
        .lateral()
    )
    return tuple_(Call.id, Call.started_at).in_(
        select(each.c.id, each.c.started_at).select_from(hours.join(each, true()))
    )


def _recent(name: str, id: uuid.UUID, condition: ColumnElement[bool]) -> Recent:
    period = totals.period({}, DAYS)
    mine = select(Call).where(getattr(Call, name) == id, condition)
    calls = mine.options(joinedload(Call.customer), joinedload(Call.gateway))
    return Recent(
        filters={name: str(id)},
        period=period,
        totals=totals.sums({name: str(id)}, period),
        calls=db.session.scalars(calls.order_by(Call.started_at.desc(), Call.id.desc()).limit(COUNT)).all(),
    )
