"""The page that shows how a number is read, and the rules that say so."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, error_at, filled_in, rows
from webapp.customers.models import Customer
from webapp.dialling import operations
from webapp.dialling.models import NumberRule
from webapp.ext import db


def steps(page: str) -> list[str]:
    """What became of the number that was tried."""
    found = page.partition('<div id="reading"')[2].partition("</section>")[0]
    items = re.findall(r"<li>(.*?)(?=<li>|</ol>|<ul>)", found, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", item)).split()) for item in items]


def read(client: FlaskClient, customer: Customer | None, number: str) -> list[str]:
    query = {"number": number, "customer_id": str(customer.id) if customer else ""}
    response = client.get("/dialling/", query_string=query)
    assert response.status_code == 200
    return steps(response.text)


def valid(**values: str) -> dict[str, str]:
    blank = {"customer_id": "", "position": "", "pattern": "0.", "strip": "0", "prepend": "", "description": ""}
    return blank | values


def order() -> list[str]:
    """The patterns of all rules of the company, in their order."""
    found = [rule.pattern for rule in operations.own_rules(None)]
    db.session.expunge_all()
    db.session.commit()
    return found


# ---- reading


def test_a_number_is_read_step_by_step(client: FlaskClient) -> None:
    office = things.office(number_rules="brazil")

    assert read(client, office, "0 15 (11) 98765-4321") == [
        "Dialled: 01511987654321",
        "Long distance with carrier code, mobile ( 0ZZZZ9XXXXXXXX ): 01511987654321 → 5511987654321",
        "Means : 5511987654321",
    ]


def test_how_other_numbers_are_read(client: FlaskClient) -> None:
    office = things.office(number_rules="brazil")
    unknown = "No rule knows it: the number stays as it is."
    assert read(client, office, "+44 20 7123 4567") == [
        "Dialled: +442071234567",
        "International number with + ( + ): +442071234567 → 442071234567",
        "Means : 442071234567",
    ]
    assert read(client, office, "190")[1:] == [
        "An emergency number: no rule changes it, and it always passes.",
        "Means : 190",
    ]
    assert read(client, office, "5x")[1:] == [unknown, "Means : 5x"]
    assert read(client, None, "0123") == ["Dialled: 0123", unknown, "Means : 0123"]


def test_a_number_that_was_read_leads_to_the_simulator(client: FlaskClient) -> None:
    office = things.office()
    link = f"/simulator/?customer_id={office.id}&amp;number=%2B55"
    page = client.get("/dialling/", query_string={"customer_id": str(office.id), "number": "+55"}).text
    assert link in page
    assert "/simulator/?" not in client.get("/dialling/", query_string={"number": "+55"}).text


@pytest.mark.parametrize(
    "number", ["\x00", "<script>alert(1)</script>", "9" * 5000, "';--", "½", "%s", "(((", "5\x00511", "\r\n\t"]
)
def test_whatever_is_tried_the_page_stands(client: FlaskClient, number: str) -> None:
    for customer in (things.office(f"a{uuid4().hex[:5]}", number_rules="brazil"), None):
        query = {"number": number, "customer_id": str(customer.id) if customer else ""}
        response = client.get("/dialling/", query_string=query)
        assert response.status_code == 200
        assert "<script>alert" not in response.text


def test_a_customer_that_is_not_there(client: FlaskClient) -> None:
    for id in (str(uuid4()), "x", "\x00"):
        assert client.get("/dialling/", query_string={"customer_id": id}).status_code == 404


def test_the_page_costs_the_same_however_many_rules(client: FlaskClient, counting: Counting) -> None:
    office = things.office(number_rules="own")
    counts = []
    for n in range(1, 4):
        things.number_rule(customer_id=office.id, pattern=f"{n}XXXX", position=n)
        with counting() as statements:
            assert len(read(client, office, "551140001234")) == 3
        counts.append(len(statements))
    assert counts[0] == counts[2]


# ---- rules


def test_rules_are_made_changed_and_deleted(client: FlaskClient) -> None:
    office = things.office(number_rules="own")
    mine = f"/dialling/?customer_id={office.id}"
    assert "No rules yet" in client.get(mine).text
    blank = filled_in(client.get(f"/dialling/new?customer_id={office.id}").text)
    assert blank == valid(version="", pattern="", customer_id=str(office.id))

    data = blank | {"pattern": "_0zz.", "strip": "1", "prepend": "{country}", "description": "Long"}
    response = client.post("/dialling/new", data=data)
    assert response.location == mine
    page = client.get(mine).text
    assert alert(page) == "Rule saved."
    assert [row.partition(" Move")[0] for row in rows(page)] == ["1 Long 0ZZ. −1 +{country}"]
    assert read(client, office, "01140001234")[1] == "Long ( 0ZZ. ): 01140001234 → 551140001234"

    rule = things.one(NumberRule)
    changed = filled_in(client.get(f"/dialling/{rule.id}/edit").text) | {"prepend": "351", "description": ""}
    assert client.post(f"/dialling/{rule.id}/edit", data=changed).location == mine
    assert read(client, office, "01140001234")[1] == "0ZZ.: 01140001234 → 3511140001234"

    response = client.post(f"/dialling/{rule.id}/delete")
    assert response.location == mine
    assert things.count(NumberRule) == 0


def test_the_order_can_be_changed(client: FlaskClient) -> None:
    for pattern in ("1.", "2.", "3."):
        client.post("/dialling/new", data=valid(pattern=pattern))
    assert order() == ["1.", "2.", "3."]

    third = things.one(NumberRule, pattern="3.").id
    for to, expected in (
        ("up", ["1.", "3.", "2."]),
        ("up", ["3.", "1.", "2."]),
        ("up", ["3.", "1.", "2."]),
        ("down", ["1.", "3.", "2."]),
        ("down", ["1.", "2.", "3."]),
        ("down", ["1.", "2.", "3."]),
    ):
        assert client.post(f"/dialling/{third}/move", data={"to": to}).location == "/dialling/"
        assert order() == expected

    client.post("/dialling/new", data=valid(pattern="0.", position="1"))
    client.post("/dialling/new", data=valid(pattern="9.", position="999"))
    assert order() == ["0.", "1.", "2.", "3.", "9."]
    assert things.one(NumberRule, pattern="9.").position == 5

    first = things.one(NumberRule, pattern="0.").id
    data = filled_in(client.get(f"/dialling/{first}/edit").text) | {"position": "3"}
    client.post(f"/dialling/{first}/edit", data=data)
    assert order() == ["1.", "2.", "0.", "3.", "9."]


def test_the_rules_of_others_are_left_alone(client: FlaskClient) -> None:
    office = things.office()
    other = things.number_rule(customer_id=office.id, position=7)
    client.post("/dialling/new", data=valid(pattern="1."))
    client.post("/dialling/new", data=valid(pattern="2.", position="1"))
    assert things.one(NumberRule, id=other.id).position == 7


def test_brazils_rules_are_a_beginning(client: FlaskClient) -> None:
    """For a customer who goes by them, and for the company: what they say stays the same."""
    office = things.office(number_rules="brazil")
    before = rows(client.get(f"/dialling/?customer_id={office.id}").text)
    assert len(before) == 17

    page = client.post("/dialling/copy", data={"customer_id": str(office.id)}, follow_redirects=True).text
    assert alert(page) == "These rules can now be changed."
    assert [row.partition(" Move")[0] for row in rows(page)] == before
    assert things.one(Customer, id=office.id).number_rules == "own"

    page = client.post("/dialling/copy", data={"customer_id": str(office.id)}, follow_redirects=True).text
    assert alert(page) == "Nothing was done: there are rules already."
    assert things.count(NumberRule) == 17

    page = client.post("/dialling/copy", data={}, follow_redirects=True).text
    assert [row.partition(" Move")[0] for row in rows(page)] == before
    assert things.count(NumberRule) == 34


def test_the_page_says_whose_rules_count(client: FlaskClient) -> None:
    things.number_rule(description="Of the company")
    pages = {}
    for choice in ("e164", "brazil", "company", "own"):
        customer = things.office(choice, number_rules=choice)
        things.number_rule(customer_id=customer.id, description="Of its own")
        pages[choice] = client.get(f"/dialling/?customer_id={customer.id}").text
    assert "None: this customer dials with country code." in pages["e164"]
    assert "As people in Brazil dial." in pages["brazil"]
    for choice in ("e164", "brazil", "company"):
        assert "The customer has rules of its own, which are not used now." in pages[choice]
        assert "/dialling/copy" not in pages[choice]
    assert "Of the company" in pages["company"]
    assert "Of its own" not in pages["company"]
    assert "Of its own" in pages["own"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("pattern", "", "This field is required."),
        ("pattern", "0[", None),
        ("position", "0", "Use 1 or more."),
        ("position", "1000", "Use 999 or less."),
        ("strip", "16", "Use 15 or less."),
        ("prepend", "{city}", "Use digits, {country} and {area} only."),
        ("prepend", "+55", "Use digits, {country} and {area} only."),
        ("prepend", "5" * 31, "Use 30 characters at the most."),
        ("description", "a\x00b", "Line breaks and control characters are not allowed."),
        ("customer_id", "x", "Choose one of the options."),
        ("customer_id", "00000000-0000-0000-0000-000000000000", "This customer no longer exists."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(client: FlaskClient, field: str, value: str, message: str | None) -> None:
    response = client.post("/dialling/new", data=valid(**{field: value}))
    assert response.status_code == 422
    assert error_at(response.text, field) == message if message else error_at(response.text, field)
    assert things.count(NumberRule) == 0


def test_who_only_looks_sees_no_buttons(viewer: FlaskClient) -> None:
    rule = things.number_rule()
    page = viewer.get("/dialling/").text
    assert "0." in page
    for address in ("/dialling/new", f"/dialling/{rule.id}/edit", f"/dialling/{rule.id}/move", "/dialling/copy"):
        assert address not in page
    assert viewer.post(f"/dialling/{rule.id}/move").status_code == 403
    assert viewer.post("/dialling/copy").status_code == 403


def test_brazils_rules_are_in_words_that_can_be_translated(client: FlaskClient) -> None:
    said = {rule.description for rule in operations.brazilian_rules()}
    assert said | {"International number with +"} == set(operations.WORDS)
