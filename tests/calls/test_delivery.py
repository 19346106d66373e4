"""What is saved reaches Asterisk, whoever was away when it was saved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import BLOCK, Carrier
from tests.calls.exchange import AgentProcess, query, until
from tests.calls.sip import Peer
from webapp import store
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway


@pytest.fixture
def phone(carrier: Carrier) -> Iterator[Extension]:
    """A phone whose secret Asterisk has in its cache."""
    phone = Extension(customer_id=carrier.ids["office"], extension="160", secret="known-to-asterisk")
    store.save(phone)
    assert carrier.stranger.register("office-160", "known-to-asterisk") == 200
    yield phone
    store.delete(db.session.get_one(Extension, phone.id))
    carrier.settled()


def test_a_save_made_while_the_agent_is_stopped_is_delivered_when_it_is_back(
    carrier: Carrier, agent: AgentProcess, phone: Extension
) -> None:
    agent.stop()
    try:
        phone.secret = "changed-meanwhile"
        store.save(phone)
        assert carrier.stranger.register("office-160", "known-to-asterisk") == 200, "nobody told Asterisk yet"
    finally:
        agent.start()
    carrier.settled()

    assert carrier.stranger.register("office-160", "changed-meanwhile") == 200
    assert carrier.stranger.register("office-160", "known-to-asterisk") in (401, 403)


def test_a_save_made_while_asterisk_is_stopped_is_delivered_when_it_is_back(
    carrier: Carrier, asterisk: Asterisk, phone: Extension
) -> None:
    asterisk.stop()
    until(lambda: not _asterisk_up(carrier), "the agent to notice")
    phone.secret = "changed-meanwhile"
    gateway = Gateway(
        name="while-away", provider_id=carrier.ids["provider"], ip_address=f"{BLOCK}.42", qualify_frequency=0
    )
    store.save(phone, gateway)
    assert query(carrier.url, "SELECT count(*) FROM outbox WHERE done_at IS NULL")[0][0] > 0

    asterisk.start()
    asterisk.wait_booted()
    until(lambda: _asterisk_up(carrier), "the agent to connect again")
    carrier.settled()

    assert carrier.stranger.register("office-160", "changed-meanwhile") == 200
    assert "gateway-while-away" in asterisk.rx("pjsip show identifies")
    store.delete(gateway)
    carrier.settled()


def test_a_gateway_is_known_by_its_address_as_soon_as_it_is_saved(carrier: Carrier, asterisk: Asterisk) -> None:
    """Identifies are a cache of the whole table: a new one is there only when it was read anew."""
    newcomer = Peer(f"{BLOCK}.43", asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    newcomer.call("551140000300", expect=401)
    gateway = Gateway(
        name="newcomer", provider_id=carrier.ids["provider"], ip_address=f"{BLOCK}.43", qualify_frequency=0
    )
    store.save(gateway)
    carrier.settled()

    newcomer.call("551140000300", expect=404)

    store.delete(gateway)
    carrier.settled()
    newcomer.call("551140000300", expect=401)


def test_what_was_deleted_before_the_agent_came_back_holds_up_nothing(carrier: Carrier, agent: AgentProcess) -> None:
    agent.stop()
    try:
        gateway = Gateway(name="short-lived", provider_id=carrier.ids["provider"], ip_address=f"{BLOCK}.46")
        store.save(gateway)
        store.delete(gateway)
    finally:
        agent.start()

    carrier.settled()


def test_a_rolled_back_save_sends_nothing(carrier: Carrier) -> None:
    before = query(carrier.url, "SELECT max(id) FROM outbox")
    clash = Gateway(name="first", provider_id=carrier.ids["provider"], ip_address=f"{BLOCK}.44")

    with pytest.raises(store.Refused, match="uq_gateways_name"):
        store.save(clash)

    assert query(carrier.url, "SELECT max(id) FROM outbox") == before
    assert not query(carrier.url, "SELECT 1 FROM peer_addresses WHERE address = :address", address=f"{BLOCK}.44")


def _asterisk_up(carrier: Carrier) -> bool:
    return bool(query(carrier.url, "SELECT asterisk_up FROM nodes WHERE name = 'pbx1'")[0][0])
