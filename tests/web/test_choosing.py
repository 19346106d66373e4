"""Fields that ask for one of many things: a short list to choose from, a long one to search."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.conftest import Counting
from tests.web import things
from tests.web.html import error_at, filled_in
from webapp import forms
from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.extensions.models import Extension
from webapp.routes.models import Route


@pytest.fixture
def many(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> list[Customer]:
    """More customers than a list is good for."""
    monkeypatch.setattr(forms, "LONG_LIST", 2)
    things.trunk("trunk100")
    return [things.office(code) for code in ("acme", "acme-2", "bar")]


TYPED = {"version": "", "extension": "100", "name": "", "secret": "hush-hush-hush", "enabled": "y"}


def options(page: str) -> list[tuple[str, str]]:
    return [(unescape(a), unescape(b)) for a, b in re.findall(r'<option value="([^"]*)">(.*?)</option>', page)]


@pytest.mark.parametrize("text", ["acme-2", "ACME-2", "  acme-2 "])
def test_a_code_is_typed(client: FlaskClient, many: list[Customer], text: str) -> None:
    page = client.get("/extensions/new").text
    assert '<datalist id="customer_id-options">' in page
    assert "<select" not in page
    assert "acme" not in page
    assert client.post("/extensions/new", data=TYPED | {"customer_id": text}).status_code == 302
    extension = things.one(Extension)
    assert extension.customer_id == many[1].id

    page = client.get(things.edit_path(extension)).text
    assert filled_in(page)["customer_id"] == "acme-2"
    assert client.post(things.edit_path(extension), data=filled_in(page)).status_code == 302
    assert things.one(Extension).customer_id == many[1].id


def test_what_nobody_is_called_is_refused_and_stays(client: FlaskClient, many: list[Customer]) -> None:
    for text in ("acm", "Customer acme", "trunk100", "%", "\x00acm", "x" * 5000):
        page = client.post("/extensions/new", data=TYPED | {"customer_id": text}).text
        assert error_at(page, "customer_id") == (f"“{text.strip()[:80]}” is not there. Type the code or name in full.")
        assert filled_in(page)["customer_id"] == text
    for id in (uuid4(), things.one(Customer, code="trunk100").id):
        page = client.post("/extensions/new", data=TYPED | {"customer_id": str(id)}).text
        assert error_at(page, "customer_id") == "Choose a customer of type “extensions”."
    assert "This field is required." in client.post("/extensions/new", data=TYPED).text
    assert things.count(Extension) == 0


def test_a_link_chooses(client: FlaskClient, many: list[Customer]) -> None:
    page = client.get(f"/extensions/new?customer_id={many[2].id}").text
    assert filled_in(page)["customer_id"] == "bar"
    assert filled_in(client.get("/extensions/new?customer_id=nonsense").text)["customer_id"] == "nonsense"


def test_suggestions(client: FlaskClient, many: list[Customer]) -> None:
    def ask(**query: str) -> list[tuple[str, str]]:
        return options(client.get("/customers/suggestions", query_string=query).text)

    assert ask(type="extension", customer_id="CME") == [("acme", "Customer acme"), ("acme-2", "Customer acme-2")]
    assert ask(customer_id="trunk1") == [("trunk100", "Customer trunk100")]
    assert ask(type="extension", customer_id="trunk1") == []
    assert len(ask()) == 4
    for hostile in ("%", "_", "\x00", "x" * 5000, "'"):
        assert len(ask(customer_id=hostile)) in (0, 4)
    typed = {"code": "evil", "name": '"><script>alert(1)</script>', "type": "extension"}
    assert client.post("/customers/new", data=typed).status_code == 302
    assert ask(customer_id="evil") == [("evil", typed["name"])]
    assert "<script>" not in client.get("/customers/suggestions?customer_id=evil").text


def test_a_gateway_is_typed(client: FlaskClient, many: list[Customer]) -> None:
    gateways = [things.gateway(f"GW{n}", f"10.0.0.{n}") for n in range(3)]
    page = client.get("/routes/new").text
    assert "<datalist" in page
    data = filled_in(page) | {"name": "Brazil", "pattern": "55.", "gateway_id": "gw2"}
    assert client.post("/routes/new", data=data).status_code == 302
    assert things.one(Route).gateway_id == gateways[2].id
    page = client.get("/gateways/suggestions?gateway_id=of GW1").text
    assert options(page) == [("GW1", "Provider of GW1")]


def test_a_number_is_given_to_who_is_typed(client: FlaskClient, many: list[Customer]) -> None:
    path = f"/dids/{things.did().id}/allocate"
    data = filled_in(client.get(path).text) | {"customer_id": "trunk100"}
    assert client.post(path, data=data).status_code == 302
    assert things.one(Did).status == "allocated"
    assert filled_in(client.get(path).text)["customer_id"] == "trunk100"


def test_the_second_of_two_editors_reads_who_was_chosen(client: FlaskClient, many: list[Customer]) -> None:
    extension = things.extension(many[0])
    path = things.edit_path(extension)
    data = filled_in(client.get(path).text)
    client.post(path, data=data | {"customer_id": "bar"})
    page = client.post(path, data=data | {"name": "Bob"}).text
    assert error_at(page, "customer_id").endswith("Stored now: “bar”.")


def test_a_long_list_costs_no_more_than_a_short_one(client: FlaskClient, counting: Counting) -> None:
    things.office("acme")
    with counting() as few:
        client.get("/extensions/new")
    for n in range(20):
        things.office(f"acme{n}")
    with counting() as more:
        client.get("/extensions/new")
    assert len(few) == len(more) < 5
