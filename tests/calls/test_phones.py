"""Phones: registration, and calls to and between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import DESK, NEXT_DOOR, RECEPTION, Carrier
from tests.calls.exchange import query, until
from tests.calls.sip import Peer
from webapp import store
from webapp.ext import db
from webapp.extensions.models import Extension


@pytest.fixture
def registered(carrier: Carrier) -> Iterator[Carrier]:
    """All three phones are registered."""
    for peer, (user, secret) in _phones(carrier):
        assert peer.register(user, secret) == 200
    yield carrier
    for peer, (user, secret) in _phones(carrier):
        peer.unregister(user, secret)


def _phones(carrier: Carrier) -> list[tuple[Peer, tuple[str, str]]]:
    return [(carrier.reception, RECEPTION), (carrier.desk, DESK), (carrier.next_door, NEXT_DOOR)]


def test_a_wrong_secret_never_leaves_a_binding(carrier: Carrier, asterisk: Asterisk) -> None:
    phone = Extension(customer_id=carrier.ids["office"], extension="151", secret="the-right-secret")
    store.save(phone)

    assert carrier.stranger.register("office-151", "not the secret") in (401, 403)
    assert carrier.stranger.register("office-999", "the-right-secret") in (401, 403)

    assert "office-151" not in asterisk.rx("pjsip show contacts")
    assert "office-999" not in asterisk.rx("pjsip show contacts")
    assert carrier.stranger.register("office-151", "the-right-secret") == 200
    assert "office-151" in asterisk.rx("pjsip show contacts")


def test_whoever_looks_at_asterisk_sees_no_secret_of_a_phone(registered: Carrier, asterisk: Asterisk) -> None:
    for user, secret in (RECEPTION, DESK):
        said = asterisk.rx(f"pjsip show auth {user}") + asterisk.rx(f"pjsip show endpoint {user}")
        assert hashlib.md5(f"{user}:asterisk:{secret}".encode()).hexdigest() in said  # noqa: S324 - SIP's own
        assert secret not in said
    passwords = query(registered.url, "SELECT id FROM asterisk.ps_auths WHERE password IS NOT NULL")
    assert [row.id for row in passwords if not row.id.startswith("gateway-")] == []


def test_a_phone_rings_for_its_did(registered: Carrier) -> None:
    registered.did("551140000100", "office", "100")

    with registered.reception.answer() as phone:
        registered.first.call("551140000100", caller="5521988887777")

        assert phone.caller_number == "5521988887777"
    [cdr] = registered.cdrs("551140000100", 1)
    assert (cdr.direction, cdr.disposition, cdr.did) == ("inbound", "ANSWERED", "551140000100")
    assert cdr.customer_id == str(registered.ids["office"])


def test_two_phones_of_a_customer_call_each_other_by_their_short_number(registered: Carrier) -> None:
    with registered.reception.answer() as phone:
        registered.desk.call("100", auth=DESK)

        assert phone.caller_number == "101"
    [cdr] = registered.cdrs("office-100", 1)
    assert (cdr.direction, cdr.disposition) == ("internal", "ANSWERED")
    assert cdr.customer_id == str(registered.ids["office"])


def test_the_short_number_of_another_customer_is_not_reachable(registered: Carrier) -> None:
    with registered.next_door.answer() as phone:
        registered.desk.call("200", auth=DESK, expect=404)
        registered.desk.call("neighbour-200", auth=DESK, expect=404)
        registered.next_door.call("100", auth=NEXT_DOOR, expect=404)

        assert not phone.invites


def test_a_phone_cannot_call_without_its_secret(registered: Carrier) -> None:
    registered.desk.call("100", auth=(DESK[0], "guessed"), expect=401)


def test_a_phone_that_is_not_registered_is_unavailable(carrier: Carrier) -> None:
    store.save(Extension(customer_id=carrier.ids["office"], extension="152", secret="never-registers"))
    carrier.did("551140000101", "office", "152")

    carrier.first.call("551140000101", expect=480)

    [cdr] = carrier.cdrs("551140000101", 1)
    assert (cdr.disposition, cdr.did) == ("FAILED", "551140000101")


def test_a_new_secret_counts_at_once_and_the_old_one_no_more(carrier: Carrier) -> None:
    phone = Extension(customer_id=carrier.ids["office"], extension="150", secret="the-first-secret")
    store.save(phone)
    assert carrier.stranger.register("office-150", "the-first-secret") == 200
    phone.secret = "the-second-secret"
    store.save(phone)
    carrier.settled()

    assert carrier.stranger.register("office-150", "the-first-secret") in (401, 403)
    assert carrier.stranger.register("office-150", "the-second-secret") == 200

    store.delete(phone)
    carrier.settled()
    assert carrier.stranger.register("office-150", "the-second-secret") in (401, 403, 404)


def test_a_renumbered_phone_keeps_its_did(registered: Carrier) -> None:
    registered.did("551140000102", "office", "101")
    desk = db.session.query(Extension).filter_by(extension="101").one()
    desk.extension = "111"
    store.save(desk)
    registered.settled()
    try:
        assert registered.desk.register("office-111", DESK[1]) == 200
        with registered.desk.answer():
            registered.first.call("551140000102")
    finally:
        desk.extension = "101"
        store.save(desk)
        registered.settled()
    until(lambda: registered.desk.register(*DESK) == 200, "the phone to register under its old number")
