"""Whether we can serve, and the figures that a monitoring system draws and watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, case, extract, func, select, text
from sqlalchemy.exc import ProgrammingError

from schema import migrate
from webapp.calls.lists import DIRECTIONS
from webapp.calls.models import Call, CallTotal, UnratedCdr
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.fraud_cases.models import FraudCase
from webapp.gateways.models import Gateway
from webapp.live import operations as live
from webapp.live.models import LiveCall, LiveContact, LiveNode, LiveRegistration
from webapp.pages import DATABASE_FAILURES
from webapp.settings.models import ALIVE_SECONDS, CompanySettings, Node, OutboxEntry

MOST = 100_000  # What has no price is counted so far and no further: there may be millions of it.
PATIENCE = "2s"  # For each statement.

_newest_revision = cache(migrate.newest_revision)


def _hurry() -> None:
    """Whoever watches asks again soon, and must not be one more who waits for a database that is busy."""
    db.session.execute(text("SELECT set_config('statement_timeout', :patience, true)"), {"patience": PATIENCE})


# ---- readiness


def checks() -> dict[str, str]:
    """What has to be well before we can serve, each with what is wrong with it; empty: nothing.

    What comes after the first trouble cannot be asked.
    """
    try:
        _hurry()
    except DATABASE_FAILURES:
        return {"database": "does not answer"}
    found = {"database": ""}
    try:
        revisions = db.session.scalars(text("SELECT version_num FROM alembic_version_asterisk_admin")).all()
        if revisions != [_newest_revision()]:
            return found | {"migrations": "not those of this program: asterisk-admin migrate"}
        found["migrations"] = ""
        lately = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, ALIVE_SECONDS)
        alive = db.session.scalar(select(func.count()).where(Node.enabled, Node.seen_at > lately))
    except DATABASE_FAILURES:
        return {"database": "does not answer in time"}
    except ProgrammingError:  # It lacks a table.
        return found | {"migrations": "missing: asterisk-admin migrate"}
    return found | {"agents": "" if alive else f"none has signed in for {ALIVE_SECONDS} seconds"}


# ---- figures


@dataclass(frozen=True)
class Metric:
    """A figure with what it means, for each thing that it is told of. None is more than any number."""

    name: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], Decimal | int | None]]


def metrics() -> list[Metric]:
    """All of them, from nine statements."""
    _hurry()
    return [*_calls_today(), *_calls_now(), *_nodes(), *_connections(), *_stock()]


def _calls_today() -> list[Metric]:
    """What the calls of the company's day come to so far."""
    midnight = select(func.date_trunc("day", func.now(), CompanySettings.time_zone)).scalar_subquery()
    sums = [func.sum(getattr(CallTotal, name)) for name in ("calls", "answered", "seconds", "cost", "price")]
    rows = db.session.execute(
        select(CallTotal.direction, *sums)
        .where(CallTotal.dimension == "cause", CallTotal.period == "day", CallTotal.starts_at == midnight)
        .group_by(CallTotal.direction)
    )
    # A direction without calls is told of as well: who compares with an hour ago needs the zero.
    found: dict[str, tuple[Decimal | int, ...]] = {direction: (0,) * len(sums) for direction in DIRECTIONS}
    found |= {direction: tuple(figures) for direction, *figures in rows}
    calls: list[tuple[Mapping[str, str], Decimal | int]] = []
    for direction, (count, answered, *_) in found.items():
        calls.append(({"direction": direction, "outcome": "answered"}, answered))
        calls.append(({"direction": direction, "outcome": "unanswered"}, count - answered))
    since = "since the company's midnight"
    totals = (
        ("talk_seconds_today", f"Seconds talked in calls that began {since} and have ended."),
        ("cost_today", f"What providers charge for the calls {since}, in the company's currency."),
        ("price_today", f"What customers are charged for the calls {since}, in the company's currency."),
    )
    return [
        Metric("calls_today", f"Call legs that began {since} and have ended.", calls),
        *(
            Metric(name, help, [({"direction": direction}, figures[place]) for direction, figures in found.items()])
            for place, (name, help) in enumerate(totals, start=2)
        ),
    ]


def _calls_now() -> list[Metric]:
    """What goes on at the nodes of which it is known."""
    nodes = db.session.scalars(live.watched().order_by(LiveNode.node)).all()
    counted = select(LiveCall.node, LiveCall.direction, func.count()).where(LiveCall.node.in_(nodes))
    rows = db.session.execute(counted.group_by(LiveCall.node, LiveCall.direction))
    found = {(node, direction): 0 for node in nodes for direction in DIRECTIONS}
    found |= {(node, direction): count for node, direction, count in rows}
    help = "Calls that go on or ring now, at each node of which it is known."
    samples = [({"node": node, "direction": direction}, count) for (node, direction), count in found.items()]
    return [Metric("calls_now", help, samples)]


def _connections() -> list[Metric]:
    """Which gateways answer, as each node sees it, and how many phones are registered there."""
    gateways = db.session.execute(
        select(LiveContact.node, Gateway.name, LiveContact.state, LiveContact.rtt)
        .join(Gateway, Gateway.id == LiveContact.thing_id)
        .where(LiveContact.node.in_(live.watched()), LiveContact.state != "unchecked")
        .order_by(LiveContact.node, Gateway.name)
    ).all()
    registrations = db.session.execute(
        select(LiveRegistration.node, Gateway.name, LiveRegistration.state)
        .join(Gateway, Gateway.id == LiveRegistration.thing_id)
        .where(LiveRegistration.node.in_(live.watched()))
        .order_by(LiveRegistration.node, Gateway.name)
    ).all()
    phones = db.session.execute(
        select(LiveContact.node, func.count())
        .join(Extension, Extension.id == LiveContact.thing_id)
        .where(LiveContact.node.in_(live.watched()))
        .group_by(LiveContact.node)
        .order_by(LiveContact.node)
    ).all()

    return [
        Metric(
            "gateway_up",
            "Whether a gateway answers a node that asks it.",
            [(_gateway(row), int(row.state == "reachable")) for row in gateways],
        ),
        Metric(
            "gateway_rtt_seconds",
            "How long a gateway took to answer a node.",
            [(_gateway(row), row.rtt / 1000) for row in gateways if row.rtt is not None],
        ),
        Metric(
            "gateway_registered",
            "Whether a node is registered with a gateway that asks for it.",
            [(_gateway(row), int(row.state == "registered")) for row in registrations],
        ),
        Metric(
            "phones_registered",
            "Phones that are registered at a node.",
            [({"node": node}, count) for node, count in phones],
        ),
    ]


def _gateway(row: Any) -> Mapping[str, str]:
    return {"node": row.node, "gateway": row.name}


def _nodes() -> list[Metric]:
    """How the Asterisk servers are that are not switched off."""
    now = func.clock_timestamp()
    owed = (
        select(OutboxEntry.node, func.count().label("count"), func.min(OutboxEntry.created_at).label("since"))
        .where(OutboxEntry.done_at.is_(None))
        .group_by(OutboxEntry.node)
        .subquery()
    )
    rows = db.session.execute(
        select(
            Node.name,
            _seconds(now - Node.seen_at).label("seen"),
            case((Node.asterisk_up, 1), else_=0).label("asterisk_up"),
            func.coalesce(owed.c.count, 0).label("owed"),
            func.coalesce(_seconds(now - owed.c.since), 0).label("lag"),
        )
        .outerjoin(owed, owed.c.node == Node.name)
        .where(Node.enabled)
        .order_by(Node.name)
    ).all()
    figures = (
        ("node_seen_seconds", "seen", "Seconds since the agent of a node signed in, which it does every 5 seconds."),
        ("asterisk_up", "asterisk_up", "Whether Asterisk was up when the agent of its node last signed in."),
        ("sync_owed", "owed", "What was saved and a node's Asterisk has yet to be told."),
        ("sync_lag_seconds", "lag", "Seconds that the oldest of it has been waiting; 0: nothing waits."),
    )
    return [Metric(name, help, [(_node(row), getattr(row, column)) for row in rows]) for name, column, help in figures]


def _seconds(interval: ColumnElement[Any]) -> ColumnElement[Decimal]:
    """An interval in seconds, to a thousandth."""
    return func.round(extract("epoch", interval), 3)


def _node(row: Row[Any]) -> Mapping[str, str]:
    return {"node": row.name}


def _stock() -> list[Metric]:
    """What there is, and what is not in the books as it should be."""
    gateways = select(func.count()).select_from(Gateway).where(Gateway.enabled)
    row = db.session.execute(
        select(
            gateways.scalar_subquery(),
            _counted(select(UnratedCdr.cdr_id).limit(MOST)),
            _counted(select(Call.id).where(Call.unrated != "").limit(MOST)),
            _counted(select(FraudCase.id).where(FraudCase.released_at.is_(None))),
        )
    ).one()
    figures = (
        ("gateways_enabled", "Gateways that are enabled."),
        ("unrated_cdrs", f"Call records that no call could be made of; counted up to {MOST}."),
        ("calls_without_price", f"Calls of whatever age that have no price; counted up to {MOST}."),
        ("fraud_cases_open", "Customers and rules against fraud that hit them, until somebody releases them."),
    )
    return [Metric(name, help, [({}, count)]) for (name, help), count in zip(figures, row, strict=True)]


def _counted(query: Select[Any]) -> ScalarSelect[int]:
    return select(func.count()).select_from(query.subquery()).scalar_subquery()


# ---- Prometheus' text format


def exposition(metrics: Iterable[Metric]) -> str:
    """The figures as Prometheus reads them."""
    lines = []
    for metric in metrics:
        name = f"asterisk_admin_{metric.name}"
        lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {_value(value)}" for labels, value in metric.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _value(value: Decimal | int | None) -> str:
    return "+Inf" if value is None else format(value, "f" if isinstance(value, Decimal) else "d")
