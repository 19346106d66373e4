"""The pages of API tokens."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from tests.conftest import make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, filled_in, rows
from tests.web.test_bulk import ask, confirm, listed
from webapp.accounts.models import AuditEntry, User
from webapp.ext import db
from webapp.tokens.models import ApiToken


@pytest.fixture
def admin(app: Flask, client: FlaskClient) -> FlaskClient:
    browser = signed_in(app, make_user("adam", "admin").username)
    db.session.commit()
    return browser


def made(admin: FlaskClient, name: str = "billing", **values: Any) -> str:
    """Make a token; its text."""
    answer = admin.post("/tokens/new", data={"name": name, "role": "viewer", "expires_in_days": "90", **values})
    assert answer.status_code == 201, answer.text
    [token] = re.findall(r'value="(aa_[\w-]{43})"', answer.text)
    return str(token)


def test_it_works(app: Flask, admin: FlaskClient) -> None:
    assert "No tokens yet" in admin.get("/tokens/").text
    assert filled_in(admin.get("/tokens/new").text) == {
        "version": "",
        "name": "",
        "role": "viewer",
        "expires_in_days": "90",
    }
    token = made(admin)
    program = app.test_client()
    assert program.get("/api/v1/providers/", headers={"Authorization": f"Bearer {token}"}).status_code == 200

    page = admin.get("/tokens/").text
    [row] = rows(page)
    assert row.startswith("billing Viewer Active")
    assert "adam Revoke" in row
    assert "Never used" not in row
    path = f"/tokens/{things.one(ApiToken).id}/revoke"
    assert f'href="{path}"' in page
    assert "refused at once" in admin.get(path).text
    assert admin.post(path).location == "/tokens/"
    assert admin.post(path).location == "/tokens/"
    assert rows(admin.get("/tokens/").text)[0].startswith("billing Viewer Revoked")
    assert program.get("/api/v1/providers/", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_it_is_shown_once(admin: FlaskClient) -> None:
    answer = admin.post("/tokens/new", data={"name": "billing", "role": "viewer"})
    [token] = set(re.findall(r"aa_[\w-]{43}", answer.text))
    assert answer.text.count(token) == 1
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers or token not in answer.headers["Set-Cookie"]
    path = f"/tokens/{things.one(ApiToken).id}/revoke"
    assert token not in admin.get("/tokens/").text + admin.get(path).text + admin.get("/tokens/?q=aa_").text


def test_what_is_wrong_stands_at_its_field(admin: FlaskClient) -> None:
    made(admin)
    for field, value, message in (
        ("name", "billing", "Another token has this name, or had it before it was revoked."),
        ("name", "", "This field is required."),
        ("name", "a\x00b", "Line breaks and control characters are not allowed."),
        ("role", "god", "Choose one of the options."),
        ("expires_in_days", "-1", "Use 0 or more."),
        ("expires_in_days", "99999", "Use 3650 or less."),
    ):
        values = {"name": "other", "role": "viewer", "expires_in_days": "1", field: value}
        answer = admin.post("/tokens/new", data=values)
        assert answer.status_code == 422
        assert error_at(answer.text, field) == message
        assert "aa_" not in answer.text
    assert things.count(ApiToken) == 1


def test_one_that_never_expires_is_marked(admin: FlaskClient) -> None:
    made(admin, expires_in_days="0")
    assert '<span class="status status-warn">Never</span>' in admin.get("/tokens/").text


def test_a_name_is_only_a_name(admin: FlaskClient) -> None:
    made(admin, name="<script>alert(1)</script>")
    assert "<script>alert" not in admin.get("/tokens/").text


def _in_every_state(admin: FlaskClient) -> None:
    for name in ("active", "expired", "revoked"):
        made(admin, name, role="operator" if name == "active" else "viewer")
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for name, values in (("expired", {"expires_at": now}), ("revoked", {"revoked_at": now, "expires_at": now})):
        db.session.execute(update(ApiToken).where(ApiToken.name == name).values(values))
    owner = make_user("gone", "admin")
    owner.enabled = False
    db.session.add(ApiToken(name="disabled", role="admin", user_id=owner.id, token_hash="hush-of-it"))
    db.session.commit()


def test_the_list_is_filtered(admin: FlaskClient) -> None:
    _in_every_state(admin)

    def names(**query: str) -> list[str]:
        return [row.partition(" ")[0] for row in rows(admin.get("/tokens/", query_string=query).text)]

    words = {"active": "Active", "disabled": "Its owner is disabled", "expired": "Expired", "revoked": "Revoked"}
    assert names() == list(words)
    for state in words:
        assert names(state=state) == [state], "the list and the token say the same"
        assert f">{words[state]}</span>" in admin.get(f"/tokens/?state={state}").text
    assert names(role="viewer") == ["expired", "revoked"]
    assert names(user_id=str(things.one(User, username="gone").id)) == ["disabled"]
    assert names(sort="-expires_at")[0] == "disabled", "those that never expire come after all others"
    assert names(sort="role", q="E") == ["disabled", "active", "expired", "revoked"]


def test_its_file_holds_no_secret(admin: FlaskClient) -> None:
    token = made(admin)
    _in_every_state(admin)
    text = admin.get("/tokens/export.csv").text
    assert text.splitlines()[1].startswith("active,operator,active,")
    for secret in (token, token[3:], "hush", things.one(ApiToken, name="billing").token_hash):
        assert secret not in text


def test_many_are_revoked_at_once(app: Flask, admin: FlaskClient) -> None:
    one, two = made(admin, "billing"), made(admin, "reports")
    made(admin, "unused")
    programs = [{"Authorization": f"Bearer {token}"} for token in (one, two)]
    for headers in programs:
        assert app.test_client().get("/api/v1/providers/", headers=headers).status_code == 200
    admin.post(f"/tokens/{things.one(ApiToken, name='reports').id}/revoke")
    before = things.one(ApiToken, name="reports").revoked_at

    page = ask(admin, "tokens", "revoke", all="1")
    assert listed(page) == ["billing", "reports", "unused"]
    assert "Programs that use these tokens are refused at once." in page
    assert re.findall(r"(\w+), made by adam, was last used on 20..-..-.. ..:..\.", page) == ["billing"]
    assert things.one(ApiToken, name="billing").revoked_at is None, "it only asked"

    assert alert(confirm(admin, page)) == "Revoke: done for 3."
    assert things.one(ApiToken, name="reports").revoked_at == before
    assert things.one(AuditEntry, label="billing", action="update").after.keys() == {"revoked_at"}
    for headers in programs:
        assert app.test_client().get("/api/v1/providers/", headers=headers).status_code == 401


def test_only_admins_see_it(client: FlaskClient, viewer: FlaskClient, admin: FlaskClient) -> None:
    assert 'href="/tokens/"' in admin.get("/settings/").text
    for browser in (client, viewer):
        assert 'href="/tokens/"' not in browser.get("/settings/").text
        assert browser.get("/tokens/").status_code == 403
        assert browser.post("/tokens/new", data={"name": "x"}).status_code == 403
        assert browser.get("/tokens/export.csv").status_code == 403
        assert browser.post("/tokens/bulk?action=revoke&all=1").status_code == 403
