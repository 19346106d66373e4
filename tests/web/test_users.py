"""Users: who may manage them, what is valid, and who is left."""

from __future__ import annotations

import re
import threading
import uuid
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from deploy.embedded.postgres import Postgres
from tests.calls.exchange import settings
from tests.conftest import PASSWORD, Counting, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, filled_in, rows
from webapp import create_app, store
from webapp.accounts import operations, second_factor
from webapp.accounts.models import AuditEntry, SecondFactor, User, UserSession
from webapp.ext import db

NINA = {
    "username": "Nina",
    "role": "operator",
    "enabled": "y",
    "language": "en",
    "theme": "dark",
    "password": "a horse and a battery",
}


@pytest.fixture
def admin(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser in which an administrator is signed in; there is an operator, olga, besides."""
    browser = signed_in(app, make_user("adam", "admin").username)
    db.session.commit()
    return browser


def change(browser: FlaskClient, user: User, **values: Any) -> Any:
    """Save a user's form with some values changed."""
    path = f"/users/{user.id}/edit"
    form = filled_in(browser.get(path).text) | values
    return browser.post(path, data={name: value for name, value in form.items() if value is not None})


def user(username: str) -> User:
    return things.one(User, username=username)


def test_it_works(app: Flask, admin: FlaskClient) -> None:
    assert admin.get("/users/new").status_code == 200
    assert admin.post("/users/new", data=NINA).location == "/users/"
    nina = user("nina")
    assert (nina.role, nina.enabled, nina.language, nina.theme) == ("operator", True, "en", "dark")
    assert nina.has_password(NINA["password"])
    shown = rows(admin.get("/users/?q=NIN").text)
    assert len(shown) == 1
    assert shown[0].startswith("nina Operator Off")
    assert "nina" in admin.get(f"/users/{nina.id}").text
    assert change(admin, nina, role="viewer", password="").status_code == 302
    assert user("nina").has_password(NINA["password"])
    assert 'data-theme="dark"' in _signed_in(app, "nina", NINA["password"]).get("/").text
    assert admin.post(f"/users/{nina.id}/delete").location == "/users/"
    assert things.count(User, username="nina") == 0


def _signed_in(app: Flask, username: str, password: str) -> FlaskClient:
    browser = app.test_client()
    assert browser.post("/login", data={"username": username, "password": password}).status_code == 302
    return browser


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("username", "", "This field is required."),
        ("username", "OLGA", "Another user has this name."),
        ("username", "<b>", "Use letters without accents"),
        ("username", "x" * 61, "60 at the most"),
        ("username", "a\x00b", "Use letters without accents"),
        ("role", "owner", "Choose one of the options."),
        ("language", "tlh", "Choose one of the options."),
        ("theme", "pink", "Choose one of the options."),
        ("password", "", "This field is required."),
        ("password", "too short", "Use 10 characters or more."),
        ("password", "x" * 73, "This password is too long"),
        ("password", "ã" * 37, "This password is too long"),
        ("password", "Password123", "Everybody guesses this password first"),
        ("password", "aaaaabbbbbccccc", "Everybody guesses this password first"),
        ("password", "hush-hush-hush-\x00", ""),
    ],
)
def test_what_is_refused(admin: FlaskClient, field: str, value: str, message: str) -> None:
    answer = admin.post("/users/new", data=NINA | {field: value})
    if not message:
        assert answer.status_code in (302, 422)
        return
    assert answer.status_code == 422
    assert message in error_at(answer.text, field)
    assert things.count(User) == 2
    assert "hush" not in answer.text


def test_a_password_is_not_the_user_name(admin: FlaskClient) -> None:
    answer = admin.post("/users/new", data=NINA | {"username": "nina.nogueira", "password": "Nina.Nogueira"})
    assert error_at(answer.text, "password") == "The password must not be the user name."


def test_no_page_and_no_audit_entry_holds_a_password(admin: FlaskClient) -> None:
    admin.post("/users/new", data=NINA)
    answer = admin.post("/users/new", data=NINA | {"username": "<b>"})
    assert NINA["password"] not in answer.text
    entry = things.one(AuditEntry, action="create", label="nina")
    assert entry.after["password_hash"] == "***"
    assert NINA["password"] not in str(entry.after)
    assert "$2b$" not in admin.get(f"/users/{user('nina').id}").text


@pytest.mark.parametrize("browser", ["client", "viewer"])
def test_others_do_not_get_at_users(browser: str, request: pytest.FixtureRequest) -> None:
    found: FlaskClient = request.getfixturevalue(browser)
    id = user("olga").id
    for path in ("/users/", f"/users/{id}", f"/users/{id}/edit", "/users/new", f"/users/{id}/delete"):
        assert found.get(path).status_code == 403, path
    for path in (f"/users/{id}/sessions/end", f"/users/{id}/second-factor/remove", f"/users/{id}/delete"):
        assert found.post(path).status_code == 403, path
    assert 'href="/users/"' not in found.get("/").text


@pytest.mark.parametrize("values", [{"role": "operator"}, {"enabled": None}])
def test_the_last_administrator_stays(admin: FlaskClient, values: dict[str, Any]) -> None:
    answer = change(admin, user("adam"), **values)
    assert answer.status_code == 422
    assert "This is the last administrator. Make somebody else one first." in alert(answer.text)
    assert (user("adam").role, user("adam").enabled) == ("admin", True)
    assert admin.get("/users/").status_code == 200, "the sessions are left alone too"
    make_user("eva", "admin")
    db.session.commit()
    assert change(admin, user("adam"), **values).status_code == 302


def test_a_disabled_administrator_does_not_count(admin: FlaskClient) -> None:
    make_user("eva", "admin").enabled = False
    db.session.commit()
    assert change(admin, user("adam"), role="viewer").status_code == 422


def test_nobody_deletes_himself(admin: FlaskClient) -> None:
    make_user("eva", "admin")
    db.session.commit()
    adam = user("adam")
    assert "/delete" not in admin.get(f"/users/{adam.id}/edit").text
    answer = admin.post(f"/users/{adam.id}/delete")
    assert (answer.status_code, alert(answer.text)) == (409, "You cannot delete yourself.")
    assert things.count(User, username="adam") == 1


def test_two_administrators_cannot_remove_each_other(cluster: Postgres, empty_database: str) -> None:
    """In two transactions at once, of which neither sees what the other is about to do."""
    cluster.create_database("two_admins", template=empty_database)
    app = create_app(settings(cluster.url("two_admins")))
    with app.app_context():
        ids = [make_user(name, "admin").id for name in ("adam", "eva")]
        db.session.remove()
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def demote(id: uuid.UUID) -> None:
        with app.app_context():
            user = db.session.get_one(User, id)
            user.role = "viewer"
            together.wait()
            try:
                operations.save(user)
                outcomes.append("saved")
            except store.Refused as refused:
                outcomes.append(refused.constraint)

    threads = [threading.Thread(target=demote, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        db.engine.dispose()
    assert sorted(outcomes) == ["saved", "users_last_admin"]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ({"enabled": None}, True),
        ({"role": "viewer"}, True),
        ({"password": "another good password"}, True),
        ({"language": "pt_BR", "theme": "light"}, False),
    ],
    ids=["disabled", "another role", "another password", "another language"],
)
def test_what_ends_the_sessions_of_a_user(
    admin: FlaskClient, client: FlaskClient, values: dict[str, Any], ends: bool
) -> None:
    assert change(admin, user("olga"), **values).status_code == 302
    assert things.count(UserSession, user_id=user("olga").id) == (0 if ends else 1)
    assert client.get("/").status_code == (302 if ends else 200)
    assert admin.get("/users/").status_code == 200


def test_a_user_who_is_enabled_again_has_to_sign_in_again(admin: FlaskClient, client: FlaskClient) -> None:
    change(admin, user("olga"), enabled=None)
    change(admin, user("olga"), enabled="y")
    assert client.get("/").status_code == 302


def test_the_sessions_of_a_user_are_shown_and_ended(app: Flask, admin: FlaskClient, client: FlaskClient) -> None:
    other = signed_in(app, "olga")
    olga = user("olga")
    store.note(update(UserSession).values(user_agent="<script>alert(1)</script>"))
    page = admin.get(f"/users/{olga.id}").text
    assert page.count("127.0.0.1") == 2
    assert "<script>alert" not in page
    first = db.session.scalars(db.select(UserSession).filter_by(user_id=olga.id)).first()
    assert first
    path = f"/users/{olga.id}/sessions/{first.id}/end"
    db.session.commit()
    assert admin.post(path).location == f"/users/{olga.id}"
    assert sorted([client.get("/").status_code, other.get("/").status_code]) == [200, 302]
    assert admin.post(path).status_code == 302, "a second time it does nothing"
    admin.post(f"/users/{olga.id}/sessions/end")
    assert [client.get("/").status_code, other.get("/").status_code] == [302, 302]
    assert "This user is not signed in anywhere." in admin.get(f"/users/{olga.id}").text
    entries = db.session.scalars(db.select(AuditEntry).filter_by(action="end sessions")).all()
    assert [(entry.username, entry.label) for entry in entries] == [("adam", "olga")] * 2


def test_a_session_is_ended_only_as_one_of_its_user(app: Flask, admin: FlaskClient, client: FlaskClient) -> None:
    session = things.one(UserSession, user_id=user("olga").id)
    admin.post(f"/users/{user('adam').id}/sessions/{session.id}/end")
    assert client.get("/").status_code == 200


def test_an_administrator_turns_the_second_step_off(admin: FlaskClient) -> None:
    olga = user("olga")
    second_factor.begin(olga)
    app = second_factor.secret(things.one(SecondFactor))
    second_factor.confirm(olga, pyotp.TOTP(app).now())
    db.session.commit()
    assert "olga Operator On" in " ".join(rows(admin.get("/users/").text))
    assert admin.post(f"/users/{olga.id}/second-factor/remove").status_code == 302
    assert things.count(SecondFactor) == 0
    assert things.one(AuditEntry, action="second factor off").username == "adam"


def test_the_list_costs_the_same_however_long_it_is(admin: FlaskClient, counting: Counting) -> None:
    with counting() as few:
        admin.get("/users/")
    for n in range(20):
        db.session.add(User(username=f"user{n}", password_hash="x"))
    db.session.commit()
    with counting() as many:
        assert len(rows(admin.get("/users/").text)) == 22
    assert len(many) == len(few) <= 4, many


def test_users_are_deleted_with_all_that_is_theirs(app: Flask, admin: FlaskClient, client: FlaskClient) -> None:
    olga = user("olga")
    second_factor.begin(olga)
    assert admin.post(f"/users/{olga.id}/delete").status_code == 302
    assert client.get("/").status_code == 302
    assert things.count(SecondFactor) == 0
    assert things.count(UserSession) == 1
    assert PASSWORD not in str([entry.before for entry in db.session.scalars(db.select(AuditEntry))])


def test_a_user_is_switched_off_and_everybody_else_but_oneself(admin: FlaskClient) -> None:
    admin.post("/users/new", data=NINA)
    nina = user("nina")
    assert f'action="/users/{nina.id}/enabled"' in admin.get(f"/users/{nina.id}").text
    assert admin.post(f"/users/{nina.id}/enabled", data={"enabled": "no"}).location == f"/users/{nina.id}"
    assert not user("nina").enabled
    assert "nina is disabled." in admin.get(f"/users/{nina.id}").text
    own = admin.get(f"/users/{user('adam').id}").text
    assert "/enabled" not in own
    assert "/delete" not in own


def test_what_was_changed_of_a_user_is_on_its_page_and_no_password(admin: FlaskClient) -> None:
    admin.post("/users/new", data=NINA)
    nina = user("nina")
    form = filled_in(admin.get(f"/users/{nina.id}/edit").text)
    admin.post(f"/users/{nina.id}/edit", data=form | {"role": "viewer", "password": "a new long one"})
    page = admin.get(f"/users/{nina.id}").text
    assert "Role" in page.partition(">Changes<")[2]
    assert "a new long one" not in page
    assert "$2b$" not in page


def test_the_list_sorts_by_every_column_and_filters(admin: FlaskClient) -> None:
    for name, role in (("vera", "viewer"), ("eva", "admin")):
        make_user(name, role)
    db.session.commit()

    def names(query: str) -> list[str]:
        return [row.split()[0] for row in rows(admin.get(f"/users/?{query}").text)]

    assert names("") == ["adam", "eva", "olga", "vera"]
    for column in ("username", "role", "second_factor", "created_at", "enabled"):
        up, down = names(f"sort={column}"), names(f"sort=-{column}")
        assert sorted(up) == ["adam", "eva", "olga", "vera"]
        assert down == up[::-1], column
    assert names("role=admin&sort=-username") == ["eva", "adam"]
    assert admin.get("/users/?role=boss").status_code == 404
    file = admin.get("/users/export.csv?role=viewer").text
    assert "vera,viewer,false," in file
    assert "$2b$" not in file


def test_many_users_are_shut_out_at_once_but_never_oneself(app: Flask, admin: FlaskClient) -> None:
    browsers = [signed_in(app, make_user(name, "viewer").username) for name in ("vera", "vito")]
    db.session.commit()
    query = "action=disable&all=1&role=viewer"
    page = admin.get(f"/users/bulk?{query}").text
    assert "They are signed out everywhere" in page
    admin.post(f"/users/bulk?{query}", data={"seal": _seal(page)})
    assert not user("vera").enabled
    assert not user("vito").enabled
    assert all(browser.get("/").status_code == 302 for browser in browsers)
    assert things.count(UserSession, user_id=user("vera").id) == 0

    page = admin.get("/users/bulk?action=disable&all=1").text
    assert "You cannot disable yourself." in page
    assert admin.post("/users/bulk?action=disable&all=1").status_code == 409
    assert user("adam").enabled

    page = admin.get(f"/users/bulk?{query.replace('disable', 'enable')}").text
    admin.post(f"/users/bulk?{query.replace('disable', 'enable')}", data={"seal": _seal(page)})
    assert user("vera").enabled


def _seal(page: str) -> str:
    found = re.search(r'name="seal" value="(\w+)"', page)
    assert found
    return found[1]
