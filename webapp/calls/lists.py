"""What the report of calls shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from flask import request
from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import contains_eager

from webapp import typed
from webapp.calls.models import Call
from webapp.customers.models import Customer
from webapp.gateways.models import Gateway
from webapp.listing import Column, Filter, ListOf, PeriodFilter, TypedFilter, as_moment
from webapp.providers.models import Provider

DIRECTIONS = {
    "inbound": lazy_gettext("Inbound"),
    "outbound": lazy_gettext("Outbound"),
    "internal": lazy_gettext("Internal"),
    "onnet": lazy_gettext("Between customers"),
}
# How a call ended, as Asterisk says it.
DISPOSITIONS = {
    "ANSWERED": lazy_gettext("Answered"),
    "NO ANSWER": lazy_gettext("No answer"),
    "BUSY": lazy_gettext("Busy"),
    "CONGESTION": lazy_gettext("Congestion"),
    "FAILED": lazy_gettext("Failed"),
}
DAYS = 31  # Of how many days calls are meant where nobody says it, today or the last day asked for included.


def first_day(end: str = "") -> str:
    """The first day of the period that is meant if only its end is said, or nothing."""
    try:
        last = as_moment(end, end=True).astimezone(typed.zone()) - dt.timedelta(microseconds=1)
    except ValueError:
        last = dt.datetime.now(typed.zone())
    return (last.date() - dt.timedelta(DAYS - 1)).isoformat()


@dataclass(frozen=True, kw_only=True)
class NumberFilter(Filter):
    """A filter by a telephone number, however it is spaced."""

    beginning: bool = False  # Whether its first digits do.

    @property
    def hint(self) -> str:
        return "Digits; the first ones do." if self.beginning else "Digits."

    def condition(self, value: str) -> ColumnElement[bool]:
        digits = re.sub(r"[\s().+-]", "", value)
        if not re.fullmatch(r"[0-9*#]{1,40}", digits):
            raise ValueError(value)
        wanted: ColumnElement[bool] = self.column.startswith(digits) if self.beginning else self.column == digits
        return wanted


@dataclass(frozen=True, kw_only=True)
class SecondsFilter(Filter):
    """Only what lasted so many seconds at the least."""

    @property
    def hint(self) -> str:
        return "Seconds, ringing included."

    def condition(self, value: str) -> ColumnElement[bool]:
        if not re.fullmatch("[0-9]{1,9}", value):
            raise ValueError(value)
        wanted: ColumnElement[bool] = self.column >= int(value)
        return wanted


@dataclass(frozen=True, kw_only=True)
class CauseFilter(Filter):
    """A filter by how calls ended: a SIP status, or where there was none, what Asterisk says."""

    @property
    def hint(self) -> str:
        return "A SIP status, or a disposition of calls that had none."

    def condition(self, value: str) -> ColumnElement[bool]:
        if "\x00" in value:
            raise ValueError(value)
        # In the terms of the columns, for the database knows how many calls have which value of those.
        if re.fullmatch("[1-6][0-9]{2}", value):
            return Call.sip_status == int(value)
        return and_(Call.sip_status.is_(None), Call.disposition == value)


CALLS = ListOf(
    query=select(Call).outerjoin(Call.customer).outerjoin(Call.gateway).outerjoin(Call.provider),
    options=[contains_eager(Call.customer), contains_eager(Call.gateway)],
    columns=[
        Column("started_at", lazy_gettext("Start"), Call.started_at),
        Column("direction", lazy_gettext("Direction"), Call.direction),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("src", lazy_gettext("From"), Call.src),
        Column("dst", lazy_gettext("To"), Call.dst),
        Column("gateway", lazy_gettext("Gateway"), func.coalesce(Gateway.name, "")),
        Column("disposition", lazy_gettext("End"), Call.disposition),
        Column("duration", lazy_gettext("Duration"), Call.duration, end=True),
        Column("billsec", lazy_gettext("Billed"), Call.billsec, end=True),
        Column("cost", lazy_gettext("Cost"), Call.cost, end=True),
        Column("price", lazy_gettext("Price"), Call.price, end=True),
        Column("margin", lazy_gettext("Margin"), Call.margin, end=True),
    ],
    order=[Call.started_at, Call.id],
    default="-started_at",
    search=[Call.src, Call.dst, Call.did],
    number=Call.dst,
    filters=[
        PeriodFilter(
            "start",
            lazy_gettext("From day"),
            Call.started_at,
            default=lambda: first_day(request.args.get("end", "")),
        ),
        PeriodFilter("end", lazy_gettext("To day"), Call.started_at, end=True),
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            Call.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter("direction", lazy_gettext("Direction"), Call.direction, words=DIRECTIONS),
        Filter("disposition", lazy_gettext("End"), Call.disposition, words=DISPOSITIONS),
        Filter("provider_id", lazy_gettext("Provider"), Call.provider_id, things=Provider, rare=True),
        Filter("gateway_id", lazy_gettext("Gateway"), Call.gateway_id, things=Gateway, rare=True),
        NumberFilter("did", lazy_gettext("DID"), Call.did, rare=True),
        NumberFilter("src", lazy_gettext("From"), Call.src, beginning=True, rare=True),
        NumberFilter("dst", lazy_gettext("To"), Call.dst, beginning=True, rare=True),
        Filter("destination", lazy_gettext("Destination"), Call.destination, rare=True),
        SecondsFilter("min_duration", lazy_gettext("Seconds at least"), Call.duration, rare=True),
        CauseFilter("cause", lazy_gettext("SIP status"), Call.sip_status, rare=True),
        Filter(
            "below_cost",
            lazy_gettext("Below cost"),
            Call.price < Call.cost,
            words={"true": lazy_gettext("Sold below cost"), "false": lazy_gettext("Not below cost")},
            rare=True,
        ),
        Filter(
            "unrated",
            lazy_gettext("Rating"),
            Call.unrated != "",
            words={"true": lazy_gettext("Without a price"), "false": lazy_gettext("With their price")},
            rare=True,
        ),
    ],
    export={
        "started_at": Call.started_at,
        "answered_at": Call.answered_at,
        "ended_at": Call.ended_at,
        "direction": Call.direction,
        "customer": Customer.code,
        "src": Call.src,
        "dst": Call.dst,
        "did": Call.did,
        "provider": Provider.name,
        "gateway": Gateway.name,
        "disposition": Call.disposition,
        "sip_status": Call.sip_status,
        "pdd": Call.pdd,
        "duration": Call.duration,
        "billsec": Call.billsec,
        "billed_seconds": Call.billed_seconds,
        "prefix": Call.prefix,
        "destination": Call.destination,
        "price_per_minute": Call.price_per_minute,
        "price": Call.price,
        "cost_per_minute": Call.cost_per_minute,
        "cost": Call.cost,
        "margin": Call.margin,
        "unrated": Call.unrated,
        "node": Call.node,
        "uniqueid": Call.uniqueid,
    },
)
