"""What is done with rules besides filling in and saving: their order, Brazil's as a beginning, and reading by them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from sqlalchemy import select, text

from webapp import store
from webapp.customers.models import Customer
from webapp.dialling.models import NumberRule
from webapp.ext import db
from webapp.validation import N_

# What the rules of Brazil say of themselves (normalise_number.sql), so that they say it in the reader's language.
WORDS = (
    N_("International number with +"),
    N_("With country code"),
    N_("With country code, mobile"),
    N_("Long distance"),
    N_("Long distance, mobile"),
    N_("Long distance with carrier code"),
    N_("Long distance with carrier code, mobile"),
    N_("International with carrier code, North America"),
    N_("International with carrier code"),
    N_("Number without area: 0300, 0500, 0800, 0900"),
    N_("Number without area: 0303"),
    N_("Short national number: 3003, 3004"),
    N_("Short national number: 4001 to 4004, 4007"),
    N_("Short national number: 4020"),
    N_("Area code and number"),
    N_("Area code and number, mobile"),
    N_("Local number"),
    N_("Local number, mobile"),
)


def words(description: str) -> str:
    """What a rule says of itself, in the reader's language if the words are ours."""
    return str(gettext(description)) if description in WORDS else description


# ---- rules


def own_rules(customer_id: uuid.UUID | None) -> list[NumberRule]:
    """The rules of a customer, or of the company, in their order."""
    query = select(NumberRule).where(NumberRule.customer_id == customer_id)
    return list(db.session.scalars(query.order_by(NumberRule.position, NumberRule.created_at, NumberRule.id)))


def rules_in_force(customer: Customer | None) -> Sequence[Any]:
    """The rules that numbers are read by: rows with pattern, strip, prepend and description."""
    if customer is None or customer.number_rules == "company":
        return own_rules(None)
    if customer.number_rules == "own":
        return own_rules(customer.id)
    return brazilian_rules() if customer.number_rules == "brazil" else []


def brazilian_rules() -> Sequence[Any]:
    return db.session.execute(text("SELECT * FROM brazilian_rules ORDER BY position")).all()


def save(rule: NumberRule) -> store.Receipt:
    """Store a rule at its position, or after all others; those that come after it move on."""
    rules = [other for other in own_rules(rule.customer_id) if other.id != rule.id]
    rules.insert(len(rules) if rule.position is None else rule.position - 1, rule)
    return _save_in_order(rules)


def move(rule: NumberRule, steps: int) -> store.Receipt:
    """Move a rule up (-1) or down (1) among its own."""
    rules = own_rules(rule.customer_id)
    place = rules.index(rule) + steps
    if 0 <= place < len(rules):
        rules.remove(rule)
        rules.insert(place, rule)
    return _save_in_order(rules)


def _save_in_order(rules: list[NumberRule]) -> store.Receipt:
    for position, rule in enumerate(rules, 1):
        rule.position = position
    return store.save(*rules)


def make_own(customer: Customer | None) -> store.Receipt:
    """Give a customer, or the company, rules of its own to change: those in force, else Brazil's.

    Refused if there are some.
    """
    customer_id = customer.id if customer else None
    if own_rules(customer_id):
        raise store.Refused("ck_number_rules_none_yet")
    copies = [
        NumberRule(
            customer_id=customer_id,
            position=position,
            pattern=rule.pattern,
            strip=rule.strip,
            prepend=rule.prepend,
            description=words(rule.description),
        )
        for position, rule in enumerate(rules_in_force(customer) or brazilian_rules(), 1)
    ]
    if customer:
        customer.number_rules = "own"
        return store.save(customer, *copies)
    return store.save(*copies)


# ---- reading


@dataclass(frozen=True)
class Reading:
    """How a dialled number is read: the steps that say what is meant."""

    dialled: str
    number: str
    emergency: bool
    steps: list[dict[str, str]]


def read(customer: Customer | None, typed: str) -> Reading:
    """Have a number read as a customer's phone would send it; without a customer by the company's rules."""
    dialled = re.sub(r"[\s().\x00-]", "", typed)[:40]
    number, steps, emergency = _normalised(customer, dialled)
    return Reading(dialled, number, emergency, [{**step, "rule": words(step["rule"])} for step in steps])


def _normalised(customer: Customer | None, dialled: str) -> tuple[str, list[dict[str, str]], bool]:
    """The number that is meant, how it came about, and whether no rule was asked, for it is an emergency."""
    plain = dialled.removeprefix("+")
    if db.session.scalar(text("SELECT is_emergency(:number)"), {"number": plain}):
        return plain, [], True
    # Without a customer, as one would be read who goes by the company's rules.
    asking = {"number_rules": "company", "area_code": ""}
    if customer:
        asking = {"id": str(customer.id), "number_rules": customer.number_rules, "area_code": customer.area_code}
    statement = text(
        "SELECT n.number, n.steps FROM jsonb_populate_record(NULL::customers, CAST(:customer AS jsonb)) AS c, "
        "normalise_number(c, :dialled) AS n"
    )
    values = {"customer": json.dumps(asking), "dialled": dialled}
    number, steps = db.session.execute(statement, values).one()
    return number, steps, False
