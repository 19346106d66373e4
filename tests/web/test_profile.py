"""The profile: what everybody settles for himself, whatever his role."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import PASSWORD, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, filled_in, rows
from webapp.accounts import second_factor
from webapp.accounts.models import AuditEntry, SecondFactor, User, UserSession
from webapp.ext import db

NEW = "a horse and a battery"


def olga() -> User:
    return things.one(User, username="olga")


def test_it_works(client: FlaskClient) -> None:
    page = client.get("/profile/").text
    form = filled_in(page)
    assert (form["language"], form["theme"]) == ("en", "system")
    assert "data-theme=" not in page
    answer = client.post("/profile/", data=form | {"language": "pt_BR", "theme": "dark"})
    assert answer.location == "/profile/"
    page = client.get("/").text
    assert '<html lang="pt-BR" data-theme="dark">' in page
    assert "data-theme-switch" not in page, "what is settled here no button of one browser changes"
    assert (olga().language, olga().theme) == ("pt_BR", "dark")
    assert client.get("/profile/").status_code == 200


def test_a_viewer_has_one_too(viewer: FlaskClient) -> None:
    form = filled_in(viewer.get("/profile/").text)
    assert viewer.post("/profile/", data=form | {"theme": "light"}).status_code == 302


@pytest.mark.parametrize("field", ["role", "username", "enabled", "password_hash"])
def test_nobody_promotes_himself(client: FlaskClient, field: str) -> None:
    form = filled_in(client.get("/profile/").text)
    client.post("/profile/", data=form | {field: "admin"})
    assert (olga().role, olga().username) == ("operator", "olga")
    assert olga().has_password(PASSWORD)


# ---- the password


def test_changing_the_password_ends_all_other_sessions(app: Flask, client: FlaskClient) -> None:
    other = signed_in(app, "olga")
    vera = signed_in(app, make_user("vera", "viewer").username)
    with client.session_transaction() as session:
        before = session["_user_id"]
    data = {"current": PASSWORD, "password": NEW, "repeat": NEW}
    assert client.post("/profile/password", data=data).location == "/profile/"
    assert "Your password was changed." in client.get("/profile/").text
    with client.session_transaction() as session:
        assert session["_user_id"] != before
    assert other.get("/").status_code == 302
    assert vera.get("/").status_code == 200
    assert olga().has_password(NEW)
    entry = things.one(AuditEntry, action="update", label="olga")
    assert (entry.before, entry.after) == ({"password_hash": "***"}, {"password_hash": "***"})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("current", "wrong", "The password is wrong."),
        ("current", "", "This field is required."),
        ("repeat", "another", "The two are not the same."),
        ("password", "short", "Use 10 characters or more."),
        ("password", "Password123", "Everybody guesses this password first; choose another one."),
    ],
)
def test_a_password_that_is_not_changed(client: FlaskClient, field: str, value: str, message: str) -> None:
    data = {"current": PASSWORD, "password": NEW, "repeat": NEW} | {field: value}
    answer = client.post("/profile/password", data=data)
    assert (answer.status_code, error_at(answer.text, field)) == (422, message)
    assert NEW not in answer.text
    assert olga().has_password(PASSWORD)


def test_a_new_password_is_not_the_own_name(app: Flask, client: FlaskClient) -> None:
    nina = signed_in(app, make_user("nina.nogueira", "viewer").username)
    data = {"current": PASSWORD, "password": "Nina.Nogueira", "repeat": "Nina.Nogueira"}
    answer = nina.post("/profile/password", data=data)
    assert error_at(answer.text, "password") == "The password must not be the user name."


def test_whoever_finds_a_screen_left_alone_does_not_guess_for_long(client: FlaskClient) -> None:
    wrong = {"current": "wrong", "password": NEW, "repeat": NEW}
    for _ in range(5):
        assert error_at(client.post("/profile/password", data=wrong).text, "current") == "The password is wrong."
    answer = client.post("/profile/password", data=wrong | {"current": PASSWORD})
    assert error_at(answer.text, "current") == "Too many tries. Wait a few minutes and try again."
    assert olga().has_password(PASSWORD)


# ---- the second step


def test_setting_up_the_second_step(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    step = second_factor.step_now()
    monkeypatch.setattr(second_factor, "step_now", lambda: step)
    assert "Set up" in client.get("/profile/second-factor").text
    assert client.post("/profile/second-factor/begin").location == "/profile/second-factor"
    page = client.get("/profile/second-factor").text
    secret = re.sub(r"\s", "", re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0])
    picture = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    [qr] = [each for each in picture if "qrline" in each]
    assert "style" not in qr
    ET.fromstring(qr)  # noqa: S314 - it is ours

    assert signed_in(app, "olga").get("/").status_code == 200, "until it is confirmed nobody is asked"
    answer = client.post("/profile/second-factor", data={"code": "000000"})
    assert error_at(answer.text, "code") == "The code is wrong. Is the clock of your telephone right?"
    assert secret in re.sub(r"\s", "", answer.text), "the same key as before"

    answer = client.post("/profile/second-factor", data={"code": pyotp.TOTP(secret).generate_otp(step)})
    codes = re.findall(r"<li><code>([a-z2-7-]{19})</code>", answer.text)
    assert len(set(codes)) == 10
    assert answer.headers["Cache-Control"] == "no-store"
    page = client.get("/profile/second-factor").text
    assert secret not in re.sub(r"\s", "", page)
    assert not any(code in page for code in codes)
    assert app.test_client().post("/login", data={"username": "olga", "password": PASSWORD}).location == "/login/code"
    assert things.one(AuditEntry, action="second factor on").username == "olga"
    assert secret not in str([(e.before, e.after) for e in db.session.scalars(db.select(AuditEntry))])


def test_beginning_again_does_not_replace_what_is_confirmed(client: FlaskClient) -> None:
    client.post("/profile/second-factor/begin")
    first = things.one(SecondFactor).secret
    client.post("/profile/second-factor/begin")
    second = things.one(SecondFactor).secret
    assert first != second
    second_factor.confirm(olga(), pyotp.TOTP(second_factor.secret(things.one(SecondFactor))).now())
    client.post("/profile/second-factor/begin")
    assert things.one(SecondFactor).secret == second
    assert client.post("/profile/second-factor", data={"code": "000000"}).status_code == 200
    assert things.one(SecondFactor).confirmed


def test_turning_the_second_step_off_takes_the_password(client: FlaskClient) -> None:
    client.post("/profile/second-factor/begin")
    second_factor.confirm(olga(), pyotp.TOTP(second_factor.secret(things.one(SecondFactor))).now())
    for wrong in ("wrong", ""):
        answer = client.post("/profile/second-factor/remove", data={"password": wrong})
        assert answer.status_code == 422
        assert error_at(answer.text, "password")
        assert things.count(SecondFactor) == 1
    assert client.post("/profile/second-factor/remove", data={"password": PASSWORD}).location == "/profile/"
    assert things.count(SecondFactor) == 0
    assert things.one(AuditEntry, action="second factor off").username == "olga"


# ---- sessions


def test_ending_ones_own_sessions(app: Flask, client: FlaskClient) -> None:
    others = [signed_in(app, "olga") for _ in range(2)]
    vera = signed_in(app, make_user("vera", "viewer").username)
    db.session.commit()
    shown = rows(client.get("/profile/").text)
    assert len(shown) == 3
    assert len([row for row in shown if row.endswith("This one")]) == 1

    with others[0].session_transaction() as session:
        id = session["_user_id"]
    assert client.post(f"/profile/sessions/{id}/end").location == "/profile/"
    assert [browser.get("/").status_code for browser in (client, *others, vera)] == [200, 302, 200, 200]
    answer = client.post("/profile/sessions/end", follow_redirects=True)
    assert alert(answer.text) == "1 session was ended."
    assert [browser.get("/").status_code for browser in (client, *others, vera)] == [200, 302, 302, 200]


def test_nobody_ends_the_session_of_another(app: Flask, client: FlaskClient, viewer: FlaskClient) -> None:
    session = things.one(UserSession, user_id=olga().id)
    viewer.post(f"/profile/sessions/{session.id}/end")
    viewer.post("/profile/sessions/end")
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0", "Firefox · Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/1 Safari/537.36 Edg/1", "Edge · Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36", "Chrome · Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari · iPhone"),
        ("curl/8", "curl/8"),
        ("", ""),
    ],
)
def test_what_a_browser_is_called(said: str, shown: str) -> None:
    assert UserSession(user_agent=said).browser == shown
