"""Fraud rules and cases over REST: tested, armed, released."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

from tests.api.conftest import Program
from tests.conftest import make_user
from tests.web import things


@pytest.fixture
def rule(api: Program) -> dict[str, Any]:
    answer = api.post("/fraud-rules/", {"name": "Dear", "kind": "spending", "max_amount": "50"})
    return dict(answer.json)


def test_a_rule_is_tested_then_armed(api: Program, rule: dict[str, Any]) -> None:
    path = f"/fraud-rules/{rule['id']}"
    assert rule["state"] == "draft"
    assert api.post(f"{path}/arm", {}).status_code == 409
    tested = api.post(f"{path}/test", {"days": 30})
    assert tested.status_code == 200
    assert (tested.json["customers"], tested.json["hits"]) == (0, [])
    assert api.post(f"{path}/arm", {}).json["state"] == "armed"
    assert api.post(f"{path}/disarm").json["state"] == "draft"
    assert api.post(f"{path}/arm", {}).json["state"] == "armed"
    assert api.patch(path, {"max_amount": "51"}).json["state"] == "draft"
    assert api.post(f"{path}/arm", {}).status_code == 409
    assert api.post(f"{path}/arm", {"anyway": True}).json["state"] == "armed"
    assert api.post(f"{path}/test", {"days": 365}).status_code == 422


def test_a_case_is_released(api: Program, viewer: Program) -> None:
    case = things.fraud_case(things.office("acme"))
    path = f"/fraud-cases/{case.id}"
    assert api.get(path).json["evidence"][0]["number"] == "442071234567"
    assert [item["id"] for item in viewer.get("/fraud-cases/", state="open").json["items"]] == [str(case.id)]
    assert viewer.post(f"{path}/release", {}).status_code == 403
    assert list(api.post(f"{path}/release", {"exempt_hours": -1}).json["errors"]) == ["exempt_hours"]

    released = api.post(f"{path}/release", {"exempt_hours": 1}).json
    assert released["released_by"] == "olga"
    again = api.post(f"{path}/release", {})
    assert again.status_code == 200
    assert again.json["released_at"] == released["released_at"]
    assert api.get("/fraud-cases/", state="open").json["items"] == []


def test_whom_to_tell_is_for_administrators(app: Flask, api: Program, session: scoped_session[Session]) -> None:
    assert api.get("/alerts/").status_code == 403
    make_user("ada", "admin")
    admin = Program(app, "ada")
    body = {"emails": ["noc@example.com"], "webhook_url": "https://example.com/"}
    assert admin.put("/alerts/", body).status_code == 200
    assert admin.get("/alerts/").json["webhook_url"] == "https://example.com/"
    assert admin.patch("/alerts/", {"language": "en"}).json["language"] == "en"
