"""A session that ends while a form is open: what was typed comes through the sign-in, and nothing else does."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import PASSWORD
from tests.web import things
from tests.web.html import alert, error_at, filled_in
from webapp import resume
from webapp.extensions.models import Extension
from webapp.providers.models import Provider

SCRIPT = '"><script>alert(1)</script>'
TYPED = {"version": "", "name": f"Pão & Cia {SCRIPT}", "type": "numbers", "cost_per_minute": "0,05"}


@pytest.fixture
def stranger(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A browser whose session has ended. Forms need their tokens, as they do in life."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    browser = app.test_client()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return browser


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', page)
    return unescape(found[1]) if found else ""


def inputs(page: str) -> dict[str, str]:
    """The fields of the form that brings back what was typed."""
    form = page.partition("data-resume")[2].partition("</form>")[0]
    return {n: unescape(v) for n, v in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}


def sign_in(browser: FlaskClient, page: str, password: str = PASSWORD) -> TestResponse:
    """Fill in the sign-in of a page, and send with it what the page carries."""
    names = ("csrf_token", "next", "carried")
    data = {name: hidden(page, name) for name in names} | {"username": "olga", "password": password}
    return browser.post("/login", data=data)


def test_it_works(stranger: FlaskClient) -> None:
    response = stranger.post("/providers/new", data=TYPED | {"csrf_token": "of a session that is over"})
    assert response.status_code == 401
    assert alert(response.text).startswith("Your session has ended. Nothing is saved yet, and nothing is lost:")
    assert SCRIPT not in response.text

    response = sign_in(stranger, response.text, password="wrong")
    assert response.status_code == 422
    response = sign_in(stranger, response.text)
    assert response.status_code == 200
    assert SCRIPT not in response.text
    assert 'action="/providers/new?restored=1"' in response.text

    response = stranger.post("/providers/new?restored=1", data=inputs(response.text))
    assert response.status_code == 200
    assert alert(response.text) == "You are signed in again. What you typed is back, and not saved yet."
    values = filled_in(response.text)
    assert {name: values[name] for name in TYPED} == TYPED
    assert things.count(Provider) == 0
    assert stranger.post("/providers/new", data=values).status_code == 302
    assert things.one(Provider).name == TYPED["name"]


def test_a_change_comes_back_into_its_form_and_is_still_held_against_its_version(
    client: FlaskClient, stranger: FlaskClient
) -> None:
    provider = things.provider("Norte")
    path = things.edit_path(provider)
    response = stranger.post(path, data=TYPED | {"version": "1"})
    page = sign_in(stranger, response.text).text
    page = stranger.post(f"{path}?restored=1", data=inputs(page)).text
    assert f'action="{path}"' in page
    values = filled_in(page)
    assert values["version"] == "1"
    client.application.config["WTF_CSRF_ENABLED"] = False
    client.post(path, data=values | {"name": "Faster"})
    assert stranger.post(path, data=values).status_code == 422


def test_a_secret_is_not_carried_but_asked_for(stranger: FlaskClient) -> None:
    acme = things.office("acme")
    typed = {"version": "", "customer_id": str(acme.id), "extension": "100", "name": "", "secret": "hush-hush-hush"}
    response = stranger.post("/extensions/new", data=typed)
    assert "hush" not in response.text
    assert parse_qs(hidden(response.text, "carried"))["retype"] == ["secret"]
    page = sign_in(stranger, response.text).text
    page = stranger.post("/extensions/new?restored=1", data=inputs(page)).text
    assert error_at(page, "secret") == "Type it again: it was not kept."
    values = filled_in(page)
    assert values["extension"] == "100"
    assert values["customer_id"] == str(acme.id)
    assert values["secret"] == ""
    assert things.count(Extension) == 0


def test_who_signed_in_elsewhere_meanwhile_goes_straight_back(client: FlaskClient, stranger: FlaskClient) -> None:
    response = client.post("/providers/new", data=TYPED | {"csrf_token": "of the session before"})
    assert response.status_code == 200
    page = client.post("/providers/new?restored=1", data=inputs(response.text)).text
    assert filled_in(page)["name"] == TYPED["name"]
    assert things.count(Provider) == 0


@pytest.mark.parametrize("path", ["/providers/new", "/dids/new"])
def test_what_is_restored_is_never_stored(client: FlaskClient, path: str) -> None:
    provider = things.provider("Norte")
    typed = TYPED | {
        "name": "Sul",
        "cost_per_minute": "0.05",
        "number": "551140001000",
        "provider_id": str(provider.id),
    }
    assert client.post(f"{path}?restored=1", data=typed | {"status": "available"}).status_code == 200
    assert things.count(Provider) == 1


def test_what_is_no_form_of_ours_is_not_carried(client: FlaskClient, stranger: FlaskClient) -> None:
    provider = things.provider("Norte")
    bodies: list[tuple[str, dict[str, str], dict[str, str]]] = [
        (f"/providers/{provider.id}/delete", {"seen": "1"}, {}),
        ("/logout", {}, {}),
        ("/providers/new", TYPED, {"Origin": "https://elsewhere.example"}),
        ("/providers/new", TYPED, {"Origin": "null"}),
        ("/providers/new", TYPED | {"name": "x" * resume.LONGEST}, {}),
    ]
    for path, data, headers in bodies:
        response = stranger.post(path, data=data, headers=headers)
        assert response.status_code == 400, path
        assert "Your session has ended" in response.text
        assert 'name="carried"' not in response.text
    assert things.count(Provider) == 1


@pytest.mark.parametrize(
    "carried", ["a" * 100_000, "&" * 3000, "%zz=%00&\x00", "&".join(["a=b"] * 2000), "retype=version"]
)
@pytest.mark.parametrize(
    "target", ["//elsewhere.example/x", "/\\elsewhere.example", "https://elsewhere.example/", "http://["]
)
def test_nothing_carried_leads_out_or_breaks(app: Flask, client: FlaskClient, carried: str, target: str) -> None:
    browser = app.test_client()
    data = {"username": "olga", "password": PASSWORD, "carried": carried, "next": target}
    response = browser.post("/login", data=data)
    assert response.status_code in (200, 302)
    assert "elsewhere" not in response.headers.get("Location", "")
    if response.status_code == 200:
        assert 'action="/?restored=1"' in response.text


def test_without_a_session_a_button_leads_back_to_its_page(app: Flask, client: FlaskClient) -> None:
    """Not to its own address, which nobody can ask for."""
    browser = app.test_client()
    for referrer, then in (("http://localhost/dids/", "/dids/"), ("https://elsewhere.example/x", "/")):
        response = browser.post("/logout", headers={"Referer": referrer})
        assert parse_qs(response.location.partition("?")[2])["next"] == [then]
