"""What the list of fraud cases shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import case, select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules.lists import ACTIONS
from webapp.listing import Column, Filter, ListOf, PeriodFilter, TypedFilter

STATES = {"open": lazy_gettext("Open"), "released": lazy_gettext("Released")}
STATE = case((FraudCase.released_at.is_(None), "open"), else_="released")

FRAUD_CASES = ListOf(
    query=select(FraudCase).join(FraudCase.customer),
    options=[contains_eager(FraudCase.customer)],
    columns=[
        Column("created_at", lazy_gettext("When"), FraudCase.created_at),
        Column("customer", lazy_gettext("Customer"), Customer.name),
        Column("rule", lazy_gettext("Rule"), FraudCase.rule_name),
        Column("calls", lazy_gettext("Calls"), FraudCase.calls, end=True),
        Column("seconds", lazy_gettext("Talked"), FraudCase.seconds, end=True),
        Column("amount", lazy_gettext("Price"), FraudCase.amount, end=True),
        Column("action", lazy_gettext("What happened then"), FraudCase.action),
        Column("state", lazy_gettext("State"), STATE),
    ],
    order=[FraudCase.created_at, FraudCase.id],
    default="-created_at",
    search=[Customer.name, Customer.code, FraudCase.rule_name],
    filters=[
        Filter("state", lazy_gettext("State"), STATE, words=STATES),
        Filter("action", lazy_gettext("What happened then"), FraudCase.action, words=ACTIONS),
        PeriodFilter("start", lazy_gettext("From day"), FraudCase.created_at),
        PeriodFilter("end", lazy_gettext("To day"), FraudCase.created_at, end=True),
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            FraudCase.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter("rule_id", lazy_gettext("Rule"), FraudCase.rule_id, type="hidden"),
    ],
    export={
        "created_at": FraudCase.created_at,
        "customer": Customer.code,
        "rule": FraudCase.rule_name,
        "calls": FraudCase.calls,
        "seconds": FraudCase.seconds,
        "amount": FraudCase.amount,
        "action": FraudCase.action,
        "released_at": FraudCase.released_at,
        "released_by": FraudCase.released_by,
        "exempt_until": FraudCase.exempt_until,
    },
)
