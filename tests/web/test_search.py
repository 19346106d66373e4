"""The search from anywhere."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting
from tests.web import things
from webapp.ext import db


@pytest.fixture
def exchange(client: FlaskClient) -> dict[str, str]:
    """One thing of each kind, by the paths of their pages."""
    acme = things.office("acme")
    phone = things.extension(acme, "1000", name="Alice")
    padaria = things.trunk("padaria", "10.1.0.1")
    padaria_path = f"/customers/{padaria.id}"
    client.post(
        f"{padaria_path}/edit",
        data={
            "version": "1",
            "code": "padaria",
            "name": "Padaria Central",
            "type": "trunk",
            "enabled": "y",
            "trunk_ip": "10.1.0.1\n10.9.0.0/16",
            "trunk_port": "5060",
            "qualify_frequency": "60",
            "codecs": "alaw",
        },
    )
    provider = things.provider("Norte Telecom")
    gateway = things.gateway("GW_SP", "192.0.2.10", provider_id=provider.id, source_ips=["198.51.100.0/24"])
    did = things.did("551140001234", provider_id=provider.id)
    other = things.did("552130009999", provider_id=provider.id)
    route = things.route("To Brazil", gateway_id=gateway.id, pattern="_0055.".lstrip("_"))
    return {
        "acme": f"/customers/{acme.id}",
        "phone": f"/extensions/{phone.id}",
        "padaria": padaria_path,
        "provider": f"/providers/{provider.id}",
        "gateway": f"/gateways/{gateway.id}",
        "did": f"/dids/{did.id}",
        "other": f"/dids/{other.id}",
        "route": f"/routes/{route.id}",
    }


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Padaria Central", "padaria"),
        ("central", "padaria"),
        ("PADARIA", "padaria"),
        (" padaria ", "padaria"),
        ("acme", "acme"),
        ("acme-1000", "phone"),
        ("ACME-10", "phone"),
        ("alice", "phone"),
        ("1000", "phone"),
        ("norte", "provider"),
        ("gw_sp", "gateway"),
        ("brazil", "route"),
        ("0055.", "route"),
        ("+55 (11) 4000-1234", "did"),
        ("551140001234", "did"),
        ("011 4000-1234", "did"),
        ("40001234", "did"),
        ("1234", "did"),
        ("5521", "other"),
        ("192.0.2.10", "gateway"),
        ("192.0.2", "gateway"),
        ("198.51.100.77", "gateway"),
        ("198.51.100.0/25", "gateway"),
        ("10.1.0.1", "padaria"),
        ("10.9.200.3", "padaria"),
        ("10.9.0.0/16", "padaria"),
        ("10.0.0.0/8", "padaria"),
    ],
)
def test_it_leads_straight_to_the_only_thing_that_was_meant(
    client: FlaskClient, exchange: dict[str, str], typed: str, found: str
) -> None:
    response = client.get("/search", query_string={"q": typed})
    assert response.status_code == 302, response.text
    assert response.location == exchange[found]
    assert exchange[found] in client.get("/search/suggestions", query_string={"q": typed}).text


def test_several_are_told_apart_by_their_kind(client: FlaskClient, exchange: dict[str, str]) -> None:
    for n in range(12):
        things.office(f"c{n:02}")
    things.provider("Customer care")
    page = client.get("/search?q=customer").text
    links = re.findall(r'<li>\s*<a href="(.*?)"', page)
    kinds = [link.split("/")[1] for link in links]
    assert kinds == ["customers"] * 11 + ["providers"]
    assert unescape(links[10]) == "/customers/?q=customer"
    assert re.findall(r'<h2 class="found-kind">(.*?)</h2>', page) == ["Customers", "Providers"]


@pytest.mark.parametrize(
    "typed", ["zzz", "%", "_", "\\", "10.250.0.1", "2001:db8::1", "99999999", "a\x00", "<script>alert(1)</script>"]
)
def test_nothing_found(client: FlaskClient, exchange: dict[str, str], typed: str) -> None:
    things.office("other")
    response = client.get("/search", query_string={"q": f"{typed}zz" if typed[0] in "a%_" else typed})
    assert response.status_code == 200
    assert "Nothing found" in response.text
    assert "<script>alert" not in response.text


def test_nothing_typed(client: FlaskClient) -> None:
    assert "What are you looking for?" in client.get("/search?q=%20").text
    assert 'data-said=""' in client.get("/search/suggestions?q=a").text


@pytest.mark.parametrize(
    "value", ["9" * 500, "x" * 50_000, "1.2.3.4.5", "::", "0/0", "fe80::1%eth0", "10.0.0.1/99", "٤٠٠٠", "-", "a-"]
)
def test_whatever_is_typed_is_answered(client: FlaskClient, exchange: dict[str, str], value: str) -> None:
    assert client.get("/search", query_string={"q": value}).status_code in (200, 302)
    assert client.get("/search/suggestions", query_string={"q": value}).status_code == 200


@pytest.mark.parametrize("typed", ["55", "acme", "10.0.0.0/8", "Customer", "1000"])
def test_its_cost_does_not_grow(client: FlaskClient, counting: Counting, typed: str) -> None:
    acme = things.office("acme")
    for number in range(1000, 1015):
        things.extension(acme, str(number))
    for did in things.dids("551140001000", 20):
        things.allocate(did, things.one(type(acme), code="acme"), "1000")
    with counting() as statements:
        client.get("/search", query_string={"q": typed})
    assert len(statements) <= 8


def test_a_number_is_found_by_index(client: FlaskClient) -> None:
    """By its beginning and by its end alike, however many there are."""
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    question = "EXPLAIN SELECT id FROM dids WHERE number LIKE '5511%' OR reverse(number) LIKE '4321%'"
    plan = "\n".join(db.session.scalars(text(question)))
    assert "ix_search_dids_number" in plan
    assert "ix_search_dids_reversed" in plan


def test_every_page_has_the_box(client: FlaskClient, viewer: FlaskClient) -> None:
    for path in ("/", "/customers/", "/gateways/new", "/search"):
        assert 'hx-get="/search/suggestions"' in client.get(path).text
    assert 'hx-get="/search/suggestions"' in viewer.get("/").text
