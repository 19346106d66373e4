"""Signing in and out, the language, and who may do what."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.conftest import PASSWORD, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at
from webapp.accounts.models import User
from webapp.ext import db
from webapp.permissions import PERMISSIONS


@pytest.fixture
def stranger(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser in which nobody is signed in, that wants English."""
    browser = app.test_client()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return browser


def test_it_works(app: Flask, stranger: FlaskClient) -> None:
    page = stranger.get("/customers/", follow_redirects=True).text
    assert alert(page) == "Please sign in."
    assert 'name="next" type="hidden" value="/customers/"' in page
    response = stranger.post("/login", data={"username": " OLGA ", "password": PASSWORD, "next": "/customers/"})
    assert response.location == "/customers/"
    assert "olga" in stranger.get("/").text
    assert stranger.get("/login").location == "/"
    assert stranger.post("/logout").location == "/login"
    assert stranger.get("/").location.startswith("/login")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("olga", "wrong"),
        ("nobody", PASSWORD),
        ("olga\x00", "wrong"),
        ("olga", "\x00"),
        ("olga", "x" * 100),
        ("olga", "ã" * 100),
        ("nobody", "ã" * 100),
        ("off", PASSWORD),
        ("' OR 1=1 --", "x"),
    ],
)
def test_a_wrong_login_is_refused(stranger: FlaskClient, username: str, password: str) -> None:
    make_user("off", "operator").enabled = False
    db.session.commit()
    response = stranger.post("/login", data={"username": username, "password": password})
    assert response.status_code == 422
    assert alert(response.text) == "The user name or the password is wrong."
    assert f'value="{password}"' not in response.text
    assert stranger.get("/").status_code == 302


def test_an_empty_login_is_told_what_is_missing(stranger: FlaskClient) -> None:
    response = stranger.post("/login", data={})
    assert response.status_code == 422
    assert error_at(response.text, "username") == "This field is required."
    assert error_at(response.text, "password") == "This field is required."


def test_a_password_has_72_bytes_at_the_most() -> None:
    with pytest.raises(ValueError, match="72 bytes"):
        User(username="x").set_password("ã" * 37)


def test_a_disabled_user_is_out_at_once(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200
    db.session.get_one(User, things.one(User, username="olga").id).enabled = False
    db.session.commit()
    assert client.get("/").location.startswith("/login")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        " //evil.example/",
        "http:evil.example",
        "javascript:alert(1)",
        "//[",
        "evil.example",
        "/\n/evil.example",
        "\x00//evil.example",
    ],
)
def test_a_sign_in_leads_nowhere_else(stranger: FlaskClient, target: str) -> None:
    for language in (
        stranger.post("/language", data={"language": "en", "next": target}),
        stranger.post("/login", data={"username": "olga", "password": PASSWORD, "next": target}),
        stranger.get("/login", query_string={"next": target}),
    ):
        assert language.status_code == 302
        assert language.location == "/"


def test_the_language_is_the_users_then_the_browsers(app: Flask, stranger: FlaskClient) -> None:
    assert '<html lang="en">' in stranger.get("/login").text
    stranger.environ_base["HTTP_ACCEPT_LANGUAGE"] = "fr"
    assert '<html lang="pt-BR">' in stranger.get("/login").text
    stranger.post("/language", data={"language": "en", "next": "/login"})
    assert '<html lang="en">' in stranger.get("/login").text
    stranger.post("/language", data={"language": "tlh", "next": "/login"})
    assert '<html lang="en">' in stranger.get("/login").text


def test_the_language_chosen_before_signing_in_stays_if_the_user_has_none(app: Flask, stranger: FlaskClient) -> None:
    make_user("nina", "operator").language = ""
    db.session.commit()
    stranger.environ_base["HTTP_ACCEPT_LANGUAGE"] = "fr"
    stranger.post("/language", data={"language": "en"})
    stranger.post("/login", data={"username": "nina", "password": PASSWORD})
    assert '<html lang="en">' in stranger.get("/").text


def _pages(app: Flask) -> list[tuple[Rule, str]]:
    """Every page of the application with the permission of its view. (The API has the like in tests/api.)"""
    return [
        (rule, vars(app.view_functions[rule.endpoint])["permission"])
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not rule.endpoint.startswith("api.")
    ]


def _methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}


def _address(rule: Rule) -> str:
    path = re.sub(r"<int[^>]*>", "1", rule.rule)
    return re.sub(r"<uuid:\w+>", str(uuid4()), path).replace("<kind>", "gateways")


def test_a_viewer_reads_and_does_not_write(app: Flask, viewer: FlaskClient) -> None:
    tried = 0
    for rule, permission in _pages(app):
        for method in _methods(rule):
            if permission != "public" and "viewer" not in PERMISSIONS[permission]:
                response = viewer.open(_address(rule), method=method)
                assert response.status_code == 403, (method, rule.rule)
                assert "Your role does not allow it." in response.text
                tried += 1
            elif permission.endswith(".read"):
                expected = 404 if rule.arguments else 200  # There is no such thing, but the page is there.
                assert viewer.open(_address(rule), method=method).status_code == expected, rule.rule
    assert tried > 20


def test_nobody_is_asked_to_sign_in(app: Flask, stranger: FlaskClient) -> None:
    for rule, permission in _pages(app):
        for method in _methods(rule):
            if permission != "public":
                response = stranger.open(_address(rule), method=method)
                assert response.status_code == 302, (method, rule.rule)
                assert response.location.startswith("/login"), (method, rule.rule)


def test_a_viewer_sees_lists_without_buttons(app: Flask, viewer: FlaskClient) -> None:
    things.route("Brazil")
    things.extension(things.office("acme"))
    things.did()
    for area in ("providers", "gateways", "customers", "extensions", "dids", "routes"):
        page = viewer.get(f"/{area}/").text
        assert "<tbody>" in page
        assert f'href="/{area}/new"' not in page
        [path] = set(re.findall(rf'<th scope="row"><a href="(/{area}/[^"]+)"', page)[:1])
        page = viewer.get(path).text
        assert "/edit" not in page
        assert "/delete" not in page
        assert page.count('method="post"') == 2  # To sign out, and to choose a language.


def test_a_form_without_its_token_is_refused(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    for path in ("/providers/new", "/login", "/logout", "/language", f"/dids/{uuid4()}/deallocate"):
        response = client.post(path, data={"name": "Norte", "type": "both"})
        assert response.status_code == 400, path
        assert "Your session has ended" in response.text
        assert "Nothing was saved." in response.text
    assert client.get("/").status_code == 200


def test_healthz_answers_everybody(stranger: FlaskClient) -> None:
    assert stranger.get("/healthz").json == {"status": "ok"}


def test_signed_in_tells_users_apart(app: Flask, viewer: FlaskClient, client: FlaskClient) -> None:
    assert "Viewer" in viewer.get("/").text
    assert "Operator" in client.get("/").text
    make_user("adam", "admin")
    db.session.commit()
    assert "Administrator" in signed_in(app, "adam").get("/").text
