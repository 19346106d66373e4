"""Calls from customers out through our gateways."""

from __future__ import annotations

import time

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import BLOCK, DESK, RECEPTION, Carrier
from tests.calls.exchange import query, until
from webapp import store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.routes.models import Route


def test_a_trunk_calls_out_by_the_route_of_the_lowest_priority(carrier: Carrier) -> None:
    """The longer pattern is the spare route's: priority counts, not length."""
    with carrier.first.answer() as first, carrier.second.answer() as second:
        carrier.acme.call("552133331111")

        assert first.called_number == "552133331111"
        assert not second.invites
    [cdr] = carrier.cdrs("552133331111", 1)
    assert (cdr.direction, cdr.disposition) == ("outbound", "ANSWERED")
    assert cdr.customer_id == str(carrier.ids["acme"])
    assert cdr.gateway_id == str(carrier.ids["first"])


def test_a_phone_calls_out(carrier: Carrier) -> None:
    with carrier.first.answer() as first:
        carrier.desk.call("552133332222", auth=DESK)

        assert first.called_number == "552133332222"


def test_503_goes_on_to_the_next_gateway_with_its_tech_prefix(carrier: Carrier) -> None:
    with carrier.first.refuse(503) as first, carrier.second.answer() as second:
        carrier.acme.call("552133333333")

        assert first.invites
        assert second.called_number == "77552133333333"
    refused, answered = carrier.cdrs("552133333333", 2)
    assert (refused.disposition, answered.disposition) == ("CONGESTION", "ANSWERED")
    assert refused.gateway_id == str(carrier.ids["first"])
    assert answered.gateway_id == str(carrier.ids["second"])
    assert {refused.customer_id, answered.customer_id} == {str(carrier.ids["acme"])}
    assert {refused.direction, answered.direction} == {"outbound"}


def test_a_gateway_that_does_not_answer_options_is_passed_over(carrier: Carrier, asterisk: Asterisk) -> None:
    away = Gateway(name="away", provider_id=carrier.ids["provider"], ip_address=f"{BLOCK}.45", qualify_frequency=1)
    store.save(away)
    route = Route(name="away", pattern="552133334444", gateway_id=away.id, priority=1)
    store.save(route)
    carrier.settled()
    until(lambda: "Unavail" in asterisk.rx("pjsip show contacts"), "Asterisk to notice that nobody is there")

    with carrier.first.answer() as first:
        carrier.acme.call("552133334444")
        assert first.called_number == "552133334444"

    store.delete(route)
    store.delete(away)
    carrier.settled()
    until(lambda: f"{BLOCK}.45" not in asterisk.rx("pjsip show contacts"), "Asterisk to forget the gateway")


def test_busy_is_not_tried_elsewhere(carrier: Carrier) -> None:
    with carrier.first.refuse(486), carrier.second.answer() as second:
        carrier.acme.call("552133335555", expect=486)

        assert not second.invites
    time.sleep(0.3)  # For a record too many to arrive.
    [cdr] = carrier.cdrs("552133335555", 1)
    assert (cdr.disposition, cdr.gateway_id) == ("BUSY", str(carrier.ids["first"]))


def test_all_gateways_full_is_told_as_503(carrier: Carrier) -> None:
    with carrier.first.refuse(503), carrier.second.refuse(503):
        carrier.acme.call("552133336666", expect=503)
    first, second = carrier.cdrs("552133336666", 2)
    assert first.gateway_id == str(carrier.ids["first"])
    assert second.gateway_id == str(carrier.ids["second"])


def test_strip_and_prepend_of_the_route(carrier: Carrier) -> None:
    route = Route(
        name="rewrite",
        pattern="0ZXXXXXXXXX",
        gateway_id=carrier.ids["second"],
        priority=5,
        strip=1,
        prepend="0155",
    )
    store.save(route)
    with carrier.second.answer() as second:
        carrier.acme.call("02133337777")

        assert second.called_number == "77015521" + "33337777"
    store.delete(route)


def test_numbers_are_dialled_as_people_dial_and_leave_with_country_code(carrier: Carrier) -> None:
    """With and without a carrier code, from a phone and from a PBX, which also writes its own number so."""
    carrier.did("551140000204", "acme")
    people = [db.session.get_one(Customer, carrier.ids[code]) for code in ("office", "acme")]
    for customer in people:
        customer.number_rules = "brazil"
    store.save(*people)
    try:
        with carrier.first.answer() as first:
            carrier.desk.call("01511987650001", auth=DESK)
            assert first.called_number == "5511987650001"
        [cdr] = carrier.cdrs("5511987650001", 1)
        assert cdr.customer_id == str(carrier.ids["office"])
        with carrier.first.answer() as first:
            carrier.acme.call("02133330001", caller="1140000204")
            assert (first.called_number, first.caller_number) == ("552133330001", "551140000204")
    finally:
        for customer in people:
            customer.number_rules = "e164"
        store.save(*people)


def test_a_number_without_a_route_is_refused_and_the_reason_kept(carrier: Carrier) -> None:
    result = carrier.acme.call("4499", expect=404)

    assert result.cause == 3
    [request] = query(carrier.url, "SELECT * FROM asterisk.call_requests WHERE dialed = '4499'")
    assert (request.verdict, request.reason, request.endpoint) == ("refused", "no_route", "trunk-acme")
    assert request.node == "pbx1"


def test_a_disabled_customer_cannot_call_out(carrier: Carrier) -> None:
    acme = db.session.get_one(Customer, carrier.ids["acme"])
    acme.enabled = False
    store.save(acme)
    try:
        with carrier.first.answer() as first:
            carrier.acme.call("552133338888", expect=403)
            assert not first.invites
    finally:
        acme.enabled = True
        store.save(acme)


def test_a_disabled_route_is_passed_over(carrier: Carrier) -> None:
    route = db.session.query(Route).filter_by(name="all").one()
    route.enabled = False
    store.save(route)
    try:
        with carrier.first.answer() as first, carrier.second.answer() as second:
            carrier.acme.call("552133339999")
            assert second.invites
            assert not first.invites
    finally:
        route.enabled = True
        store.save(route)


def test_the_caller_presents_a_number_of_its_own_or_the_default(carrier: Carrier) -> None:
    carrier.did("551140000201", "acme")
    carrier.did("551140000202", "office", "100")
    acme = db.session.get_one(Customer, carrier.ids["acme"])
    acme.caller_id = "551140000200"
    store.save(acme)
    cases = [
        (carrier.acme, None, "551140000201", "551140000201"),  # its own number
        (carrier.acme, None, "5511911111111", "551140000200"),  # somebody else's: the default
        (carrier.reception, RECEPTION, None, "551140000202"),  # the number that rings this phone
        (carrier.desk, DESK, None, "anonymous"),  # none at all
    ]
    for peer, auth, caller, shown in cases:
        with carrier.first.answer() as first:
            peer.call("552133330000", auth=auth, caller=caller)
            assert first.caller_number == shown


def test_a_call_to_one_of_our_own_numbers_stays_in_the_house(carrier: Carrier) -> None:
    carrier.did("551140000203", "beta")

    with carrier.beta.answer() as pbx, carrier.first.answer() as first:
        carrier.acme.call("551140000203")

        assert pbx.called_number == "551140000203"
        assert not first.invites
    [cdr] = carrier.cdrs("551140000203", 1)
    assert (cdr.direction, cdr.did) == ("onnet", "551140000203")
    assert cdr.customer_id == str(carrier.ids["acme"])
