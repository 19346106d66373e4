"""Passwords and codes that are tried one after the other, and what an answer gives away of who is there."""

from __future__ import annotations

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from tests.conftest import PASSWORD, make_user
from webapp.accounts.models import KnownAddress, User
from webapp.ext import db

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def _try(app: Flask, username: str, password: str, address: str = ELSEWHERE, api: bool = False) -> int:
    credentials = {"username": username, "password": password}
    browser = app.test_client()
    browser.environ_base["REMOTE_ADDR"] = address
    if api:
        return browser.post("/api/v1/auth/login", json=credentials).status_code
    return browser.post("/login", data=credentials).status_code


@pytest.fixture
def ada(app: Flask, session: object) -> User:
    user = make_user("ada", "admin")
    assert _try(app, "ada", PASSWORD, HERE) == 302  # From where she is known from now on.
    return user


@pytest.mark.parametrize("username", ["ada", "nobody"])
def test_after_a_few_tries_one_waits_whether_there_is_such_a_user_or_not(app: Flask, ada: User, username: str) -> None:
    """By the page and by the API together; who guessed right meanwhile waits, too."""
    statuses = [_try(app, username, f"wrong {n}", api=n % 2 == 1) for n in range(5)]
    assert statuses == [422, 401, 422, 401, 422]
    assert [_try(app, username, "wrong"), _try(app, username, "wrong", api=True)] == [429, 429]
    assert _try(app, "ada", PASSWORD) == (429 if username == "ada" else 302)


def test_many_addresses_gain_little(app: Flask, ada: User) -> None:
    """Tries at one user count from wherever they come, an IPv6 network as one address."""
    from_one_network = [_try(app, "ada", "wrong", f"2001:db8::{n:x}") for n in range(1, 8)]
    assert from_one_network == [422] * 5 + [429] * 2
    from_many = [_try(app, "ada", "wrong", f"198.51.100.{n}") for n in range(1, 20)]
    assert from_many == [422] * 15 + [429] * 4


def test_one_address_tries_few_users(app: Flask, ada: User) -> None:
    statuses = [_try(app, f"user{n}", "Summer2026!") for n in range(33)]
    assert statuses == [422] * 30 + [429] * 3


def test_nobody_can_lock_another_out(app: Flask, ada: User) -> None:
    """Where she has signed in before, only her own tries from there count."""
    for n in range(1, 26):
        _try(app, "ada", "wrong", f"198.51.100.{n}")
    assert _try(app, "ada", PASSWORD, ELSEWHERE) == 429
    assert _try(app, "ada", PASSWORD, HERE) == 302
    assert db.session.scalar(select(KnownAddress.address)) == HERE
    db.session.commit()


def test_other_processes_and_a_restart_forget_nothing(app: Flask, ada: User) -> None:
    """Tries are rows that every web process counts; none keeps them in its memory."""
    for n in range(5):
        _try(app, "ada", f"wrong {n}")
    db.session.remove()
    count = text("SELECT count(*) FROM public.sign_in_tries WHERE username = 'ada'")
    assert db.session.scalar(count) == 5
    db.session.execute(text("DELETE FROM public.sign_in_tries"))
    db.session.commit()
    assert _try(app, "ada", PASSWORD) == 302


def test_passwords_are_asked_for_again_no_faster_within_a_session(app: Flask, ada: User) -> None:
    """A thief of a session does not find the password out by changing it, nor by turning off the second step."""
    browser = app.test_client()
    browser.environ_base["REMOTE_ADDR"] = HERE
    browser.post("/login", data={"username": "ada", "password": PASSWORD})
    new = "another horse, a better battery"
    wrong = {"current": "wrong", "password": new, "repeat": new}
    for _ in range(5):
        assert browser.post("/profile/password", data=wrong).status_code == 422
    answer = browser.post("/profile/password", data=wrong | {"current": PASSWORD})
    assert "Too many tries" in answer.text
    assert browser.post("/profile/second-factor/remove", data={"password": PASSWORD}).status_code == 422


def test_an_answer_does_not_say_whether_there_is_such_a_user(
    app: Flask, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words, and the same work: one comparison of a password, as dear as for a user."""
    make_user("off", "viewer").enabled = False
    db.session.commit()
    compared: list[bytes] = []
    compare = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        compared.append(hashed[:7])
        return compare(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    pages, answers = set(), set()
    for username in ("ada", "nobody", "off", "x" * 80, "ada\u0000"):
        browser = app.test_client()
        page = browser.post("/login", data={"username": username, "password": "wrong"}).text
        pages.add(page.partition('id="messages"')[2].partition("</section>")[0].partition("<form")[0])
        answer = browser.post("/api/v1/auth/login", json={"username": username, "password": "wrong"})
        answers.add((answer.status_code, answer.text))
    assert len(pages) == 1
    assert len(answers) == 1
    assert len(compared) == 10
    assert len(set(compared)) == 1  # The same cost.


def test_programs_are_slowed_down_whatever_they_show(app: Flask, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens cannot be guessed (256 bits); whoever tries all the same is told to wait."""
    monkeypatch.setitem(app.config, "API_RATE_LIMIT", 5)
    statuses = []
    for n in range(7):
        browser = app.test_client()
        browser.environ_base["REMOTE_ADDR"] = ELSEWHERE
        statuses.append(browser.get("/api/v1/users/", headers={"Authorization": f"Bearer aa_{n}"}).status_code)
    assert statuses == [401] * 5 + [429] * 2


def test_the_user_name_of_a_try_makes_no_line_of_its_own_in_the_log(
    app: Flask, ada: User, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    _try(app, 'x"}\n{"event": "signed in", "user": "ada', "secret words")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert not any("secret words" in line for line in lines)


def test_finding_users_takes_an_account(app: Flask, ada: User, client: FlaskClient) -> None:
    """Nor do an operator's search, lists or audit hand out hashes."""
    stranger = app.test_client()
    for path in ("/search?q=ada", "/search/suggestions?q=ada", "/users/", "/api/v1/users/?q=ada"):
        assert "ada" not in stranger.get(path).text.replace("q=ada", "").replace("q%3Dada", "")
    for path in ("/search?q=ada", "/users/", "/audit/?q=ada"):
        assert ada.password_hash not in client.get(path).text
