"""Payments and balances over REST."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.api.conftest import Program
from tests.web import things
from webapp.payments.models import Payment


@pytest.fixture
def customer(api: Program) -> str:
    return str(things.trunk("padaria", prepaid=True, price_plan_id=things.price_plan().id, credit_limit=5).id)


def test_payments_and_the_balance_they_make(api: Program, customer: str) -> None:
    paid = api.post("/payments/", {"customer_id": customer, "amount": "10.5", "note": "Receipt 7"})
    assert paid.status_code == 201
    assert (paid.json["amount"], paid.json["recorded_by"]) == ("10.50000000", "olga")
    assert api.get(f"/payments/{paid.json['id']}/").json == paid.json
    api.post("/payments/", {"customer_id": customer, "amount": "-0.5"})

    first = api.get("/payments/", customer_id=customer, limit=1).json
    second = api.get("/payments/", customer_id=customer, limit=1, cursor=first["next_cursor"]).json
    listed = first["items"] + second["items"]  # Both are of one moment here.
    assert {each["amount"] for each in listed} == {"10.50000000", "-0.50000000"}
    assert paid.json in listed
    balance = api.get(f"/customers/{customer}/balance").json
    assert {name: float(value) for name, value in balance.items()} == {
        "prepaid": True,
        "paid": 10,
        "spent": 0,
        "balance": 10,
        "reserved": 0,
        "credit_limit": 5,
        "available": 15,
    }


def test_one_that_is_sent_twice_is_recorded_once(api: Program, customer: str) -> None:
    body = {"id": str(uuid.uuid4()), "customer_id": customer, "amount": "10"}

    assert api.post("/payments/", body).status_code == 201
    again = api.post("/payments/", body)
    assert (again.status_code, again.json) == (422, {"errors": {"": ["This payment is recorded already."]}})
    assert things.count(Payment) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "0"},
        {"amount": "Infinity"},
        {"amount": "99999999999"},
        {"amount": None},
        {"customer_id": str(uuid.UUID(int=7))},
        {"customer_id": "x"},
        {"note": "a\x00b"},
        {"id": 7},
        {"recorded_by": "somebody else"},
    ],
)
def test_nonsense_is_refused(api: Program, customer: str, wrong: dict[str, Any]) -> None:
    answer = api.post("/payments/", {"customer_id": customer, "amount": "1"} | wrong)

    assert answer.status_code == 422
    assert list(answer.json["errors"]) == list(wrong)
    assert things.count(Payment) == 0


def test_nobody_changes_a_payment(api: Program, customer: str) -> None:
    paid = api.post("/payments/", {"customer_id": customer, "amount": "10"}).json

    for send in (api.put, api.patch):
        assert send(f"/payments/{paid['id']}/", {"amount": "20"}).status_code == 405
    assert api.delete(f"/payments/{paid['id']}/").status_code == 405


def test_who_only_looks_records_none(viewer: Program, customer: str) -> None:
    assert viewer.post("/payments/", {"customer_id": customer, "amount": "10"}).status_code == 403
    assert viewer.get("/payments/").status_code == 200
    assert viewer.get(f"/customers/{customer}/balance").status_code == 200
