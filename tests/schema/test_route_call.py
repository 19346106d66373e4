"""Where a customer's call may go: the one function that the dialplan and the simulator ask."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from tests.factories import (
    make_customer,
    make_did,
    make_extension,
    make_gateway,
    make_provider,
    make_route,
    make_trunk,
)
from webapp import store
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.gateways.models import Gateway

Answer = dict[str, Any]

REFUSED = {"verdict": "refused", "number": "", "caller_id": "", "legs": "", "max_seconds": 0, "reserved": 0}


def refused(reason: str, cause: int) -> Answer:
    return {**REFUSED, "reason": reason, "cause": cause}


class Carrier:
    """Two providers, the second one cheaper, with a gateway each; three customers; some numbers."""

    def __init__(self) -> None:
        dear = make_provider("dear", cost_per_minute=Decimal("0.05"))
        cheap = make_provider("cheap", cost_per_minute=Decimal("0.01"))
        self.dear = make_gateway("dear", provider_id=dear.id, ip_address="192.0.2.1")
        self.cheap = make_gateway("cheap", provider_id=cheap.id, ip_address="192.0.2.2")
        self.office = make_customer("office", caller_id="551140001999")
        self.neighbour = make_customer("neighbour")
        self.trunk = make_trunk("padaria", caller_id="551140001998")
        self.suspended = make_trunk("suspended", "198.51.100.2", enabled=False)
        store.save(dear, cheap, self.dear, self.cheap, self.office, self.neighbour, self.trunk, self.suspended)
        self.reception = make_extension("100", self.office)
        store.save(
            self.reception,
            make_extension("101", self.office),
            make_extension("102", self.office, enabled=False),
            make_extension("200", self.neighbour),
        )
        self.provider_id = dear.id
        self.of_reception = self.number("551140001000", self.office, "100")
        self.of_trunk = self.number("551140001001", self.trunk)
        self.free = self.number("551140001002")

    def number(self, number: str, customer: Customer | None = None, destination: str | None = None) -> Did:
        did = make_did(number, provider_id=self.provider_id)
        store.save(did)
        if customer:
            operations.allocate(did, AllocationSchema(customer_id=customer.id, destination=destination))
        return did

    def route(self, name: str, pattern: str, gateway: Gateway, **values: Any) -> None:
        store.save(make_route(name, pattern, gateway_id=gateway.id, **values))


@pytest.fixture
def carrier(session: scoped_session[Session]) -> Carrier:
    return Carrier()


def ask(
    customer: Customer | uuid.UUID | None, dialled: str | None, caller: str | None = "", endpoint: str | None = ""
) -> Answer:
    """The answer. No part of it may ever be NULL, for the dialplan would then keep the value of an earlier call."""
    customer_id = customer.id if isinstance(customer, Customer) else customer
    statement = text("SELECT * FROM public.route_call(CAST(:customer AS uuid), :dialled, :caller, :endpoint)")
    values = {"customer": customer_id, "dialled": dialled, "caller": caller, "endpoint": endpoint}
    answer = dict(db.session.execute(statement, values).mappings().one())
    assert None not in answer.values(), answer
    return answer


def legs(answer: Answer) -> list[tuple[str, str]]:
    """Endpoint and number to send of each leg, in the order to try."""
    assert (answer["verdict"], answer["reason"], answer["cause"]) == ("route", "", 0)
    found = [leg.split(":") for leg in answer["legs"].split("&")]
    return [(endpoint, number) for endpoint, _, _, number, *_ in found]


# ---- out


def test_a_route(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.dear)

    assert ask(carrier.trunk, "552133331234") == {
        "verdict": "route",
        "reason": "",
        "cause": 0,
        "number": "552133331234",
        "caller_id": "551140001998",
        "legs": f"gateway-dear:{carrier.dear.id}:{carrier.dear.provider_id}:552133331234:551140001998:0",
        "max_seconds": 14400,
        "reserved": 0,
    }


def test_priority_beats_length_and_cost(carrier: Carrier) -> None:
    carrier.route("long and cheap", "5521XXXXXXXX", carrier.cheap, priority=20)
    carrier.route("short and dear", "55.", carrier.dear, priority=10)

    assert legs(ask(carrier.trunk, "552133331234")) == [
        ("gateway-dear", "552133331234"),
        ("gateway-cheap", "552133331234"),
    ]


def test_of_equal_priority_the_cheaper_is_first_whatever_it_is_called(carrier: Carrier) -> None:
    carrier.route("a", "55.", carrier.dear)
    carrier.route("b", "55.", carrier.cheap)

    assert [leg[0] for leg in legs(ask(carrier.trunk, "552133331234"))] == ["gateway-cheap", "gateway-dear"]


def test_of_equal_priority_and_cost_the_name_decides_so_that_the_order_is_no_matter_of_luck(carrier: Carrier) -> None:
    for name in ("c", "a", "b"):
        carrier.route(name, "55.", carrier.cheap, prepend=str("abc".index(name)))

    assert [leg[1][0] for leg in legs(ask(carrier.trunk, "552133331234"))] == ["0", "1", "2"]


def test_what_is_disabled_is_skipped(carrier: Carrier) -> None:
    carrier.route("disabled", "55.", carrier.cheap, enabled=False)
    carrier.route("of a disabled gateway", "55.", carrier.dear)
    carrier.dear.enabled = False
    store.save(carrier.dear)

    assert ask(carrier.trunk, "552133331234") == refused("no_route", 3)


def test_strip_prepend_and_tech_prefix(carrier: Carrier) -> None:
    carrier.cheap.tech_prefix = "77#"
    store.save(carrier.cheap)
    carrier.route("Rio", "5521.", carrier.cheap, strip=2, prepend="015")

    assert legs(ask(carrier.trunk, "552133331234")) == [("gateway-cheap", "77#0152133331234")]


def test_a_number_that_would_be_stripped_to_nothing_is_not_sent(carrier: Carrier) -> None:
    carrier.route("short", "19X", carrier.cheap, strip=3)
    carrier.route("shorter", "1!", carrier.cheap, strip=2)

    assert ask(carrier.trunk, "190")["legs"].count("&") == 0
    assert legs(ask(carrier.trunk, "190")) == [("gateway-cheap", "0")]
    assert ask(carrier.trunk, "19") == refused("no_route", 3)


def test_without_a_matching_route(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    assert ask(carrier.trunk, "442071234567") == refused("no_route", 3)
    assert ask(carrier.trunk, "55") == refused("no_route", 3)


def test_stars_and_hashes_may_be_routed(carrier: Carrier) -> None:
    carrier.route("services", "*21*.", carrier.cheap)

    assert legs(ask(carrier.trunk, "*21*1#")) == [("gateway-cheap", "*21*1#")]


def test_one_plus_sign_before_the_number_is_left_out(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    assert ask(carrier.trunk, "+552133331234")["number"] == "552133331234"
    assert ask(carrier.trunk, "++552133331234") == refused("invalid_number", 1)
    assert ask(carrier.trunk, "55+2133331234") == refused("invalid_number", 1)


# ---- inside


def test_a_phone_of_the_same_customer(carrier: Carrier) -> None:
    assert ask(carrier.office, "101", endpoint="office-100") == {
        "verdict": "internal",
        "reason": "",
        "cause": 0,
        "number": "office-101",
        "caller_id": "",
        "legs": "",
        "max_seconds": 0,
        "reserved": 0,
    }


def test_the_phone_of_another_customer_is_no_number(carrier: Carrier) -> None:
    assert ask(carrier.office, "200", endpoint="office-100") == refused("no_route", 3)
    assert ask(carrier.office, "neighbour-200") == refused("invalid_number", 1)


def test_a_disabled_phone_is_no_number(carrier: Carrier) -> None:
    assert ask(carrier.office, "102") == refused("no_route", 3)


def test_a_phone_comes_before_a_route(carrier: Carrier) -> None:
    carrier.route("three digits", "1XX", carrier.cheap)

    assert ask(carrier.office, "101")["verdict"] == "internal"
    assert ask(carrier.trunk, "101")["verdict"] == "route"


def test_our_own_number_stays_in_the_house(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    for dialled in ("551140001000", "+551140001000"):
        answer = ask(carrier.trunk, dialled)
        assert (answer["verdict"], answer["number"], answer["legs"]) == ("did", "551140001000", "")
        assert answer["caller_id"] == "551140001998"


def test_a_number_of_ours_that_nobody_has_goes_out_like_any_other(carrier: Carrier) -> None:
    assert ask(carrier.trunk, "551140001002") == refused("no_route", 3)
    carrier.route("Brazil", "55.", carrier.cheap)
    assert ask(carrier.trunk, "551140001002")["verdict"] == "route"


# ---- who


def test_a_disabled_customer(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    assert ask(carrier.suspended, "552133331234") == refused("customer_disabled", 21)


@pytest.mark.parametrize("number", ["190", "192", "193", "112"])
def test_emergency_numbers_always_pass(carrier: Carrier, number: str) -> None:
    """A customer who is suspended, and one who gave a phone that number."""
    carrier.route("Emergency", "[19]XX", carrier.cheap)
    carrier.route("Emergency 112", "112", carrier.cheap)
    store.save(make_extension(number, carrier.office))

    for customer in (carrier.suspended, carrier.office):
        assert ask(customer, number)["verdict"] == "route"


@pytest.mark.parametrize("customer", [None, uuid.UUID(int=0)])
def test_an_unknown_customer(carrier: Carrier, customer: uuid.UUID | None) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    assert ask(customer, "552133331234") == refused("unknown_customer", 21)


# ---- the number presented


def test_a_number_of_its_own_is_presented_as_sent(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)
    carrier.number("551140001003", carrier.office, "101")

    for sent in ("551140001003", "+551140001003"):
        answer = ask(carrier.office, "552133331234", caller=sent, endpoint="office-100")
        assert answer["caller_id"] == "551140001003"


def test_the_number_of_somebody_else_is_not_presented(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    for sent in ("551140001001", "551140001002", "552199998888", "", "anonymous", "100"):
        assert ask(carrier.office, "552133331234", caller=sent)["caller_id"] == "551140001999"
        assert ask(carrier.trunk, "552133331234", caller="551140001000")["caller_id"] == "551140001998"


def test_a_phone_presents_the_number_that_rings_it(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    assert ask(carrier.office, "552133331234", "100", "office-100")["caller_id"] == "551140001000"
    assert ask(carrier.office, "552133331234", "101", "office-101")["caller_id"] == "551140001999"


def test_of_several_numbers_that_ring_a_phone_it_is_always_the_same_one(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)
    carrier.number("551130000000", carrier.office, "100")
    carrier.number("551150000000", carrier.office, "100")

    assert ask(carrier.office, "552133331234", "100", "office-100")["caller_id"] == "551130000000"


def test_a_number_that_was_taken_back_is_not_presented_any_more(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)
    operations.deallocate(carrier.of_reception)

    for caller, endpoint in (("551140001000", "office-100"), ("100", "office-100")):
        assert ask(carrier.office, "552133331234", caller, endpoint)["caller_id"] == "551140001999"


def test_without_any_number_the_call_presents_none(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    assert ask(carrier.neighbour, "552133331234", "200", "neighbour-200")["caller_id"] == ""


# ---- garbage

GARBAGE = [
    "",
    " ",
    "+",
    "abc",
    "5521 3333",
    "5521-3333",
    "55213333\n",
    "\n55213333",
    "55213333\r\nX: y",
    "'; DROP TABLE customers; --",
    "5521' OR '1'='1",
    "${SHELL(id)}",
    "5521&5522",
    "5521:1",
    "5521,1",
    "5521@evil",
    "٥٥٢١٣٣٣٣",
    "５５２１",
    "½",
    "5" * 33,
    "5" * 10_000,
    "'" * 10_000,
    "(" * 10_000,
    "\\",
    "%",
    "_",
    "[0-9]",
    ".*",
]


def test_garbage_is_no_number(carrier: Carrier) -> None:
    carrier.route("everything", "!", carrier.cheap)

    for dialled in GARBAGE:
        assert ask(carrier.trunk, dialled) == refused("invalid_number", 1), dialled[:50]


def test_a_garbled_caller_or_endpoint_is_nobodys_number(carrier: Carrier) -> None:
    carrier.route("Brazil", "55.", carrier.cheap)

    for garbage in [*GARBAGE, None]:
        answer = ask(carrier.office, "552133331234", caller=garbage, endpoint=garbage)
        assert (answer["verdict"], answer["caller_id"]) == ("route", "551140001999"), garbage


def test_no_number_at_all_is_a_refusal(carrier: Carrier) -> None:
    carrier.route("everything", "!", carrier.cheap)

    assert ask(carrier.trunk, None)["verdict"] == "refused"


def test_thirty_two_signs_are_still_a_number(carrier: Carrier) -> None:
    carrier.route("everything", ".", carrier.cheap)

    assert legs(ask(carrier.trunk, "5" * 32)) == [("gateway-cheap", "5" * 32)]


def test_a_leg_has_six_parts_whatever_the_things_are_called(carrier: Carrier) -> None:
    """The dialplan cuts a leg at its colons, and the legs at their ampersands."""
    carrier.dear.name, carrier.dear.tech_prefix = "A.b_c-9", "*#1"
    store.save(carrier.dear)
    carrier.route("a & b: c", "55.", carrier.dear)

    answer = ask(carrier.trunk, "552133331234")

    assert (
        answer["legs"] == f"gateway-A.b_c-9:{carrier.dear.id}:{carrier.dear.provider_id}:*#1552133331234:551140001998:0"
    )
