"""Settings and number rules over REST."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

from tests.api.conftest import Program
from tests.conftest import make_user

Body = dict[str, Any]


@pytest.fixture
def admin(app: Flask, session: scoped_session[Session]) -> Program:
    make_user("ada", "admin")
    return Program(app, "ada")


def test_the_life_of_the_settings(admin: Program) -> None:
    first = admin.get("/settings/").json
    assert (first["currency"], first["quarantine_days"], first["version"]) == ("BRL", 30, 1)

    changed = admin.patch("/settings/", {"company_name": "Norte", "quarantine_days": 5})
    assert changed.status_code == 200
    expected = {"company_name": "Norte", "quarantine_days": 5, "version": 2, "updated_at": changed.json["updated_at"]}
    assert changed.json == first | expected
    assert admin.get("/settings/").json == changed.json

    whole = {k: v for k, v in first.items() if k not in ("id", "version", "created_at", "updated_at")}
    assert admin.put("/settings/", whole).json["company_name"] == ""


def test_a_bad_setting_is_refused(admin: Program) -> None:
    for field, value in (("currency", "x"), ("emergency_numbers", []), ("time_zone", "Mars"), ("quarantine_days", 400)):
        answer = admin.patch("/settings/", {field: value})
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [field]
    assert admin.patch("/settings/", {"nonsense": 1}).status_code == 422


def test_only_an_administrator_settles(api: Program, viewer: Program, nobody: Program) -> None:
    for program, status in ((api, 403), (viewer, 403), (nobody, 401)):
        assert program.patch("/settings/", {"company_name": "x"}).status_code == status
        assert program.put("/settings/", {"nonsense": 1}).status_code == status
    assert viewer.get("/settings/").status_code == 200
    assert nobody.get("/settings/").status_code == 401


def test_what_becomes_of_a_number(api: Program, viewer: Program, nobody: Program) -> None:
    provider = api.post("/providers/", {"name": "Norte"}).json
    body = {"name": "GW1", "provider_id": provider["id"], "ip_address": "192.0.2.10", "tech_prefix": "77"}
    gateway = api.post("/gateways/", body).json
    api.post("/routes/", {"name": "Brasil", "pattern": "55.", "gateway_id": gateway["id"]})
    body = {"code": "office", "name": "Office", "type": "extension", "number_rules": "brazil"}
    path = f"/customers/{api.post('/customers/', body).json['id']}/normalize"

    assert viewer.get(path, number="0 15 11 98765-4321").json == {
        "dialled": "01511987654321",
        "number": "5511987654321",
        "emergency": False,
        "steps": [
            {
                "rule": "Long distance with carrier code, mobile",
                "pattern": "0ZZZZ9XXXXXXXX",
                "before": "01511987654321",
                "after": "5511987654321",
            }
        ],
        "verdict": "route",
        "reason": "",
        "cause": 0,
        "caller_id": "",
        "legs": [{"gateway_id": gateway["id"], "gateway": "GW1", "number": "775511987654321"}],
    }
    refused = api.get(path, number="+442071234567").json
    assert (refused["verdict"], refused["reason"], refused["cause"]) == ("refused", "no_route", 3)
    assert refused["number"] == "442071234567"
    assert api.get(path).status_code == 422
    assert api.get(f"/customers/{uuid4()}/normalize", number="1").status_code == 404
    assert nobody.get(path, number="1").status_code == 401


def test_rules_have_an_order(api: Program) -> None:
    ids = [api.post("/number-rules/", {"pattern": pattern}).json["id"] for pattern in ("1.", "2.", "3.")]

    assert api.patch(f"/number-rules/{ids[2]}", {"position": 1}).json["position"] == 1

    found = [(item["position"], item["pattern"]) for item in api.get("/number-rules/").json["items"]]
    assert found == [(1, "3."), (2, "1."), (3, "2.")]


def test_rules_are_sorted_and_filtered(api: Program) -> None:
    body = {"code": "acme", "name": "Acme", "type": "extension", "number_rules": "brazil"}
    customer = api.post("/customers/", body).json["id"]
    api.post("/number-rules/", {"pattern": "1."})
    api.post("/number-rules/", {"pattern": "2.", "customer_id": customer})
    api.post("/number-rules/", {"pattern": "3.", "customer_id": customer})

    def patterns(**query: str) -> list[str]:
        return [item["pattern"] for item in api.get("/number-rules/", **query).json["items"]]

    assert patterns() == ["1.", "2.", "3."]
    assert patterns(sort="-pattern") == ["3.", "2.", "1."]
    assert patterns(customer_id=customer) == patterns(customer_id="acme") == patterns(used="false") == ["2.", "3."]
    assert patterns(owner="company") == ["1."]
    assert api.get("/number-rules/", owner="nobody").json["errors"].keys() == {"owner"}
