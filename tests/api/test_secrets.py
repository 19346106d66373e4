"""Secrets over REST: asked for by a request of their own, which is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.api.conftest import Program
from tests.conftest import make_user
from webapp.accounts.models import AuditEntry
from webapp.ext import db


@pytest.fixture
def admin(app: Flask, api: Program) -> Program:
    make_user("adam", "admin")
    return Program(app, "adam")


@pytest.fixture
def phone(api: Program) -> str:
    """The path of an extension whose secret was made up."""
    office = api.post("/customers/", {"code": "office", "name": "Office", "type": "extension"}).json
    answer = api.post("/extensions/", {"customer_id": office["id"], "extension": "100"})
    assert answer.status_code == 201, answer.text
    assert "secret" not in answer.json
    return f"/extensions/{answer.json['id']}"


@pytest.fixture
def gateway(api: Program) -> str:
    provider = api.post("/providers/", {"name": "Norte"}).json
    body = {"name": "GW1", "provider_id": provider["id"], "ip_address": "192.0.2.10"}
    answer = api.post("/gateways/", body | {"registration": True, "username": "us", "password": "hush"})
    return f"/gateways/{answer.json['id']}"


def test_a_secret_that_was_made_up_is_asked_for(api: Program, phone: str) -> None:
    answer = api.post(f"{phone}/secret")
    assert answer.status_code == 200
    [(name, secret)] = answer.json.items()
    assert name == "secret"
    assert len(secret) == 20
    assert answer.headers["Cache-Control"] == "no-store"
    assert _revealed() == [("olga", "office-100")]

    # Written back as it was read, the stored one stays.
    whole = api.get(phone).json
    whole = {k: v for k, v in whole.items() if k not in ("id", "version", "created_at", "updated_at")}
    assert api.put(phone, whole).status_code == 200
    assert api.post(f"{phone}/secret").json == {"secret": secret}


def test_the_password_of_a_gateway_is_for_administrators(
    api: Program, viewer: Program, admin: Program, gateway: str, phone: str
) -> None:
    assert admin.post(f"{gateway}/password").json == {"secret": "hush"}
    assert api.post(f"{gateway}/password").status_code == 403
    assert viewer.post(f"{phone}/secret").status_code == 403
    assert _revealed() == [("adam", "GW1")]


def _revealed() -> list[tuple[Any, ...]]:
    entries = select(AuditEntry.username, AuditEntry.label).where(AuditEntry.action == "reveal")
    return [tuple(row) for row in db.session.execute(entries.order_by(AuditEntry.id))]
