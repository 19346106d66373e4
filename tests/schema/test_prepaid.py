"""Prepaid customers: how long their balance lasts, and that nothing of it is spent twice."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from tests.calls.exchange import DB_PASSWORD
from tests.schema.conftest import SignIn, ask, value
from tests.schema.test_call_requests import question
from tests.schema.test_landing import land
from tests.schema.test_rating import CUSTOMER, GATEWAY, INBOUND, PLAN, amount, billed, carrier, tariff

__all__ = ["carrier"]

NUMBER = "552133334444"


@pytest.fixture(autouse=True)
def prepaid(carrier: None, owner: Connection) -> Iterator[None]:
    """One unit a minute by the second; a route for it; no money yet."""
    tariff(owner, "55", "1", minimum_seconds=0, increment_seconds=1)
    ask(owner, "INSERT INTO routes (name, pattern, gateway_id) VALUES ('all', '55.', %s)", GATEWAY)
    ask(owner, "UPDATE customers SET prepaid = true WHERE id = %s", CUSTOMER)
    yield
    ask(owner, "TRUNCATE routes, payments, reservations, asterisk.call_requests")
    ask(owner, "UPDATE settings SET prepaid_call_seconds = 3600, max_call_seconds = 14400")


def pay(owner: Connection, paid: str) -> None:
    ask(owner, "INSERT INTO payments (customer_id, amount, recorded_by) VALUES (%s, %s, 'me')", CUSTOMER, paid)


def call(asterisk: Connection, request: str = "r1", number: str = NUMBER, **values: str) -> tuple[Any, ...]:
    """Verdict, reason and the longest it may take."""
    answer = question(asterisk, id=request, customer_id=CUSTOMER, dialed=number, **values)
    return answer["verdict"], answer["reason"], answer["max_seconds"]


def ended(asterisk: Connection, request: str, seconds: float | None, sequence: str = "1", **values: str) -> None:
    """The record of a leg that was talked so long, or not answered."""
    talked = {"billsec": str(seconds)} if seconds is not None else {"answer": None, "billsec": "0"}
    land(asterisk, request=request, uniqueid=request, sequence=sequence, number=NUMBER, **talked, **values)


def balance(owner: Connection) -> tuple[Any, ...]:
    """What is left, and what of it is put by."""
    return ask(owner, "SELECT balance, reserved FROM balance_of(%s)", CUSTOMER)[0]


# ---- how long


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    budget=st.decimals("0", "50", places=8),
    rate=st.decimals("0", "30", places=8),
    fee=st.sampled_from(["0", "0.05", "1.23456789"]),
    block=st.sampled_from([(0, 1), (1, 1), (30, 6), (30, 60), (60, 60), (0, 60), (7, 13)]),
    most=st.sampled_from([61, 3601, 14401]),
    places=st.integers(0, 8),
)
@example(Decimal("0.7"), Decimal("0.001"), "0", (0, 1), 3601, 0)
@example(Decimal("1"), Decimal("1"), "0", (30, 60), 3601, 4)
@example(Decimal("0.0083"), Decimal("1"), "0", (0, 1), 3601, 2)
def test_it_is_the_longest_that_the_money_buys(
    owner: Connection, budget: Decimal, rate: Decimal, fee: str, block: tuple[int, int], most: int, places: int
) -> None:
    statement = """
        SELECT affordable_seconds(%s, jsonb_populate_record(NULL::tariffs, jsonb_build_object(
            'price_per_minute', %s, 'connect_fee', %s, 'minimum_seconds', %s, 'increment_seconds', %s)), %s, %s)
    """
    seconds = value(owner, statement, budget, rate, fee, *block, most, places)

    def costs(talked: int) -> Fraction:
        return amount(billed(talked, *block), str(rate), fee, places)

    assert 0 <= seconds <= max(most, block[0])
    assert seconds == 0 or costs(seconds) <= Fraction(budget)
    assert seconds >= most or costs(seconds + 1) > Fraction(budget), "a second more could have been paid"


def test_a_call_ends_a_second_before_the_money_does(owner: Connection, asterisk: Connection) -> None:
    """A second that has begun is charged, and no call ends on the dot."""
    pay(owner, "0.5")

    assert call(asterisk) == ("route", "", 29)
    ended(asterisk, "r1", 29.3)
    assert balance(owner) == (0, 0)


def test_what_is_put_by_is_what_the_longest_call_comes_to(owner: Connection, asterisk: Connection) -> None:
    pay(owner, "100")

    assert call(asterisk) == ("route", "", 3600)
    assert balance(owner) == (100, Decimal("60.0167"))
    ask(owner, "UPDATE settings SET prepaid_call_seconds = 120")
    assert call(asterisk, "r2") == ("route", "", 120)


def test_no_money_no_call(owner: Connection, asterisk: Connection) -> None:
    assert call(asterisk) == ("refused", "no_balance", 0)
    pay(owner, "0.02")
    assert call(asterisk, "r2") == ("refused", "no_balance", 0), "one second is not worth a call"
    pay(owner, "0.02")
    assert call(asterisk, "r3") == ("route", "", 1)


def test_the_first_block_has_to_be_paid(owner: Connection, asterisk: Connection) -> None:
    tariff(owner, "5521", "1", minimum_seconds=60, increment_seconds=60, connect_fee="0.1")
    pay(owner, "1.09")

    assert call(asterisk)[1] == "no_balance"
    pay(owner, "0.01")
    assert call(asterisk, "r2") == ("route", "", 59)


def test_what_costs_nothing_needs_no_money(owner: Connection, asterisk: Connection) -> None:
    tariff(owner, "5521", "0")

    assert call(asterisk) == ("route", "", 14400)
    ask(owner, "INSERT INTO routes (name, pattern, gateway_id) VALUES ('police', '190', %s)", GATEWAY)
    assert call(asterisk, "r2", "190") == ("route", "", 0), "an emergency"
    assert not ask(owner, "SELECT * FROM reservations")


def test_some_may_owe(owner: Connection, asterisk: Connection) -> None:
    ask(owner, "UPDATE customers SET credit_limit = 1 WHERE id = %s", CUSTOMER)

    assert call(asterisk) == ("route", "", 59)
    ended(asterisk, "r1", 59.5)
    assert balance(owner) == (-1, 0)
    assert call(asterisk, "r2")[1] == "no_balance"


def test_a_postpaid_customer_may_talk_as_it_likes(owner: Connection, asterisk: Connection) -> None:
    ask(owner, "UPDATE customers SET prepaid = false WHERE id = %s", CUSTOMER)

    assert call(asterisk) == ("route", "", 14400)
    ended(asterisk, "r1", 60)
    assert balance(owner) == (-1, 0), "what it owes is known all the same"


# ---- not twice


def test_what_one_call_may_come_to_the_next_does_not_have(owner: Connection, asterisk: Connection) -> None:
    pay(owner, "90")

    assert call(asterisk, "r1") == ("route", "", 3600)
    assert call(asterisk, "r2") == ("route", "", 1798)
    assert call(asterisk, "r3")[1] == "no_balance"
    ended(asterisk, "r1", 60)
    assert call(asterisk, "r4") == ("route", "", 3540)
    ended(asterisk, "r2", 1798.5)
    ended(asterisk, "r4", 3540.4)
    assert balance(owner) == (Decimal("0.0000"), 0)


def test_two_nodes_at_the_same_moment(owner: Connection, sign_in: SignIn, asterisk: Connection) -> None:
    """The second waits until it is known what the first one puts by."""
    pay(owner, "0.5")
    answers: dict[str, tuple[Any, ...]] = {}

    def ask_from(node: str) -> None:
        connection = sign_in(user="asterisk", password=DB_PASSWORD, application_name=node)
        answers[node] = call(connection, node)

    with owner.cursor() as cursor:
        owner.autocommit = False
        # Somebody else is asking for the same customer, and has not finished.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('asterisk-admin prepaid'), hashtext(%s))", [CUSTOMER])
        threads = [threading.Thread(target=ask_from, args=[node]) for node in ("pbx1", "pbx2")]
        for thread in threads:
            thread.start()
        threads[0].join(0.3)
        assert not answers
        owner.rollback()
        owner.autocommit = True
    for thread in threads:
        thread.join(5)

    assert sorted(answers.values()) == [("refused", "no_balance", 0), ("route", "", 29)]


# ---- given back


def test_a_leg_that_failed_gives_back_nothing_yet(owner: Connection, asterisk: Connection) -> None:
    """The records of a call come one after the other: between them the money is still put by."""
    pay(owner, "1")
    call(asterisk)

    ended(asterisk, "r1", None, sequence="1", disposition="CONGESTION")
    assert balance(owner) == (1, 1)
    ended(asterisk, "r1", 30, sequence="2")
    assert balance(owner) == (Decimal("0.5"), 0)


def test_what_nobody_answered_is_free_again_soon(owner: Connection, asterisk: Connection) -> None:
    pay(owner, "1")
    call(asterisk)
    ended(asterisk, "r1", None, disposition="BUSY")

    [[soon]] = ask(owner, "SELECT until < now() + interval '3 seconds' FROM reservations")
    assert soon
    ask(owner, "UPDATE reservations SET until = now()")
    assert balance(owner) == (1, 0)


def test_a_call_whose_record_never_comes(owner: Connection, asterisk: Connection) -> None:
    pay(owner, "1")
    call(asterisk)

    [[longest]] = ask(owner, "SELECT extract(epoch FROM until - made_at) FROM reservations")
    assert 59 + 15 * 60 <= math.floor(longest) <= 59 + 16 * 60
    ask(owner, "UPDATE reservations SET until = now() - interval '25 hours'")
    ask(owner, "SELECT keep_partitions()")
    assert not ask(owner, "SELECT * FROM reservations")


def test_a_record_that_makes_no_sense_gives_back_nothing(owner: Connection, asterisk: Connection) -> None:
    pay(owner, "1")
    call(asterisk)
    ended(asterisk, "r1", 30, start="nonsense")

    assert balance(owner) == (1, 1)


def test_the_limit_of_a_day_counts_what_is_put_by(owner: Connection, asterisk: Connection) -> None:
    pay(owner, "100")
    ask(owner, "UPDATE customers SET daily_limit = 50 WHERE id = %s", CUSTOMER)

    assert call(asterisk, "r1")[0] == "route"
    assert call(asterisk, "r2")[1] == "daily_limit"


# ---- in the house, and in


def test_calls_between_customers_that_are_charged(owner: Connection, asterisk: Connection) -> None:
    provider = value(owner, "SELECT id FROM providers")
    statement = "INSERT INTO dids (number, provider_id, status) VALUES ('551140001234', %s, 'allocated')"
    ask(owner, statement, provider)
    try:
        assert call(asterisk, "r1", "551140001234") == ("did", "", 0)
        ask(owner, "UPDATE price_plans SET onnet_charged = true WHERE id = %s", PLAN)
        assert call(asterisk, "r2", "551140001234")[1] == "no_balance"
        pay(owner, "0.5")
        assert call(asterisk, "r3", "551140001234") == ("did", "", 29)
    finally:
        ask(owner, "DELETE FROM dids")


def test_calls_that_come_in_and_are_charged(owner: Connection, asterisk: Connection) -> None:
    assert call(asterisk, "r1", "551140001234", direction="inbound") == ("did", "", 0)
    tariff(owner, "55", "1", plan=INBOUND, minimum_seconds=0, increment_seconds=1)
    assert call(asterisk, "r2", "551140001234", direction="inbound") == ("refused", "no_balance", 0)
    pay(owner, "0.5")
    assert call(asterisk, "r3", "551140001234", direction="inbound") == ("did", "", 29)
    assert balance(owner) == (Decimal("0.5"), Decimal("0.5"))
    ask(owner, "UPDATE customers SET prepaid = false WHERE id = %s", CUSTOMER)
    assert call(asterisk, "r4", "551140001234", direction="inbound") == ("did", "", 0)


def test_without_a_price_plan_nobody_is_prepaid(owner: Connection) -> None:
    with pytest.raises(Exception, match="ck_customers_prepaid_plan"):
        ask(owner, "UPDATE customers SET price_plan_id = NULL WHERE id = %s", CUSTOMER)
