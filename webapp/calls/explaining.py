"""Why a call went where it went, and how its amounts came about, from what was stored with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from flask_babel import gettext, lazy_gettext
from sqlalchemy import BigInteger, DateTime, and_, column, func, or_, select, table
from sqlalchemy.orm import joinedload

from webapp import routing
from webapp.calls.models import Call
from webapp.ext import db
from webapp.pages import money
from webapp.settings import operations as settings

_REQUEST = ("endpoint", "dialed", "caller", "verdict", "reason", "cause", "number", "caller_id", "legs", "max_seconds")
_REQUESTS = table(
    "call_requests",
    column("id"),
    column("requested_at", DateTime(timezone=True)),
    *map(column, _REQUEST),
    schema="asterisk",
)
_CDRS = table("cdr", column("id", BigInteger), schema="asterisk")

UNRATED = {
    "no_price_plan": lazy_gettext("The customer had no price plan, so there is no price."),
    "no_tariff": lazy_gettext("No tariff of the price plan held the number, so there is no price."),
}
COST_SOURCES = {
    "deck": lazy_gettext("What the provider charges for the prefix"),
    "tariff": lazy_gettext("The cost that the tariff names"),
    "provider": lazy_gettext("The provider's cost per minute"),
}


def legs(call: Call) -> Sequence[Call]:
    """All legs of the call that one is of, and of those that it was sent on to, in their order."""
    day = dt.timedelta(days=1)  # No call takes longer, and the months before and after need not be looked into.
    ringing = dt.timedelta(minutes=10)  # A call is sent on sooner. No index knows those, so few are looked through.
    own = and_(Call.uniqueid == call.uniqueid, Call.started_at.between(call.started_at - day, call.started_at + day))
    sent_on = and_(
        Call.linkedid == call.linkedid,
        Call.linkedid != "",
        Call.started_at.between(call.started_at - ringing, call.started_at + ringing),
    )
    return db.session.scalars(
        select(Call)
        .where(Call.node == call.node, or_(own, sent_on))
        .options(joinedload(Call.gateway), joinedload(Call.provider))
        .order_by(Call.started_at, Call.uniqueid, Call.sequence)
    ).all()


# ---- where it went


@dataclass(frozen=True)
class Request:
    """What the dialplan asked before the call, and the answer."""

    requested_at: dt.datetime
    endpoint: str
    dialed: str
    caller: str
    verdict: str
    reason: str
    cause: int
    number: str
    caller_id: str
    max_seconds: int
    legs: list[routing.Leg]


def asked(call: Call, first: Call) -> Request | None:
    """The stored request of a call, whose first leg is given; None if there was none, or it is kept no longer."""
    if not call.request:
        return None
    hour = dt.timedelta(hours=1)  # The clocks of servers differ by less. Only their day's partition is looked into.
    row = db.session.execute(
        select(_REQUESTS).where(
            _REQUESTS.c.id == call.request,
            _REQUESTS.c.requested_at.between(first.started_at - hour, call.started_at + hour),
        )
    ).first()
    if row is None:
        return None
    values = {name: value for name, value in row._mapping.items() if name not in ("id", "legs")}
    return Request(**values, legs=routing.legs(row.legs))


def raw(call: Call) -> dict[str, Any]:
    """The record as Asterisk wrote it; empty if it is kept no longer."""
    return db.session.scalar(select(func.to_jsonb(_CDRS.table_valued())).where(_CDRS.c.id == call.id)) or {}


# ---- what it came to


@dataclass(frozen=True)
class Rate:
    """By what an amount came about."""

    per_minute: Decimal
    connect_fee: Decimal
    minimum_seconds: int
    increment_seconds: int
    billed_seconds: int
    amount: Decimal


def price_steps(call: Call) -> list[str]:
    """How the price of a leg came about, in words and figures."""
    if call.answered_at is None:
        return [gettext("It was not answered, so nothing is charged.")]
    if call.unrated:
        return [str(UNRATED.get(call.unrated, call.unrated))]
    if not call.prefix:
        return [_why_free(call)]
    rate = Rate(
        call.price_per_minute,
        call.connect_fee,
        call.minimum_seconds,
        call.increment_seconds,
        call.billed_seconds,
        call.price,
    )
    return _steps(call.billsec, rate)


def cost_steps(call: Call) -> list[str]:
    """How the cost of a leg came about, in words and figures."""
    if call.answered_at is None:
        return [gettext("It was not answered, so it costs nothing.")]
    if not call.cost_source:
        return [gettext("It costs nothing: nobody charges us for it, or nothing says what.")]
    rate = Rate(
        call.cost_per_minute,
        call.cost_connect_fee,
        call.cost_minimum_seconds,
        call.cost_increment_seconds,
        call.cost_billed_seconds,
        call.cost,
    )
    return _steps(call.billsec, rate)


def _why_free(call: Call) -> str:
    reasons = {
        "inbound": gettext("It is free: the customer's plan charges nothing for calls to this number."),
        "internal": gettext("It is free: both are phones of one customer."),
        "onnet": gettext("It is free: the customer's plan charges nothing for calls between customers."),
    }
    return str(reasons.get(call.direction) or gettext("It is free: an emergency call."))


def _steps(seconds: int, rate: Rate) -> list[str]:
    """The seconds that are charged, what they come to, and to what that is rounded."""
    beyond = rate.billed_seconds - rate.minimum_seconds
    if beyond > 0:
        charged = gettext(
            "%(seconds)s s were talked. Charged: %(minimum)s s + %(count)s × %(increment)s s = %(billed)s s.",
            seconds=seconds,
            minimum=rate.minimum_seconds,
            count=beyond // rate.increment_seconds,
            increment=rate.increment_seconds,
            billed=rate.billed_seconds,
        )
    else:
        charged = gettext(
            "%(seconds)s s were talked. Charged: the minimum of %(billed)s s.",
            seconds=seconds,
            billed=rate.billed_seconds,
        )
    exact = (rate.connect_fee * 60 + rate.billed_seconds * rate.per_minute) / 60
    amount = gettext(
        "%(billed)s s × %(rate)s a minute + %(fee)s to connect = %(exact)s",
        billed=rate.billed_seconds,
        rate=money(rate.per_minute),
        fee=money(rate.connect_fee),
        exact=money(exact),
    )
    return [charged, amount, *_rounded(exact, rate.amount)]


def _rounded(exact: Decimal, amount: Decimal) -> list[str]:
    """How an amount was rounded, if it was. To how many decimals the settings say, which may have changed since."""
    if exact == amount:
        return []
    places = settings.current().price_places
    if exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) == amount:
        return [gettext("Rounded to %(places)s decimals: %(amount)s", places=places, amount=money(amount))]
    return [gettext("Rounded as the settings said then: %(amount)s", amount=money(amount))]
