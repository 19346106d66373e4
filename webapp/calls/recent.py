"""The last calls of a customer, a gateway or a provider, and what its last 30 days came to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, select, true, tuple_
from sqlalchemy.orm import joinedload

from webapp.calls import totals
from webapp.calls.models import Call
from webapp.calls.totals import Period, Totals
from webapp.ext import db
from webapp.gateways.models import Gateway

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
    return _recent("customer_id", id, select(Call).where(Call.customer_id == id))


def of_gateway(id: uuid.UUID) -> Recent:
    return _recent("gateway_id", id, select(Call).where(Call.gateway_id == id))


def of_provider(id: uuid.UUID) -> Recent:
    return _recent("provider_id", id, _through(Gateway.provider_id == id).where(Call.provider_id == id))


def _through(gateways: ColumnElement[bool]) -> Select[Call]:
    """The last calls of each of some gateways: the index has them by the gateway, and by nothing of the provider."""
    each = (
        select(Call.id, Call.started_at)
        .where(Call.gateway_id == Gateway.id)
        .order_by(Call.started_at.desc())
        .limit(COUNT)
        .correlate(Gateway)
        .lateral()
    )
    last = select(each.c.id, each.c.started_at).select_from(Gateway).join(each, true()).where(gateways)
    return select(Call).where(tuple_(Call.id, Call.started_at).in_(last))


def _recent(name: str, id: uuid.UUID, query: Select[Call]) -> Recent:
    period = totals.period({}, DAYS)
    calls = query.options(joinedload(Call.customer), joinedload(Call.gateway))
    return Recent(
        filters={name: str(id)},
        period=period,
        totals=totals.sums({name: str(id)}, period),
        calls=db.session.scalars(calls.order_by(Call.started_at.desc(), Call.id.desc()).limit(COUNT)).all(),
    )
