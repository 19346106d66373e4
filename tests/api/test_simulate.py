"""The simulator, for programs: every verdict, every refusal, and amounts against exact fractions."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.conftest import Program
from tests.conftest import Counting
from tests.web import things
from webapp import routing
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan

RIO = "552133334444"
_hosts = itertools.count(1)


def simulate(api: Program, customer: Customer, number: str = RIO, **values: Any) -> dict[str, Any]:
    answer = api.post("/simulate", {"customer_id": str(customer.id), "number": number, **values})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def verdict(answer: dict[str, Any]) -> tuple[str, str, int, int | None]:
    return answer["verdict"], answer["reason"], answer["cause"], answer["sip_status"]


def plan(price: str = "0.10", **values: Any) -> PricePlan:
    made = things.price_plan()
    things.tariff(made, "55", price, **values)
    return made


def way(name: str, cost: str = "0", priority: int = 10, **values: Any) -> tuple[Provider, Gateway]:
    """A provider with a flat cost, its gateway, and a route over it."""
    provider = things.provider(f"Provider {name}", cost_per_minute=Decimal(cost))
    gateway = things.gateway(name, f"10.0.0.{next(_hosts)}", provider_id=provider.id, **values)
    things.route(f"Route {name}", gateway_id=gateway.id, priority=priority)
    return provider, gateway


# ---- verdicts


def test_a_call_that_goes_out_is_told_in_full(api: Program) -> None:
    provider, gateway = way("a", tech_prefix="77", max_channels=30, caller_id_format="long_distance")
    things.deck_line(provider, "5521", "0.05", minimum_seconds=30, increment_seconds=6, connect_fee=Decimal("0.01"))
    retail = plan("0.10", description="Rio", minimum_seconds=60, increment_seconds=60, connect_fee=Decimal("0.2"))
    office = things.office(number_rules="brazil", price_plan_id=retail.id)
    things.extension(office, "100")
    things.allocate(things.did("551140001000"), office, "100")

    answer = simulate(api, office, "0 21 3333-4444", extension="100", seconds=61, at="2026-06-01T12:00:00Z")

    assert answer == {
        "customer_id": str(office.id),
        "dialled": "02133334444",
        "at": "2026-06-01T12:00:00Z",
        "seconds": 61,
        "emergency": False,
        "steps": [{"rule": "Long distance", "pattern": "0ZZNXXXXXXX", "before": "02133334444", "after": RIO}],
        "verdict": "route",
        "reason": "",
        "reason_words": "",
        "cause": 0,
        "sip_status": None,
        "number": RIO,
        "caller_id": "551140001000",
        "max_seconds": 14400,
        "tariff": {
            "price_plan_id": str(retail.id),
            "price_plan": "Retail",
            "prefix": "55",
            "destination": "Rio",
            "price_per_minute": "0.10000000",
            "connect_fee": "0.20000000",
            "minimum_seconds": 60,
            "increment_seconds": 60,
        },
        "unrated": "",
        "billed_seconds": 120,
        "price": "0.4000",
        "legs": [
            {
                "gateway_id": str(gateway.id),
                "gateway": "a",
                "provider_id": str(provider.id),
                "provider": "Provider a",
                "number": f"77{RIO}",
                "caller_id": "01140001000",
                "max_channels": 30,
                "cost_source": "deck",
                "cost_prefix": "5521",
                "cost_per_minute": "0.05000000",
                "cost_connect_fee": "0.01000000",
                "cost_minimum_seconds": 30,
                "cost_increment_seconds": 6,
                "cost_billed_seconds": 66,
                "cost": "0.0650",
                "margin_per_minute": "0.05000000",
                "margin": "0.3350",
            }
        ],
        "did": None,
        "phone": None,
    }


def test_a_call_that_stays_in_the_house(api: Program) -> None:
    other = things.office("other", enabled=False)
    things.extension(other, "4000")
    number = things.did("551140001000")
    things.allocate(number, other, "4000")
    trunk = things.trunk()
    things.allocate(things.did("551140001001"), trunk)
    charged = things.price_plan("Charged", onnet_charged=True)
    things.tariff(charged, "55", "0.30")

    free = simulate(api, things.office("free", price_plan_id=plan().id), number.number)
    assert verdict(free) == ("did", "", 0, None)
    assert (free["price"], free["tariff"], free["unrated"], free["legs"]) == ("0", None, "", [])
    assert free["did"] == {
        "id": str(number.id),
        "customer_id": str(other.id),
        "customer": "Customer other",
        "customer_enabled": False,
        "extension": "4000",
    }
    paid = simulate(api, things.office("paid", price_plan_id=charged.id), "551140001001", seconds=90)
    assert (paid["price"], paid["tariff"]["prefix"]) == ("0.4500", "55")
    assert (paid["did"]["customer_enabled"], paid["did"]["extension"]) == (True, None)


def test_a_call_to_a_phone_of_the_customer(api: Program) -> None:
    office = things.office(price_plan_id=plan().id, number_rules="brazil")
    phone = things.extension(office, "4000", name="Desk")
    answer = simulate(api, office, "4000")
    assert verdict(answer) == ("internal", "", 0, None)
    assert answer["phone"] == {"id": str(phone.id), "extension": "4000", "name": "Desk"}
    assert (answer["number"], answer["steps"], answer["price"], answer["tariff"]) == ("acme-4000", [], "0", None)


def test_an_emergency_call(api: Program) -> None:
    things.route("Emergency", pattern="19X", gateway_id=things.gateway(max_channels=3).id)
    off = things.office(enabled=False, price_plan_id=plan("9").id, number_rules="brazil")
    answer = simulate(api, off, "190")
    assert verdict(answer) == ("route", "", 0, None)
    assert (answer["emergency"], answer["price"], answer["unrated"]) == (True, "0", "")
    assert (answer["legs"][0]["max_channels"], answer["max_seconds"]) == (0, 0)


def test_a_customer_without_a_price_plan(api: Program) -> None:
    way("a", "0.05")
    answer = simulate(api, things.office())
    assert (answer["verdict"], answer["unrated"], answer["tariff"]) == ("route", "no_price_plan", None)
    assert answer["legs"][0]["margin"] == "-0.0500"


# ---- refusals

# What the customer is, what is asked, and why that is refused, with the cause and the status that it becomes.
REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], int, int]] = {
    "customer_disabled": ({"enabled": False}, {}, 21, 403),
    "invalid_number": ({}, {"number": "55ab"}, 1, 404),
    "blocked": ({}, {"number": "551233334444"}, 21, 403),
    "no_tariff": ({}, {"number": "442071234567"}, 3, 404),
    "too_dear": ({"max_price_per_minute": Decimal("0.09")}, {}, 21, 403),
    "channels": ({"max_channels": 2}, {"channels": 3}, 34, 503),
    "calls_per_second": ({"calls_per_second": 1}, {}, 42, 503),
    "daily_limit": ({"daily_limit": Decimal("0.5")}, {}, 21, 403),
    "no_balance": ({"prepaid": True}, {}, 21, 403),
    "below_cost": ({"refuse_below_cost": True}, {"at": "2026-05-02"}, 34, 503),
    "no_route": ({}, {"number": "5599"}, 3, 404),
}


def called_just_now(customer: Customer) -> None:
    """A call that was let through in this second, and one of today that came to something."""
    id = {"id": str(customer.id)}
    request = "INSERT INTO asterisk.call_requests (id, customer_id, dialed) VALUES ('before', :id, :number)"
    db.session.execute(text(request), {**id, "number": RIO})
    db.session.execute(text("UPDATE asterisk.call_requests SET verdict = 'route' WHERE id = 'before'"))
    cdr = """
        INSERT INTO asterisk.cdr (node, start, answer, "end", duration, billsec, disposition, uniqueid, sequence,
                                  direction, customer_id, number)
        SELECT 'n', now()::text, now()::text, now()::text, '300', '300', 'ANSWERED', 'u', '1', 'outbound', :id, :number
    """
    db.session.execute(text(cdr), {**id, "number": RIO})
    db.session.commit()


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_is_refused_says_why(api: Program, reason: str) -> None:
    values, asked, cause, status = REFUSALS[reason]
    provider = things.provider()
    things.route(pattern="55XXXXXXX.", gateway_id=things.gateway(provider_id=provider.id).id)
    things.deck_line(provider, "55", "0.11", valid_from=dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    blocked = things.destination_list("No", "5512")
    office = things.office(price_plan_id=plan().id, blocked_list_id=blocked.id, **values)
    called_just_now(office)

    answer = simulate(api, office, **{"at": "2026-04-01", **asked})

    assert verdict(answer) == ("refused", reason, cause, status)
    assert answer["reason_words"] == str(routing.REASONS[reason])
    assert (answer["price"], answer["billed_seconds"], answer["legs"], answer["did"]) == ("0", 0, [], None)
    assert bool(answer["tariff"]) == (reason not in ("invalid_number", "no_tariff"))


def test_there_is_a_case_for_each_refusal() -> None:
    """But for those that need no customer, or come about where the call is."""
    assert routing.REASONS.keys() - REFUSALS.keys() == {
        "unknown_customer",
        "cancelled",
        "forwards",
        "forward_emergency",
        "fraud",  # tests/web/test_fraud.py
    }


def test_without_what_refuses_it_the_call_goes_out(api: Program) -> None:
    way("a", "0.05")
    office = things.office(price_plan_id=plan().id, max_channels=2, calls_per_second=2, daily_limit=Decimal(1))
    called_just_now(office)
    assert simulate(api, office, channels=2)["verdict"] == "route"


def test_a_refusal_says_by_what_it_would_be_charged(api: Program) -> None:
    """A number of ours that costs nothing within the house has no tariff, refused or not."""
    office = things.office(price_plan_id=plan().id, enabled=False)
    things.allocate(things.did("551140001000"), things.trunk())
    assert simulate(api, office)["tariff"]["prefix"] == "55"
    assert simulate(api, office, "551140001000")["tariff"] is None


# ---- order, moments, amounts


def test_the_cheapest_of_equal_priority_is_tried_first(api: Program) -> None:
    """By deck, by the provider's cost, by the tariff's own; priority comes before all of them."""
    office = things.office(price_plan_id=plan("0.10", cost_per_minute=Decimal("0.06")).id)
    way("flat", "0.05")
    with_deck, _ = way("deck", "0.01")
    things.deck_line(with_deck, "5521", "0.07")
    way("last", "0.001", priority=20)
    cheap, _ = way("cheap")
    things.deck_line(cheap, "5521", "0.02")
    things.deck_line(cheap, "5521", "0.08", valid_from=dt.datetime(2027, 1, 1, tzinfo=dt.UTC))

    def costs(**values: Any) -> list[tuple[str, str, Decimal]]:
        legs = simulate(api, office, **values)["legs"]
        return [(leg["gateway"], leg["cost_source"], Decimal(leg["cost_per_minute"])) for leg in legs]

    tariff = ("tariff", Decimal("0.06"))
    now = costs(at="2026-12-31")
    assert now == [
        ("cheap", "deck", Decimal("0.02")),
        ("flat", *tariff),
        ("deck", "deck", Decimal("0.07")),
        ("last", *tariff),
    ]
    assert [name for name, _, _ in costs(at="2027-01-02")] == ["flat", "deck", "cheap", "last"]


def test_the_tariff_is_that_of_the_moment(api: Program) -> None:
    way("a")
    retail = things.price_plan()
    for year, price in ((2025, "0.1"), (2026, "0.2"), (2090, "0.3")):
        things.tariff(retail, "55", price, valid_from=dt.datetime(year, 1, 1, 3, tzinfo=dt.UTC))
    office = things.office(price_plan_id=retail.id)

    assert [simulate(api, office, at=f"{year}-01-01")["price"] for year in (2025, 2026, 2090)] == [
        "0.1000",
        "0.2000",
        "0.3000",
    ]
    assert simulate(api, office, at="2089-12-31T23:59:59-03:00")["price"] == "0.2000"
    assert simulate(api, office)["price"] == simulate(api, office, at=None)["price"] == "0.2000"
    assert verdict(simulate(api, office, at="2024-12-31"))[1] == "no_tariff"


def _exact(seconds: int, minimum: int, increment: int, rate: str, fee: str) -> Fraction:
    """By the rule in words: the minimum, whole increments, half up to four decimals."""
    billed = minimum
    while billed < seconds:
        billed += increment
    amount = Fraction(fee) + Fraction(rate) * billed / 60
    return Fraction(math.floor(amount * 10_000 + Fraction(1, 2)), 10_000)


@pytest.mark.parametrize(("minimum", "increment", "rate", "fee"), [(30, 6, "0.08", "0.05"), (0, 1, "1.99999999", "0")])
def test_amounts_are_exact(api: Program, minimum: int, increment: int, rate: str, fee: str) -> None:
    block: dict[str, Any] = {"minimum_seconds": minimum, "increment_seconds": increment}
    provider, _ = way("a")
    things.deck_line(provider, "5521", "0.01234567", minimum_seconds=1, increment_seconds=7)
    office = things.office(price_plan_id=plan(rate, connect_fee=Decimal(fee), **block).id)
    for seconds in (1, 29, 30, 31, 37, 59, 61, 3601, 86400):
        answer = simulate(api, office, seconds=seconds)
        [leg] = answer["legs"]
        price, cost = _exact(seconds, minimum, increment, rate, fee), _exact(seconds, 1, 7, "0.01234567", "0")
        assert (Fraction(answer["price"]), Fraction(leg["cost"])) == (price, cost)
        assert Fraction(leg["margin"]) == price - cost
        assert Fraction(leg["margin_per_minute"]) == Fraction(rate) - Fraction("0.01234567")


def test_the_number_that_is_presented(api: Program) -> None:
    """The one that is sent if it is the customer's, else that of the phone, else the default."""
    way("a")
    office = things.office(caller_id="551140001999", number_rules="brazil", allowed_caller_ids=["12125550123"])
    for n in ("100", "101"):
        things.extension(office, n)
    things.allocate(things.did("551140001000"), office, "100")
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "551140001999"),
        ({"caller": "(11) 4000-1000"}, "551140001000"),
        ({"caller": "+1 212 555-0123"}, "12125550123"),
        ({"caller": "5521999999999"}, "551140001999"),
        ({"extension": "100"}, "551140001000"),
        ({"extension": "101"}, "551140001999"),
    ]
    for asked, shown in cases:
        assert simulate(api, office, **asked)["caller_id"] == shown, asked


# ---- who and what


def test_who_may(api: Program, viewer: Program, nobody: Program) -> None:
    office = things.office()
    body = {"customer_id": str(office.id), "number": "1"}
    assert viewer.post("/simulate", body).status_code == 200
    assert nobody.post("/simulate", body).status_code == 401
    assert api.get("/simulate").status_code == 405


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("customer_id", [None, "", "x", 1, [], "\x00", "00000000-0000-0000-0000-000000000000"]),
        ("number", [None, "", " ", 1, {}, "1\x00", "9" * 81, "9" * 10_000, "1\n2"]),
        ("caller", [None, 1, "x", "\x00", "1+", "9" * 10_000, "١"]),
        ("extension", ["", "x", "1", "9" * 10_000, "\x00", "4321"]),
        ("seconds", [None, 0, -1, 86401, 1.5, "x", "5.000", 10**30, "\x00"]),
        ("channels", [None, -1, 10_001, "x", 0.5]),
        ("at", ["", "x", "\x00", "1999-12-31", "2100-01-01", "9999-12-31T23:59:59-14:00", 5, True, "2026-02-30"]),
        ("other", ["1"]),
    ],
)
def test_nonsense_is_refused_at_its_field(api: Program, field: str, values: list[Any]) -> None:
    body = {"customer_id": str(things.office().id), "number": "1"}
    for value in values:
        answer = api.post("/simulate", {**body, field: value})
        assert answer.status_code == 422, value
        assert answer.json["errors"].keys() == {field}
    assert api.post("/simulate", {}).json["errors"].keys() == {"customer_id", "number"}


def test_nothing_is_kept_of_it(api: Program) -> None:
    way("a")
    office = things.office(price_plan_id=plan().id)
    counted = text(
        "SELECT (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM asterisk.call_requests)"
        " + (SELECT count(*) FROM calls)"
    )
    before = db.session.scalar(counted)
    simulate(api, office)
    assert db.session.scalar(counted) == before


def test_it_costs_the_same_however_many_legs(api: Program, counting: Counting) -> None:
    office = things.office(price_plan_id=plan().id)
    simulate(api, office)  # The first request of a minute clears the counts of the minute before besides.
    counts = []
    for n, name in enumerate("abcde", 1):
        way(name)
        with counting() as statements:
            assert len(simulate(api, office)["legs"]) == n
        counts.append(len(statements))
    assert len(set(counts)) == 1
    assert counts[-1] <= 12
