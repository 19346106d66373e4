"""How the legs of a call end: one row each in public.calls, with cause, SIP status and time until it rang."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import DESK, RECEPTION, Carrier
from tests.calls.exchange import query
from tests.calls.test_limits import Change, change, customer, gateway

__all__ = ["change"]

Ending = tuple[str, str, int | None, int | None]


def endings(carrier: Carrier, number: str, count: int) -> list[Ending]:
    """Gateway, disposition, cause and SIP status of each leg, and nothing that no call could be made of."""
    names = {carrier.ids[name]: name for name in ("first", "second")}
    calls = carrier.ended(number, count)
    unrated = "SELECT u.* FROM public.unrated_cdrs u JOIN asterisk.cdr c ON c.id = u.cdr_id WHERE c.number = :number"
    assert query(carrier.url, unrated, number=number) == []
    return [(names.get(call.gateway_id, ""), call.disposition, call.cause, call.sip_status) for call in calls]


@pytest.fixture
def short_ringing(asterisk: Asterisk) -> Iterator[None]:
    asterisk.rx("dialplan set global RING_SECONDS 1")
    yield
    asterisk.rx("dialplan set global RING_SECONDS 60")


def test_an_answered_leg_says_how_long_it_took_to_ring(carrier: Carrier) -> None:
    with carrier.first.answer(ring_for=2):
        carrier.acme.call("552144440001")

    assert endings(carrier, "552144440001", 1) == [("first", "ANSWERED", 16, None)]
    [call] = carrier.ended("552144440001", 1)
    assert 0 <= call.pdd < 2000


def test_one_that_never_rang_has_no_such_time(carrier: Carrier) -> None:
    with carrier.first.answer(ring=False):
        carrier.acme.call("552144440002")

    [call] = carrier.ended("552144440002", 1)
    assert (call.disposition, call.pdd) == ("ANSWERED", None)


def test_503_and_then_an_answer(carrier: Carrier) -> None:
    with carrier.first.refuse(503, ring=True, ring_for=0.2), carrier.second.answer(ring=False):
        carrier.acme.call("552144440003")

    assert endings(carrier, "552144440003", 2) == [
        ("first", "CONGESTION", 34, 503),
        ("second", "ANSWERED", 16, None),
    ]
    [_, answered] = carrier.ended("552144440003", 2)
    assert answered.pdd is None, "the time of the leg before it"


def test_busy(carrier: Carrier) -> None:
    with carrier.first.refuse(486):
        carrier.acme.call("552144440004", expect=486)

    assert endings(carrier, "552144440004", 1) == [("first", "BUSY", 17, 486)]


def test_503_and_then_busy(carrier: Carrier) -> None:
    with carrier.first.refuse(503), carrier.second.refuse(486):
        carrier.acme.call("552144440005", expect=486)

    assert endings(carrier, "552144440005", 2) == [("first", "CONGESTION", 34, 503), ("second", "BUSY", 17, 486)]


def test_all_503(carrier: Carrier) -> None:
    with carrier.first.refuse(503), carrier.second.refuse(503):
        carrier.acme.call("552144440006", expect=503)

    assert endings(carrier, "552144440006", 2) == [("first", "CONGESTION", 34, 503), ("second", "CONGESTION", 34, 503)]


def test_cancelled_while_ringing(carrier: Carrier) -> None:
    with carrier.first.ring():
        carrier.acme.call("552144440007", give_up_after=8, expect=487)
        # The gateway has to live until it has heard that nobody wants it any more, else Asterisk waits for its answer.
        assert endings(carrier, "552144440007", 1) == [("first", "NO ANSWER", 16, 487)]
    [call] = carrier.ended("552144440007", 1)
    assert call.reason == "cancelled"
    assert 0 <= call.pdd < 8000


def test_503_and_then_cancelled_while_ringing(carrier: Carrier) -> None:
    with carrier.first.refuse(503), carrier.second.ring():
        carrier.acme.call("552144440008", give_up_after=8, expect=487)
        assert endings(carrier, "552144440008", 2) == [
            ("first", "CONGESTION", 34, 503),
            ("second", "NO ANSWER", 16, 487),
        ]


def test_503_and_then_nobody_answers(carrier: Carrier, short_ringing: None) -> None:
    """What the leg before it left behind, and the 180 that it sent itself, are not how it ended."""
    with carrier.first.refuse(503), carrier.second.ring():
        carrier.acme.call("552144440009", expect=480)

    assert endings(carrier, "552144440009", 2) == [("first", "CONGESTION", 34, 503), ("second", "NO ANSWER", 19, None)]


def test_calls_in_and_between_customers_and_phones(carrier: Carrier, short_ringing: None) -> None:
    carrier.did("551140000601", "acme")
    with carrier.acme.answer(ring_for=0.2):
        carrier.first.call("551140000601")
    [call] = carrier.ended("551140000601", 1)
    assert (call.direction, call.disposition, call.cause, call.pdd is None) == ("inbound", "ANSWERED", 16, False)

    carrier.did("551140000602", "acme")
    with carrier.acme.refuse(486):
        carrier.first.call("551140000602", expect=486)
    assert endings(carrier, "551140000602", 1) == [("first", "BUSY", 17, 486)]

    carrier.did("551140000603", "acme")
    with carrier.acme.ring():
        carrier.beta.call("551140000603", expect=480)
    [call] = carrier.ended("551140000603", 1)
    assert (call.direction, call.cause, call.sip_status) == ("onnet", 19, None)

    assert carrier.desk.register(*DESK) == 200
    with carrier.desk.refuse(603):
        carrier.reception.call("101", auth=RECEPTION, expect=None)
    carrier.desk.unregister(*DESK)
    [call] = carrier.ended("office-101", 1)
    assert (call.direction, call.cause, call.sip_status) == ("internal", 21, 603)


def test_a_customer_that_is_away_leaves_one_call(carrier: Carrier) -> None:
    carrier.did("551140000604", "office", "100")
    carrier.first.call("551140000604", expect=480)

    [call] = carrier.ended("551140000604", 1)
    assert (call.direction, call.did, call.cause, call.sip_status) == ("inbound", "551140000604", 20, 480)


def test_what_is_refused_leaves_one_call_with_the_reason(carrier: Carrier) -> None:
    carrier.acme.call("4490", expect=404)

    [call] = carrier.ended("4490", 1)
    assert (call.direction, call.reason, call.customer_id) == ("outbound", "no_route", carrier.ids["acme"])
    assert (call.cause, call.sip_status) == (3, 404)


@pytest.mark.parametrize(
    ("number", "limits", "status", "cause"),
    [
        ("551140000605", {"enabled": False}, 403, 21),
        ("551140000606", {"max_channels": 1}, 486, 17),
    ],
)
def test_a_call_that_a_customer_may_not_take(
    carrier: Carrier, change: Change, number: str, limits: dict[str, Any], status: int, cause: int
) -> None:
    carrier.did(number, "beta")
    change(customer(carrier, "beta"), **limits)
    carrier.settled()
    with carrier.first.answer(), carrier.beta.answer():
        if "max_channels" in limits:
            with carrier.beta.start_call("552144440011") as out:
                out.wait_for(200)
                carrier.second.call(f"0{number[2:]}", expect=status)
        else:
            carrier.second.call(f"0{number[2:]}", expect=status)

    [call] = carrier.ended(number, 1)
    assert (call.direction, call.cause, call.sip_status, call.price) == ("inbound", cause, status, 0)


def test_a_number_that_nobody_has_and_gateways_that_cannot_be_reached(carrier: Carrier, change: Change) -> None:
    carrier.first.call("551149999999", expect=404)
    [call] = carrier.ended("551149999999", 1)
    assert (call.direction, call.cause, call.sip_status) == ("inbound", 1, 404)

    change(gateway(carrier, "first"), max_channels=1)
    with carrier.first.answer(), carrier.acme.start_call("551144440012") as out:
        out.wait_for(200)
        carrier.beta.call("551144440013", expect=503)
    [call] = carrier.ended("551144440013", 1)
    assert (call.direction, call.cause, call.sip_status) == ("outbound", 34, 503)


def test_the_journal_has_what_the_table_has(carrier: Carrier, asterisk: Asterisk) -> None:
    with carrier.first.refuse(503), carrier.second.answer(ring_for=0.2):
        carrier.acme.call("552144440010")
    carrier.ended("552144440010", 2)

    journal = (asterisk.directory / "log" / "cdr-custom" / "journal.csv").read_text()
    [line] = [line for line in journal.splitlines() if '"552144440010"' in line and "ANSWERED" in line]
    pdd, cause, status, refused = line.split(",")[-4:]
    assert pdd.strip('"').isdigit()
    assert (cause, status, refused) == ('"34"', '"503"', '""')
