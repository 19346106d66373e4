"""What is left of what a customer has paid, and recording a payment."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from webapp import store, who
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.payments.models import Payment


@dataclass(frozen=True)
class Account:
    """What a customer paid, what all its calls came to, what is put by for those going on, and what it may yet spend.

    A customer who is not prepaid may spend what it likes: None.
    """

    paid: Decimal
    spent: Decimal
    balance: Decimal
    reserved: Decimal
    available: Decimal | None


def account(customer: Customer) -> Account:
    row = db.session.execute(text("SELECT * FROM balance_of(:id)"), {"id": customer.id}).one()
    available = row.balance + customer.credit_limit - row.reserved if customer.prepaid else None
    return Account(row.paid, row.spent, row.balance, row.reserved, available)


def record(payment: Payment, id: uuid.UUID | None = None) -> store.Receipt:
    """Store a payment. One that is sent twice with the same id is recorded once: Refused("pk_payments")."""
    payment.id = id or uuid.uuid4()
    payment.recorded_by = who.username()
    return store.save(payment)
