"""Calls to and from a provider that speaks TLS and SRTP only: an Asterisk of its own, for SIPp can do neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.asterisk import Asterisk
from deploy.embedded.process import free_port
from tests.calls.conftest import BLOCK, Carrier
from tests.calls.exchange import make_certificate, private_asterisk, until
from webapp import store
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.routes.models import Route

ADDRESS = f"{BLOCK}.14"
NUMBER = "552133350001"
DID = "551140009850"


@pytest.fixture(scope="module")
def provider(asterisk: Asterisk) -> Iterator[Asterisk]:
    values = {
        "NODE": "provider",
        "SIP_BIND": ADDRESS,
        "SIP_PORT": str(free_port()),
        "RTP_START": "31000",
        "RTP_END": "31098",
        "CARRIER": f"127.0.0.1:{asterisk.values['TLS_PORT']}",
    }
    with private_asterisk(values, Path(__file__).parent / "secret_provider") as provider:
        etc = provider.directory / "etc"
        etc.mkdir(parents=True)
        provider.values["CERTIFICATE"] = str(make_certificate(etc / "certificate.pem"))
        provider.start()
        provider.wait_booted()
        yield provider
        print(f"---- provider\n{provider.log_path.read_text(errors='replace')}")  # pytest shows it when a test failed.


@pytest.fixture
def gateway(carrier: Carrier, provider: Asterisk) -> Iterator[Gateway]:
    """The provider as our gateway, with a route that leads to it alone."""
    gateway = Gateway(
        name="secret",
        provider_id=carrier.ids["provider"],
        ip_address=ADDRESS,
        port=int(provider.values["SIP_PORT"]),
        transport="tls",
        srtp=True,
        qualify_frequency=0,
    )
    store.save(gateway)
    route = Route(name="secret", pattern=NUMBER, gateway_id=gateway.id, priority=1)
    store.save(route)
    carrier.settled()
    yield gateway
    store.delete(db.session.get_one(Route, route.id))
    store.delete(db.session.get_one(Gateway, gateway.id))
    carrier.settled()


def test_a_call_out_is_encrypted(carrier: Carrier, gateway: Gateway) -> None:
    carrier.acme.call(NUMBER)
    [cdr] = carrier.cdrs(NUMBER, 1)
    assert (cdr.disposition, cdr.gateway_id) == ("ANSWERED", str(gateway.id))


def test_without_srtp_the_provider_takes_none(carrier: Carrier, gateway: Gateway) -> None:
    gateway.srtp = False
    store.save(gateway)
    carrier.settled()
    with carrier.first.answer() as first:
        carrier.acme.call(NUMBER)
        assert first.called_number == NUMBER  # By the next route.


def test_a_call_in_is_encrypted(carrier: Carrier, gateway: Gateway, provider: Asterisk) -> None:
    carrier.did(DID, "acme")
    with carrier.acme.answer() as pbx:
        provider.rx(f"channel originate PJSIP/{DID}@carrier extension 1@echo")
        until(lambda: pbx.invites, "the call to arrive", 30)
        assert pbx.called_number == DID
        until(lambda: "Echo" in provider.rx("core show channels concise"), "the call to be answered", 30)
        provider.rx("channel request hangup all")
    [cdr] = carrier.cdrs(DID, 1)
    assert (cdr.disposition, cdr.gateway_id) == ("ANSWERED", str(gateway.id))
