"""Payments, balances and prepaid customers in the pages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp.accounts.models import AuditEntry
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.payments.models import Payment


@pytest.fixture
def padaria() -> Customer:
    return things.trunk("padaria", prepaid=True, price_plan_id=things.price_plan().id)


def form_of(client: FlaskClient, customer: Customer) -> tuple[str, dict[str, str]]:
    """Where the form of a new payment is sent to, and what it holds."""
    page = client.get(f"/payments/new?customer_id={customer.id}").text
    return page.partition("data-guard")[0].rpartition('action="')[2].partition('"')[0], filled_in(page)


def test_a_payment_is_recorded_once_however_often_the_button_is_pressed(client: FlaskClient, padaria: Customer) -> None:
    assert "No payments yet" in client.get("/payments/").text
    action, form = form_of(client, padaria)
    assert form["customer_id"] == str(padaria.id)

    typed = form | {"amount": "1,250.50", "note": "Receipt 7"}
    page = client.post(action, data=typed, follow_redirects=True).text
    assert alert(page) == "A payment of Customer padaria is recorded."
    assert facts(page)["Balance"] == "R$1,250.50"
    again = client.post(action, data=typed)
    assert again.status_code == 422
    assert "This payment is recorded already." in again.text
    assert things.count(Payment) == 1
    [row] = rows(client.get("/payments/?q=receipt").text)
    assert row.endswith("Customer padaria Receipt 7 olga R$1,250.50")
    assert not rows(client.get("/payments/?q=nothing").text)
    exported = client.get(f"/payments/export.csv?customer_id={padaria.id}").text.splitlines()
    assert exported[1].split(",")[1:] == ["padaria", "1250.5", "Receipt 7", "olga"]


def test_who_recorded_it_is_in_the_audit_log(client: FlaskClient, padaria: Customer) -> None:
    action, form = form_of(client, padaria)
    client.post(action, data=form | {"amount": "10"})

    entry = db.session.scalars(db.select(AuditEntry).where(AuditEntry.kind == "payments")).one()
    assert (entry.username, entry.action, entry.after["amount"]) == ("olga", "create", "10.00000000")
    assert "Payment" in client.get("/audit/").text


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("", "This field is required."),
        ("0", "Give an amount; below zero it is taken back."),
        ("ten", "Use a number."),
        ("1" * 20, "The number is too long."),
        ("0.123456789", "Use 8 decimal places at the most."),
        ("NaN", "Use a number."),
        ("1e400", "The number is too long."),
    ],
)
def test_nonsense_is_no_amount(client: FlaskClient, padaria: Customer, amount: str, message: str) -> None:
    action, form = form_of(client, padaria)
    page = client.post(action, data=form | {"amount": amount, "note": "kept"})

    assert page.status_code == 422
    assert message in error_at(page.text, "amount")
    assert filled_in(page.text)["note"] == "kept"
    assert things.count(Payment) == 0


def test_a_wrong_payment_is_set_right_by_another(client: FlaskClient, padaria: Customer) -> None:
    for amount in ("100", "-90"):
        action, form = form_of(client, padaria)
        client.post(action, data=form | {"amount": amount})

    assert facts(client.get(f"/customers/{padaria.id}").text)["Balance"] == "R$10.00"


def test_the_page_of_a_prepaid_customer_says_how_its_account_stands(client: FlaskClient, padaria: Customer) -> None:
    things.call(customer_id=padaria.id, price=Decimal("0.8"))
    shown = facts(client.get(f"/customers/{padaria.id}").text)

    assert shown["Payment"] == "Prepaid"
    assert (shown["Balance"], shown["Spent by calls"], shown["New calls may come to"]) == (
        "-R$0.80",
        "R$0.80",
        "R$0.00",
    )
    office = things.office()
    assert "Balance" not in facts(client.get(f"/customers/{office.id}").text)


def test_a_prepaid_customer_needs_a_price_plan(client: FlaskClient) -> None:
    padaria = things.trunk("padaria")
    typed = filled_in(client.get(f"/customers/{padaria.id}/edit").text) | {"prepaid": "y", "credit_limit": "50"}
    page = client.post(f"/customers/{padaria.id}/edit", data=typed)

    assert error_at(page.text, "price_plan_id").startswith("A prepaid customer needs a price plan")
    plan = things.price_plan()
    client.post(f"/customers/{padaria.id}/edit", data=typed | {"price_plan_id": str(plan.id)})
    stored = things.one(Customer, code="padaria")
    assert stored.prepaid
    assert stored.credit_limit == 50
    assert rows(client.get("/customers/?prepaid=true").text)
    assert not rows(client.get("/customers/?prepaid=false").text)


def test_who_has_paid_is_not_deleted(client: FlaskClient, padaria: Customer) -> None:
    action, form = form_of(client, padaria)
    client.post(action, data=form | {"amount": "10"})

    page = client.post(f"/customers/{padaria.id}/delete")
    assert page.status_code == 409
    assert "Payments: 10" in page.text


def test_the_numbers_of_a_prepaid_customer_are_asked_for(client: FlaskClient, padaria: Customer) -> None:
    things.allocate(things.did(), padaria)

    row = "SELECT appdata FROM asterisk.extensions WHERE exten = '551140001000'"
    assert things.asterisk(row) == f"to-trunk,s,1(trunk-padaria,{padaria.id},551140001000,0,prepaid)"
    typed = filled_in(client.get(f"/customers/{padaria.id}/edit").text)
    typed.pop("prepaid")
    client.post(f"/customers/{padaria.id}/edit", data=typed)
    assert things.asterisk(row) == f"to-trunk,s,1(trunk-padaria,{padaria.id},551140001000)"
