"""The pages of the providers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp.providers.models import Provider

VALID = {"name": "Norte Telecom", "type": "both", "cost_per_minute": "0.045"}


def test_it_works(client: FlaskClient) -> None:
    page = client.get("/providers/").text
    assert "No providers yet" in page

    assert filled_in(client.get("/providers/new").text) == {
        "version": "",
        "name": "",
        "type": "both",
        "cost_per_minute": "0",
    }
    page = client.post("/providers/new", data=VALID, follow_redirects=True).text
    assert alert(page) == "Provider Norte Telecom saved."
    assert (
        facts(page).items() >= {"What we buy": "Calls and numbers", "Cost per minute": "0.045", "DIDs": "None"}.items()
    )
    assert rows(client.get("/providers/").text) == ["Norte Telecom Calls and numbers 0.045"]

    provider = things.one(Provider)
    values = filled_in(client.get(f"/providers/{provider.id}/edit").text)
    assert values == {**VALID, "version": "1"}
    changed = values | {"name": "Norte", "type": "termination"}
    page = client.post(f"/providers/{provider.id}/edit", data=changed, follow_redirects=True).text
    assert alert(page) == "Provider Norte saved."
    assert facts(page)["What we buy"] == "Termination of calls"

    assert rows(client.get("/providers/?q=ort").text) == ["Norte Termination of calls 0.045"]
    assert "No provider matches “sul”." in client.get("/providers/?q=sul").text

    page = client.get(f"/providers/{provider.id}/delete").text
    assert "“Norte” will be deleted for good." in page
    page = client.post(f"/providers/{provider.id}/delete", follow_redirects=True).text
    assert alert(page) == "Norte was deleted."
    assert things.count(Provider) == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "   ", "This field is required."),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "two\nlines", "Line breaks and control characters are not allowed."),
        ("name", "nothing\x00here", "Line breaks and control characters are not allowed."),
        ("type", "friendship", "Choose one of the options."),
        ("cost_per_minute", "cheap", "Use a number."),
        ("cost_per_minute", "-0.01", "Use 0 or more."),
        ("cost_per_minute", "0.123456789", "Use 8 decimal places at the most."),
        ("cost_per_minute", "123456789", "The number is too large."),
        ("cost_per_minute", "NaN", "Use a number."),
        ("cost_per_minute", "Infinity", "Use a number."),
        ("cost_per_minute", "1.234,56", "Use a number."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(client: FlaskClient, field: str, value: str, message: str) -> None:
    response = client.post("/providers/new", data=VALID | {field: value})
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert things.count(Provider) == 0


def test_a_decimal_comma_is_understood(client: FlaskClient) -> None:
    client.post("/providers/new", data=VALID | {"cost_per_minute": "0,045"})
    assert str(things.one(Provider).cost_per_minute) == "0.04500000"


def test_a_name_is_given_once(client: FlaskClient) -> None:
    things.provider("Norte Telecom")
    response = client.post("/providers/new", data=VALID)
    assert response.status_code == 422
    assert error_at(response.text, "name") == "Another provider has this name."
    assert "New provider" in response.text
    assert things.count(Provider) == 1


def test_a_provider_with_gateways_or_dids_stays(client: FlaskClient) -> None:
    provider = things.provider("Norte")
    for number in range(4):
        things.gateway(f"GW{number}", f"10.0.0.{number}", provider_id=provider.id)
    response = client.post(f"/providers/{provider.id}/delete")
    assert response.status_code == 409
    assert alert(response.text) == (
        "Norte cannot be deleted, because other things depend on it. Gateways: GW0, GW1, GW2 and 1 more."
    )
    other = things.provider("Sul")
    things.did("551140001000", provider_id=other.id)
    response = client.post(f"/providers/{other.id}/delete")
    assert alert(response.text).endswith("DIDs: 551140001000.")
    assert things.count(Provider) == 2
