"""What a call costs and is sold for: the database against exact fractions, computed here from the rule in words."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import ask, value

PLAN, INBOUND, OTHER = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "abc")
CUSTOMER, PROVIDER, GATEWAY = (f"00000000-0000-0000-0000-00000000001{digit}" for digit in "abc")
EVER = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)

BLOCKS = [(0, 1), (1, 1), (30, 6), (30, 60), (60, 60), (60, 1), (6, 6), (7, 13)]
SECONDS = [None, 0, 1, 5, 6, 7, 29, 30, 31, 36, 37, 59, 60, 61, 90, 91, 3599, 3600, 3601, 86399]
RATES = ["0", "0.1", "0.00000001", "0.12345678", "0.99999999", "3", "1234.56789012"]
FEES = ["0", "0.05", "1000.12345678"]
CASES = [
    (minimum, increment, seconds, RATES[n % len(RATES)], FEES[n % len(FEES)], n % 9)
    for n, ((minimum, increment), seconds) in enumerate(itertools.product(BLOCKS, SECONDS))
] + [(30, 6, seconds, rate, fee, 4) for seconds in SECONDS for rate in RATES for fee in FEES]


def billed(seconds: int | None, minimum: int, increment: int) -> int:
    """The least number of seconds that is the minimum and whole increments, and not below what was talked."""
    if seconds is None:
        return 0
    total = minimum
    while total < seconds:
        total += increment
    return total


def amount(billed_seconds: int, rate: str, fee: str, places: int) -> Fraction:
    """Half up, by hand."""
    exact = Fraction(fee) + Fraction(rate) * billed_seconds / 60
    return Fraction(math.floor(exact * 10**places + Fraction(1, 2)), 10**places)


@pytest.fixture(autouse=True)
def carrier(owner: Connection) -> Iterator[None]:
    ask(owner, "INSERT INTO price_plans (id, name) VALUES (%s, 'in'), (%s, 'other')", INBOUND, OTHER)
    ask(owner, "INSERT INTO price_plans (id, name, inbound_plan_id) VALUES (%s, 'plan', %s)", PLAN, INBOUND)
    ask(
        owner,
        "INSERT INTO customers (id, code, name, type, price_plan_id) VALUES (%s, 'acme', 'Acme', 'extension', %s)",
        CUSTOMER,
        PLAN,
    )
    ask(owner, "INSERT INTO providers (id, name) VALUES (%s, 'telco')", PROVIDER)
    ask(
        owner,
        "INSERT INTO gateways (id, name, provider_id, ip_address) VALUES (%s, 'gw', %s, '192.0.2.1')",
        GATEWAY,
        PROVIDER,
    )
    yield
    ask(owner, "TRUNCATE asterisk.cdr, calls, call_totals, unrated_cdrs")
    ask(owner, "UPDATE settings SET price_places = 4")
    ask(owner, "DELETE FROM gateways")
    ask(owner, "DELETE FROM providers")
    ask(owner, "DELETE FROM customers")
    ask(owner, "DELETE FROM price_plans WHERE id = %s", PLAN)
    ask(owner, "DELETE FROM price_plans")


def tariff(owner: Connection, prefix: str, price: str = "1", plan: str = PLAN, **values: Any) -> None:
    line = {"price_plan_id": plan, "prefix": prefix, "price_per_minute": price, "valid_from": EVER, **values}
    _insert(owner, "tariffs", line)


def deck(owner: Connection, prefix: str, cost: str, **values: Any) -> None:
    line = {"provider_id": PROVIDER, "prefix": prefix, "cost_per_minute": cost, "valid_from": EVER, **values}
    _insert(owner, "provider_tariffs", line)


def _insert(owner: Connection, table: str, line: dict[str, Any]) -> None:
    names, marks = ", ".join(line), ", ".join(["%s"] * len(line))
    ask(owner, f"INSERT INTO {table} ({names}) VALUES ({marks})", *line.values())  # noqa: S608 - our own names


def rate(
    owner: Connection,
    number: str,
    seconds: int | None = 60,
    direction: str = "outbound",
    at: dt.datetime = NOON,
    provider: str | None = PROVIDER,
    customer: str | None = CUSTOMER,
) -> dict[str, Any]:
    """The rating, by name."""
    statement = "SELECT row_to_json(r) FROM rate_call(%s, %s, %s, %s, %s, %s) AS r"
    found: dict[str, Any] = value(owner, statement, direction, customer, number, at, seconds, provider)
    return found | {name: Decimal(str(found[name])) for name in ("price", "cost")}


# ---- arithmetic


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 500


def test_amounts_are_what_fractions_say(owner: Connection) -> None:
    statement = """
        SELECT billed, amount(billed, (c ->> 3)::numeric, (c ->> 4)::numeric, (c ->> 5)::integer)
        FROM jsonb_array_elements(%s) WITH ORDINALITY AS cases (c, n),
             LATERAL billed_seconds((c ->> 2)::integer, (c ->> 0)::integer, (c ->> 1)::integer) AS billed
        ORDER BY n
    """
    found = ask(owner, statement, json.dumps(CASES))

    for case, (seconds_billed, price) in zip(CASES, found, strict=True):
        minimum, increment, seconds, rate_, fee, places = case
        assert seconds_billed == billed(seconds, minimum, increment), case
        assert Fraction(price) == amount(seconds_billed, rate_, fee, places), case


@pytest.mark.parametrize(
    ("exact", "places", "rounded"), [("0.00005", 4, "0.0001"), ("2.5", 0, "3"), ("0.125", 2, "0.13")]
)
def test_half_is_rounded_up(owner: Connection, exact: str, places: int, rounded: str) -> None:
    assert value(owner, "SELECT amount(60, %s::numeric, 0, %s)", exact, places) == Decimal(rounded)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.integers(0, 20_000),
    minimum=st.integers(0, 3600),
    increment=st.integers(1, 3600),
    rate_=st.decimals(0, 9999, places=8),
)
def test_longer_calls_never_cost_less(
    owner: Connection, seconds: int, minimum: int, increment: int, rate_: Decimal
) -> None:
    statement = """
        SELECT b, amount(b, %s, 0, 4), amount(billed_seconds(%s + 1, %s, %s), %s, 0, 4)
        FROM billed_seconds(%s, %s, %s) AS b
    """
    block = (minimum, increment)
    [(charged, price, price_of_longer)] = ask(owner, statement, rate_, seconds, *block, rate_, seconds, *block)

    assert seconds <= charged < seconds + increment + minimum or charged == minimum == seconds
    assert price <= price_of_longer


# ---- which tariff


@pytest.mark.parametrize(
    ("number", "price"), [("552133334444", 1), ("551133334444", 2), ("5511987654321", 3), ("5511912345678", 4)]
)
def test_the_longest_prefix_counts(owner: Connection, number: str, price: int) -> None:
    for prefix, its_price in (("55", "1"), ("5511", "2"), ("55119", "3"), ("5511912345678", "4")):
        tariff(owner, prefix, its_price)
        tariff(owner, prefix, "99", plan=OTHER)

    assert rate(owner, number)["price"] == price


def test_the_plan_changes_at_midnight_of_the_company(owner: Connection) -> None:
    """03:00 UTC is midnight in São Paulo. What began before is charged as before, however long it goes on."""
    midnight = dt.datetime(2026, 3, 10, 3, tzinfo=dt.UTC)
    tariff(owner, "55", "1")
    tariff(owner, "55", "2", valid_from=midnight)
    moment = dt.timedelta(microseconds=1)

    assert rate(owner, "552133334444", 3600, at=midnight - moment)["price"] == 60
    assert rate(owner, "552133334444", 3600, at=midnight)["price"] == 120


def test_what_is_not_answered_costs_nothing(owner: Connection) -> None:
    tariff(owner, "55", "1", connect_fee="5")
    deck(owner, "55", "1", connect_fee="5")

    rated = rate(owner, "552133334444", None)

    assert (rated["billed_seconds"], rated["price"], rated["cost"], rated["unrated"]) == (0, 0, 0, "")
    assert rated["prefix"] == "55"  # Which destination failed is known all the same.


@pytest.mark.parametrize(
    ("deck_cost", "tariff_cost", "flat", "cost", "source"),
    [
        ("0.5", "0.4", "0.3", "0.5", "deck"),
        (None, "0.4", "0.3", "0.4", "tariff"),
        (None, "0", "0.3", "0.3", "provider"),
    ],
)
def test_the_cost_is_the_decks_else_the_tariffs_else_the_providers(
    owner: Connection, deck_cost: str | None, tariff_cost: str, flat: str, cost: str, source: str
) -> None:
    tariff(owner, "55", "1", cost_per_minute=tariff_cost, minimum_seconds=60, increment_seconds=60)
    ask(owner, "UPDATE providers SET cost_per_minute = %s", flat)
    if deck_cost:
        deck(owner, "5521", deck_cost, minimum_seconds=60, increment_seconds=60)

    rated = rate(owner, "552133334444", 60)

    assert (rated["cost"], rated["cost_source"]) == (Decimal(cost), source)


def test_a_deck_that_charges_nothing_is_believed(owner: Connection) -> None:
    ask(owner, "UPDATE providers SET cost_per_minute = 9")
    tariff(owner, "55", "1", cost_per_minute="9")
    deck(owner, "55", "0")

    assert rate(owner, "552133334444")["cost"] == 0


def test_the_providers_own_cost_is_by_the_second(owner: Connection) -> None:
    ask(owner, "UPDATE providers SET cost_per_minute = 0.6")
    tariff(owner, "55", "1")

    rated = rate(owner, "552133334444", 31)

    assert (rated["cost_billed_seconds"], rated["cost"]) == (31, Decimal("0.31"))


@pytest.mark.parametrize(
    ("direction", "number", "price"),
    [
        ("inbound", "551140001000", "0.2"),  # By the plan for inbound calls ...
        ("inbound", "551140001001", "0.9"),  # ... where one number has a tariff of its own ...
        ("inbound", "442012345678", "0"),  # ... and what is not in it is free.
        ("onnet", "551140001000", "0"),
        ("internal", "101", "0"),
        ("outbound", "190", "0"),
    ],
)
def test_what_does_not_leave_the_house(owner: Connection, direction: str, number: str, price: str) -> None:
    tariff(owner, "55", "1")
    tariff(owner, "55", "0.2", plan=INBOUND)
    tariff(owner, "551140001001", "0.9", plan=INBOUND)

    rated = rate(owner, number, 60, direction)

    assert (rated["price"], rated["unrated"]) == (Decimal(price), "")


def test_calls_between_customers_are_charged_where_the_plan_says_so(owner: Connection) -> None:
    tariff(owner, "55", "1")
    ask(owner, "UPDATE price_plans SET onnet_charged = true WHERE id = %s", PLAN)

    assert rate(owner, "551140001000", 60, "onnet", provider=None)["price"] == 1


def test_without_a_price_a_call_is_listed_as_not_rated(owner: Connection) -> None:
    tariff(owner, "1", "1")
    assert rate(owner, "552133334444")["unrated"] == "no_tariff"

    ask(owner, "UPDATE customers SET price_plan_id = NULL")
    assert rate(owner, "552133334444")["unrated"] == "no_price_plan"
    assert rate(owner, "552133334444", None)["unrated"] == ""  # Nobody was talking.
