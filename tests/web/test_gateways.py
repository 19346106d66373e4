"""The pages of the gateways."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, hint_at, rows
from webapp.ext import db
from webapp.gateways.models import Gateway


def valid(**values: str) -> dict[str, str]:
    """What an operator fills in, with a provider that is there."""
    return {
        "name": "GW_SP",
        "provider_id": str(things.provider().id),
        "enabled": "y",
        "ip_address": "10.0.0.1",
        "port": "5060",
        "transport": "udp",
        "source_ips": "",
        "domain": "",
        "username": "",
        "password": "",
        "node": "",
        "codecs": "alaw, ulaw",
        "max_channels": "0",
        "caller_id_format": "e164",
        "tech_prefix": "",
        "inbound_strip": "0",
        "inbound_prepend": "",
        "qualify_frequency": "60",
        **values,
    }


def test_it_works(client: FlaskClient) -> None:
    assert "No gateways yet" in client.get("/gateways/").text
    blank = filled_in(client.get("/gateways/new").text)
    assert blank == valid(version="", name="", ip_address="", provider_id="")

    data = blank | {"name": "GW_SP", "provider_id": str(things.provider("Sul").id), "ip_address": "10.0.0.1"}
    data |= {"source_ips": "10.0.1.0/24\n10.0.2.1", "codecs": "g729 alaw", "tech_prefix": "77#"}
    page = client.post("/gateways/new", data=data, follow_redirects=True).text
    assert alert(page) == "Gateway GW_SP saved."
    assert facts(page)["Further source addresses"] == "10.0.1.0/24, 10.0.2.1"
    assert rows(client.get("/gateways/").text) == [
        "GW_SP Sul 10.0.0.1:5060 UDP IP address g729, alaw Not known 0 Enabled"
    ]
    assert _endpoint("gateway-GW_SP") == "!all,g729,alaw"

    gateway = things.one(Gateway)
    data |= {"codecs": "g729, alaw", "version": "1"}
    assert filled_in(client.get(f"/gateways/{gateway.id}/edit").text) == data
    del data["enabled"]
    data |= {"name": "GW_RJ", "transport": "tcp", "port": "5062"}
    page = client.post(f"/gateways/{gateway.id}/edit", data=data, follow_redirects=True).text
    assert facts(page)["Address"] == "10.0.0.1:5062 TCP"
    assert rows(client.get("/gateways/").text) == ["GW_RJ Sul 10.0.0.1:5062 TCP IP address g729, alaw 0 Disabled"]
    assert _endpoint("gateway-GW_SP") is None

    for q in ("gw_rj", "10.0.0.1", "sul"):
        assert len(rows(client.get(f"/gateways/?q={q}").text)) == 1
    assert "No gateway matches “x”." in client.get("/gateways/?q=x").text

    page = client.post(f"/gateways/{gateway.id}/delete", follow_redirects=True).text
    assert alert(page) == "GW_RJ was deleted."
    assert things.count(Gateway) == 0


NAME = "Use letters without accents, digits, dot, hyphen and underscore; 40 at the most."
DIALLED = "Use digits, * and # only, 15 at the most."


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "São Paulo", NAME),
        ("name", "a b", NAME),
        ("name", "-gw", NAME),
        ("name", "gw,1", NAME),
        ("name", "x" * 41, NAME),
        ("name", "gw\x00", NAME),
        ("provider_id", "", "This field is required."),
        ("provider_id", "nobody", "Choose one of the options."),
        ("provider_id", "00000000-0000-0000-0000-000000000000", "This provider no longer exists."),
        ("ip_address", "", "This field is required."),
        ("ip_address", "10.0.0.300", "This is not an IP address."),
        ("ip_address", "10.0.0.0/24", "This is not an IP address."),
        ("ip_address", "sip.example.com", "This is not an IP address."),
        ("source_ips", "10.0.0.0/33", "“10.0.0.0/33” is not an IP address or network (CIDR)."),
        ("source_ips", "10.0.0.7/24", "“10.0.0.7/24” is not an IP address or network (CIDR)."),
        ("source_ips", "10.0.0.1\nhere", "“here” is not an IP address or network (CIDR)."),
        ("source_ips", "0.0.0.0/0", "The network 0.0.0.0/0 is too wide."),
        ("source_ips", "\n".join(f"10.9.0.{n}" for n in range(51)), "Give 50 at the most."),
        ("port", "0", "Use 1 or more."),
        ("port", "70000", "Use 65535 or less."),
        ("port", "abc", "Use a whole number."),
        ("port", "50.6", "Use a whole number."),
        ("transport", "sctp", "Choose one of the options."),
        ("srtp", "y", "Encrypted media needs TLS: over another transport its keys could be read on the way."),
        ("domain", "-a-.b", "This is not a host name."),
        ("domain", "exa mple.com", "This is not a host name."),
        ("username", "a b", "Use letters without accents, digits and . _ + * # - only."),
        ("password", "a b", "Use letters without accents, digits and signs, without blanks."),
        (
            "codecs",
            "alaw, mp3",
            "“mp3” is not a codec we know. Known: alaw, ulaw, g729, g722, gsm, ilbc, opus.",
        ),
        ("codecs", ",", "Give at least one."),
        ("tech_prefix", "7A", DIALLED),
        ("tech_prefix", "1" * 16, DIALLED),
        ("inbound_strip", "16", "Use 15 or less."),
        ("inbound_strip", "-1", "Use 0 or more."),
        ("inbound_prepend", "+55", "Use digits only, 15 at the most."),
        ("qualify_frequency", "3601", "Use 3600 or less."),
        ("qualify_frequency", "often", "Use a whole number."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(client: FlaskClient, field: str, value: str, message: str) -> None:
    response = client.post("/gateways/new", data=valid(**{field: value}))
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert things.count(Gateway) == 0


def test_a_name_is_given_once(client: FlaskClient) -> None:
    things.gateway("GW_SP", "10.9.9.9")
    response = client.post("/gateways/new", data=valid())
    assert response.status_code == 422
    assert error_at(response.text, "name") == "Another gateway has this name."


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({}, "username", "A registration needs a user name."),
        ({"username": "carrier"}, "password", "A registration needs a password."),
    ],
)
def test_a_registration_needs_an_account(client: FlaskClient, given: dict[str, str], field: str, message: str) -> None:
    response = client.post("/gateways/new", data=valid(registration="y", **given))
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert filled_in(response.text)["registration"] == "y"


def test_the_password_is_kept_and_never_shown(client: FlaskClient) -> None:
    data = valid(registration="y", username="carrier", password="pa;ss^word")
    client.post("/gateways/new", data=data)
    path = f"/gateways/{things.one(Gateway).id}/edit"
    stored = "SELECT password FROM asterisk.ps_auths WHERE id = 'gateway-GW_SP'"
    assert things.asterisk(stored) == "pa^3Bss^5Eword"

    page = client.get(path).text
    assert "pa;ss" not in page
    assert hint_at(page, "password") == "Leave it empty to keep the one that is stored."
    client.post(path, data=filled_in(page) | {"port": "5070"})
    assert things.asterisk(stored) == "pa^3Bss^5Eword"
    client.post(path, data=filled_in(client.get(path).text) | {"password": "another"})
    assert things.asterisk(stored) == "another"


def test_a_typed_password_is_lost_and_the_page_says_so(client: FlaskClient) -> None:
    assert hint_at(client.get("/gateways/new").text, "password") == ""
    response = client.post("/gateways/new", data=valid(port="abc", password="secret-thing"))
    assert "secret-thing" not in response.text
    assert hint_at(response.text, "password") == "Type it again: a password is not sent back."

    path = f"/gateways/{things.gateway(password='stored').id}/edit"
    page = client.post(path, data=filled_in(client.get(path).text) | {"port": "abc", "password": "typed"}).text
    assert hint_at(page, "password") == (
        "Leave it empty to keep the one that is stored. Type it again: a password is not sent back."
    )


@pytest.mark.parametrize("owner", ["a customer", "another provider"])
def test_an_address_has_one_owner(client: FlaskClient, owner: str) -> None:
    if owner == "a customer":
        things.trunk("padaria", "10.5.0.9")
    else:
        things.gateway("Other", "10.5.0.9")
    for given in ({"ip_address": "10.5.0.9"}, {"source_ips": "10.5.0.0/24"}):
        response = client.post("/gateways/new", data=valid(**given))
        assert response.status_code == 422
        holder = "the customer Customer padaria (padaria)" if owner == "a customer" else "the gateway Other"
        assert error_at(response.text, "ip_address") == f"10.5.0.9 already belongs to {holder}."
        db.session.execute(text("DELETE FROM providers WHERE name = 'Norte'"))
        db.session.commit()
    assert things.count(Gateway, name="GW_SP") == 0


def test_gateways_of_one_provider_may_share_an_address(client: FlaskClient) -> None:
    first = things.gateway("GW1", "10.5.0.9")
    data = valid(ip_address="10.5.0.9", provider_id=str(first.provider_id))
    assert client.post("/gateways/new", data=data).status_code == 302


def test_nothing_typed_is_lost_in_an_error(client: FlaskClient) -> None:
    gateway = things.gateway("GW_SP", "10.0.0.1")
    other = things.provider("Sul")
    typed = valid(
        version="1",
        name="GW RJ",
        provider_id=str(other.id),
        ip_address="10.0.0.300",
        port="70000",
        transport="tls",
        source_ips="10.0.1.0/24\nhere",
        domain="-",
        registration="y",
        username="a b",
        codecs="mp3",
        tech_prefix="x",
        inbound_strip="x",
        inbound_prepend="x",
        qualify_frequency="x",
    )
    del typed["enabled"]
    response = client.post(f"/gateways/{gateway.id}/edit", data=typed)
    assert response.status_code == 422
    assert filled_in(response.text) == typed


def test_a_gateway_with_routes_or_dids_stays(client: FlaskClient) -> None:
    gateway = things.gateway("GW1")
    path = f"/gateways/{gateway.id}/delete"
    things.did("551140001000", gateway_id=gateway.id)
    assert alert(client.post(path).text).endswith("DIDs: 551140001000.")
    things.route("Brazil", gateway_id=gateway.id)
    response = client.post(path)
    assert response.status_code == 409
    assert alert(response.text) == ("GW1 cannot be deleted, because other things depend on it. Routes: Brazil.")
    assert things.count(Gateway) == 1


def test_required_fields_are_marked(client: FlaskClient) -> None:
    page = client.get("/gateways/new").text
    for field in ("name", "provider_id", "ip_address"):
        assert f'<label class="form-label required" for="{field}">' in page
    assert '<label class="form-label" for="domain">' in page


def _endpoint(name: str) -> Any:
    return things.asterisk("SELECT allow FROM asterisk.ps_endpoints WHERE id = :name", name=name)
