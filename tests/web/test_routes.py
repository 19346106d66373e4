"""The pages of the routes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp.gateways.models import Gateway
from webapp.routes.models import Route


@pytest.fixture
def gateway(client: FlaskClient) -> Gateway:
    return things.gateway("GW1")


def valid(gateway: Gateway, **values: str) -> dict[str, str]:
    return {
        "name": "Brazil",
        "pattern": "55.",
        "gateway_id": str(gateway.id),
        "priority": "100",
        "strip": "0",
        "prepend": "",
        "enabled": "y",
        **values,
    }


def test_it_works(client: FlaskClient, gateway: Gateway) -> None:
    assert "No routes yet" in client.get("/routes/").text
    blank = filled_in(client.get("/routes/new").text)
    assert blank == valid(gateway, version="", name="", pattern="", gateway_id="")

    page = client.post("/routes/new", data=valid(gateway, pattern="_55x."), follow_redirects=True).text
    assert alert(page) == "Route Brazil saved."
    assert facts(page)["Pattern"] == "55X. Numbers that begin with 55, then any digit, then at least one more digit."
    assert facts(page)["Example"] == "551140001234 is sent as 551140001234"
    assert rows(client.get("/routes/").text) == ["100 Brazil 55X. GW1 Enabled"]

    route = things.one(Route)
    page = client.get(f"/routes/{route.id}/edit").text
    assert filled_in(page) == valid(gateway, pattern="55X.", version="1")
    changed = filled_in(page) | {"strip": "2", "prepend": "0", "priority": "5"}
    page = client.post(f"/routes/{route.id}/edit", data=changed, follow_redirects=True).text
    assert facts(page)["Number sent to the gateway"] == "the first 2 digits are cut, 0 is put before"
    assert facts(page)["Example"] == "551140001234 is sent as 01140001234"
    assert rows(client.get("/routes/").text) == ["5 Brazil 55X. GW1 −2 +0 Enabled"]

    for q in ("brazil", "55X.", "gw1"):
        assert len(rows(client.get(f"/routes/?q={q}").text)) == 1
    assert "No route matches “none”." in client.get("/routes/?q=none").text

    page = client.post(f"/routes/{route.id}/delete", follow_redirects=True).text
    assert alert(page) == "Brazil was deleted."
    assert things.count(Route) == 0


PATTERN = "Use digits, X (0-9), Z (1-9), N (2-9), sets such as [2-5], and at the end . or ! for “the rest”."


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "a\x00b", "Line breaks and control characters are not allowed."),
        ("pattern", "", "This field is required."),
        ("pattern", "55.1", PATTERN),
        ("pattern", "[2-", PATTERN),
        ("pattern", "[]", PATTERN),
        ("pattern", "5 5", PATTERN),
        ("pattern", "5|6", PATTERN),
        ("pattern", "(5)", PATTERN),
        ("pattern", "5\\d", PATTERN),
        ("pattern", "5\x00", PATTERN),
        ("pattern", "[5-2]X", "A set such as [2-5] goes from the smaller to the larger digit."),
        ("pattern", "1" * 81, "Use 80 characters at the most."),
        ("gateway_id", "", "This field is required."),
        ("gateway_id", "gw", "Choose one of the options."),
        ("gateway_id", "00000000-0000-0000-0000-000000000000", "This gateway no longer exists."),
        ("priority", "0", "Use 1 or more."),
        ("priority", "10000", "Use 9999 or less."),
        ("priority", "first", "Use a whole number."),
        ("strip", "-1", "Use 0 or more."),
        ("strip", "16", "Use 15 or less."),
        ("prepend", "+55", "Use digits only, 15 at the most."),
        ("prepend", "1" * 16, "Use digits only, 15 at the most."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(
    client: FlaskClient, gateway: Gateway, field: str, value: str, message: str
) -> None:
    response = client.post("/routes/new", data=valid(gateway, **{field: value}))
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert things.count(Route) == 0


def test_a_name_is_given_once(client: FlaskClient, gateway: Gateway) -> None:
    things.route("Brazil", gateway_id=gateway.id)
    response = client.post("/routes/new", data=valid(gateway))
    assert response.status_code == 422
    assert error_at(response.text, "name") == "Another route has this name."


def test_an_enabled_route_needs_an_enabled_gateway(client: FlaskClient) -> None:
    gateway = things.gateway("GW1", enabled=False)
    response = client.post("/routes/new", data=valid(gateway))
    assert response.status_code == 422
    assert error_at(response.text, "gateway_id") == "This gateway is disabled."
    assert things.count(Route) == 0
    switched_off = valid(gateway)
    del switched_off["enabled"]
    assert client.post("/routes/new", data=switched_off).status_code == 302


def test_the_list_says_which_routes_are_passed_over(client: FlaskClient, gateway: Gateway) -> None:
    things.route("On", gateway_id=gateway.id, priority=1)
    things.route("Off", gateway_id=gateway.id, priority=2, enabled=False)
    other = things.gateway("GW2", "10.0.0.2")
    things.route("Dead", gateway_id=other.id, priority=3)
    page = client.get(f"/gateways/{other.id}/edit").text
    off = filled_in(page)
    del off["enabled"]
    client.post(f"/gateways/{other.id}/edit", data=off)
    assert [row.split(" ", 4)[4] for row in rows(client.get("/routes/").text)] == [
        "Enabled",
        "Disabled",
        "Gateway disabled",
    ]


def test_nothing_typed_is_lost_in_an_error(client: FlaskClient, gateway: Gateway) -> None:
    route = things.route("Brazil", gateway_id=gateway.id)
    other = things.gateway("GW2", "10.0.0.2")
    typed = valid(other, version="1", name="x" * 81, pattern="(", priority="x", strip="x", prepend="x")
    del typed["enabled"]
    response = client.post(f"/routes/{route.id}/edit", data=typed)
    assert response.status_code == 422
    assert filled_in(response.text) == typed
