"""Calls from providers to our numbers."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.calls.conftest import Carrier
from tests.calls.exchange import AgentProcess, query
from tests.conftest import make_user, signed_in
from webapp import store
from webapp.customers.models import Customer
from webapp.ext import db


def test_a_call_reaches_the_trunk_with_the_called_number(carrier: Carrier) -> None:
    carrier.did("551140000001", "acme")

    with carrier.acme.answer() as pbx:
        carrier.first.call("551140000001", caller="5521999990000")

        assert pbx.called_number == "551140000001"
        assert pbx.caller_number == "5521999990000"
    [cdr] = carrier.cdrs("551140000001", 1)
    assert cdr.disposition == "ANSWERED"
    assert cdr.direction == "inbound"
    assert cdr.did == "551140000001"
    assert cdr.customer_id == str(carrier.ids["acme"])
    assert cdr.gateway_id == str(carrier.ids["first"])
    assert cdr.provider_id == str(carrier.ids["provider"])
    assert cdr.node == "pbx1"


def test_a_number_given_to_another_customer_in_the_form_takes_the_next_call_there(
    carrier: Carrier, calls_app: Flask, agent: AgentProcess
) -> None:
    did = carrier.did("551140000002", "acme")
    with carrier.acme.answer():
        carrier.first.call("551140000002")
    carrier.settled()
    owed = query(carrier.url, "SELECT max(id) FROM outbox")
    make_user("rita", "operator")
    browser = signed_in(calls_app, "rita")

    answer = browser.post(f"/dids/{did.id}/allocate", data={"customer_id": carrier.ids["beta"], "version": did.version})

    assert answer.status_code == 302, answer.text
    with carrier.beta.answer() as pbx:
        carrier.first.call("551140000002")
        assert pbx.called_number == "551140000002"
    assert query(carrier.url, "SELECT max(id) FROM outbox") == owed, "Asterisk had to be told something"


def test_the_gateways_rule_makes_the_number_e164(carrier: Carrier) -> None:
    carrier.did("552133330003", "acme")

    with carrier.acme.answer() as pbx:
        carrier.second.call("02133330003")

        assert pbx.called_number == "552133330003"


def test_a_plus_sign_changes_nothing(carrier: Carrier) -> None:
    carrier.did("551140000004", "acme")

    with carrier.acme.answer() as pbx:
        carrier.first.call("+551140000004")

        assert pbx.called_number == "551140000004"


@pytest.mark.parametrize(
    "number",
    [
        "551140000005",  # ours, with nobody
        "551199999999",  # not ours
        "1",
    ],
)
def test_a_number_nobody_has_is_announced_and_refused_as_unknown(carrier: Carrier, number: str) -> None:
    if number.endswith("5"):
        carrier.did(number)

    result = carrier.first.call(number, expect=404)

    assert 183 in result.provisional, "no announcement"
    assert result.cause == 1
    [cdr] = carrier.cdrs(number, 1)
    assert cdr.direction == "inbound"
    assert cdr.disposition != "ANSWERED"


@pytest.mark.parametrize("number", ["abc", "55114000%26PJSIP", "5511;400"])
def test_what_is_not_a_number_is_unknown(carrier: Carrier, number: str) -> None:
    carrier.first.call(number, expect=404)


def test_why_the_customer_does_not_answer_reaches_the_provider(carrier: Carrier) -> None:
    carrier.did("551140000006", "acme")

    with carrier.acme.refuse(486):
        carrier.first.call("551140000006", expect=486)
    with carrier.acme.refuse(503):
        carrier.first.call("551140000006", expect=503)
    busy, full = carrier.cdrs("551140000006", 2)
    assert (busy.disposition, full.disposition) == ("BUSY", "CONGESTION")


def test_a_disabled_customer_takes_no_calls(carrier: Carrier) -> None:
    carrier.did("551140000007", "beta")
    beta = db.session.get_one(Customer, carrier.ids["beta"])
    beta.enabled = False
    store.save(beta)
    try:
        carrier.first.call("551140000007", expect=403)
    finally:
        beta.enabled = True
        store.save(beta)

    with carrier.beta.answer():
        carrier.first.call("551140000007")


def test_a_stranger_is_challenged_and_places_no_call(carrier: Carrier) -> None:
    carrier.did("551140000008", "acme")

    carrier.stranger.call("551140000008", expect=401)

    assert not query(carrier.url, "SELECT 1 FROM asterisk.cdr WHERE number = '551140000008'")


def test_options_are_answered(carrier: Carrier) -> None:
    assert carrier.first.options("551140000001") == 200
    assert carrier.first.options("ping") == 200
