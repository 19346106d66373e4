"""Toll fraud on real calls: they trip a rule, the next one is refused, and one click lets them pass again."""

from __future__ import annotations

from sqlalchemy import create_engine

from tests.calls.conftest import Carrier
from tests.calls.exchange import query, until
from tests.calls.test_limits import customer, reasons
from webapp import store
from webapp.agent import fraud
from webapp.ext import db
from webapp.fraud_cases import operations
from webapp.fraud_rules.models import FraudRule


def test_calls_trip_a_rule_are_refused_and_pass_again(carrier: Carrier) -> None:
    """The agent of the tests looks by itself; it is only spared the wait for its next minute."""
    acme = customer(carrier, "acme")
    rule = FraudRule(
        name="Too many", kind="spending", customer_id=acme.id, destinations="prefixes", prefixes=["552188880"],
        max_calls=1, window_minutes=60, action="block_all", state="armed",
    )  # fmt: skip
    with carrier.first.answer(expect_calls=4):
        for number in ("552188880001", "552188880002"):
            carrier.acme.call(number)
            carrier.ended(number, 1)
        store.save(rule)
        engine = create_engine(carrier.url)
        fraud.look_by_rules(engine)
        engine.dispose()
        until(lambda: query(carrier.url, "SELECT 1 FROM fraud_cases WHERE released_at IS NULL"), "the rule to hit")

        assert carrier.acme.call("552188880003", expect=403).cause == 21
        assert reasons(carrier, "552188880003") == ["fraud"]
        carrier.beta.call("552188880004")  # Others go on.

        db.session.rollback()
        operations.release(operations.open_cases(acme.id))
        carrier.acme.call("552188880005")
    carrier.ended("552188880005", 1)
    [refused] = query(carrier.url, "SELECT reason, sip_status FROM calls WHERE dst = '552188880003'")
    assert (refused.reason, refused.sip_status) == ("fraud", 403)
    store.delete(db.session.get_one(FraudRule, rule.id))
