"""Users, for programs of administrators."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session, scoped_session

from tests.api.conftest import Program
from tests.conftest import PASSWORD, make_user
from webapp.accounts.models import User
from webapp.ext import db

NINA = {"username": "Nina", "role": "operator", "password": "a horse and a battery"}


@pytest.fixture
def admin(app: Flask, session: scoped_session[Session]) -> Program:
    make_user("adam", "admin")
    return Program(app, "adam")


def test_it_works(admin: Program) -> None:
    answer = admin.post("/users/", NINA)
    assert answer.status_code == 201
    made = answer.json
    assert set(made) == {
        "id",
        "version",
        "created_at",
        "updated_at",
        "username",
        "role",
        "enabled",
        "language",
        "theme",
    }
    assert (made["username"], made["enabled"], made["theme"]) == ("nina", True, "system")
    one = f"/users/{made['id']}"
    assert admin.get("/users/", q="nin").json["items"] == [made]
    assert admin.patch(one, {"theme": "dark"}).json["theme"] == "dark"
    whole = {"username": "nina", "role": "viewer", "enabled": True, "language": "en", "theme": "light"}
    assert admin.put(one, whole).json["role"] == "viewer"
    assert _has_password(NINA["password"])
    assert admin.patch(one, {"password": "another horse altogether"}).status_code == 200
    assert _has_password("another horse altogether")
    assert admin.delete(one).status_code == 204


def _has_password(password: str) -> bool:
    nina: User = db.session.scalars(db.select(User).filter_by(username="nina")).one()
    return nina.has_password(password)


def test_what_is_refused(admin: Program) -> None:
    for change, field in (
        ({"password": "short"}, "password"),
        ({"password": ""}, "password"),
        ({"username": "adam"}, "username"),
        ({"password_hash": "x"}, "password_hash"),
        ({"password": "a\x00" * 20}, "password"),
    ):
        answer = admin.post("/users/", NINA | change)
        assert answer.status_code == 422, change
        assert field in answer.json["errors"], change
        assert "short" not in answer.text
    without = {"username": "nina"}
    assert admin.post("/users/", without).json["errors"] == {"password": ["This field is required."]}


def test_the_last_administrator_stays(admin: Program) -> None:
    [adam] = admin.get("/users/").json["items"]
    one = f"/users/{adam['id']}"
    for change in ({"enabled": False}, {"role": "viewer"}):
        answer = admin.patch(one, change)
        assert answer.status_code == 422
        assert answer.json["errors"] == {"": ["This is the last administrator. Make somebody else one first."]}
    answer = admin.delete(one)
    assert (answer.status_code, answer.json) == (409, {"error": "You cannot delete yourself."})


def test_others_do_not_get_at_users(api: Program, viewer: Program, nobody: Program) -> None:
    assert [program.get("/users/").status_code for program in (api, viewer, nobody)] == [403, 403, 401]
    assert api.post("/users/", NINA).status_code == 403
    assert PASSWORD not in api.get("/openapi.json").text
