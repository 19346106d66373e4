"""The page of the simulator, and the words of what route_call() and the dialplan may answer."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from sqlalchemy import text
from sqlalchemy.orm import scoped_session

from tests.conftest import Counting
from tests.web import things
from tests.web.html import error_at, facts, rows
from webapp import forms, routing

PROJECT = Path(__file__).parents[2]
NUMBER = "552133334444"


def ask(client: FlaskClient, **values: object) -> str:
    response = client.get("/simulator/", query_string={"number": NUMBER, **values})
    assert response.status_code == 200, response.text
    return response.text


def refused(client: FlaskClient, **values: object) -> str:
    response = client.get("/simulator/", query_string=values)
    assert response.status_code == 422
    assert "What becomes of it" not in response.text
    return response.text


def test_a_call_that_goes_out(client: FlaskClient) -> None:
    north, south = things.provider("Norte"), things.provider("Sul", cost_per_minute=Decimal("0.07"))
    first = things.gateway("GW1", provider_id=north.id, tech_prefix="77", max_channels=30)
    second = things.gateway("GW2", "10.0.0.2", provider_id=south.id, caller_id_format="plus")
    things.route("One", gateway_id=second.id)
    things.route("Two", gateway_id=first.id)
    things.deck_line(north, "5521", "0.05", minimum_seconds=30, increment_seconds=6)
    plan = things.price_plan("Retail", onnet_charged=True)
    things.tariff(plan, "5521", "0.06", description="Rio", connect_fee=Decimal("0.1"))
    office = things.office(number_rules="brazil", price_plan_id=plan.id, caller_id="551140001999")

    page = ask(client, customer_id=office.id, number="0 21 3333-4444", seconds="61")

    said = facts(page)
    assert said["Answer"] == "Goes out"
    assert said["Understood as"] == f"{NUMBER} Long distance ( 0ZZNXXXXXXX )"
    assert said["Presented number"] == "+55 11 4000-1999"
    assert said["Tariff"] == "Tariff for 5521 (Rio), price plan Retail"
    assert (said["Price per minute"], said["Connect fee"]) == ("0.06", "0.10")
    assert (said["Talked"], said["Charged"], said["Price"]) == ("61 s", "66 s", "0.166")
    assert rows(page) == [
        f"GW1 Norte 77{NUMBER} 551140001999 30 0.05 Deck 5521 0.01 0.055 0.111",
        f"GW2 Sul {NUMBER} +551140001999 No limit 0.07 Provider Loss -0.01 0.0712 0.0948",
    ]


def test_a_call_that_stays_in_the_house(client: FlaskClient) -> None:
    plan = things.price_plan("Retail", onnet_charged=True)
    things.tariff(plan, "55", "0.06")
    office = things.office(price_plan_id=plan.id)
    other = things.office("other")
    things.extension(other, "4000")
    things.allocate(things.did("551140001000"), other, "4000")

    said = facts(ask(client, customer_id=office.id, number="551140001000"))
    assert said["Answer"] == "Stays in the house"
    assert said["Our number"] == "+55 11 4000-1000 , Customer other Extension 4000"
    assert said["Price"] == "0.06"

    free = facts(ask(client, customer_id=things.office("free").id, number="551140001000"))
    assert free["Price"] == "Free"


def test_a_call_to_a_phone_of_the_customer(client: FlaskClient) -> None:
    office = things.office()
    things.extension(office, "4000", name="Desk")
    said = facts(ask(client, customer_id=office.id, number="4000"))
    assert (said["Answer"], said["Extension"], said["Price"]) == ("Rings a phone", "4000 Desk", "Free")


def test_a_call_that_is_refused(client: FlaskClient) -> None:
    office = things.office()
    said = facts(ask(client, customer_id=office.id))
    assert said["Answer"] == ("Refused : No route takes this number. Cause 3. The caller gets SIP status 404.")
    assert said["Price"] == "It was not answered, so nothing is charged."


def test_an_emergency_call(client: FlaskClient) -> None:
    things.route("Emergency", pattern="19X")
    page = ask(client, customer_id=things.office(enabled=False).id, number="190")
    assert "An emergency number: no rule changes it, and it always passes." in facts(page)["Understood as"]
    assert facts(page)["Price"] == "Free"


def test_a_customer_without_a_price_plan(client: FlaskClient) -> None:
    things.route()
    price = facts(ask(client, customer_id=things.office().id))["Price"]
    assert price == "Unrated The customer had no price plan, so there is no price."


def test_the_tariffs_of_another_moment_and_a_link_that_everybody_reads(client: FlaskClient) -> None:
    things.route()
    plan = things.price_plan()
    things.tariff(plan, "55", "0.1")
    things.tariff(plan, "55", "0.2", valid_from=dt.datetime(2027, 1, 1, 3, tzinfo=dt.UTC))
    office = things.office(price_plan_id=plan.id)
    before = ask(client, customer_id=office.id, at="2026-12-31 23:59", seconds="120")
    after = ask(client, customer_id=office.id, at="2027-01-01", seconds="120")
    assert (facts(before)["Price"], facts(after)["Price"]) == ("0.20", "0.40")
    assert facts(after)["Tariffs of"] == "2027-01-01 00:00"

    found = re.search(r'href="([^"]+)">Link to this answer', after)
    assert found
    link = found[1].replace("&amp;", "&")
    assert parse_qs(urlsplit(link).query) == {
        "customer_id": [str(office.id)],
        "number": [NUMBER],
        "seconds": ["120"],
        "at": ["2027-01-01T00:00:00-03:00"],
    }
    assert facts(client.get(link).text) == facts(after)
    client.post("/language", data={"language": "pt_BR"})
    assert "01/01/2027 00:00" in client.get(link).text


def test_a_link_with_one_of_them_fills_in_the_form(client: FlaskClient) -> None:
    office = things.office()
    for query in ({}, {"customer_id": str(office.id)}, {"number": "<b>12"}):
        response = client.get("/simulator/", query_string=query)
        assert response.status_code == 200
        assert "What becomes of it" not in response.text
        assert "field-error" not in response.text
    assert 'value="&lt;b&gt;12"' in response.text


def test_where_there_are_many_customers_the_code_of_one_is_typed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "LONG_LIST", 0)
    office = things.office("acme")
    page = ask(client, customer_id="Acme")
    assert "/customers/suggestions" in page
    assert f"customer_id={office.id}" in page, "in the link"
    assert 'value="acme"' in ask(client, customer_id=office.id)
    assert error_at(refused(client, customer_id="acm", number=NUMBER), "customer_id")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("customer_id", "", "This field is required."),
        ("customer_id", "x", "Choose one of the options."),
        ("customer_id", "\x00", "Choose one of the options."),
        ("customer_id", "00000000-0000-0000-0000-000000000000", "This customer no longer exists."),
        ("number", "", "This field is required."),
        ("number", "1\x002", "Line breaks and control characters are not allowed."),
        ("number", "9" * 81, "Use 80 characters at the most."),
        ("caller", "<script>", "Use the digits of a telephone number, 20 at the most."),
        ("caller", "1" * 21, "Use the digits of a telephone number, 20 at the most."),
        ("extension", "x", "Use 2 to 6 digits."),
        ("extension", "4321", "The customer has no such extension."),
        ("seconds", "0", "Use 1 or more."),
        ("seconds", "86401", "Use 86400 or less."),
        ("seconds", "1.5", "Use a whole number."),
        ("channels", "-1", "Use 0 or more."),
        ("at", "yesterday", None),
        ("at", "1999-12-31", None),
        ("at", "2100-01-01", None),
        ("at", "2026-02-30", None),
    ],
)
def test_a_bad_value_is_refused_at_its_field(client: FlaskClient, field: str, value: str, message: str | None) -> None:
    values = {"customer_id": str(things.office().id), "number": NUMBER, field: value}
    page = refused(client, **values)
    assert error_at(page, field) == message if message else error_at(page, field)
    assert "<script>" not in page.partition("<main")[2]


@pytest.mark.parametrize("number", ["<script>alert(1)</script>", "';--", "½", "%s", "(((", "٣٤", "*", "+", "1" * 80])
def test_whatever_is_dialled_the_page_stands(client: FlaskClient, number: str) -> None:
    for rules in ("e164", "brazil"):
        page = ask(client, customer_id=things.office(f"a{uuid4().hex[:5]}", number_rules=rules).id, number=number)
        assert facts(page)["Answer"].startswith("Refused")
        assert "<script>alert" not in page


def test_the_page_costs_the_same_however_many_legs(client: FlaskClient, counting: Counting) -> None:
    plan = things.price_plan()
    things.tariff(plan)
    office = things.office(price_plan_id=plan.id)
    counts = []
    for n in range(1, 6):
        things.route(f"Route {n}", gateway_id=things.gateway(f"GW{n}", f"10.0.0.{n}").id)
        with counting() as statements:
            assert len(rows(ask(client, customer_id=office.id))) == n
        counts.append(len(statements))
    assert len(set(counts)) == 1
    assert counts[0] <= 12


def test_the_ways_to_it(client: FlaskClient, viewer: FlaskClient) -> None:
    office = things.office()
    route = things.route()
    assert f"/simulator/?customer_id={office.id}" in viewer.get(f"/customers/{office.id}").text
    assert "/simulator/?number=55" in viewer.get(f"/routes/{route.id}").text
    assert facts(ask(viewer, customer_id=office.id))["Answer"] == "Goes out"


# ---- answers


def test_the_legs_of_an_answer_are_read_though_it_is_old(client: FlaskClient) -> None:
    """It may say less of each, and a gateway may have another name by now, or be gone."""
    there = things.gateway("GW1")
    gone = uuid4()
    answered = f"gateway-old:{gone}:{gone}:5511&gateway-before:{there.id}:{gone}:77*11#:+5511:30"
    assert routing.legs(answered) == [
        routing.Leg(None, "old", None, "", "5511", "", 0),
        routing.Leg(there.id, "GW1", there.provider_id, "Provider of GW1", "77*11#", "+5511", 30),
    ]
    assert routing.legs("") == []


# ---- words


def test_every_reason_and_every_verdict_is_in_words(session: scoped_session[Session]) -> None:
    """All that route_call() and its helpers refuse by, and all that the dialplan writes as a reason."""
    functions = PROJECT / "schema/sql/functions"
    source = "".join((functions / f"{name}.sql").read_text() for name in ("route_call", "prepaid", "call_requests"))
    dialplan = (PROJECT / "asterisk-conf/extensions.conf").read_text()
    refusals = set(re.findall(r"refused\('(\w+)', (\d+)\)", source))
    written = set(re.findall(r"CDR\(userfield\)=(\w+)", dialplan))
    assert len(refusals) >= 14
    assert written >= {"channels", "customer_disabled", "cancelled"}

    assert {reason for reason, _ in refusals} | written <= set(routing.REASONS)
    for _, cause in refusals:
        assert session.scalar(text("SELECT status_of_cause(:cause)"), {"cause": cause}), cause
    verdicts = set(re.findall(r"RETURN ROW\('(\w+)'", source)) | set(re.findall(r"SELECT '(\w+)', reason", source))
    assert verdicts == set(routing.VERDICTS)
