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


def test_new_customers_begin_with_what_is_settled_where_nothing_is_said(api: Program, admin: Program) -> None:
    risky = admin.get("/settings/").json["default_blocked_list_id"]
    assert api.get(f"/destination-lists/{risky}").json["name"] == "Destinos de alto risco e de tarifa especial"
    brazil = api.get("/destination-lists/", q="Só Brasil").json["items"][0]["id"]
    admin.patch("/settings/", {"default_allowed_list_id": brazil, "default_daily_limit": None})
    begins = {
        "max_channels": 10,
        "calls_per_second": 5,
        "max_price_per_minute": "3.00000000",
        "daily_limit": None,
        "blocked_list_id": risky,
        "allowed_list_id": brazil,
    }
    unlimited = dict.fromkeys(begins) | {"max_channels": 0, "calls_per_second": 0}
    body = {"code": "acme", "name": "Acme", "type": "extension"}

    made = api.post("/customers/", body).json
    assert {name: made[name] for name in begins} == begins
    other = api.post("/customers/", body | {"code": "other"} | unlimited).json
    assert {name: other[name] for name in begins} == unlimited

    # Who is there already is changed only by what is said of it.
    assert api.patch(f"/customers/{other['id']}", {"name": "Other"}).json["max_channels"] == 0
    assert api.put(f"/customers/{other['id']}", body | {"code": "other"}).json["blocked_list_id"] is None


def test_the_lists_that_come_with_the_system(api: Program) -> None:
    """Numbers as they are after the rules of who dialled them."""
    risky, brazil = api.get("/destination-lists/", sort="name").json["items"]
    gateway_of = {"name": "GW1", "provider_id": api.post("/providers/", {"name": "Norte"}).json["id"]}
    gateway = api.post("/gateways/", gateway_of | {"ip_address": "192.0.2.10"}).json["id"]
    api.post("/routes/", {"name": "All", "pattern": ".", "gateway_id": gateway})
    body = {"code": "office", "name": "Office", "type": "extension"}
    office = f"/customers/{api.post('/customers/', body).json['id']}"

    def may_be_called(*numbers: str) -> list[bool]:
        return [api.get(f"{office}/normalize", number=number).json["verdict"] == "route" for number in numbers]

    national = ("4000-1234", "0 15 21 98765-4321", "0800 123 4567", "0300 123 4567", "4004-1234", "+55 11 4000-1234")
    abroad = ("+1 212 555 0100", "+351 21 123 4567", "+44 20 7123 4567", "+244 222 123 456", "00 15 351 211 234 567")
    dear = (
        *("0900 123 456", "0500 123 4567", "+55 0900 123 456", "+979 1 2345 6789", "+881 6 1234 5678"),
        *("+53 7 123 4567", "00 15 252 61 123 456", "+1 876 555 0100", "+44 70 1234 5678"),
    )
    assert (*may_be_called(*national), *may_be_called(*abroad)) == (True,) * 11
    assert may_be_called(*dear) == [False] * len(dear)

    api.patch(office, {"allowed_list_id": brazil["id"]})
    assert may_be_called(*national) == [True] * len(national)
    assert may_be_called(*abroad, *dear) == [False] * (len(abroad) + len(dear))
    assert len(risky["prefixes"]) == len(set(risky["prefixes"])) > 150
