"""Calls that the one who is called sends on with a 302: calls of his own, and never free or without an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import Carrier
from tests.calls.exchange import query, until
from tests.calls.test_limits import Change, change, customer, gateway, tell
from webapp import store
from webapp.destination_lists.models import DestinationList
from webapp.ext import db
from webapp.extensions.models import Extension

__all__ = ["change"]

ONE = ("office-480", "secret-of-480")
OTHER = ("office-481", "secret-of-481")
ELSEWHERE = "198.51.100.7"  # Nobody asks this host: only the number of a Contact counts.


@pytest.fixture(autouse=True)
def _clean_log(asterisk: Asterisk) -> Iterator[None]:
    """What a callee sends makes Asterisk neither warn nor fail."""
    start = asterisk.log_path.stat().st_size
    yield
    said = asterisk.log_path.read_bytes()[start:].decode().splitlines()
    assert [line for line in said if " WARNING" in line or " ERROR" in line] == []


@pytest.fixture
def phones(carrier: Carrier) -> Iterator[Carrier]:
    """Two phones of the office that no other test calls, at the addresses of its reception and its desk."""
    for user, secret in (ONE, OTHER):
        number = user.removeprefix("office-")
        if not db.session.query(Extension).filter_by(extension=number).count():
            store.save(Extension(customer_id=carrier.ids["office"], extension=number, secret=secret))
    assert carrier.reception.register(*ONE) == 200
    assert carrier.desk.register(*OTHER) == 200
    yield carrier
    carrier.reception.unregister(*ONE)
    carrier.desk.unregister(*OTHER)


def calls_of(carrier: Carrier, number: str, count: int) -> list[Any]:
    """All rows that a call to this number left, those of its forwards too, in the order in which they began."""
    statement = """
        SELECT * FROM public.calls
        WHERE linkedid IN (SELECT linkedid FROM public.calls WHERE dst = :number) ORDER BY started_at, sequence
    """
    found = until(
        lambda: (
            len(found := query(carrier.url, statement, number=number)) >= count
            and None not in [call.cause for call in found]
            and found
        ),
        f"{count} rows of the call to {number}, and how they ended",
    )
    assert query(carrier.url, "SELECT reason FROM public.unrated_cdrs") == []
    assert len(found) == count
    return list(found)


def facts(carrier: Carrier, calls: list[Any]) -> list[tuple[str, str, str, str, int]]:
    """Direction, customer, number, disposition and cause of each."""
    names = {carrier.ids[name]: name for name in ("acme", "beta", "office")}
    return [(c.direction, names.get(c.customer_id, ""), c.dst, c.disposition, c.cause) for c in calls]


def test_a_pbx_sends_an_inbound_call_on_to_a_number_outside(carrier: Carrier) -> None:
    carrier.did("551140000901", "acme")
    with carrier.acme.forward(f"sip:552166660001@{ELSEWHERE}"), carrier.first.answer() as gateway:
        carrier.second.call("01140000901", caller="5521988887777", hold=1.2)

        assert gateway.called_number == "552166660001"
        # Acme may show neither the caller's number nor one of its own.
        assert gateway.caller_number != "5521988887777"

    calls = calls_of(carrier, "551140000901", 3)
    assert facts(carrier, calls) == [
        ("inbound", "acme", "551140000901", "NO ANSWER", 23),
        ("inbound", "acme", "551140000901", "ANSWERED", 16),
        ("outbound", "acme", "552166660001", "ANSWERED", 16),
    ]
    asked, original, onward = calls
    assert (asked.sip_status, asked.billsec, original.sip_status) == (302, 0, None)
    assert (original.gateway_id, onward.gateway_id) == (carrier.ids["second"], carrier.ids["first"])
    assert (original.provider_id, onward.provider_id) == (carrier.ids["provider"], carrier.ids["provider"])
    assert (original.did, onward.did) == ("551140000901", "")
    assert original.billsec == onward.billsec == 2
    assert original.unrated == ""
    assert onward.unrated == "no_price_plan"  # It is priced as any call of acme.
    [request] = query(carrier.url, "SELECT * FROM asterisk.call_requests WHERE id = :id", id=onward.request)
    assert (request.customer_id, request.dialed, request.forwards) == (str(carrier.ids["acme"]), "552166660001", "01")


def test_the_caller_is_shown_if_the_customer_may_show_him(carrier: Carrier, change: Change) -> None:
    change(customer(carrier, "acme"), caller_id="551140000902", allowed_caller_ids=["5521988887777"])
    carrier.did("551140000902", "acme")
    with carrier.acme.forward(f"sip:552166660002@{ELSEWHERE}", expect_calls=2), carrier.first.answer() as gateway:
        carrier.second.call("01140000902", caller="5521988887777")
        carrier.second.call("01140000902", caller="5521988886666")

        assert [invite.caller_number for invite in gateway.invites] == ["5521988887777", "551140000902"]
        assert not [invite for invite in gateway.invites if invite.headers["Diversion"]]


def test_what_others_say_of_earlier_forwards_goes_no_further(carrier: Carrier) -> None:
    diversion = {"Diversion": f"<sip:551100000000@{ELSEWHERE}>;reason=unknown"}
    with carrier.first.answer() as gateway:
        carrier.acme.call("552166660003", headers=diversion)
        assert gateway.invite.headers["Diversion"] is None

    carrier.did("551140000915", "acme")
    with carrier.acme.answer() as pbx:
        carrier.first.call("551140000915", headers=diversion)
        assert pbx.invite.headers["Diversion"] is None


def test_a_phone_sends_its_calls_on(phones: Carrier) -> None:
    """Its own number is shown."""
    phones.did("551140000903", "office", "480")
    with phones.reception.forward(f"sip:552166660004@{ELSEWHERE}", ring=False), phones.first.answer() as gateway:
        phones.second.call("01140000903")

        assert gateway.caller_number == "551140000903"
    assert facts(phones, calls_of(phones, "551140000903", 3))[1:] == [
        ("inbound", "office", "551140000903", "ANSWERED", 16),
        ("outbound", "office", "552166660004", "ANSWERED", 16),
    ]


def test_a_phone_sends_on_to_the_other_phone(phones: Carrier) -> None:
    phones.did("551140000904", "office", "480")
    with phones.reception.forward(f"sip:481@{ELSEWHERE}"), phones.desk.answer():
        phones.first.call("551140000904")
    assert facts(phones, calls_of(phones, "551140000904", 3))[1:] == [
        ("inbound", "office", "551140000904", "ANSWERED", 16),
        ("internal", "office", "office-481", "ANSWERED", 16),
    ]


def test_a_call_between_phones_is_sent_on(phones: Carrier) -> None:
    with phones.reception.forward(f"sip:552166660005@{ELSEWHERE}"), phones.first.answer():
        phones.desk.call("480", auth=OTHER)
    assert facts(phones, calls_of(phones, "552166660005", 3))[1:] == [
        ("internal", "office", "office-480", "ANSWERED", 16),
        ("outbound", "office", "552166660005", "ANSWERED", 16),
    ]


def test_a_call_within_the_house_stays_the_callers_and_the_forward_is_the_called_ones(phones: Carrier) -> None:
    phones.did("551140000905", "acme")
    phones.did("551140000906", "office", "480")
    with phones.acme.forward(f"sip:551140000906@{ELSEWHERE}"), phones.reception.answer():
        phones.beta.call("551140000905")
    assert facts(phones, calls_of(phones, "551140000905", 3))[1:] == [
        ("onnet", "beta", "551140000905", "ANSWERED", 16),
        ("onnet", "acme", "551140000906", "ANSWERED", 16),
    ]


def test_two_who_send_their_calls_on_to_each_other(carrier: Carrier) -> None:
    carrier.did("551140000907", "acme")
    carrier.did("551140000908", "beta")
    with (
        carrier.acme.forward(f"sip:551140000908@{ELSEWHERE}", expect_calls=2) as acme,
        carrier.beta.forward(f"sip:551140000907@{ELSEWHERE}", expect_calls=2) as beta,
    ):
        carrier.first.call("551140000907", expect=403)
        assert len(acme.invites) + len(beta.invites) == 4
    reasons = "SELECT verdict, reason, forwards FROM asterisk.call_requests WHERE dialed IN (:a, :b) ORDER BY forwards"
    assert query(carrier.url, reasons, a="551140000907", b="551140000908") == [
        ("did", "", "01"),
        ("did", "", "02"),
        ("did", "", "03"),
        ("refused", "forwards", "04"),
    ]
    assert "ANSWERED" not in [call.disposition for call in calls_of(carrier, "551140000907", 9)]


@pytest.mark.parametrize(
    ("number", "user", "reason", "status"),
    [
        ("551140009200", "552166669", "blocked", 403),
        ("551140009201", "190", "forward_emergency", 403),
        ("551140009202", "*72", "no_route", 404),
        ("551140009203", "PJSIP/552166660010%40gateway-first", "invalid_number", 404),
        ("551140009204", "Local/552166660010%40from-internal", "invalid_number", 404),
        ("551140009205", "552166660010%40from-internal", "invalid_number", 404),
        ("551140009206", "552166660010%26PJSIP%2F552166660010%40gateway-first", "invalid_number", 404),
        ("551140009207", "alice", "invalid_number", 404),
        ("551140009208", "%24%7BSHELL(id)%7D", "invalid_number", 404),
        ("551140009209", "%22,x)%20%5D", "invalid_number", 404),
        ("551140009210", "9" * 100, "invalid_number", 404),
    ],
)
def test_what_no_call_is_sent_on_to(
    carrier: Carrier, change: Change, number: str, user: str, reason: str, status: int
) -> None:
    blocked = DestinationList(name=f"Not on from {number}", prefixes=["552166669"])
    store.save(blocked)
    change(customer(carrier, "acme"), blocked_list_id=blocked.id)
    carrier.did(number, "acme")
    carrier.settled()
    with carrier.acme.forward(f"sip:{user}@{ELSEWHERE}"), carrier.first.answer() as gateway:
        carrier.second.call(f"0{number[2:]}", expect=status)

        assert not gateway.invites
    rows = 3 if reason != "invalid_number" else 2  # What is no number is not asked for.
    calls = [call for call in calls_of(carrier, number, rows) if call.reason]
    assert [(c.reason, c.sip_status, c.customer_id) for c in calls] == [(reason, status, carrier.ids["acme"])]


def test_a_302_without_a_number(carrier: Carrier) -> None:
    """Without a Contact nobody is called, the caller himself least of all, and no 302 goes back."""
    carrier.did("551140000909", "acme")
    with carrier.acme.forward(None), carrier.first.answer() as gateway:
        carrier.second.call("01140000909", caller="552166660011", expect=503)

        assert not gateway.invites
    [call] = calls_of(carrier, "551140000909", 1)
    assert (call.cause, call.sip_status) == (23, 302)


def test_a_caller_does_not_say_where_a_call_is_sent_on_to(carrier: Carrier) -> None:
    """A 301 is no forward; what the caller wrote into his headers does not make it one."""
    carrier.did("551140000916", "acme")
    diversion = {"Diversion": f"<sip:552166660023@{ELSEWHERE}>"}
    contact = f"sip:552166660023@{ELSEWHERE}"
    with carrier.acme.forward(contact, status=301), carrier.second.answer() as gateway:
        carrier.first.call("551140000916", headers=diversion, expect=404)

        assert not gateway.invites
    refused = calls_of(carrier, "551140000916", 2)[1]
    assert (refused.reason, refused.cause, refused.sip_status) == ("invalid_number", 1, 404)


@pytest.mark.parametrize("status", [301, 302])
@pytest.mark.parametrize("ring", [True, False])
def test_a_gateway_that_sends_a_call_on_gives_way_to_the_next(carrier: Carrier, ring: bool, status: int) -> None:
    number = f"552166660{status}{ring:d}"
    with (
        carrier.first.forward(f"sip:552166660013@{ELSEWHERE}", ring=ring, status=status) as first,
        carrier.second.answer() as second,
    ):
        carrier.acme.call(number)
        assert (len(first.invites), second.called_number) == (1, f"77{number}")
    assert [(c.disposition, c.cause, c.sip_status) for c in calls_of(carrier, number, 2)] == [
        ("NO ANSWER", 23, 302),
        ("ANSWERED", 16, None),
    ]


def test_when_all_gateways_send_a_call_on_it_is_told_as_503(carrier: Carrier) -> None:
    with (
        carrier.first.refuse(503),
        carrier.second.forward(f"sip:552166660015@{ELSEWHERE}"),
    ):
        carrier.acme.call("552166660014", expect=503)
    assert [(c.cause, c.sip_status) for c in calls_of(carrier, "552166660014", 2)] == [(34, 503), (23, 302)]


def test_a_busy_number_that_a_call_is_sent_on_to(carrier: Carrier) -> None:
    carrier.did("551140000910", "acme")
    with carrier.acme.forward(f"sip:552166660016@{ELSEWHERE}"), carrier.first.refuse(486):
        carrier.second.call("01140000910", expect=486)
    calls = calls_of(carrier, "551140000910", 3)
    assert [(c.direction, c.cause, c.sip_status) for c in calls] == [
        ("inbound", 23, 302),
        ("inbound", 17, None),
        ("outbound", 17, 486),
    ]


def test_a_caller_gives_up_while_it_rings_where_the_call_was_sent_on_to(carrier: Carrier) -> None:
    carrier.did("551140000911", "acme")
    with carrier.acme.forward(f"sip:552166660017@{ELSEWHERE}"), carrier.first.ring():
        carrier.second.call("01140000911", give_up_after=6, expect=487)
        # The gateway has to live until it has heard that nobody wants it any more, else Asterisk waits for its answer.
        calls = calls_of(carrier, "551140000911", 3)
    assert [(c.direction, c.cause, c.reason) for c in calls] == [
        ("inbound", 23, ""),
        ("inbound", 16, "cancelled"),
        ("outbound", 16, "cancelled"),
    ]


def test_a_forward_counts_as_one_more_call_of_the_customer(carrier: Carrier, change: Change) -> None:
    change(customer(carrier, "acme"), max_channels=1)
    carrier.did("551140000912", "acme")
    carrier.settled()
    with carrier.acme.forward(f"sip:552166660018@{ELSEWHERE}", expect_calls=2), carrier.first.answer() as gateway:
        carrier.second.call("01140000912", expect=503)
        assert not gateway.invites
        change(customer(carrier, "acme"), max_channels=2)
        carrier.settled()
        with carrier.second.start_call("01140000912") as call:
            call.wait_for(200)
            carrier.acme.call("552166660019", expect=503)


def test_a_full_gateway_is_passed_over_by_a_forward(carrier: Carrier, change: Change) -> None:
    change(gateway(carrier, "first"), max_channels=1)
    carrier.did("551140000913", "acme")
    with (
        carrier.acme.forward(f"sip:552166660020@{ELSEWHERE}"),
        carrier.first.answer() as first,
        carrier.second.answer() as second,
        carrier.first.start_call("551140000913") as call,
    ):
        call.wait_for(200)
        assert (len(first.invites), len(second.invites)) == (0, 1)


def test_the_longest_call_counts_for_a_forward(carrier: Carrier) -> None:
    rule = "CONSTRAINT ck_settings_max_call_seconds"
    tell(carrier, f"ALTER TABLE settings DROP {rule}", "UPDATE settings SET max_call_seconds = 2")
    carrier.did("551140000914", "acme")
    try:
        with carrier.acme.forward(f"sip:552166660021@{ELSEWHERE}"), carrier.first.answer():
            result = carrier.second.call("01140000914", hold=20)
    finally:
        check = "CHECK (max_call_seconds BETWEEN 60 AND 86400)"
        tell(carrier, "UPDATE settings SET max_call_seconds = 14400", f"ALTER TABLE settings ADD {rule} {check}")

    assert result.other_side_hung_up
    assert {call.billsec for call in calls_of(carrier, "551140000914", 3)[1:]} <= {2, 3}
