"""Secrets: written, never shown; except to who asks for one and may, and that is recorded."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import make_user, signed_in
from tests.web import things
from webapp.accounts.models import AuditEntry
from webapp.ext import db

PHONE, CARRIER = "secret-of-a-phone", "password-of-a-carrier"


@pytest.fixture
def paths(client: FlaskClient) -> dict[str, str]:
    """A phone and a gateway that registers, by the paths of their pages."""
    customer = things.office("acme")
    phone = things.extension(customer)
    gateway = things.gateway(registration=True, username="us", password=CARRIER)
    return {
        "customer": f"/customers/{customer.id}",
        "extension": f"/extensions/{phone.id}",
        "gateway": f"/gateways/{gateway.id}",
    }


@pytest.fixture
def admin(app: Flask, client: FlaskClient) -> FlaskClient:
    browser = signed_in(app, make_user("adam", "admin").username)
    db.session.commit()
    return browser


def test_a_secret_is_shown_to_who_asks_and_that_is_recorded(
    admin: FlaskClient, paths: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    asked = [("extension", "secret", "acme-100", PHONE), ("gateway", "password", "GW1", CARRIER)]
    for kind, action, label, secret in asked:
        response = admin.post(f"{paths[kind]}/{action}")
        assert response.status_code == 200
        assert f"<code>{secret}</code>" in response.text
        assert response.headers["Cache-Control"] == "no-store"

        entry = things.one(AuditEntry, action="reveal", label=label)
        assert entry.kind == f"{kind}s"
        assert entry.username == "adam"
        assert paths[kind].endswith(str(entry.thing_id))
        assert secret not in f"{entry.before}{entry.after}"
        logged = capfd.readouterr().err
        assert paths[kind] in logged
        assert secret not in logged
        page = admin.get(paths[kind]).text
        assert "Secret shown" in page
        assert secret not in page


def test_no_page_shows_one_unasked(app: Flask, admin: FlaskClient, paths: dict[str, str]) -> None:
    ids = dict(path[1:].split("/") for path in paths.values())
    seen = 0
    for rule in app.url_map.iter_rules():
        area = rule.endpoint.split(".")[0]
        if "GET" not in (rule.methods or ()) or rule.endpoint in ("static", "accounts.logout"):
            continue
        for id in [ids[area]] if area in ids else ids.values():
            address = rule.rule.replace("<uuid:id>", id)
            for kind in ids:
                page = admin.get(address.replace("<kind>", kind)).data.decode(errors="replace")
                assert PHONE not in page, address
                assert CARRIER not in page, address
                seen += 1
    assert seen > 50


def test_it_is_not_got_by_reading(client: FlaskClient, admin: FlaskClient, paths: dict[str, str]) -> None:
    assert admin.get(f"{paths['extension']}/secret").status_code == 405
    assert admin.get(f"{paths['gateway']}/password").status_code == 405


def test_who_may_not_is_refused_and_gets_no_button(
    client: FlaskClient, viewer: FlaskClient, paths: dict[str, str]
) -> None:
    assert viewer.post(f"{paths['extension']}/secret").status_code == 403
    assert viewer.post(f"{paths['gateway']}/password").status_code == 403
    assert client.post(f"{paths['gateway']}/password").status_code == 403
    assert things.count(AuditEntry, action="reveal") == 0
    assert "Show it" in client.get(paths["extension"]).text
    assert "Show it" not in client.get(paths["gateway"]).text
    assert "Show it" not in viewer.get(paths["extension"]).text


def test_a_page_of_another_site_cannot_ask(
    app: Flask, admin: FlaskClient, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    for action in (f"{paths['extension']}/secret", f"{paths['gateway']}/password"):
        response = admin.post(action)
        assert response.status_code == 400
        assert PHONE not in response.text
    assert things.count(AuditEntry, action="reveal") == 0
