"""Two nodes on one database: a save reaches both, each goes on without the other, and one of them registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from deploy.embedded.asterisk import Asterisk
from deploy.embedded.postgres import Postgres
from tests.calls.conftest import BLOCK, Carrier
from tests.calls.exchange import AgentProcess, query, running_asterisk, until
from tests.calls.sip import Answering, Peer
from webapp import store
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.nodes import operations

SECONDS = 60  # Two cores are busy with more than this.


@pytest.fixture(scope="module")
def other(cluster: Postgres, calls_url: str, agent: AgentProcess) -> Iterator[Asterisk]:
    """The Asterisk of node pbx2. When its agent has gone, too, nobody owes the node anything."""
    with running_asterisk(cluster, "calls", node="pbx2") as asterisk:
        yield asterisk
    query(calls_url, "DELETE FROM nodes WHERE name = 'pbx2' RETURNING name")


@pytest.fixture(scope="module")
def its_agent(other: Asterisk, calls_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = AgentProcess(calls_url, other, tmp_path_factory.mktemp("agent2") / "agent.log")
    agent.start()
    yield agent
    agent.stop()
    # pytest shows this when a test of the module failed.
    print(f"---- pbx2: {other.log_path.read_text()[-4000:]}\n{agent.log.read_text()[-4000:]}")


@pytest.fixture
def both(carrier: Carrier, other: Asterisk, its_agent: AgentProcess) -> Carrier:
    """The carrier, with both nodes up and nothing owed."""
    is_up(carrier, "pbx1")
    is_up(carrier, "pbx2")
    settled(carrier)
    return carrier


def is_up(carrier: Carrier, node: str, up: bool = True) -> None:
    statement = "SELECT asterisk_up AND seen_at > now() - interval '15 seconds' FROM nodes WHERE name = :node"
    until(lambda: query(carrier.url, statement, node=node) == [(up,)], f"{node} to be up: {up}", SECONDS)


def settled(carrier: Carrier, node: str = "%") -> None:
    until(lambda: not owed(carrier, node), "the outbox to be empty", SECONDS)


def owed(carrier: Carrier, node: str) -> int:
    statement = "SELECT count(*) FROM outbox WHERE done_at IS NULL AND node LIKE :node"
    return int(query(carrier.url, statement, node=node)[0][0])


def at(peer: Peer, asterisk: Asterisk) -> Peer:
    """A party that speaks to another node."""
    return replace(peer, asterisk=("127.0.0.1", int(asterisk.values["SIP_PORT"])))


@pytest.fixture
def phone(both: Carrier, other: Asterisk) -> Iterator[Extension]:
    """A phone whose secret both nodes have in their caches."""
    phone = Extension(customer_id=both.ids["office"], extension="180", secret="secret-number-0")
    store.save(phone)
    settled(both)
    assert both.stranger.register("office-180", "secret-number-0") == 200
    assert at(both.stranger, other).register("office-180", "secret-number-0") == 200
    yield phone
    store.delete(db.session.get_one(Extension, phone.id))


def test_a_save_reaches_both(both: Carrier, other: Asterisk, phone: Extension) -> None:
    both.did("551140009801", "acme")
    settled(both)
    for caller in (both.first, at(both.first, other)):
        with both.acme.answer() as pbx:
            caller.call("551140009801")
            assert pbx.called_number == "551140009801"
    for caller in (both.acme, at(both.acme, other)):
        with both.first.answer():
            caller.call("552133349801")
    assert {cdr.node for cdr in both.cdrs("552133349801", 2)} == {"pbx1", "pbx2"}

    phone.secret = "secret-number-1"
    store.save(phone)
    settled(both)
    for peer in (both.stranger, at(both.stranger, other)):
        assert peer.register("office-180", "secret-number-1") == 200
        assert peer.register("office-180", "secret-number-0") in (401, 403)


@pytest.mark.parametrize("what", ["asterisk", "agent"])
def test_one_goes_on_without_the_other_which_catches_up_when_it_is_back(
    both: Carrier, other: Asterisk, its_agent: AgentProcess, phone: Extension, what: str
) -> None:
    end, begin = (other.kill, other.start) if what == "asterisk" else (its_agent.kill, its_agent.start)
    end()
    try:
        if what == "asterisk":
            is_up(both, "pbx2", up=False)
        phone.secret = "secret-number-2"
        store.save(phone)
        settled(both, "pbx1")
        assert both.stranger.register("office-180", "secret-number-2") == 200
        with both.first.answer():
            both.acme.call("552133349802")
        assert owed(both, "pbx2")
    finally:
        begin()
    other.wait_booted()
    is_up(both, "pbx2")
    settled(both)

    assert at(both.stranger, other).register("office-180", "secret-number-2") == 200
    assert at(both.stranger, other).register("office-180", "secret-number-0") in (401, 403)


@pytest.fixture
def gateway(both: Carrier) -> Iterator[Gateway]:
    """One that registers, from the first node."""
    gateway = Gateway(
        name="somewhere",
        provider_id=both.ids["provider"],
        ip_address=f"{BLOCK}.45",
        registration=True,
        username="our-account",
        password="password-of-ours",
        qualify_frequency=0,
    )
    yield gateway
    store.delete(db.session.get_one(Gateway, gateway.id))
    settled(both)


def test_a_gateway_registers_from_one_node(
    both: Carrier, asterisk: Asterisk, other: Asterisk, gateway: Gateway
) -> None:
    provider = Peer(f"{BLOCK}.45", asterisk=both.first.asterisk, workdir=both.first.workdir)
    with provider.registrar("our-account", "password-of-ours") as registrar:
        store.save(gateway)
        _moves(registrar, to=asterisk)
        settled(both)
        assert _registering(asterisk, other) == ["pbx1"]
        assert _said(registrar) == {(_port(asterisk), True)}, "only one of them spoke to it"

        gateway.node = "pbx2"
        store.save(gateway)
        _moves(registrar, to=other, away=asterisk)
        settled(both)
        assert _registering(asterisk, other) == ["pbx2"]

        operations.switch("pbx2", enabled=False)
        try:
            _moves(registrar, to=asterisk, away=other)
            settled(both)
            assert _registering(asterisk, other) == ["pbx1"]
        finally:
            operations.switch("pbx2", enabled=True)
        _moves(registrar, to=other, away=asterisk)
        settled(both)
        assert _registering(asterisk, other) == ["pbx2"]


def _moves(registrar: Answering, to: Asterisk, away: Asterisk | None = None) -> None:
    """Wait until the latest that one node said is that it registers, and the other that it does not any more."""

    def latest(node: Asterisk) -> bool | None:
        said = [register for register in registrar.registrations if _from(register.headers["Contact"]) == _port(node)]
        return said[-1].expires > 0 if said else None

    _until(lambda: latest(to) is True, "a registration")
    if away:
        _until(lambda: latest(away) is False, "an unregistration")


def _until(find: Callable[[], object], what: str) -> None:
    until(find, what, SECONDS)


def _said(registrar: Answering) -> set[tuple[str, bool]]:
    """From which ports REGISTERs came, and whether to register."""
    return {(_from(register.headers["Contact"]), register.expires > 0) for register in registrar.registrations}


def _from(contact: str) -> str:
    return contact.partition(">")[0].partition(";")[0].rpartition(":")[2]


def _port(node: Asterisk) -> str:
    return node.values["SIP_PORT"]


def _registering(*nodes: Asterisk) -> list[str]:
    """The nodes that have the registration."""
    return [node.values["NODE"] for node in nodes if "gateway-somewhere/" in node.rx("pjsip show registrations")]
