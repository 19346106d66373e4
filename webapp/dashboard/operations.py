"""The numbers of the dashboard: what there is, what goes on now, what today came to, and what needs somebody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import func, select

from webapp.calls import totals
from webapp.calls.models import Call
from webapp.calls.totals import Period, Totals
from webapp.customers.models import Customer
from webapp.dids.models import STATUSES, Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.fraud_cases.models import FraudCase
from webapp.gateways.models import Gateway
from webapp.live import operations as live
from webapp.live.models import LiveCall, LiveContact, LiveRegistration
from webapp.live.operations import CallsNow
from webapp.nodes import operations as nodes
from webapp.providers.models import Provider
from webapp.reports import operations as reports
from webapp.reports.operations import Line, Report
from webapp.routes.models import Route
from webapp.unrated import operations as unrated

BEHIND = dt.timedelta(minutes=1)  # A node that has not been told of a change for so long is an alarm.
TOP = 5  # Customers.
MOST_GATEWAYS = 10  # That the page shows.
MOST_LOSSES = 1000  # Calls sold below cost are counted so far and no further.
NAMED = 5  # Things that an alarm names.


class Dids(BaseModel):
    """Telephone numbers by what has become of them."""

    available: int
    reserved: int
    allocated: int
    quarantine: int
    blocked: int

    @property
    def total(self) -> int:
        return sum(getattr(self, status) for status in STATUSES)


class CallsToday(BaseModel):
    """Call legs since midnight, where the operator is."""

    count: int
    answered: int
    asr: Decimal | None = Field(description="Answered of a hundred.")
    acd: int | None = Field(description="Seconds that an answered call took on the average.")
    minutes: Decimal = Field(description="Talked, to a tenth.")
    cost: Decimal
    price: Decimal
    margin: Decimal


class Alarm(BaseModel):
    """Something that needs somebody."""

    kind: Literal[
        "fraud",
        "node_away",
        "asterisk_away",
        "sync_behind",
        "gateway_down",
        "gateway_not_registered",
        "unrated",
        "below_cost",
    ]
    count: int
    names: list[str] = Field(description="The first of the nodes, gateways or customers.")


class Stats(BaseModel):
    """How many there are of everything, what goes on now, what was said today, and what needs somebody."""

    customers: int
    extensions: int
    providers: int
    gateways: int
    routes: int
    dids: Dids
    calls_today: CallsToday
    calls_now: CallsNow
    calls_per_second: Decimal = Field(description="Calls that began in the last minute, by the second.")
    gateways_answering: int = Field(description="Of those that are asked whether they answer.")
    gateways_down: int
    phones_registered: int
    alarms: list[Alarm]


@dataclass(frozen=True)
class Today:
    """The calls of today so far, and of as many whole hours of today and yesterday; None as long as none has passed."""

    totals: Totals
    until: dt.datetime
    hours: Totals | None
    yesterday: Totals | None


def stats() -> Stats:
    """All of them, in a fixed number of statements."""
    today = totals.sums({}, totals.period({}, days=1)) or Totals()
    gateways = _gateways()
    return Stats(
        **_things(),
        calls_today=CallsToday(
            count=today.calls, **{name: getattr(today, name) for name in CallsToday.model_fields if name != "count"}
        ),
        calls_now=live.calls_now(),
        calls_per_second=_calls_per_second(),
        gateways_answering=len(gateways.answering),
        gateways_down=len(gateways.down),
        phones_registered=_phones_registered(),
        alarms=alarms(gateways),
    )


def _things() -> dict[str, Any]:
    kinds = {
        "customers": Customer,
        "extensions": Extension,
        "providers": Provider,
        "gateways": Gateway,
        "routes": Route,
    }
    counts = [select(func.count()).select_from(kind).scalar_subquery().label(name) for name, kind in kinds.items()]
    dids = select(*(func.count().filter(Did.status == status).label(status) for status in STATUSES)).subquery()
    found: dict[str, Any] = dict(db.session.execute(select(*counts, dids).select_from(dids)).mappings().one())
    return found | {"dids": Dids(**found)}


# ---- now


def _calls_per_second() -> Decimal:
    """Of those that began within a minute some have ended, and are known by their records: one for each leg."""
    since = func.now() - func.make_interval(0, 0, 0, 0, 0, 1)
    going_on = select(func.count()).select_from(LiveCall).where(LiveCall.started_at > since)
    ended = select(func.count(func.distinct(Call.uniqueid))).where(Call.started_at > since)
    begun = select(going_on.where(LiveCall.node.in_(live.watched())).scalar_subquery() + ended.scalar_subquery())
    return round(Decimal(db.session.scalar(begun) or 0) / 60, 1)


def _phones_registered() -> int:
    phones = select(func.count(func.distinct(Extension.id))).join(LiveContact, LiveContact.thing_id == Extension.id)
    return db.session.scalar(phones.where(LiveContact.node.in_(live.watched()))) or 0


@dataclass(frozen=True)
class Gateways:
    """The gateways in service that are asked whether they answer, by what the worst of the nodes says."""

    answering: Sequence[str]
    down: Sequence[str]
    not_registered: Sequence[str]


def _gateways() -> Gateways:
    """By name. Which of them want to be registered with, the agents know."""
    state = live.worst_state(Gateway.id)
    rows = db.session.execute(select(Gateway.name, state).where(Gateway.enabled).order_by(Gateway.name)).all()
    not_registered = (
        select(Gateway.name)
        .join(LiveRegistration, LiveRegistration.thing_id == Gateway.id)
        .where(Gateway.enabled, LiveRegistration.node.in_(live.watched()), LiveRegistration.state != "registered")
        .group_by(Gateway.name)
        .order_by(Gateway.name)
    )
    return Gateways(
        answering=[name for name, state in rows if state == "reachable"],
        down=[name for name, state in rows if state == "unreachable"],
        not_registered=db.session.scalars(not_registered).all(),
    )


def gateways() -> Sequence[Gateway]:
    """Those in service, the ones in trouble first."""
    state = live.worst_state(Gateway.id)
    first = select(Gateway).where(Gateway.enabled).order_by(state.desc(), Gateway.name).limit(MOST_GATEWAYS)
    return db.session.scalars(first).all()


# ---- today


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def today() -> Today:
    """Compared by whole hours, for of less there are no totals."""
    period = totals.period({}, days=1)
    now = totals.local(_now())
    until = now.replace(minute=0, second=0, microsecond=0)
    hours = Period(period.start, until)
    # By the clock on the wall: days are not all as long.
    day = dt.timedelta(days=1)
    yesterday = Period(totals.local(period.start) - day, until - day)
    compared = hours.start < hours.end and hours.is_hours
    return Today(
        totals=totals.sums({}, period) or Totals(),
        until=until,
        hours=totals.sums({}, hours) if compared else None,
        yesterday=totals.sums({}, yesterday) if compared else None,
    )


def last_hours() -> Report | None:
    """The calls of the last 24 hours, by the hour."""
    now = _now().replace(minute=0, second=0, microsecond=0)
    start, end = now - dt.timedelta(hours=23), now + dt.timedelta(hours=1)
    return reports.report("hour", {"start": start.isoformat(), "end": end.isoformat()}, compared=False)


def top_customers() -> Sequence[Line]:
    """Who pays most today."""
    day = totals.local(_now()).date().isoformat()
    return reports.first_lines("customer", {"start": day, "end": day}, TOP)


# ---- alarms


def alarms(gateways: Gateways | None = None) -> list[Alarm]:
    """What needs somebody now; the gravest first."""
    gateways = gateways or _gateways()
    serving = [node for node in nodes.states() if node.enabled]
    late = _now() - BEHIND
    found: dict[str, Sequence[str]] = {
        "node_away": [node.name for node in serving if node.state == "agent_away"],
        "asterisk_away": [node.name for node in serving if node.state == "asterisk_away"],
        "sync_behind": [node.name for node in serving if node.since and node.since < late],
        "gateway_down": gateways.down,
        "gateway_not_registered": gateways.not_registered,
    }
    named = [Alarm(kind=kind, count=len(names), names=list(names[:NAMED])) for kind, names in found.items() if names]
    counted = {"unrated": unrated.count(), "below_cost": _losses()}
    return _fraud() + named + [Alarm(kind=kind, count=count, names=[]) for kind, count in counted.items() if count]


def _fraud() -> list[Alarm]:
    """The customers with open cases, if there are any."""
    names = (
        select(Customer.name, func.min(FraudCase.created_at).label("since"))
        .join(FraudCase, FraudCase.customer_id == Customer.id)
        .where(FraudCase.released_at.is_(None))
        .group_by(Customer.id)
    ).subquery()
    query = select(names.c.name, func.count().over()).order_by(names.c.since, names.c.name).limit(NAMED)
    rows = db.session.execute(query).all()
    return [Alarm(kind="fraud", count=rows[0][1], names=[name for name, _ in rows])] if rows else []


def _losses() -> int:
    """Calls of today that were sold below cost."""
    period = totals.period({}, days=1)
    losses = select(Call.id).where(Call.started_at >= period.start, Call.price < Call.cost).limit(MOST_LOSSES)
    return db.session.scalar(select(func.count()).select_from(losses.subquery())) or 0
