"""The list of all number rules, whosever they are."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, rows
from tests.web.test_bulk import ask, confirm, listed
from webapp.dialling.models import NumberRule


@pytest.fixture(autouse=True)
def _rules(client: FlaskClient) -> None:
    """The company's, those of a customer that goes by them, and those of one that no longer does."""
    things.number_rule(pattern="00.", prepend="{country}", description="Local number")
    bakery, office = things.trunk("padaria", number_rules="own"), things.office("acme", number_rules="brazil")
    things.number_rule(customer_id=bakery.id, position=2, pattern="9.", strip=0)
    things.number_rule(customer_id=bakery.id, position=1, pattern="0ZZ.")
    things.number_rule(customer_id=office.id, pattern="1XX", description="=1+1")


def patterns(client: FlaskClient, **query: str) -> list[str]:
    """The patterns that the list shows."""
    found = rows(client.get("/number-rules/", query_string=query).text)
    return [next(word for word in ("00.", "9.", "0ZZ.", "1XX") if f" {word} " in row) for row in found]


def test_it_works(client: FlaskClient) -> None:
    assert 'href="/number-rules/"' in client.get("/dialling/").text
    page = client.get("/number-rules/").text
    assert rows(page) == [
        "The company's 1 Local number 00. −1 +{country} In use",
        "Customer acme 1 =1+1 1XX −1 Not used now",
        "Customer padaria 1 0ZZ. 0ZZ. −1 In use",
        "Customer padaria 2 9. 9. none In use",
    ]
    rule, customer = things.one(NumberRule, pattern="1XX"), things.one(NumberRule, pattern="1XX").customer_id
    assert f'href="/dialling/{rule.id}/edit"' in page
    assert f'href="/dialling/?customer_id={customer}"' in page
    assert 'href="/dialling/new"' in page
    assert client.get(f"/dialling/?customer_id={customer}").status_code == 200


def test_the_list_is_searched_and_filtered(client: FlaskClient) -> None:
    assert patterns(client) == ["00.", "1XX", "0ZZ.", "9."]
    assert patterns(client, owner="company") == ["00."]
    assert patterns(client, owner="customer") == ["1XX", "0ZZ.", "9."]
    assert patterns(client, customer_id="padaria") == patterns(client, q="PADARIA") == ["0ZZ.", "9."]
    assert patterns(client, used="false") == patterns(client, q="1+1") == ["1XX"]
    assert patterns(client, sort="-position")[0] == "9."
    assert patterns(client, sort="change")[0] == "9."


def test_its_file(client: FlaskClient) -> None:
    lines = client.get("/number-rules/export.csv").text.splitlines()
    assert lines[1:3] == [",1,00.,1,{country},Local number,true", "acme,1,1XX,1,,'=1+1,false"]


def test_many_are_deleted_at_once(client: FlaskClient, viewer: FlaskClient) -> None:
    assert viewer.post("/number-rules/bulk?action=delete&all=1").status_code == 403
    page = ask(client, "number-rules", "delete", all="1", owner="customer")
    assert listed(page) == ["=1+1", "0ZZ.", "9."]
    assert "Customer padaria (padaria): Rules (2)" in page
    assert "read by the next rule that fits" in page

    assert alert(confirm(client, page)) == "Delete: done for 3."

    assert patterns(client) == ["00."]


def test_who_only_looks(viewer: FlaskClient) -> None:
    page = viewer.get("/number-rules/").text
    assert len(rows(page)) == 4
    assert "checkbox" not in page
    assert "/edit" not in page
