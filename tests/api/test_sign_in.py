"""Tokens: who gets one, and which are taken."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jwt
import pyotp
import pytest
from flask import Flask

from tests.api.conftest import Program
from tests.calls.exchange import SECRET_KEY
from tests.conftest import PASSWORD, make_user, signed_in
from webapp.accounts import second_factor
from webapp.accounts.models import SecondFactor
from webapp.ext import db


def test_it_works(nobody: Program) -> None:
    make_user("olga", "operator")

    answer = nobody.post("/auth/login", {"username": "OLGA", "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json | {"access_token": ""} == {"access_token": "", "token_type": "bearer", "expires_in": 86400}
    claims = jwt.decode(answer.json["access_token"], SECRET_KEY, algorithms=["HS256"], audience="api")
    assert claims["exp"] - claims["iat"] == 86400


def test_wrong_credentials(nobody: Program) -> None:
    make_user("olga", "operator")
    for body in ({"username": "olga", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}):
        answer = nobody.post("/auth/login", body)
        assert (answer.status_code, set(answer.json)) == (401, {"error"})


def test_a_disabled_user_has_no_token_and_an_old_one_is_no_good(app: Flask, nobody: Program) -> None:
    user = make_user("olga", "operator")
    api = Program(app, "olga")
    user.enabled = False
    db.session.commit()

    assert api.get("/providers/").status_code == 401
    assert nobody.post("/auth/login", {"username": "olga", "password": PASSWORD}).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"exp": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
        {"aud": "something else"},
        {"sub": "olga"},
        {"jti": None},
        {"exp": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_good(app: Flask, nobody: Program, change: dict[str, Any]) -> None:
    user = make_user("olga", "operator")
    now = dt.datetime.now(dt.UTC)
    claims = {"sub": str(user.id), "aud": "api", "iat": now, "exp": now + dt.timedelta(hours=1), "jti": "x"} | change
    token = jwt.encode({k: v for k, v in claims.items() if v is not None}, SECRET_KEY, algorithm="HS256")

    nobody.headers["Authorization"] = f"Bearer {token}"

    assert nobody.get("/providers/").status_code == 401


def test_a_token_that_nobody_signed(app: Flask, nobody: Program) -> None:
    user = make_user("olga", "admin")
    now = dt.datetime.now(dt.UTC)
    claims = {"sub": str(user.id), "aud": "api", "iat": now, "exp": now + dt.timedelta(hours=1), "jti": "x"}
    other = "another key that is long enough to be taken for one"
    for token in (jwt.encode(claims, "", algorithm="none"), jwt.encode(claims, other, algorithm="HS256"), "x", ""):
        nobody.headers["Authorization"] = f"Bearer {token}"
        assert nobody.get("/providers/").status_code == 401


def test_a_session_of_the_browser_does_not_open_the_api(app: Flask, nobody: Program) -> None:
    """Otherwise any page could call it in the name of whoever looks at the page."""
    make_user("olga", "admin")
    browser = signed_in(app, "olga")
    nobody.client = browser

    assert nobody.get("/providers/").status_code == 401


def test_the_description_needs_no_token(nobody: Program) -> None:
    answer = nobody.get("/openapi.json")
    assert answer.json["openapi"] == "3.1.0"
    assert {"/api/v1/auth/login", "/api/v1/dids/{id}/allocate"} <= set(answer.json["paths"])


def test_a_program_waits_too(nobody: Program) -> None:
    make_user("olga", "operator")
    wrong = [nobody.post("/auth/login", {"username": "olga", "password": "wrong"}) for _ in range(5)]
    answer = nobody.post("/auth/login", {"username": "olga", "password": PASSWORD})

    assert {answer.status_code for answer in wrong} == {401}
    assert (answer.status_code, answer.json) == (429, {"error": "Too many tries. Wait a few minutes and try again."})
    assert int(answer.headers["Retry-After"]) > 0


def test_in_two_steps(nobody: Program) -> None:
    olga = make_user("olga", "operator")
    second_factor.begin(olga)
    app = pyotp.TOTP(second_factor.secret(db.session.get_one(SecondFactor, olga.id)))
    codes = second_factor.confirm(olga, app.generate_otp(second_factor.step_now() - 1))
    body = {"username": "olga", "password": PASSWORD}

    answer = nobody.post("/auth/login", body)
    assert (answer.status_code, answer.json) == (401, {"error": "This user signs in in two steps: a code is needed."})
    answer = nobody.post("/auth/login", body | {"code": "000000"})
    assert (answer.status_code, answer.json) == (401, {"error": "The code is wrong, or it was used before."})
    assert nobody.post("/auth/login", body | {"code": codes[0]}).status_code == 200
    assert nobody.post("/auth/login", body | {"code": codes[0]}).status_code == 401
    assert nobody.post("/auth/login", body | {"code": app.generate_otp(second_factor.step_now())}).status_code == 200


def test_a_name_that_no_database_could_hold(nobody: Program) -> None:
    assert nobody.post("/auth/login", {"username": "olga\x00", "password": "\x00"}).status_code == 401
