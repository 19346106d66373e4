"""Tariffs over REST."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from tests.api.conftest import Program
from tests.web import things
from webapp.accounts.models import AuditEntry
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.tariffs.models import Tariff

Body = dict[str, Any]


@pytest.fixture
def plan(api: Program) -> Body:
    return dict(api.post("/price-plans/", {"name": "Retail"}).json)


@pytest.fixture
def provider(api: Program) -> Body:
    return dict(api.post("/providers/", {"name": "Norte"}).json)


def tariff(api: Program, plan: Body, prefix: str, price: str = "0.12", **values: Any) -> Body:
    body = {"price_plan_id": plan["id"], "prefix": prefix, "price_per_minute": price, **values}
    answer = api.post("/tariffs/", {"valid_from": "2026-01-01", **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def prefixes(api: Program, path: str = "/tariffs/", **query: Any) -> list[str]:
    answer = api.get(path, **query)
    assert answer.status_code == 200, answer.text
    return [item["prefix"] for item in answer.json["items"]]


def test_the_life_of_a_tariff(api: Program, plan: Body) -> None:
    made = tariff(api, plan, "+55 (11)", "0.0801", connect_fee=0.05)
    path = f"/tariffs/{made['id']}"
    assert made["prefix"] == "5511"
    assert (made["price_per_minute"], made["connect_fee"], made["cost_per_minute"]) == (
        "0.08010000",
        "0.05000000",
        "0.00000000",
    )
    assert (made["minimum_seconds"], made["increment_seconds"]) == (30, 6)
    assert dt.datetime.fromisoformat(made["valid_from"]) == dt.datetime(2026, 1, 1, 3, tzinfo=dt.UTC)
    assert api.get(path).json == made

    changed = api.patch(path, {"price_per_minute": "0.09"}).json
    assert changed["price_per_minute"] == "0.09000000"
    assert changed["valid_from"] == made["valid_from"]
    whole = {k: v for k, v in changed.items() if k not in ("id", "version", "created_at", "updated_at")}
    assert api.put(path, whole).json["valid_from"] == made["valid_from"]

    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_the_life_of_a_line_of_a_deck(api: Program, provider: Body) -> None:
    body = {"provider_id": provider["id"], "prefix": "55", "cost_per_minute": "0.045", "valid_from": "2026-01-01"}
    made = api.post("/provider-tariffs/", body).json
    path = f"/provider-tariffs/{made['id']}"
    assert api.patch(path, {"cost_per_minute": "0.05"}).json["cost_per_minute"] == "0.05000000"
    assert prefixes(api, "/provider-tariffs/", provider_id=provider["id"], number="551140001234") == ["55"]
    assert prefixes(api, "/provider-tariffs/", number="441140001234") == []
    assert api.delete(path).status_code == 204


def test_a_tariff_counts_from_now_on_unless_it_says_when(api: Program, plan: Body) -> None:
    before = dt.datetime.now(dt.UTC)
    body = {"price_plan_id": plan["id"], "prefix": "55", "price_per_minute": "0.12"}
    made = api.post("/tariffs/", body).json
    assert abs(dt.datetime.fromisoformat(made["valid_from"]) - before) < dt.timedelta(seconds=60)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("prefix", "5511-19", "Use 1 to 15 digits, country code first, such as 5511."),
        ("prefix", "", "Use 1 to 15 digits, country code first, such as 5511."),
        ("prefix", "1" * 16, "Use 1 to 15 digits, country code first, such as 5511."),
        ("price_per_minute", "-0.01", "Use 0 or more."),
        ("price_per_minute", "NaN", "Use a number."),
        ("price_per_minute", "0.123456789", "Use 8 decimal places at the most."),
        ("price_per_minute", "123456789", "The number is too large."),
        ("minimum_seconds", 3601, "Use 3600 or less."),
        ("increment_seconds", 0, "Use 1 or more."),
        ("price_plan_id", "00000000-0000-0000-0000-000000000000", "This price plan no longer exists."),
        (
            "valid_from",
            "31/02/2026",
            "Use a date, with a time if you like: 2026-12-31, 31/12/2026 or 31/12/2026 14:30.",
        ),
    ],
)
def test_a_bad_value_is_refused_at_its_field(api: Program, plan: Body, field: str, value: Any, message: str) -> None:
    body = {"price_plan_id": plan["id"], "prefix": "55", "price_per_minute": "0.12"}
    answer = api.post("/tariffs/", body | {field: value})
    assert answer.status_code == 422
    assert answer.json == {"errors": {field: [message]}}


def test_one_price_for_a_prefix_at_a_time(api: Program, plan: Body) -> None:
    tariff(api, plan, "55")
    body = {"price_plan_id": plan["id"], "prefix": "55", "price_per_minute": "0.10", "valid_from": "01/01/2026 00:00"}
    refusal = "The price plan already has a tariff for this prefix from this moment on."
    assert api.post("/tariffs/", body).json == {"errors": {"valid_from": [refusal]}}
    assert api.post("/tariffs/", body | {"valid_from": "2026-01-01T00:00:01"}).status_code == 201


def test_what_a_list_is_asked_for(api: Program, plan: Body) -> None:
    other = api.post("/price-plans/", {"name": "Wholesale"}).json
    for prefix in ("55", "5511", "55119"):
        tariff(api, plan, prefix)
    tariff(api, plan, "5511", "0.10", valid_from="2026-06-01")
    tariff(api, plan, "5511", "0.20", valid_from="2099-01-01")
    tariff(api, other, "5")

    assert len(prefixes(api)) == 6
    assert prefixes(api, price_plan_id=plan["id"]) == ["55", "5511", "5511", "5511", "55119"]
    assert prefixes(api, price_plan_id=plan["id"], prefix="5511") == ["5511"] * 3
    assert prefixes(api, price_plan_id=plan["id"], q="119") == ["55119"]
    assert prefixes(api, price_plan_id=plan["id"], at="2026-07-01") == ["55", "5511", "55119"]
    assert prefixes(api, price_plan_id=plan["id"], at="2025-07-01") == []
    assert prefixes(api, price_plan_id=plan["id"], number="+55 11 4000-1234") == ["5511"]
    assert sorted(prefixes(api, number="5511940001234")) == ["5", "55119"]
    found = api.get("/tariffs/", price_plan_id=plan["id"], number="551140001234", at="2026-05-01").json["items"]
    assert [item["price_per_minute"] for item in found] == ["0.12000000"]
    found = api.get("/tariffs/", price_plan_id=plan["id"], number="551140001234", at="2026-07-01").json["items"]
    assert [item["price_per_minute"] for item in found] == ["0.10000000"]
    assert set(api.get("/tariffs/", number="abc", at="x").json["errors"]) == {"number", "at"}


def test_a_list_is_sorted_and_filtered_as_on_the_page(api: Program, plan: Body, provider: Body) -> None:
    other = api.post("/price-plans/", {"name": "Wholesale"}).json
    tariff(api, plan, "55", "0.10", valid_from="2025-01-01")
    tariff(api, plan, "55", "0.12")
    tariff(api, plan, "55", "0.30", valid_from="2099-01-01")
    tariff(api, plan, "5511", "0.20", cost_per_minute="0.25")
    tariff(api, other, "1", "0.15")
    assert prefixes(api, sort="-price_per_minute") == ["55", "5511", "1", "55", "55"]
    assert prefixes(api, sort="prefix", show="current") == ["1", "55", "5511"]
    assert prefixes(api, show="future") == prefixes(api, show="past") == ["55"]
    assert prefixes(api, show="loss") == ["5511"]
    assert prefixes(api, price_plan_id=other["id"], show="loss") == []
    assert len(prefixes(api, show="all")) == len(prefixes(api, show="")) == len(prefixes(api)) == 5

    for prefix, cost in (("55", "0.05"), ("1", "0.18"), ("44", "0.01")):
        body = {"provider_id": provider["id"], "prefix": prefix, "cost_per_minute": cost, "valid_from": "2026-01-01"}
        assert api.post("/provider-tariffs/", body).status_code == 201
    assert prefixes(api, "/provider-tariffs/", sort="-cost_per_minute", show="current") == ["1", "55", "44"]
    assert prefixes(api, show="loss", sort="prefix") == ["1", "5511"], "it is sold for less than what a provider takes"
    for path, wrong in (("/tariffs/", {"sort": "margin"}), ("/provider-tariffs/", {"show": "loss"})):
        assert list(api.get(path, **wrong).json["errors"]) == list(wrong)

    seen, cursor = [], ""
    while cursor is not None:
        answer = api.get("/tariffs/", sort="-price_per_minute", limit=2, cursor=cursor).json
        seen += [item["prefix"] for item in answer["items"]]
        cursor = answer["next_cursor"]
    assert seen == ["55", "5511", "1", "55", "55"]


def test_a_list_goes_on_where_it_ended(api: Program, plan: Body) -> None:
    for year in (2026, 2027, 2028):
        tariff(api, plan, "55", valid_from=f"{year}-01-01")
    seen, cursor = [], ""
    while cursor is not None:
        answer = api.get("/tariffs/", limit=1, cursor=cursor).json
        seen += [item["valid_from"][:4] for item in answer["items"]]
        cursor = answer["next_cursor"]
    assert seen == ["2026", "2027", "2028"]


def test_a_plan_takes_its_tariffs_with_it_but_no_customer(api: Program, plan: Body) -> None:
    tariff(api, plan, "55")
    customer = {"code": "padaria", "name": "Padaria", "type": "extension", "price_plan_id": plan["id"]}
    made = api.post("/customers/", customer).json
    answer = api.delete(f"/price-plans/{plan['id']}")
    assert answer.status_code == 409
    assert "Padaria (padaria)" in answer.json["error"]
    assert (things.count(Tariff), things.count(Customer)) == (1, 1)

    api.patch(f"/customers/{made['id']}", {"price_plan_id": None})
    assert api.delete(f"/price-plans/{plan['id']}").status_code == 204
    assert things.count(Tariff) == 0
    lost = db.session.scalars(select(AuditEntry).filter_by(action="delete", kind="tariffs")).all()
    assert [entry.after for entry in lost] == [{"count": 1}]


def test_who_may(api: Program, viewer: Program, nobody: Program, plan: Body) -> None:
    line = tariff(api, plan, "55")
    for path in ("/price-plans/", "/tariffs/", "/provider-tariffs/"):
        assert viewer.get(path).status_code == 200
        assert nobody.get(path).status_code == 401
        assert viewer.post(path, {"nonsense": 1}).status_code == 403
        assert nobody.post(path, {}).status_code == 401
    for path in (f"/tariffs/{line['id']}", f"/price-plans/{plan['id']}"):
        assert viewer.patch(path, {}).status_code == viewer.put(path, {}).status_code == 403
        assert viewer.delete(path).status_code == 403
    assert things.one(Tariff).price_per_minute == Decimal("0.12")
