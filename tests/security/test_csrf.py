"""What another site's page can have a browser send: nothing comes of it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.conftest import PASSWORD, make_user, signed_in
from tests.security.rules import addresses
from tests.web import things
from webapp.accounts.models import AuditEntry, User
from webapp.customers.models import Customer
from webapp.ext import db

SAFE = ("GET", "HEAD")
ELSEWHERE = [
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},  # Another port of this host: a browser sends our cookies there, too.
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.fixture
def admin(app: Flask, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """With tokens asked for, as in life."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    return admin


def token(browser: FlaskClient, path: str = "/profile/") -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.get(path).text)
    assert found
    return found[1]


def test_no_page_does_anything_without_a_token_of_this_session(app: Flask, admin: FlaskClient) -> None:
    make_user("other", "admin")
    app.config["WTF_CSRF_ENABLED"] = False
    other = signed_in(app, "other")
    app.config["WTF_CSRF_ENABLED"] = True
    strange = token(other)
    before = _entries()
    asked, wrong = 0, []
    for each in addresses(app):
        if each.is_api or each.method in SAFE:
            continue
        for data in ({}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": strange}):
            answer = admin.open(each.path, method=each.method, data=data)
            asked += 1
            if answer.status_code != 400 or "Your session has ended" not in answer.text:
                wrong.append((each.method, each.path, data.keys(), answer.status_code))
    assert asked > 200
    assert wrong == []
    assert _entries() == before
    assert admin.get("/").status_code == 200  # Nobody was signed out.


def _entries() -> int | None:
    return db.session.scalar(select(func.count()).select_from(AuditEntry))


def test_a_token_of_before_the_sign_in_is_good_no_more(app: Flask, admin: FlaskClient) -> None:
    """Whoever planted a session in a browser knows its token, and not that of the session that begins then."""
    browser = app.test_client()
    planted = token(browser, "/login")
    signing_in = {"username": "ada", "password": PASSWORD, "csrf_token": planted}
    assert browser.post("/login", data=signing_in).status_code == 302
    assert browser.post("/logout", data={"csrf_token": planted}).status_code == 400
    assert browser.post("/logout", data={"csrf_token": token(browser)}).status_code == 302


def test_pages_take_no_other_methods_in_disguise(app: Flask, admin: FlaskClient) -> None:
    """Neither a header nor a field turns a GET or a POST into something else."""
    customer = things.office("acme")
    path = f"/customers/{customer.id}"
    for headers in ({"X-HTTP-Method-Override": "DELETE"}, {"X-Method-Override": "POST"}, {"X-HTTP-Method": "DELETE"}):
        assert admin.get(f"{path}/delete", headers=headers).status_code == 200
        assert admin.post(path, headers=headers, data={"_method": "DELETE"}).status_code in (400, 405)
    assert things.count(Customer) == 1


def test_no_get_changes_anything(app: Flask, admin: FlaskClient) -> None:
    """What a link of another site's page asks for, along which a cookie with SameSite=Lax goes."""
    customer = things.office("acme")
    phone = things.extension(customer)
    for thing, area in ((customer, "customers"), (phone, "extensions")):
        assert admin.get(f"/{area}/{thing.id}/delete?seen=1&csrf_token=x&version=1").status_code == 200
    before = _entries()
    for each in addresses(app):
        if each.method in SAFE and not each.is_api:
            admin.open(each.path, method=each.method).close()
    assert _entries() == before
    assert things.count(Customer) == 1


def test_a_session_does_not_let_a_page_speak_to_the_api(app: Flask, admin: FlaskClient) -> None:
    asked, wrong = 0, []
    for each in addresses(app):
        if each.is_api and each.permission != "public":
            for headers in ({}, {"X-CSRFToken": token(admin)}) if asked == 0 else ({},):
                answer = admin.open(each.path, method=each.method, json={}, headers=headers)
                asked += 1
                if answer.status_code != 401:
                    wrong.append((each.method, each.path, answer.status_code))
    assert asked > 100
    assert wrong == []


def test_other_sites_are_told_nothing_of_what_they_may_do(app: Flask, admin: FlaskClient) -> None:
    """No CORS: a browser keeps our answers from their scripts, and sends their JSON and DELETE not at all."""
    asking = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "DELETE"}
    for each in addresses(app):
        answer = admin.options(each.path, headers=asking)
        names = [name for name, _ in answer.headers if name.lower().startswith("access-control-")]
        assert names == [], each.path
        answer.close()


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_another_sites_page_puts_nothing_into_a_form_of_ours(
    app: Flask, admin: FlaskClient, headers: dict[str, str]
) -> None:
    """What was typed before a session ended comes back in a form that has a token and sends itself (resume.py)."""
    victim = things.one(User, username="ada")
    bait = {"carried": "version=1&seen=1", "next": f"/users/{victim.id}/second-factor/remove", "version": "1"}
    stranger = app.test_client()
    for browser in (admin, stranger):
        for path in ("/login", "/login/code", "/providers/new", f"/users/{victim.id}/delete"):
            answer = browser.post(path, data=bait, headers=headers)
            assert "data-resume" not in answer.text, (path, answer.status_code)
            assert 'name="carried"' not in answer.text, (path, answer.status_code)


def test_nor_does_the_sign_in(app: Flask, admin: FlaskClient) -> None:
    stranger = app.test_client()
    data = {"csrf_token": token(stranger, "/login"), "username": "ada", "password": PASSWORD, "carried": "version=1"}
    answer = stranger.post("/login", data=data | {"next": "/logout"}, headers={"Sec-Fetch-Site": "same-site"})
    assert answer.status_code == 302


@pytest.mark.parametrize("https", [False, True])
def test_cookies_stay_with_us(app: Flask, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch, https: bool) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    monkeypatch.setitem(app.config, "SESSION_COOKIE_SECURE", https)
    answer = app.test_client().post("/login", data={"username": "ada", "password": PASSWORD})
    cookies = answer.headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert ("Secure" in cookie) is https
