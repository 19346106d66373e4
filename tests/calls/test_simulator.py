"""The simulator and real calls side by side: what it says just before a call is what the call then does.

One carrier, one table of calls: each is asked of the simulator, placed, and looked up where calls are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, g

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import Carrier
from tests.calls.exchange import query, until
from tests.calls.sip import Answering, CallResult, Peer
from tests.conftest import PASSWORD
from webapp import store
from webapp.accounts import tokens
from webapp.accounts.models import User
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.ext import Managed, db
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

OWN = "551131110000"  # A number of customer acme ...
CALLER = OWN.removeprefix("55")  # As the PBX of acme sends its number.
THEIRS = "551131110001"  # ... and one of customer beta.
OUTBOUND = {"customer": "acme", "direction": "outbound"}
# What every answered call comes to, for all of them are shorter than the minimum.
PRICE = {"prefix": "5521", "price": "0.1100", "price_per_minute": "0.12"}
NORTH = {"provider": "provider", "gateway": "first", "cost_source": "deck"}
SOUTH = {"provider": "south", "gateway": "second", "cost_source": "provider"}
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)  # Asterisk writes the start of a call to the second only.
NOTHING = {"cost": "0", "price": "0", "margin": "0"}


@dataclass(frozen=True)
class Case:
    """A call, how the gateways take it, and the rows that it leaves: what is named of each must be as it says."""

    dialled: str
    number: str  # As it is understood.
    rows: list[dict[str, Any]]
    first: int = 200  # The status with which the gateway that is tried first answers; 180: it only rings.
    status: int = 200  # What the caller gets.
    verdict: str = "route"  # Empty: the call comes in, of which the simulator says nothing.
    reason: str = ""
    prefix: str = "5521"  # Of the tariff that counts, if one does.
    price_per_minute: str = "0.12"


CASES = {
    "inbound": Case(
        OWN,
        OWN,
        [
            {
                **NORTH,
                **{"customer": "acme", "direction": "inbound", "did": OWN, "disposition": "ANSWERED", "cause": 16},
                **{"prefix": OWN, "price": "0.04", "cost": "0", "margin": "0.04", "cost_source": ""},
            }
        ],
        verdict="",
    ),
    "outbound": Case(
        "02131112001",
        "552131112001",
        [{**OUTBOUND, **NORTH, **PRICE, "disposition": "ANSWERED", "cost": "0.0250", "margin": "0.0850"}],
    ),
    "failed over": Case(
        "02131112002",
        "552131112002",
        [
            {**OUTBOUND, **NORTH, **NOTHING, "disposition": "CONGESTION", "sip_status": 503, "cause": 34},
            {**OUTBOUND, **SOUTH, **PRICE, "disposition": "ANSWERED", "cost_per_minute": "0.06"},
        ],
        first=503,
    ),
    "busy": Case(
        "02131112003",
        "552131112003",
        [{**OUTBOUND, **NORTH, **NOTHING, "disposition": "BUSY", "sip_status": 486, "cause": 17}],
        first=486,
        status=486,
    ),
    "unanswered": Case(
        "02131112004",
        "552131112004",
        [{**OUTBOUND, **NORTH, **NOTHING, "disposition": "NO ANSWER", "sip_status": None, "cause": 19}],
        first=180,
        status=480,
    ),
    "between customers": Case(
        "1131110001",
        THEIRS,
        [
            {
                "customer": "acme",
                "direction": "onnet",
                "did": THEIRS,
                "disposition": "ANSWERED",
                **{"prefix": "5511", "price": "0.0150", "cost": "0", "margin": "0.0150", "cost_source": ""},
            }
        ],
        verdict="did",
        prefix="5511",
        price_per_minute="0.03",
    ),
    "no_route": Case(
        "+442071112005",
        "442071112005",
        [{**OUTBOUND, **NOTHING, "reason": "no_route", "disposition": "FAILED"}],
        status=404,
        verdict="refused",
        reason="no_route",
        prefix="44",
        price_per_minute="0.5",
    ),
    "blocked": Case(
        "02199112006",
        "552199112006",
        [{**OUTBOUND, **NOTHING, "reason": "blocked", "disposition": "NO ANSWER"}],
        status=403,
        verdict="refused",
        reason="blocked",
    ),
    "no_tariff": Case(
        "02231112007",
        "552231112007",
        [{**OUTBOUND, **NOTHING, "reason": "no_tariff", "disposition": "FAILED"}],
        status=404,
        verdict="refused",
        reason="no_tariff",
        prefix="",
        price_per_minute="0",
    ),
}


def change(thing: Managed, **values: Any) -> dict[str, Any]:
    """Give a thing other values; those that it had."""
    before = {name: getattr(thing, name) for name in values}
    for name, value in values.items():
        setattr(thing, name, value)
    store.save(thing)
    return before


def tariff(plan: PricePlan, prefix: str, price: str, **values: Any) -> Tariff:
    block = {"minimum_seconds": 30, "increment_seconds": 6, "valid_from": LONG_AGO, **values}
    return Tariff(price_plan_id=plan.id, prefix=prefix, price_per_minute=Decimal(price), **block)


@pytest.fixture
def priced(carrier: Carrier, asterisk: Asterisk) -> Iterator[dict[Any, str]]:
    """The carrier with price plan, tariffs, deck and a list of blocked numbers; the names of what calls refer to."""
    inbound = PricePlan(name="Inbound calls")
    store.save(inbound)
    plan = PricePlan(name="Outbound calls", onnet_charged=True, inbound_plan_id=inbound.id)
    south = Provider(name="South", cost_per_minute=Decimal("0.06"))
    blocked = DestinationList(name="Rio, mobile", prefixes=["552199"])
    store.save(plan, south, blocked)
    store.save(
        tariff(plan, "5521", "0.12", connect_fee=Decimal("0.05")),
        tariff(plan, "5511", "0.03"),
        tariff(plan, "44", "0.5"),
        tariff(inbound, OWN, "0.04", minimum_seconds=60),
        ProviderTariff(
            provider_id=carrier.ids["provider"],
            prefix="5521",
            cost_per_minute=Decimal("0.05"),
            valid_from=LONG_AGO,
        ),
    )
    acme = db.session.get_one(Customer, carrier.ids["acme"])
    second = db.session.get_one(Gateway, carrier.ids["second"])
    before: list[tuple[Managed, dict[str, Any]]] = [
        (acme, change(acme, price_plan_id=plan.id, number_rules="brazil", blocked_list_id=blocked.id)),
        (second, change(second, provider_id=south.id, caller_id_format="plus", max_channels=5)),
    ]
    for number, customer in ((OWN, "acme"), (THEIRS, "beta")):
        carrier.did(number, customer)
    asterisk.rx("dialplan set global RING_SECONDS 1")
    carrier.settled()
    yield {id: name for name, id in carrier.ids.items()} | {south.id: "south", None: ""}
    asterisk.rx("dialplan set global RING_SECONDS 60")
    for thing, values in before:
        change(thing, **values)
    for line in db.session.query(ProviderTariff).filter_by(provider_id=carrier.ids["provider"]):
        store.delete(line)
    carrier.settled()


class Simulator:
    """Somebody who may only look, at the API."""

    def __init__(self, app: Flask) -> None:
        user = User(username="sim", role="viewer", language="en")
        user.set_password(PASSWORD)
        store.save(user)
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {tokens.issue(user)}"}

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        g.pop("_login_user", None)  # The tests' own context would keep who asked before.
        answer = self.client.post("/api/v1/simulate", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})


@dataclass(frozen=True)
class Placed:
    """A call that was placed: what its caller got, and which number and caller everybody saw who was asked."""

    result: CallResult
    first: list[tuple[str, str]]
    second: list[tuple[str, str]]
    beta: list[tuple[str, str]]


def place(carrier: Carrier, case: Case) -> Placed:
    with ExitStack() as stack:

        def listening(peer: Peer, status: int = 200) -> Answering:
            party = {200: peer.answer, 180: peer.ring}.get(status)
            return stack.enter_context(party() if party else peer.refuse(status))

        first, second, beta = listening(carrier.first, case.first), listening(carrier.second), listening(carrier.beta)
        result = carrier.acme.call(case.dialled, caller=CALLER, expect=case.status)
        return Placed(result, seen(first), seen(second), seen(beta))


def seen(party: Answering) -> list[tuple[str, str]]:
    return [(invite.called_number, invite.caller_number) for invite in party.invites]


def rows(carrier: Carrier, case: Case) -> list[Any]:
    """The calls of a case, when there are as many as there should be and it is known how those let out ended."""
    statement = """
        SELECT *, price - cost AS margin FROM public.calls
        WHERE dst IN (:number, :dialled) AND (cause IS NOT NULL OR :refused) ORDER BY id
    """
    values = {"number": case.number, "dialled": case.dialled, "refused": case.verdict == "refused"}
    return list(
        until(
            lambda: (found := query(carrier.url, statement, **values)) and len(found) >= len(case.rows) and found,
            f"{len(case.rows)} calls to {case.number}",
        )
    )


def check_row(row: Any, wanted: dict[str, Any], names: dict[Any, str]) -> None:
    """That a call is what the table says of it. Who is not named there is nobody."""
    told = dict(row._mapping)
    for name in ("customer", "provider", "gateway"):
        told[name] = names[told[f"{name}_id"]]
    wanted = {"customer": "", "provider": "", "gateway": "", "did": "", "reason": "", "unrated": "", **wanted}
    for name, value in wanted.items():
        assert told[name] == (Decimal(value) if isinstance(told[name], Decimal) else value), (name, told)


def test_the_simulator_says_what_calls_then_do(
    carrier: Carrier, calls_app: Flask, priced: dict[Any, str], subtests: pytest.Subtests
) -> None:
    simulator = Simulator(calls_app)
    for name, case in CASES.items():
        with subtests.test(name):
            if not case.verdict:
                with carrier.acme.answer() as pbx:
                    carrier.first.call(case.dialled)
                    assert pbx.called_number == case.number
                calls = rows(carrier, case)
            else:
                calls = compare(carrier, simulator, case)
            assert len(calls) == len(case.rows)
            for call, wanted in zip(calls, case.rows, strict=True):
                check_row(call, wanted, priced)


def compare(carrier: Carrier, simulator: Simulator, case: Case) -> list[Any]:
    """Ask the simulator, place the call, and hold one against the other; the rows of the call."""
    body = {"customer_id": str(carrier.ids["acme"]), "number": case.dialled, "caller": CALLER}
    # How long the call will be talked, nobody knows yet: a slow machine makes a second more of it.
    said = {seconds: simulator.ask({**body, "seconds": seconds}) for seconds in range(1, 6)}
    db.session.rollback()
    placed = place(carrier, case)
    calls = rows(carrier, case)
    answer = said[max(1, calls[-1].billsec)]
    tried = [call for call in calls if call.gateway_id]

    assert (answer["verdict"], answer["reason"], answer["number"]) == (case.verdict, case.reason, case.number)
    check_way(answer, placed, tried)
    check_price(answer, case, calls[-1])
    if tried:
        check_cost(answer["legs"][len(tried) - 1], tried[-1])
    if case.verdict == "did":
        assert placed.beta == [(answer["number"], answer["caller_id"])]
        assert answer["did"]["customer_id"] == str(carrier.ids["beta"])
    if case.verdict == "refused":
        assert (answer["sip_status"], answer["cause"]) == (placed.result.status, placed.result.cause)
    else:
        assert {call.src for call in calls} == {answer["caller_id"]} == {OWN}
    return calls


def check_way(answer: dict[str, Any], placed: Placed, tried: list[Any]) -> None:
    """The gateways that were tried are the first of those that were said, and got the numbers that were said."""
    legs = answer["legs"][: len(tried)]
    told = [(leg["gateway_id"], leg["provider_id"]) for leg in legs]
    assert told == [(str(call.gateway_id), str(call.provider_id)) for call in tried]
    for gateway, received in {"first": placed.first, "second": placed.second}.items():
        assert received == [(leg["number"], leg["caller_id"]) for leg in legs if leg["gateway"] == gateway]


def check_price(answer: dict[str, Any], case: Case, last: Any) -> None:
    """The tariff that was said is the one that the call was charged by; one that was not answered comes to nothing."""
    tariff = answer["tariff"] or {"prefix": "", "price_per_minute": "0"}
    assert (tariff["prefix"], Decimal(tariff["price_per_minute"])) == (case.prefix, Decimal(case.price_per_minute))
    if case.verdict == "refused":
        assert Decimal(answer["price"]) == last.price == 0
        return
    for name in ("prefix", "destination", "minimum_seconds", "increment_seconds"):
        assert getattr(last, name) == tariff[name]
    assert str(last.price_plan_id) == tariff["price_plan_id"]
    assert last.price_per_minute == Decimal(tariff["price_per_minute"])
    assert last.connect_fee == Decimal(tariff["connect_fee"])
    if last.answered_at:
        assert (last.price, last.billed_seconds) == (Decimal(answer["price"]), answer["billed_seconds"])
    else:
        assert last.price == 0


def check_cost(leg: dict[str, Any], call: Any) -> None:
    assert (call.cost_source, call.cost_prefix) == (leg["cost_source"], leg["cost_prefix"])
    assert call.cost_per_minute == Decimal(leg["cost_per_minute"])
    if call.answered_at:
        assert call.cost_billed_seconds == leg["cost_billed_seconds"]
        assert (call.cost, call.margin) == (Decimal(leg["cost"]), Decimal(leg["margin"]))
