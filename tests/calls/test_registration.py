"""A gateway that we register with."""

from __future__ import annotations

from tests.calls.conftest import BLOCK, Carrier
from tests.calls.sip import Peer
from webapp import store
from webapp.gateways.models import Gateway


def test_a_gateway_registers_when_saved_and_unregisters_when_deleted(carrier: Carrier) -> None:
    provider = Peer(f"{BLOCK}.41", asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    gateway = Gateway(
        name="registered",
        provider_id=carrier.ids["provider"],
        ip_address=f"{BLOCK}.41",
        registration=True,
        username="our-account",
        password="pass;word^5E",
        qualify_frequency=0,
    )
    with provider.registrar("our-account", "pass;word^5E") as registrar:
        store.save(gateway)

        registration = registrar.wait_for_registration()
        assert "our-account" in registration.headers["To"]
        assert registration.expires > 0

        store.delete(gateway)
        registrar.wait_for_unregistration()
