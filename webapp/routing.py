"""What route_call() answers to a call: asked as the dialplan asks, read, and in words.

The simulator asks here, and what the dialplan asked before a call that was made is read here. No rule of the answer is
written a second time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from flask_babel import lazy_gettext
from sqlalchemy import select, text
from sqlalchemy.orm import joinedload

from webapp.ext import db
from webapp.gateways.models import Gateway

VERDICTS = {
    "route": lazy_gettext("Goes out"),
    "did": lazy_gettext("Stays in the house"),
    "internal": lazy_gettext("Rings a phone"),
    "refused": lazy_gettext("Refused"),
}
# Why a call was refused, by route_call() or by the dialplan, and how the dialplan says that its caller gave up.
REASONS = {
    "unknown_customer": lazy_gettext("Nobody knows whose call it is."),
    "customer_disabled": lazy_gettext("The customer is disabled."),
    "invalid_number": lazy_gettext("This is no number: digits, *, # and one + at the start."),
    "fraud": lazy_gettext("The customer’s calls are stopped, because a rule against fraud hit."),
    "blocked": lazy_gettext("The destination lists of the customer do not allow it."),
    "no_tariff": lazy_gettext("The price plan has no tariff for this number."),
    "too_dear": lazy_gettext("A minute is dearer than the customer may call."),
    "channels": lazy_gettext("The customer has as many calls as it may have at once."),
    "calls_per_second": lazy_gettext("The customer began as many calls in this second as it may."),
    "daily_limit": lazy_gettext("The calls of today have come to the customer’s limit."),
    "no_balance": lazy_gettext("The customer’s balance does not suffice."),
    "below_cost": lazy_gettext("Every gateway costs more than the customer pays."),
    "no_route": lazy_gettext("No route takes this number."),
    "forwards": lazy_gettext("The call was forwarded too often."),
    "forward_emergency": lazy_gettext("Calls are not forwarded to emergency numbers."),
    "cancelled": lazy_gettext("The caller gave up."),
}

# Attributes are taken by their names, for there may come to be more.
_ROUTE_CALL = text("""
    SELECT verdict, reason, cause, status_of_cause(cause::text) AS sip_status, number, caller_id, legs, max_seconds
    FROM route_call(customer_id => :customer_id, dialed => :dialed, caller => :caller, endpoint => :endpoint,
                    channels => :channels, at => :at)
""")


@dataclass(frozen=True)
class Leg:
    """A way out, in the order to try: the gateway, and what it is sent. An id is None where the thing is gone."""

    gateway_id: uuid.UUID | None
    gateway: str
    provider_id: uuid.UUID | None
    provider: str
    number: str
    caller_id: str
    max_channels: int  # Calls at once that it takes; 0: any number.


@dataclass(frozen=True)
class Answer:
    """The attributes of call_answer (route_call.sql), the legs read, and the SIP status of the cause."""

    verdict: str
    reason: str
    cause: int
    sip_status: int | None  # With which the caller is refused.
    number: str
    caller_id: str
    max_seconds: int
    legs: list[Leg]


def ask(
    customer_id: uuid.UUID,
    dialed: str,
    *,
    caller: str = "",
    endpoint: str = "",
    channels: int = 0,
    at: dt.datetime | None = None,
) -> Answer:
    """Where a call would go, by the tariffs of a moment, or of now. Nothing is dialled."""
    values = {
        "customer_id": customer_id,
        "dialed": dialed,
        "caller": caller,
        "endpoint": endpoint,
        "channels": channels,
        "at": at or dt.datetime.now(dt.UTC),
    }
    row = db.session.execute(_ROUTE_CALL, values).one()
    return Answer(
        verdict=row.verdict,
        reason=row.reason,
        cause=row.cause,
        sip_status=row.sip_status,
        number=row.number,
        caller_id=row.caller_id,
        max_seconds=row.max_seconds,
        legs=legs(row.legs),
    )


def legs(answered: str) -> list[Leg]:
    """The legs of an answer, with the names that gateways and providers have now. What was answered long ago may say
    less of a leg, and of gateways that are gone since."""
    parts = [[*leg.split(":"), "", ""][:6] for leg in answered.split("&") if leg.count(":") >= 3]
    if not parts:
        return []
    ids = [uuid.UUID(gateway_id) for _, gateway_id, *_ in parts]
    query = select(Gateway).where(Gateway.id.in_(ids)).options(joinedload(Gateway.provider))
    known = {gateway.id: gateway for gateway in db.session.scalars(query)}
    return [
        _leg(known.get(id), endpoint, number, caller_id, int(channels or 0))
        for id, (endpoint, _gateway, _provider, number, caller_id, channels) in zip(ids, parts, strict=True)
    ]


def _leg(gateway: Gateway | None, endpoint: str, number: str, caller_id: str, channels: int) -> Leg:
    return Leg(
        gateway_id=gateway.id if gateway else None,
        gateway=gateway.name if gateway else endpoint.removeprefix("gateway-"),
        provider_id=gateway.provider_id if gateway else None,
        provider=gateway.provider.name if gateway else "",
        number=number,
        caller_id=caller_id,
        max_channels=channels,
    )
