"""Rating calls again: in a thread of its own and in short transactions, so that calls that end now do not wait."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import structlog
from flask import Flask, current_app
from flask_babel import gettext
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from webapp import store, who
from webapp.calls.models import Call, UnratedCdr
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.reratings.models import SILENCE_SECONDS, Rerating, ReratingCustomer
from webapp.reratings.schemas import ReratingSchema

log = structlog.get_logger()

CDRS = 50  # Tried again in one transaction.
TRIES = 5  # When a lock is held or two stand in each other's way, before it is left to whoever looks at it.


class NotNow(Exception):
    """It cannot be done in the state it is in: why, in a sentence."""


@dataclass(frozen=True)
class Sums:
    """What a rerating comes to, for a customer or for all."""

    calls: int
    price_before: Decimal
    price_after: Decimal
    cost_before: Decimal
    cost_after: Decimal
    customer_id: uuid.UUID | None = None
    customer: str = ""

    @property
    def price(self) -> Decimal:
        """What is charged more, or less."""
        return self.price_after - self.price_before

    @property
    def cost(self) -> Decimal:
        return self.cost_after - self.cost_before


def compare(wanted: ReratingSchema, *, apply: bool = False) -> Rerating:
    """Begin to find out what it would change; with `apply`, to change it."""
    until = wanted.until or dt.datetime.now(dt.UTC)
    values = wanted.model_dump(include={"since", "customer_id", "price_plan_id", "direction"})
    return _begin(Rerating(**values, until=until), "applying" if apply else "comparing")


def rate_unrated(begin: Callable[[uuid.UUID], None] | None = None) -> Rerating:
    """Begin to try all that could not be rated once more: calls without a price, and CDRs that are no calls yet.
    NotNow if there are none.

    `begin` does the work, which else goes on in a thread of its own.
    """
    first = db.session.scalar(select(func.min(Call.started_at)).where(Call.unrated != ""))
    if first is None and db.session.scalar(select(UnratedCdr.cdr_id).limit(1)) is None:
        raise NotNow(gettext("Everything is rated."))
    now = dt.datetime.now(dt.UTC)
    since = min(first or now, now - dt.timedelta(seconds=1))
    return _begin(Rerating(since=since, until=now, only_unrated=True), "applying", begin)


def apply(rerating: Rerating) -> None:
    """Begin to change what is different, or go on with it. NotNow if that cannot be done now."""
    if rerating.interrupted:
        _go_on(rerating)
    elif rerating.state != "compared":
        raise NotNow(gettext("Nothing was done: somebody else is at it, or was before you."))
    else:
        _start_applying(rerating)
    _work(rerating.id)


def _begin(rerating: Rerating, state: str, begin: Callable[[uuid.UUID], None] | None = None) -> Rerating:
    rerating.id, rerating.state = uuid.uuid4(), state
    rerating.username, rerating.reached_at = who.username(), rerating.since
    rerating.direction, rerating.only_unrated = rerating.direction or "", rerating.only_unrated or False

    def store_it(session: Session) -> None:
        session.add(rerating)
        if state == "applying":
            _record(rerating, "rerate")

    store.bulk(store_it)
    (begin or _work)(rerating.id)
    return rerating


def _start_applying(rerating: Rerating) -> None:
    mine = update(Rerating).where(Rerating.id == rerating.id, Rerating.state == "compared")
    begun = mine.values(
        state="applying",
        reached_at=Rerating.since,
        reached_id=0,
        calls=0,
        sample=[],
        heartbeat=func.clock_timestamp(),
        error="",
    )
    preview = total(rerating)

    def claim(session: Session) -> None:
        if session.execute(begun.returning(Rerating.id)).one_or_none() is None:
            raise NotNow(gettext("Nothing was done: somebody else is at it, or was before you."))
        session.execute(delete(ReratingCustomer).where(ReratingCustomer.rerating_id == rerating.id))
        _record(rerating, "rerate", preview)

    store.bulk(claim)


def _go_on(rerating: Rerating) -> None:
    silent = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, SILENCE_SECONDS)
    mine = update(Rerating).where(Rerating.id == rerating.id)
    left = mine.where(or_(Rerating.heartbeat < silent, Rerating.error != ""))
    if not store.note(left.values(heartbeat=func.clock_timestamp(), error="").returning(Rerating.id)):
        raise NotNow(gettext("Nothing was done: somebody else is at it, or was before you."))


# ---- the work


def _work(id: uuid.UUID) -> None:
    app = cast(Any, current_app)._get_current_object()
    given = (app, id, who.username(), who.request_id())
    threading.Thread(target=_in_thread, args=given, name=f"rerating {id}", daemon=True).start()


def _in_thread(app: Flask, id: uuid.UUID, username: str, request_id: str) -> None:
    with app.app_context(), who.on_behalf_of(username, request_id):
        perform(id)


def perform(id: uuid.UUID) -> None:
    """Go on with a rerating to its end. It may be left at any time, and taken on where it was left."""
    tries = 0
    while True:
        try:
            more = _some_cdrs(id) or _some_calls(id)
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            log.warning("rerating stopped", id=str(id), reason=reason, tries=tries)
            tries += 1
            if tries == TRIES:
                store.note(update(Rerating).where(Rerating.id == id).values(error=reason))
                return
            time.sleep(0.2 * 2**tries)
            continue
        if not more:
            return
        tries = 0


def _some_cdrs(id: uuid.UUID) -> bool:
    """Try some CDRs again that are no calls yet, each once. False if there are no more."""
    untried = (
        select(UnratedCdr.cdr_id)
        .join(Rerating, Rerating.id == id)
        .where(Rerating.only_unrated, Rerating.state == "applying", UnratedCdr.noticed_at < Rerating.created_at)
        .where(or_(UnratedCdr.tried_at.is_(None), UnratedCdr.tried_at < Rerating.created_at))
        .order_by(UnratedCdr.cdr_id)
        .limit(CDRS)
    )
    cdrs = [row.cdr_id for row in store.note(untried)]
    if cdrs:
        alive = update(Rerating).where(Rerating.id == id).values(heartbeat=func.clock_timestamp())
        store.note(alive, select(func.reland(cdrs)))
    return bool(cdrs)


def _some_calls(id: uuid.UUID) -> bool:
    """Rate some calls again. False if these were the last: that they are done is then recorded."""
    more: bool | None = None

    def work(session: Session) -> None:
        nonlocal more
        more = session.scalar(select(func.rerate_on(id)))
        if more is False:
            rerating = session.get_one(Rerating, id, populate_existing=True)
            if rerating.state == "applied":
                _record(rerating, "rerated", total(rerating))

    store.bulk(work)
    return bool(more)


def _record(rerating: Rerating, action: str, sums: Sums | None = None) -> None:
    asked = {
        name: value
        for name in ("since", "until", "customer_id", "price_plan_id", "direction", "only_unrated")
        if (value := getattr(rerating, name))
    }
    found = {name: getattr(sums, name) for name in ReratingCustomer.__table__.c.keys()[2:]} if sums else {}
    store.record(action, "reratings", rerating.id, str(rerating), **asked, **found)


# ---- what it comes to


def sample(rerating: Rerating) -> list[dict[str, Any]]:
    """The first calls that change, with moments and amounts as such again."""

    def rating(values: dict[str, Any]) -> dict[str, Any]:
        return values | {name: Decimal(values[name]) for name in ("price", "cost")}

    return [
        each
        | {"started_at": dt.datetime.fromisoformat(each["started_at"])}
        | {"before": rating(each["before"]), "after": rating(each["after"])}
        for each in rerating.sample
    ]


_SUMMED = ("price_before", "price_after", "cost_before", "cost_after")


def total(rerating: Rerating) -> Sums:
    """Of all that change."""
    sums = [func.coalesce(func.sum(getattr(ReratingCustomer, name)), 0) for name in ("calls", *_SUMMED)]
    row = db.session.execute(select(*sums).where(ReratingCustomer.rerating_id == rerating.id)).one()
    return Sums(int(row[0]), row[1], row[2], row[3], row[4])


def by_customer(rerating: Rerating, most: int = 500) -> list[Sums]:
    """Of each customer, those with the greatest difference first."""
    part = ReratingCustomer
    difference = func.abs(part.price_after - part.price_before) + func.abs(part.cost_after - part.cost_before)
    rows = db.session.execute(
        select(part.calls, *(getattr(part, name) for name in _SUMMED), part.customer_id, Customer.name)
        .outerjoin(Customer, Customer.id == part.customer_id)
        .where(part.rerating_id == rerating.id)
        .order_by(difference.desc(), part.customer_id)
        .limit(most)
    )
    return [
        Sums(row[0], row[1], row[2], row[3], row[4], None if row[5] == store.NOTHING else row[5], row[6] or "")
        for row in rows
    ]
