"""Where phones are registered and whether gateways answer, as the pages say it."""

from __future__ import annotations

import uuid
from typing import Any

from tests.calls.conftest import BLOCK, Carrier
from tests.calls.exchange import query, until
from tests.calls.sip import Peer
from webapp import store
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.live import operations as live

PHONE = ("office-487", "secret-of-487")  # One that no other test calls.


def contact(carrier: Carrier, thing: uuid.UUID, state: str | None) -> Any:
    """The contact of a thing, when it is in this state; None: when there is none."""
    statement = "SELECT * FROM live_contacts WHERE thing_id = :thing"

    def find() -> list[Any]:
        found = query(carrier.url, statement, thing=thing)
        return [found] if [row.state for row in found] == ([state] if state else []) else []

    [rows] = until(find, f"the contact to be {state}", timeout=60)
    return rows[0] if rows else None


def test_a_phone_registers_and_goes(carrier: Carrier) -> None:
    phone = Extension(customer_id=carrier.ids["office"], extension="487", secret=PHONE[1])
    store.save(phone)
    assert carrier.reception.register(*PHONE) == 200
    try:
        found = contact(carrier, phone.id, "unchecked")
        assert (found.node, found.aor) == ("pbx1", "office-487")
        assert found.address == f"{carrier.reception.address}:5060"
        assert list(live.seen([phone]).contacts) == [phone.id]
    finally:
        carrier.reception.unregister(*PHONE)
    contact(carrier, phone.id, None)


def test_a_gateway_answers_or_does_not(carrier: Carrier) -> None:
    gateway = Gateway(name="asked", provider_id=carrier.ids["provider"], ip_address=f"{BLOCK}.61", qualify_frequency=3)
    store.save(gateway)
    peer = Peer(gateway.ip_address, asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    with peer.answer():
        found = contact(carrier, gateway.id, "reachable")
        assert found.rtt > 0
        assert found.address == f"{BLOCK}.61:5060"
    assert contact(carrier, gateway.id, "unreachable").rtt is None
    id = gateway.id
    store.delete(gateway)
    contact(carrier, id, None)


def test_whether_we_are_registered_with_a_gateway(carrier: Carrier) -> None:
    gateway = Gateway(
        name="account",
        provider_id=carrier.ids["provider"],
        ip_address=f"{BLOCK}.62",
        registration=True,
        username="our-account",
        password="pass",
        qualify_frequency=0,
    )
    peer = Peer(gateway.ip_address, asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    statement = "SELECT state FROM live_registrations WHERE thing_id = :id"
    with peer.registrar("our-account", "pass") as registrar:
        store.save(gateway)
        id = gateway.id
        registered = [("registered",)]
        until(lambda: query(carrier.url, statement, id=id) == registered, "it to be registered", timeout=60)
        [registration] = live.seen([gateway]).registrations[id]
        assert (registration.node, registration.name) == ("pbx1", "gateway-account")
        store.delete(gateway)
        registrar.wait_for_unregistration()
    until(lambda: not query(carrier.url, statement, id=id), "it to be gone", timeout=60)
