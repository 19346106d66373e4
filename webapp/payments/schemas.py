"""What is valid for a payment."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from webapp.validation import N_, Note, Schema, refuse


def _some(amount: Decimal) -> Decimal:
    if not amount:
        raise refuse(N_("Give an amount; below zero it is taken back."))
    return amount


class PaymentSchema(Schema):
    customer_id: uuid.UUID = Field(title=N_("Customer"))
    amount: Annotated[Decimal, Field(max_digits=16, decimal_places=8), AfterValidator(_some)] = Field(
        title=N_("Amount"), description=N_("What was paid. Below zero: given back, or a wrong payment set right.")
    )
    note: Note = Field("", title=N_("Note"), description=N_("Such as the number of the receipt."))

    REFUSALS = {
        "fk_payments_customer_id_customers": ("customer_id", N_("This customer no longer exists.")),
        "pk_payments": ("", N_("This payment is recorded already.")),
    }
