"""Payments and balances, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from flask import Response, jsonify, make_response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import Identified, attempt, bp, narrowed_list, query_of, shown
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.payments import operations
from webapp.payments.lists import PAYMENTS
from webapp.payments.models import Payment
from webapp.payments.schemas import PaymentSchema
from webapp.permissions import permission

TAG = Tag(name="payments", description="What customers have paid. A payment is never changed: another one corrects it.")


class PaymentAnswer(BaseModel):
    """Money that a customer paid, or below zero, got back."""

    id: uuid.UUID
    created_at: dt.datetime
    customer_id: uuid.UUID
    amount: Decimal
    note: str
    recorded_by: str


class PaymentList(BaseModel):
    items: list[PaymentAnswer]
    next_cursor: str | None


class NewPayment(PaymentSchema):
    id: uuid.UUID | None = Field(
        None, description="Choose one, and a payment that is sent twice is recorded once: the second is refused."
    )


class Balance(BaseModel):
    """How a customer's account stands."""

    prepaid: bool
    paid: Decimal = Field(description="What the customer has paid.")
    spent: Decimal = Field(description="What all its calls came to.")
    balance: Decimal = Field(description="What was paid less what was spent.")
    reserved: Decimal = Field(description="What is put by for calls that are going on.")
    credit_limit: Decimal = Field(description="So much below zero the balance may go.")
    available: Decimal | None = Field(description="What new calls may come to; null if the customer is not prepaid.")


def payments_index(query: object) -> Response:
    """The latest first, unless `sort` says otherwise."""
    return narrowed_list(PaymentAnswer, PAYMENTS, query)


payments_index.__annotations__["query"] = query_of("payments", PAYMENTS)
bp.get("/payments/", tags=[TAG], summary="List payments", responses={200: PaymentList})(
    permission("payments.read")(payments_index)
)


@bp.post("/payments/", tags=[TAG], summary="Record a payment", responses={201: PaymentAnswer})
@permission("payments.write")
def payments_create(body: NewPayment) -> Response:
    """It counts at once: the next call of a prepaid customer may be as long as it pays for."""
    payment = Payment(customer_id=body.customer_id, amount=body.amount, note=body.note)
    refused = attempt(PaymentSchema, lambda: operations.record(payment, body.id))
    return refused or make_response(shown(PaymentAnswer, payment), 201)


@bp.get("/payments/<uuid:id>/", tags=[TAG], summary="Read a payment", responses={200: PaymentAnswer})
@permission("payments.read")
def payments_read(path: Identified) -> Response:
    return jsonify(shown(PaymentAnswer, db.get_or_404(Payment, path.id)))


@bp.get(
    "/customers/<uuid:id>/balance",
    tags=[Tag(name="customers")],
    summary="Read a customer's balance",
    responses={200: Balance},
)
@permission("payments.read")
def customer_balance(path: Identified) -> Response:
    customer = db.get_or_404(Customer, path.id)
    account = vars(operations.account(customer))
    return jsonify(
        Balance(prepaid=customer.prepaid, credit_limit=customer.credit_limit, **account).model_dump(mode="json")
    )
