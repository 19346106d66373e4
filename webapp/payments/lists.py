"""What the list of payments shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.listing import Column, ListOf, PeriodFilter, TypedFilter
from webapp.payments.models import Payment

PAYMENTS = ListOf(
    query=select(Payment).join(Payment.customer),
    options=[contains_eager(Payment.customer)],
    columns=[
        Column("created_at", lazy_gettext("Recorded"), Payment.created_at),
        Column("customer", lazy_gettext("Customer"), Customer.name),
        Column("note", lazy_gettext("Note"), Payment.note),
        Column("recorded_by", lazy_gettext("By"), Payment.recorded_by),
        Column("amount", lazy_gettext("Amount"), Payment.amount, end=True),
    ],
    order=[Payment.created_at, Payment.id],
    default="-created_at",
    search=[Customer.name, Customer.code, Payment.note],
    filters=[
        PeriodFilter("start", lazy_gettext("From day"), Payment.created_at),
        PeriodFilter("end", lazy_gettext("To day"), Payment.created_at, end=True),
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            Payment.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
    ],
    export={
        "created_at": Payment.created_at,
        "customer": Customer.code,
        "amount": Payment.amount,
        "note": Payment.note,
        "recorded_by": Payment.recorded_by,
    },
)
