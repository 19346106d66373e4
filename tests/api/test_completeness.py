"""What is not rated, rating again and completeness over REST."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.api.conftest import Program
from tests.web.test_completeness import cdr, journal
from webapp.ext import db
from webapp.reratings import operations


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""
    monkeypatch.setattr(operations, "_work", operations.perform)


@pytest.fixture
def customer(api: Program) -> str:
    plan = api.post("/price-plans/", {"name": "Retail"}).json["id"]
    api.post("/tariffs/", {"price_plan_id": plan, "prefix": "55", "price_per_minute": "1", "valid_from": "2020-01-01"})
    made = api.post("/customers/", {"code": "acme", "name": "Acme", "type": "extension", "price_plan_id": plan})
    return str(made.json["id"])


def change_price() -> None:
    db.session.execute(text("UPDATE tariffs SET price_per_minute = 2"))
    db.session.commit()


PERIOD = {"since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}


def test_compare_and_apply(api: Program, viewer: Program, customer: str) -> None:
    cdr(customer_id=customer)
    change_price()

    begun = api.post("/calls/rerate", PERIOD | {"customer_id": customer})
    assert (begun.status_code, begun.json["state"]) == (202, "compared")
    path = f"/calls/rerate/{begun.json['id']}"
    found = viewer.get(path).json
    sums = {"calls": 1, "price_before": "1.00000000", "price_after": "2.00000000"}
    sums |= {"cost_before": "0.00000000", "cost_after": "0.00000000"}
    assert found["total"] == sums
    assert found["customers"] == [sums | {"customer_id": customer, "customer": "Acme"}]
    assert (found["sample"][0]["before"]["price"], found["sample"][0]["after"]["price"]) == ("1.00000000", "2.00000000")
    assert db.session.scalar(text("SELECT price FROM calls")) == 1

    assert viewer.post(f"{path}/apply").status_code == 403
    assert api.post(f"{path}/apply").json["state"] == "applied"
    assert db.session.scalar(text("SELECT price FROM calls")) == 2
    assert api.post(f"{path}/apply").status_code == 409


def test_at_once(api: Program, customer: str) -> None:
    cdr(customer_id=customer)
    change_price()

    assert api.post("/calls/rerate", PERIOD | {"preview": False}).json["state"] == "applied"
    assert db.session.scalar(text("SELECT price FROM calls")) == 2


def test_what_makes_no_sense_is_refused(api: Program, customer: str) -> None:
    for body, field in [
        ({}, "since"),
        ({"since": "2026-03-01", "until": "2026-03-01"}, "until"),
        (PERIOD | {"direction": "up"}, "direction"),
        (PERIOD | {"customer": "acme"}, "customer"),
    ]:
        answer = api.post("/calls/rerate", body)
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_what_is_not_rated(api: Program, viewer: Program, customer: str) -> None:
    assert api.post("/reports/unrated/rate").status_code == 409
    cdr(customer_id=customer, number="442012345678")
    for n in range(3):
        cdr(start="garbage", uniqueid=f"pbx1-{n}.1")

    [group] = viewer.get("/reports/unrated/calls").json["items"]
    assert (group["unrated"], group["customer_id"], group["calls"]) == ("no_tariff", customer, 1)
    first = viewer.get("/reports/unrated", limit=2).json
    assert [each["code"] for each in first["items"]] == ["22007"] * 2
    assert first["items"][0]["cdr"]["start"] == "garbage"
    rest = viewer.get("/reports/unrated", limit=2, cursor=first["next_cursor"]).json
    assert [each["cdr"]["uniqueid"] for each in rest["items"]] == ["pbx1-2.1"]

    assert viewer.post("/reports/unrated/rate").status_code == 403
    assert api.post("/reports/unrated/rate").json["state"] == "applied"
    assert viewer.get("/reports/unrated").json["items"][0]["tries"] == 1


def test_completeness(api: Program, nobody: Program) -> None:
    journal(3, 1, recovered=2)

    [day] = api.get("/reports/completeness", days=5).json["items"]
    assert (day["node"], day["state"], day["journal"], day["stored"], day["recovered"]) == ("pbx1", "lost", 3, 0, 2)
    assert api.get("/reports/completeness", days=1).json["items"] == []
    assert nobody.get("/reports/completeness").status_code == 401
