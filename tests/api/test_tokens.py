"""API tokens, the end of tokens, and how often one may ask."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest
from flask import Flask, g
from flask_sqlalchemy.session import Session
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import scoped_session

from tests.api.conftest import Program
from tests.conftest import PASSWORD, Counting, make_user
from webapp.accounts import tokens
from webapp.accounts.models import AuditEntry, User
from webapp.ext import db
from webapp.tokens.models import ApiToken, RateLimit


@pytest.fixture
def admin(app: Flask, session: scoped_session[Session]) -> Program:
    make_user("ada", "admin")  # One administrator must always stay.
    make_user("adam", "admin")
    return Program(app, "adam")


def made(admin: Program, name: str = "billing", **values: Any) -> dict[str, Any]:
    answer = admin.post("/tokens/", {"name": name, **values})
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def holder(app: Flask, token: str) -> Program:
    """A program that shows this token."""
    program = Program(app, None)
    program.headers["Authorization"] = f"Bearer {token}"
    return program


def test_its_life(app: Flask, admin: Program) -> None:
    token = made(admin, role="operator", expires_in_days=30)
    assert token["token"].startswith("aa_")
    assert len(token["token"]) == 46
    assert (token["name"], token["role"], token["state"], token["username"]) == (
        "billing",
        "operator",
        "active",
        "adam",
    )
    expires = dt.datetime.fromisoformat(token["expires_at"])
    assert dt.timedelta(days=29) < expires - dt.datetime.now(dt.UTC) <= dt.timedelta(days=30)

    program = holder(app, token["token"])
    assert program.post("/providers/", {"name": "Norte"}).status_code == 201
    assert program.get("/tokens/").status_code == 403
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.kind == "providers")).one()
    assert entry.username == "token billing"

    shown = admin.get(f"/tokens/{token['id']}").json
    assert shown["last_used_at"] is not None
    assert admin.get("/tokens/").json == {"items": [shown], "next_cursor": None}
    assert admin.delete(f"/tokens/{token['id']}").status_code == 204
    assert admin.delete(f"/tokens/{token['id']}").status_code == 204
    assert admin.get(f"/tokens/{token['id']}").json["state"] == "revoked"
    assert program.get("/providers/").status_code == 401
    assert admin.post("/tokens/", {"name": "billing"}).json["errors"].keys() == {"name"}


def test_the_list_is_sorted_and_filtered(admin: Program) -> None:
    first = made(admin, "a", role="operator", expires_in_days=0)
    made(admin, "b", expires_in_days=7)
    made(admin, "c", role="operator", expires_in_days=30)
    admin.delete(f"/tokens/{first['id']}")

    def names(**query: str) -> list[str]:
        return [item["name"] for item in admin.get("/tokens/", **query).json["items"]]

    assert names() == names(user_id=first["user_id"]) == ["a", "b", "c"]
    assert names(sort="-name") == ["c", "b", "a"]
    assert names(sort="expires_at") == ["b", "c", "a"]
    assert names(sort="-last_used_at", limit="1") == ["c"]
    assert names(role="operator") == ["a", "c"]
    assert names(state="active", role="operator") == ["c"]
    assert names(state="revoked") == ["a"]
    for name, value in (("state", "gone"), ("user_id", "me"), ("role", "god"), ("sort", "token_hash")):
        assert admin.get("/tokens/", **{name: value}).json["errors"].keys() == {name}


def test_it_is_told_once_and_kept_as_a_hash(app: Flask, admin: Program, capfd: pytest.CaptureFixture[str]) -> None:
    token = made(admin)["token"]
    holder(app, token).get("/providers/")
    admin.delete(f"/tokens/{admin.get('/tokens/').json['items'][0]['id']}")

    digest = hashlib.sha256(token.encode()).hexdigest()
    assert db.session.scalars(select(ApiToken.token_hash)).all() == [digest]
    said = admin.get("/tokens/").text + "".join(capfd.readouterr())
    said += str(db.session.execute(text("SELECT before, after, label FROM audit_log")).all())
    assert "billing" in said
    assert token not in said
    assert digest not in said


def test_it_can_be_made_to_last(app: Flask, admin: Program) -> None:
    token = made(admin, expires_in_days=0)
    assert token["expires_at"] is None
    assert holder(app, token["token"]).get("/providers/").status_code == 200
    for days in (-1, 3651, "x", 1.5):
        assert admin.post("/tokens/", {"name": "n", "expires_in_days": days}).json["errors"].keys() == {
            "expires_in_days"
        }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_tokens SET expires_at = now()",
        "UPDATE api_tokens SET revoked_at = now()",
        "UPDATE users SET enabled = false WHERE username = 'adam'",
        "DELETE FROM users WHERE username = 'adam'",
        "UPDATE api_tokens SET token_hash = 'x'",
    ],
)
def test_what_ends_it(app: Flask, admin: Program, statement: str) -> None:
    program = holder(app, made(admin)["token"])
    assert program.get("/providers/").status_code == 200
    db.session.execute(text(statement))
    db.session.commit()
    assert program.get("/providers/").status_code == 401


@pytest.mark.parametrize("token", ["aa_", "aa_x", "aa_\xff", "aa_" + "x" * 5000, "aa_ aa_"])
def test_a_token_that_nobody_made(app: Flask, admin: Program, token: str) -> None:
    made(admin)
    assert holder(app, token).get("/providers/").status_code == 401


def test_it_may_do_no_more_than_its_owner(app: Flask, admin: Program) -> None:
    program = holder(app, made(admin, role="admin")["token"])
    assert program.get("/tokens/").status_code == 200
    db.session.execute(update(User).where(User.username == "adam").values(role="viewer"))
    db.session.commit()
    assert program.get("/tokens/").status_code == 403
    assert program.get("/providers/").status_code == 200
    assert program.post("/providers/", {"name": "Norte"}).status_code == 403


def test_a_token_makes_no_tokens(app: Flask, admin: Program) -> None:
    answer = holder(app, made(admin, role="admin")["token"]).post("/tokens/", {"name": "heir"})
    assert (answer.status_code, answer.json) == (403, {"error": "A token cannot make tokens: sign in with a password."})


def test_only_admins_have_to_do_with_tokens(api: Program, viewer: Program, nobody: Program, admin: Program) -> None:
    path = f"/tokens/{made(admin)['id']}"
    for program, status in ((api, 403), (viewer, 403), (nobody, 401)):
        for answer in (
            program.get("/tokens/"),
            program.get(path),
            program.post("/tokens/", {"name": "x"}),
            program.delete(path),
        ):
            assert answer.status_code == status


def test_when_it_was_used_is_noted_once_a_minute(app: Flask, admin: Program, counting: Counting) -> None:
    token = made(admin)
    program = holder(app, token["token"])
    with counting() as first:
        program.get("/providers/")
    with counting() as second:
        program.get("/providers/")
    assert [each for each in first if "last_used_at=" in each]
    assert not [each for each in second if "last_used_at=" in each]
    assert len(second) == 3, second  # Who it is, how often it asked, what it asked for.
    stored = admin.get(f"/tokens/{token['id']}").json
    assert (stored["version"], stored["updated_at"]) == (1, token["updated_at"])
    assert db.session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.kind == "api_tokens")) == 1


def test_a_token_opens_no_page(app: Flask, admin: Program) -> None:
    token = made(admin, role="admin")["token"]
    g.pop("_login_user", None)
    answer = app.test_client().get("/providers/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 302


def test_all_tokens_of_a_sign_in_end_together(app: Flask, api: Program) -> None:
    assert api.get("/providers/").status_code == 200
    user = db.session.scalars(select(User)).one()
    tokens.end_all(user)
    db.session.commit()
    assert api.get("/providers/").status_code == 401
    assert Program(app, "olga").get("/providers/").status_code == 200, "a sign-in right afterwards is good"


# ---- how often


@pytest.fixture
def few(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "API_RATE_LIMIT", 3)
    monkeypatch.setitem(app.config, "API_LOGIN_LIMIT", 2)


@pytest.mark.usefixtures("few")
def test_who_asks_too_often_waits(app: Flask, api: Program, viewer: Program, nobody: Program) -> None:
    answers = [api.get("/providers/") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert answers[0].headers["RateLimit-Limit"] == "3"
    assert "Retry-After" not in answers[2].headers
    assert set(answers[3].json) == {"error"}
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60

    assert viewer.get("/providers/").status_code == 200, "each program has a count of its own"
    assert [nobody.get("/providers/").status_code for _ in range(4)] == [401, 401, 401, 429]
    nobody.headers["Authorization"] = "Bearer aa_guess"
    assert nobody.get("/providers/").status_code == 429, "a guess is counted to the address"
    assert Program(app, None).client.get("/healthz").status_code == 200


@pytest.mark.usefixtures("few")
def test_the_next_minute_begins_anew(api: Program) -> None:
    assert [api.get("/providers/").status_code for _ in range(4)] == [200, 200, 200, 429]
    db.session.execute(update(RateLimit).values(ends_at=func.now()))
    db.session.commit()
    assert api.get("/providers/").headers["RateLimit-Remaining"] == "2"


@pytest.mark.usefixtures("few")
def test_signing_in_has_a_count_of_its_own(nobody: Program) -> None:
    make_user("olga", "operator")
    right, wrong = {"username": "olga", "password": PASSWORD}, {"username": "olga", "password": "wrong"}
    assert [nobody.post("/auth/login", body).status_code for body in (wrong, right, right)] == [401, 200, 429]
    nobody.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert nobody.post("/auth/login", right).status_code == 200


@pytest.mark.usefixtures("few")
def test_two_tokens_of_one_owner_do_not_share_a_count(app: Flask, admin: Program, monkeypatch: Any) -> None:
    one, two = (holder(app, made(admin, name)["token"]) for name in ("one", "two"))
    assert [one.get("/providers/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert two.get("/providers/").status_code == 200


def test_who_has_not_asked_for_long_is_forgotten(api: Program, nobody: Program) -> None:
    api.get("/providers/")
    db.session.execute(update(RateLimit).values(ends_at=func.now() - text("interval '2 hours'")))
    db.session.commit()
    nobody.get("/providers/")
    assert db.session.scalars(select(RateLimit.caller)).all() == ["address 127.0.0.1"]


def test_a_new_password_ends_what_was_signed_in_with_the_old_one(app: Flask, admin: Program) -> None:
    make_user("olga", "operator")
    program = Program(app, "olga")
    assert program.get("/providers/").status_code == 200
    olga = next(user for user in admin.get("/users/").json["items"] if user["username"] == "olga")

    assert admin.patch(f"/users/{olga['id']}", {"language": "pt_BR"}).status_code == 200
    assert program.get("/providers/").status_code == 200

    assert admin.patch(f"/users/{olga['id']}", {"password": "another long password"}).status_code == 200
    assert program.get("/providers/").status_code == 401
    assert admin.get("/providers/").status_code == 200
