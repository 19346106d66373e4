"""What the list of fraud rules shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager, joinedload

from webapp.customers.models import Customer
from webapp.fraud_rules.models import FraudRule
from webapp.listing import Column, Filter, ListOf

KINDS = {
    "spending": lazy_gettext("All calls out"),
    "destination": lazy_gettext("New country"),
    "burst": lazy_gettext("Short calls"),
    "night": lazy_gettext("Night"),
}
ACTIONS = {
    "alert": lazy_gettext("Alert"),
    "block_international": lazy_gettext("Stop calls abroad"),
    "block_all": lazy_gettext("Stop all calls out"),
}
STATES = {"armed": lazy_gettext("Armed"), "draft": lazy_gettext("Draft")}

FRAUD_RULES = ListOf(
    query=select(FraudRule).outerjoin(FraudRule.customer),
    options=[contains_eager(FraudRule.customer), joinedload(FraudRule.look), joinedload(FraudRule.test)],
    columns=[
        Column("name", lazy_gettext("Name"), FraudRule.name),
        Column("kind", lazy_gettext("What is counted"), FraudRule.kind),
        Column("customer", lazy_gettext("Customer"), func.coalesce(Customer.name, "")),
        Column("limits", lazy_gettext("More than")),
        Column("action", lazy_gettext("What happens then"), FraudRule.action),
        Column("state", lazy_gettext("State"), FraudRule.state),
    ],
    order=[FraudRule.name],
    search=[FraudRule.name, Customer.name, Customer.code],
    filters=[
        Filter("kind", lazy_gettext("What is counted"), FraudRule.kind, words=KINDS),
        Filter("action", lazy_gettext("What happens then"), FraudRule.action, words=ACTIONS),
        Filter("state", lazy_gettext("State"), FraudRule.state, words=STATES),
    ],
    export={
        "name": FraudRule.name,
        "kind": FraudRule.kind,
        "customer": Customer.code,
        "destinations": FraudRule.destinations,
        "prefixes": FraudRule.prefixes,
        "window_minutes": FraudRule.window_minutes,
        "max_calls": FraudRule.max_calls,
        "max_minutes": FraudRule.max_minutes,
        "max_amount": FraudRule.max_amount,
        "short_seconds": FraudRule.short_seconds,
        "known_days": FraudRule.known_days,
        "night_from": FraudRule.night_from,
        "night_until": FraudRule.night_until,
        "action": FraudRule.action,
        "state": FraudRule.state,
    },
)
