"""Prepaid customers on real calls: a call lasts as long as the money does, and no two calls spend the same."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal

import pytest

from tests.calls.conftest import Carrier
from tests.calls.exchange import query
from tests.calls.test_limits import Change, change, customer, reasons
from webapp import store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.payments import operations
from webapp.payments.models import Payment
from webapp.tariffs.models import PricePlan, Tariff

__all__ = ["change"]

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def acme(carrier: Carrier, change: Change) -> Customer:
    """Acme pays one unit a second, out and in, before it calls. It has none yet."""
    acme = customer(carrier, "acme")
    change(acme, price_plan_id=plan().id, prepaid=True)
    had = balance(acme)  # By calls of other tests.
    if had:
        pay(acme, -had)
    carrier.settled()
    return acme


def plan() -> PricePlan:
    found: PricePlan | None = db.session.scalar(db.select(PricePlan).where(PricePlan.name == "Prepaid"))
    if found:
        return found
    inbound = PricePlan(name="Prepaid, inbound")
    store.save(inbound)
    plan = PricePlan(name="Prepaid", inbound_plan_id=inbound.id)
    store.save(plan)
    by_the_second = {"minimum_seconds": 0, "increment_seconds": 1, "valid_from": LONG_AGO}
    for each in (plan, inbound):
        store.save(Tariff(price_plan_id=each.id, prefix="55", price_per_minute=Decimal(60), **by_the_second))
    return plan


def pay(acme: Customer, amount: Decimal | int) -> None:
    operations.record(Payment(customer_id=acme.id, amount=Decimal(amount)))


def balance(acme: Customer) -> Decimal:
    """What is left; nothing may be put by any more."""
    db.session.rollback()
    return operations.account(acme).balance


def priced(carrier: Carrier, number: str) -> list[tuple[str, Decimal]]:
    statement = "SELECT disposition, price FROM calls WHERE dst = :number ORDER BY id"
    return [(call.disposition, call.price) for call in query(carrier.url, statement, number=number)]


def test_a_call_is_cut_off_where_the_balance_ends(carrier: Carrier, acme: Customer) -> None:
    pay(acme, 4)
    with carrier.first.answer(), carrier.acme.start_call("552177770001") as calling:
        calling.wait_for(200)
        answered = time.monotonic()
        calling.wait_for("BYE")
        talked = time.monotonic() - answered

    assert 2 < talked <= 4, "within two seconds of what the money buys"
    carrier.ended("552177770001", 1)
    [(_, price)] = priced(carrier, "552177770001")
    assert 2 < price <= 4
    assert balance(acme) == 4 - price
    assert operations.account(acme).reserved == 0


def test_two_calls_at_once_cannot_spend_the_same_money(carrier: Carrier, acme: Customer) -> None:
    pay(acme, 5)
    with carrier.first.answer(expect_calls=2), carrier.acme.start_call("552177770002") as first:
        first.wait_for(200)
        assert carrier.acme.call("552177770003", expect=403).cause == 21
        first.wait_for("BYE")
    carrier.ended("552177770002", 1)

    assert reasons(carrier, "552177770003") == ["no_balance"]
    assert 0 <= balance(acme) <= 2


def test_it_is_put_by_until_the_last_leg_has_ended(carrier: Carrier, acme: Customer) -> None:
    """One that failed before it gives nothing back."""
    pay(acme, 6)
    with (
        carrier.first.refuse(503),
        carrier.second.answer(),
        carrier.acme.start_call("552177770004") as calling,
    ):
        calling.wait_for(200)
        time.sleep(2.5)  # A leg that failed would free it after two.
        db.session.rollback()
        assert operations.account(acme).reserved == 6
        calling.wait_for("BYE")
    carrier.ended("552177770004", 2)

    [(_, nothing), (_, price)] = priced(carrier, "552177770004")
    assert nothing == 0
    assert balance(acme) == 6 - price


def test_what_nobody_answered_costs_nothing(carrier: Carrier, acme: Customer) -> None:
    pay(acme, 4)
    with carrier.first.refuse(486):
        carrier.acme.call("552177770005", expect=486)
    carrier.ended("552177770005", 1)
    time.sleep(2.1)

    db.session.rollback()
    account = operations.account(acme)
    assert account == operations.Account(account.paid, account.spent, Decimal(4), Decimal(0), Decimal(4))


def test_calls_that_come_in(carrier: Carrier, acme: Customer) -> None:
    carrier.did("551140000711", "acme")
    carrier.settled()
    with carrier.acme.answer():
        carrier.first.call("551140000711", expect=403)
        pay(acme, 4)
        with carrier.first.start_call("551140000711") as calling:
            calling.wait_for(200)
            calling.wait_for("BYE")
    carrier.cdrs("551140000711", 2)

    [(_, refused), (_, price)] = priced(carrier, "551140000711")
    assert refused == 0
    assert 2 < price <= 4
    assert balance(acme) == 4 - price


def test_who_has_no_money_still_reaches_what_is_free(carrier: Carrier, acme: Customer) -> None:
    """Its own phones, other customers where that is free, and the police."""
    carrier.did("551140000712", "beta")
    with carrier.beta.answer():
        carrier.acme.call("551140000712")
