"""Who gets in, as what, and until when. (tests/web/test_who_may.py asks every view in the name of every role.)"""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
import uuid
from typing import Any

import jwt
import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from tests.conftest import PASSWORD, SECRET_KEY, make_user, signed_in
from tests.security.conftest import token_of
from tests.security.rules import addresses
from tests.test_rules import PUBLIC
from tests.web import things
from webapp.accounts import second_factor, tokens
from webapp.accounts.models import SignInTry, User, UserSession
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.tokens.models import ApiToken

NEW_PASSWORD = "another horse, a better battery"


def test_nobody_gets_anything_by_any_method(app: Flask) -> None:
    """Whole: every rule of the product, HEAD included; what is public is a short list that is written down."""
    wrong, asked = [], 0
    for each in addresses(app):
        if each.permission == "public":
            assert each.endpoint in PUBLIC
            continue
        stranger = app.test_client()
        answer = stranger.open(each.path, method=each.method)
        asked += 1
        fits = answer.status_code == 401 if each.is_api else (answer.location or "").startswith("/login")
        if not fits and not (each.path.startswith("/sync/") and answer.status_code == 302):
            wrong.append((each.method, each.path, answer.status_code))
        answer.close()
    assert asked > 300
    assert wrong == []


# ---- forged, old and foreign tokens


def _claims(user: User, **changes: Any) -> dict[str, Any]:
    now = time.time()
    claims = {"sub": str(user.id), "aud": "api", "iat": now, "exp": now + 3600, "jti": uuid.uuid4().hex} | changes
    return {name: value for name, value in claims.items() if value is not None}


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _forged(user: User) -> dict[str, str]:
    claims = _claims(user)
    unsigned = _encoded({"alg": "none", "typ": "JWT"}) + "." + _encoded(claims) + "."
    good = jwt.encode(claims, SECRET_KEY, algorithm="HS256")
    other_head = _encoded({"alg": "HS512", "typ": "JWT"}) + "." + good.split(".", 1)[1]

    def signed(key: str = SECRET_KEY, algorithm: str = "HS256", **changes: Any) -> str:
        return jwt.encode(_claims(user, **changes), key, algorithm=algorithm)

    return {
        "alg none": unsigned,
        "alg None": _encoded({"alg": "None"}) + "." + _encoded(claims) + ".",
        "no signature": good.rsplit(".", 1)[0] + ".",
        "another algorithm's name": other_head,
        "another algorithm": signed(algorithm="HS512"),
        "another key": signed(key="x" * 40),
        "expired": signed(iat=time.time() - 7200, exp=time.time() - 3600),
        "without exp": signed(exp=None),
        "without jti": signed(jti=None),
        "without iat": signed(iat=None),
        "without aud": signed(aud=None),
        "for something else": signed(aud="session"),
        "nobody's": signed(sub=str(uuid.uuid4())),
        "no id": signed(sub="1' OR '1'='1"),
        "of tomorrow": signed(iat=time.time() + 86400, exp=time.time() + 2 * 86400),
        "not yet": signed(nbf=time.time() + 3600),
        "noise": "aa_" + "x" * 43,
        "nothing": "",
        "a session": "eyJfdXNlcl9pZCI6IjEifQ.x.y",
    }


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_no_token_that_we_did_not_give_lets_in(app: Flask, admin: FlaskClient) -> None:
    user = things.one(User, username="ada")
    good = {"Authorization": f"Bearer {jwt.encode(_claims(user), SECRET_KEY, algorithm='HS256')}"}
    assert app.test_client().get("/api/v1/users/", headers=good).status_code == 200
    for name, forged in _forged(user).items():
        answer = app.test_client().get("/api/v1/users/", headers={"Authorization": f"Bearer {forged}"})
        assert answer.status_code == 401, name


def test_a_token_counts_only_where_and_how_it_should(app: Flask, admin: FlaskClient) -> None:
    """In one header, and for the API: in no address, cookie or page."""
    [value] = token_of(app, "ada").values()
    bare = value.partition(" ")[2]
    stranger = app.test_client()
    assert stranger.get("/customers/", headers={"Authorization": value}).status_code == 302
    assert stranger.get("/api/v1/customers/", query_string={"access_token": bare, "token": bare}).status_code == 401
    for scheme in ("Basic", "Token", "bearer,", ""):
        assert stranger.get("/api/v1/customers/", headers={"Authorization": f"{scheme} {bare}"}).status_code == 401
    for name in ("access_token", "session", "asterisk_admin"):
        stranger.set_cookie(name, bare)
    assert stranger.get("/api/v1/customers/").status_code == 401
    assert stranger.get("/customers/").status_code == 302


# ---- what ends what


def _change(what: str) -> None:
    values: dict[str, dict[str, Any]] = {
        "disabled": {"enabled": False},
        "demoted": {"role": "viewer"},
    }
    if what == "deleted":
        db.session.execute(delete(User).where(User.username == "eve"))
    else:
        db.session.execute(update(User).where(User.username == "eve").values(values[what]))
    db.session.commit()


@pytest.mark.parametrize("what", ["disabled", "demoted", "deleted"])
def test_rights_are_those_of_now(app: Flask, admin: FlaskClient, what: str) -> None:
    """Whatever the database says of a user counts for sessions, sign-ins of programs and API tokens at once."""
    make_user("eve", "admin")
    browser, program = signed_in(app, "eve"), token_of(app, "eve")
    made = browser.post("/tokens/new", data={"name": "t", "role": "admin", "expires_in_days": "1"}).text
    api_token = {"Authorization": "Bearer aa_" + made.partition("aa_")[2][:43]}
    for headers in (program, api_token):
        assert app.test_client().get("/api/v1/users/", headers=headers).status_code == 200
    _change(what)
    refused = 403 if what == "demoted" else 401
    for headers in (program, api_token):
        assert app.test_client().get("/api/v1/users/", headers=headers).status_code == refused
    assert browser.get("/users/").status_code == (403 if what == "demoted" else 302)


@pytest.mark.parametrize("by", ["page", "program"])
@pytest.mark.parametrize("change", [{"password": NEW_PASSWORD}, {"role": "viewer"}, {"enabled": False}])
def test_a_change_of_credentials_ends_what_was_begun_before(
    app: Flask, admin: FlaskClient, by: str, change: dict[str, Any]
) -> None:
    eve = make_user("eve", "operator")
    browser, program = signed_in(app, "eve"), token_of(app, "eve")
    if by == "program":
        answer = admin.patch(f"/api/v1/users/{eve.id}", json=change, headers=token_of(app, "ada"))
        assert answer.status_code == 200, answer.text
    else:
        form = {
            "username": "eve",
            "role": "operator",
            "enabled": "y",
            "version": "1",
            "language": "",
            "theme": "system",
        }
        typed = form | {name: value for name, value in change.items() if value}
        if "enabled" in change:
            del typed["enabled"]
        assert admin.post(f"/users/{eve.id}/edit", data=typed).status_code == 302
    assert browser.get("/").status_code == 302
    assert app.test_client().get("/api/v1/customers/", headers=program).status_code == 401


def test_who_changes_his_password_puts_everybody_else_out(app: Flask, admin: FlaskClient) -> None:
    thief, stolen = signed_in(app, "ada"), token_of(app, "ada")
    data = {"current": PASSWORD, "password": NEW_PASSWORD, "repeat": NEW_PASSWORD}
    assert admin.post("/profile/password", data=data).status_code == 302
    assert admin.get("/").status_code == 200
    assert thief.get("/").status_code == 302
    assert app.test_client().get("/api/v1/customers/", headers=stolen).status_code == 401


def test_signing_out_ends_the_session_and_not_only_its_cookie(app: Flask, admin: FlaskClient) -> None:
    cookie = admin.get_cookie("asterisk_admin")
    assert cookie
    admin.post("/logout")
    thief = app.test_client()
    thief.set_cookie("asterisk_admin", cookie.value)
    assert thief.get("/").status_code == 302


def test_a_session_that_somebody_planted_is_worth_nothing(app: Flask, admin: FlaskClient) -> None:
    victim = app.test_client()
    victim.get("/login")
    planted = victim.get_cookie("asterisk_admin")
    victim.post("/login", data={"username": "ada", "password": PASSWORD})
    now = victim.get_cookie("asterisk_admin")
    assert planted is not None
    assert now is not None
    assert planted.value != now.value
    thief = app.test_client()
    thief.set_cookie("asterisk_admin", planted.value)
    assert thief.get("/").status_code == 302


def test_a_cookie_signed_with_another_key_is_nobodys(app: Flask, admin: FlaskClient) -> None:
    cookie = admin.get_cookie("asterisk_admin")
    assert cookie
    payload, _, signature = cookie.value.rpartition(".")
    for forged in (
        f"{payload}.{signature[::-1]}",
        payload,
        f"{_encoded({'_user_id': str(uuid.uuid4())})}.x.y",
        "",
        ".",
    ):
        thief = app.test_client()
        thief.set_cookie("asterisk_admin", forged)
        assert thief.get("/").status_code == 302


# ---- whose it is


def test_ids_of_others_open_nothing(app: Flask, admin: FlaskClient) -> None:
    """Another kind's id, one that is gone, and another user's session."""
    customer = things.office("acme")
    provider = things.provider("Sul")
    phone = things.extension(customer)
    headers = token_of(app, "ada")
    for area in ("providers", "gateways", "extensions", "routes", "dids", "users", "tariffs", "price-plans"):
        assert admin.get(f"/api/v1/{area}/{customer.id}", headers=headers).status_code == 404
        assert admin.delete(f"/api/v1/{area}/{customer.id}", headers=headers).status_code == 404
    assert admin.post(f"/gateways/{phone.id}/password").status_code == 404
    assert admin.post(f"/extensions/{provider.id}/secret").status_code == 404
    assert things.count(Customer) == 1

    make_user("vera", "viewer")
    vera = signed_in(app, "vera")
    session_id = db.session.scalar(
        select(UserSession.id).join(User, User.id == UserSession.user_id).filter_by(username="ada")
    )
    db.session.commit()
    vera.post(f"/profile/sessions/{session_id}/end")
    assert admin.get("/").status_code == 200


def test_nobody_writes_what_is_not_his_to_write(app: Flask, admin: FlaskClient) -> None:
    """Fields that no form has: a role, an id, a hash, a version."""
    vera = make_user("vera", "viewer")
    browser = signed_in(app, "vera")
    more = {"role": "admin", "enabled": "y", "password": NEW_PASSWORD, "id": str(uuid.uuid4()), "username": "ada"}
    assert browser.post("/profile/", data={"language": "en", "theme": "dark", "version": "1"} | more).status_code == 302
    stored = things.one(User, username="vera")
    assert (stored.id, stored.role, stored.theme) == (vera.id, "viewer", "dark")
    assert stored.has_password(PASSWORD)
    headers = token_of(app, "ada")
    for name in ("id", "password_hash", "tokens_valid_from", "version", "created_at", "__class__"):
        answer = admin.patch(f"/api/v1/users/{vera.id}", json={name: "x"}, headers=headers)
        assert answer.status_code == 422, name


def test_a_token_of_less_can_do_less_than_its_maker(app: Flask, admin: FlaskClient) -> None:
    """And none makes another, or gives more than its maker has."""
    made = admin.post("/tokens/new", data={"name": "t", "role": "viewer", "expires_in_days": "1"}).text
    headers = {"Authorization": "Bearer aa_" + made.partition("aa_")[2][:43]}
    program = app.test_client()
    customer = things.office("acme")
    assert program.get("/api/v1/customers/", headers=headers).status_code == 200
    for method, path in (
        ("POST", "/customers/"),
        ("DELETE", f"/customers/{customer.id}"),
        ("GET", "/users/"),
        ("POST", "/tokens/"),
        ("GET", "/audit/"),
    ):
        assert program.open(f"/api/v1{path}", method=method, json={}, headers=headers).status_code == 403, path
    db.session.execute(update(ApiToken).values(role="admin"))
    db.session.commit()
    body = {"name": "second", "role": "viewer", "expires_in_days": 1}
    assert program.post("/api/v1/tokens/", json=body, headers=headers).status_code == 403
    db.session.execute(update(ApiToken).values(expires_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)))
    db.session.commit()
    assert program.get("/api/v1/customers/", headers=headers).status_code == 401


@pytest.mark.parametrize("change", [{"role": "operator"}, {"enabled": False}, None])
def test_there_is_always_somebody_who_may_do_everything(app: Flask, admin: FlaskClient, change: Any) -> None:
    ada = things.one(User, username="ada")
    headers = token_of(app, "ada")
    path = f"/api/v1/users/{ada.id}"
    answer = admin.patch(path, json=change, headers=headers) if change else admin.delete(path, headers=headers)
    assert answer.status_code in (409, 422)
    stored = things.one(User, username="ada")
    assert (stored.role, stored.enabled) == ("admin", True)


# ---- the second step


@pytest.fixture
def two_steps(app: Flask, admin: FlaskClient) -> pyotp.TOTP:
    """Ada's app; her recovery codes are what her page showed."""
    admin.post("/profile/second-factor/begin")
    user = things.one(User, username="ada")
    factor = second_factor.of(user)
    assert factor
    secret = second_factor.secret(factor)
    db.session.commit()
    page = admin.post("/profile/second-factor", data={"code": pyotp.TOTP(secret).now()})
    assert page.status_code == 200
    db.session.expunge_all()
    db.session.commit()
    return pyotp.TOTP(secret)


def _later(monkeypatch: pytest.MonkeyPatch, steps: int) -> int:
    """The step of the app's next code: the one that turned it on is used up."""
    step = int(time.time()) // second_factor.STEP + steps
    monkeypatch.setattr(second_factor, "step_now", lambda: step)
    return step


def test_a_password_alone_does_not_open_what_has_two_steps(
    app: Flask, two_steps: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = _later(monkeypatch, 2)
    browser = app.test_client()
    browser.post("/login", data={"username": "ada", "password": PASSWORD})
    assert browser.get("/").status_code == 302  # Half signed in is not signed in.
    assert browser.get("/profile/second-factor").status_code == 302
    assert browser.post("/profile/second-factor/remove", data={"password": PASSWORD}).status_code == 302
    api = app.test_client()
    for code in (
        "",
        "000000",
        "abcdef",
        "0" * 40,
        "١٢٣٤٥٦",
        two_steps.generate_otp(step + 5),
        two_steps.generate_otp(step - 5),
    ):
        db.session.execute(delete(SignInTry))
        db.session.commit()
        body = {"username": "ada", "password": PASSWORD, "code": code}
        assert api.post("/api/v1/auth/login", json=body).status_code == 401, code
        assert browser.post("/login/code", data={"code": code}).status_code == 422, code
    assert browser.post("/login/code", data={"code": two_steps.generate_otp(step)}).status_code == 302
    assert browser.get("/").status_code == 200


def test_a_code_is_good_once_wherever_it_was_used(
    app: Flask, two_steps: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looked over a shoulder has nothing; nor has an older code that was passed over."""
    step = _later(monkeypatch, 2)
    body = {"username": "ada", "password": PASSWORD, "code": two_steps.generate_otp(step)}
    assert app.test_client().post("/api/v1/auth/login", json=body).status_code == 200
    assert app.test_client().post("/api/v1/auth/login", json=body).status_code == 401
    older = body | {"code": two_steps.generate_otp(step - 1)}
    assert app.test_client().post("/api/v1/auth/login", json=older).status_code == 401
    browser = app.test_client()
    browser.post("/login", data={"username": "ada", "password": PASSWORD})
    assert browser.post("/login/code", data={"code": body["code"]}).status_code == 422


def test_codes_cannot_be_tried_one_after_the_other(
    app: Flask, two_steps: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on one half-open door nor by opening it anew each time: all count as tries of the user."""
    step = _later(monkeypatch, 2)
    statuses = []
    for number in range(8):
        browser = app.test_client()
        browser.post("/login", data={"username": "ada", "password": PASSWORD})
        statuses.append(browser.post("/login/code", data={"code": f"{number:06}"}).status_code)
    right = {"username": "ada", "password": PASSWORD, "code": two_steps.generate_otp(step)}
    assert app.test_client().post("/api/v1/auth/login", json=right).status_code == 429
    assert set(statuses[4:]) <= {302, 429}  # Not even the password is looked at any more.


def test_a_half_open_door_closes(app: Flask, two_steps: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five minutes, and when the account changes."""
    step = _later(monkeypatch, 2)
    browser = app.test_client()
    browser.post("/login", data={"username": "ada", "password": PASSWORD})
    db.session.execute(update(User).where(User.username == "ada").values(version=User.version + 1))
    db.session.commit()
    answer = browser.post("/login/code", data={"code": two_steps.generate_otp(step)})
    assert (answer.status_code, answer.location) == (302, "/login")


def test_tokens_are_ours_and_end(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        claims = jwt.decode(tokens.issue(things.one(User, username="ada")), SECRET_KEY, ["HS256"], audience="api")
    assert claims.keys() == {"sub", "aud", "iat", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 24 * 3600
