"""The page of a call: where it went and why, and how its amounts came about."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting, make_user, signed_in
from tests.web import things
from tests.web.html import facts, rows
from webapp.calls.models import Call
from webapp.ext import db

NOON = dt.datetime(2026, 3, 10, 15, tzinfo=dt.UTC)
# What the CDR of a call with a price says.
CDR = {
    "start": "2026-03-10 15:00:00",
    "answer": "2026-03-10 15:00:05",
    "end": "2026-03-10 15:01:06",
    "duration": "66",
    "billsec": "61",
    "disposition": "ANSWERED",
    "uniqueid": "pbx1-1.1",
    "sequence": "1",
    "direction": "outbound",
    "src": "551140001000",
    "number": "552133334444",
    "lastapp": "Dial",
}


def land(**values: Any) -> Call:
    """A call made of a CDR, as the database makes it."""
    cdr = {name: str(value) for name, value in (CDR | values).items()}
    names, marks = ", ".join(f'"{name}"' for name in cdr), ", ".join(f":{name}" for name in cdr)
    statement = text(f"INSERT INTO asterisk.cdr ({names}) VALUES ({marks}) RETURNING id")  # noqa: S608 - our own names
    id = db.session.scalar(statement, cdr)
    db.session.commit()
    return things.one(Call, id=id)


def _text(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split())


def _carrier(price: str = "0.08", cost: str = "0.05", **values: Any) -> dict[str, Any]:
    """What a CDR says of who has a tariff with a provider that has a deck."""
    provider = things.provider()
    gateway = things.gateway(provider_id=provider.id)
    plan = things.price_plan()
    things.tariff(plan, "5521", price, description="Rio, fixo", **values)
    things.deck_line(provider, "55", cost, minimum_seconds=30, increment_seconds=6)
    acme = things.office("acme", price_plan_id=plan.id)
    return {"customer_id": acme.id, "gateway_id": gateway.id, "provider_id": provider.id}


def test_the_arithmetic_of_a_price(client: FlaskClient) -> None:
    call = land(**_carrier(minimum_seconds=30, increment_seconds=6, connect_fee=Decimal("0.05")))
    page = client.get(f"/reports/calls/{call.id}").text
    said = _text(page)
    assert "Tariff for 5521 (Rio, fixo), price plan Retail" in said
    assert "61 s were talked. Charged: 30 s + 6 × 6 s = 66 s." in said
    assert "66 s × 0.08 a minute + 0.05 to connect = 0.138" in said
    assert "What the provider charges for the prefix: 55 ( Norte )" in said
    assert "66 s × 0.05 a minute + 0.00 to connect = 0.055" in said
    assert facts(page)["Margin"] == "0.083"


@pytest.mark.parametrize("seconds", [0, 1, 29, 30, 31, 59, 61, 3600])
@pytest.mark.parametrize(("minimum", "increment", "rate"), [(30, 6, "0.08"), (0, 1, "0.0123"), (60, 60, "1.99999999")])
def test_the_figures_are_those_of_the_database(
    client: FlaskClient, seconds: int, minimum: int, increment: int, rate: str
) -> None:
    """What the steps say comes to what is stored, whatever the tariff."""
    call = land(**_carrier(rate, minimum_seconds=minimum, increment_seconds=increment), billsec=seconds)
    said = _text(client.get(f"/reports/calls/{call.id}").text).partition("What the provider charges")[0]
    if beyond := re.search(r"Charged: (\d+) s \+ (\d+) × (\d+) s = (\d+) s\.", said):
        first, count, step, billed = map(int, beyond.groups())
        assert first + count * step == billed == call.billed_seconds
    else:
        assert f"Charged: the minimum of {call.billed_seconds} s." in said
    exact = Fraction(call.billed_seconds) * Fraction(rate) / 60
    shown = re.search(rf"{call.billed_seconds} s × \S+ a minute \+ 0.00 to connect = ([\d.,]+)", said)
    assert shown
    assert abs(Fraction(shown[1].replace(",", "")) - exact) <= Fraction(1, 2 * 10**8)
    if exact != Fraction(call.price):
        assert re.search(r"Rounded to 4 decimals: ([\d.,]+)", said)[1].rstrip("0") == f"{call.price:f}".rstrip("0")  # type: ignore[index]  # else the test fails


def test_an_amount_that_was_rounded_otherwise(client: FlaskClient) -> None:
    call = land(**_carrier("0.0123"))
    db.session.execute(text("UPDATE settings SET price_places = 2"))
    db.session.commit()
    assert "Rounded as the settings said then: 0.0135" in _text(client.get(f"/reports/calls/{call.id}").text)


FREE = [
    ({"answer": "", "disposition": "BUSY"}, "It was not answered, so nothing is charged."),
    ({"customer_id": ""}, "The customer had no price plan, so there is no price."),
    ({"number": "4499"}, "No tariff of the price plan held the number, so there is no price."),
    ({"number": "190"}, "It is free: an emergency call."),
    ({"direction": "internal"}, "It is free: both are phones of one customer."),
    ({"direction": "onnet"}, "It is free: the customer's plan charges nothing for calls between customers."),
    ({"direction": "inbound"}, "It is free: the customer's plan charges nothing for calls to this number."),
]


@pytest.mark.parametrize(("values", "sentence"), FREE, ids=str)
def test_why_there_is_no_price(client: FlaskClient, values: dict[str, str], sentence: str) -> None:
    call = land(**_carrier() | values)
    assert sentence in _text(client.get(f"/reports/calls/{call.id}").text)


def test_all_legs_of_a_call_in_their_order(client: FlaskClient, counting: Counting) -> None:
    carrier = _carrier()
    failed = {"answer": "", "billsec": "0", "disposition": "CONGESTION"}
    spare = things.gateway("GW2", "10.0.0.2")
    first = land(**carrier | failed)
    second = land(
        **carrier | {"gateway_id": spare.id, "provider_id": spare.provider_id},
        sequence="3",
        start="2026-03-10 15:00:02",
        pdd="850",
        previous_cause="34",
        previous_status="SIP 503 Service Unavailable",
    )
    land(uniqueid="pbx1-9.9")
    for leg in (first, second):
        with counting() as statements:
            page = client.get(f"/reports/calls/{leg.id}").text
        assert len(statements) <= 8
        legs = [row for row in rows(page) if "552133334444" in row]
        assert legs == [
            "2026-03-10 12:00 GW1 552133334444 Congestion 503 34 0:00 0.00 0.00",
            "2026-03-10 12:00 GW2 552133334444 Answered 16 0.8 s 1:01 0.088 0.00",
        ]
    assert f'href="/reports/calls/{first.id}"' in page


def test_a_call_that_was_sent_on_is_told_with_where_it_went(client: FlaskClient) -> None:
    carrier = _carrier() | {"linkedid": "pbx1-1.1"}
    first = land(**carrier | {"answer": "", "billsec": "0"}, uniqueid="pbx1-1.1", number="551140001000")
    onward = land(**carrier, uniqueid="pbx1-1.3", start="2026-03-10 15:00:02")
    land(**carrier | {"linkedid": "pbx1-1.5"}, uniqueid="pbx1-1.5")

    for leg in (first, onward):
        legs = rows(client.get(f"/reports/calls/{leg.id}").text)
        assert [number for row in legs for number in re.findall("55[0-9]{10}", row)] == ["551140001000", "552133334444"]


def test_what_was_asked_before_it(client: FlaskClient) -> None:
    things.route(pattern="55.")
    acme = things.office("acme")
    db.session.execute(
        text(
            "INSERT INTO asterisk.call_requests (id, requested_at, customer_id, dialed) VALUES"
            " ('r1', '2026-03-12 15:00Z', :id, '99'), ('r1', '2026-03-10 15:00Z', :id, '552133334444')"
        ),
        {"id": str(acme.id)},
    )
    call = land(customer_id=acme.id, request="r1")
    page = client.get(f"/reports/calls/{call.id}").text
    assert facts(page)["Dialled"] == "552133334444", "not that of another day"
    assert facts(page)["Answer"] == "Goes out"
    assert facts(page)["Ways out, in the order to try"] == "GW1 : 552133334444"

    gone = land(customer_id=acme.id, request="r2", uniqueid="pbx1-2.2")
    page = client.get(f"/reports/calls/{gone.id}").text
    assert "What was asked before this call is kept no longer." in page
    assert "/simulator/?" not in page


def test_a_call_leads_to_the_simulator_and_says_why_it_was_refused(client: FlaskClient) -> None:
    """With what was dialled then, by which phone, which number it sent, and how long was talked."""
    things.gateway()
    acme = things.office("acme")
    things.extension(acme, "100")
    db.session.execute(
        text(
            "INSERT INTO asterisk.call_requests (id, requested_at, customer_id, dialed, caller, endpoint)"
            " VALUES ('r1', '2026-03-10 15:00Z', :id, '+4499', '1140001000', 'acme-100')"
        ),
        {"id": str(acme.id)},
    )
    call = land(customer_id=acme.id, request="r1", userfield="no_route")
    page = client.get(f"/reports/calls/{call.id}").text
    found = re.search(r'href="(/simulator/\?[^"]*)"', page)
    assert found
    link = unescape(found[1])
    assert parse_qs(urlsplit(link).query) == {
        "customer_id": [str(acme.id)],
        "number": ["+4499"],
        "caller": ["1140001000"],
        "extension": ["100"],
        "seconds": ["61"],
    }
    refusal = "Refused : No route takes this number. Cause 3."
    assert facts(page)["Answer"] == refusal
    assert facts(client.get(link).text)["Answer"] == f"{refusal} The caller gets SIP status 404."
    assert facts(page)["End"] == "Answered: No route takes this number."
    assert "No route takes this number." in client.get("/reports/cdr?start=2026-03-01&end=2026-03-31").text


def test_only_administrators_see_the_record(client: FlaskClient, viewer: FlaskClient) -> None:
    call = land(lastdata="PJSIP/<script>", number="552133334444")
    for browser in (client, viewer):
        assert "lastapp" not in browser.get(f"/reports/calls/{call.id}").text
    make_user("ada", "admin")
    page = signed_in(client.application, "ada").get(f"/reports/calls/{call.id}").text
    assert facts(page)["lastapp"] == "Dial"
    assert "PJSIP/&lt;script&gt;" in page


@pytest.mark.parametrize("id", ["0", "99999999999999999999", "-1", "x"])
def test_a_call_that_is_none(client: FlaskClient, id: str) -> None:
    assert client.get(f"/reports/calls/{id}").status_code == 404
