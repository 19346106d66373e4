"""A real Asterisk with its agent, on a database of its own, and a small carrier whose calls the tests place.

What is stored here is committed, for Asterisk must see it. Tests share the carrier and add what they need of their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from deploy.embedded.asterisk import Asterisk
from deploy.embedded.postgres import Postgres
from tests.calls import sip
from tests.calls.exchange import AgentProcess, prepare_database, query, running_asterisk, settings, until
from tests.calls.sip import Peer
from webapp import create_app, store
from webapp.asterisk.check import check
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route

# SIP user and secret of the phones. The first secret has what res_config_pgsql would take for its own signs.
RECEPTION = ("office-100", "se;cret^3B-100")
DESK = ("office-101", "secret-of-101")
NEXT_DOOR = ("neighbour-200", "secret-of-200")

# Peers have addresses of a block that no other run on this machine uses.
BLOCK = f"127.{20 + secrets.randbelow(200)}.{secrets.randbelow(250)}"


@pytest.fixture(scope="session")
def calls_url(cluster: Postgres, empty_database: str) -> str:
    cluster.create_database("calls", template=empty_database)
    return prepare_database(cluster, "calls")


@pytest.fixture(scope="session")
def asterisk(cluster: Postgres, calls_url: str) -> Iterator[Asterisk]:
    with running_asterisk(cluster, "calls") as asterisk:
        yield asterisk
    sip.kill_all()


@pytest.fixture(scope="session")
def agent(asterisk: Asterisk, calls_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = AgentProcess(calls_url, asterisk, tmp_path_factory.mktemp("agent") / "agent.log")
    agent.start()
    yield agent
    agent.stop()


@pytest.fixture(scope="session")
def calls_app(calls_url: str) -> Flask:
    app = create_app(settings(calls_url))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    return app


@dataclass
class Carrier:
    """The carrier of the call tests. Gateways and customers' PBXs are told apart by their loopback address."""

    url: str
    first: Peer  # The gateway that is tried first ...
    second: Peer  # ... and the one after it.
    acme: Peer  # A customer with a PBX.
    beta: Peer  # Another one.
    reception: Peer  # Phone 100 of customer office ...
    desk: Peer  # ... and its phone 101.
    next_door: Peer  # Phone 200 of customer neighbour.
    stranger: Peer
    ids: dict[str, Any]

    def settled(self) -> None:
        """Wait until the agent has done all it owes."""
        owed = "SELECT count(*) FROM outbox WHERE done_at IS NULL"
        until(lambda: query(self.url, owed)[0][0] == 0, "the outbox to be empty")

    def did(self, number: str, customer: str | None = None, destination: str | None = None) -> Did:
        """A new number, given to a customer or to nobody."""
        operations.create_range(DidRangeSchema(number=number, provider_id=self.ids["provider"]))
        did = db.session.query(Did).filter_by(number=number).one()
        if customer:
            operations.allocate(did, AllocationSchema(customer_id=self.ids[customer], destination=destination))
        return did

    def cdrs(self, number: str, count: int) -> list[Any]:
        """The call records of the legs of calls to a number, when there are as many as there should be."""
        statement = """
            SELECT * FROM asterisk.cdr WHERE number = :number AND dcontext <> 'hang-up' ORDER BY uniqueid, sequence::int
        """
        return list(
            until(
                lambda: (found := query(self.url, statement, number=number)) and len(found) >= count and found,
                f"{count} call records for {number}",
            )
        )

    def ended(self, number: str, count: int) -> list[Any]:
        """The calls to a number, when there are as many as there should be and it is known how each ended."""
        statement = "SELECT * FROM public.calls WHERE dst = :number ORDER BY id"
        return list(
            until(
                lambda: (
                    (found := query(self.url, statement, number=number))
                    and len(found) >= count
                    and None not in [call.cause for call in found]
                    and found
                ),
                f"{count} calls to {number} and how they ended",
            )
        )


@pytest.fixture(scope="session")
def _carrier(
    calls_app: Flask,
    calls_url: str,
    asterisk: Asterisk,
    agent: AgentProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Carrier:
    workdir = tmp_path_factory.mktemp("sip")
    sip_port = int(asterisk.values["SIP_PORT"])

    def peer(address: str) -> Peer:
        return Peer(address, 5060, asterisk=("127.0.0.1", sip_port), workdir=workdir)

    with calls_app.app_context():
        provider = Provider(name="Provider")
        store.save(provider)
        first = Gateway(name="first", provider_id=provider.id, ip_address=f"{BLOCK}.11", qualify_frequency=0)
        second = Gateway(
            name="second",
            provider_id=provider.id,
            ip_address=f"{BLOCK}.12",
            qualify_frequency=0,
            tech_prefix="77",
            inbound_strip=1,
            inbound_prepend="55",
        )
        acme = Customer(code="acme", name="Acme", type="trunk", trunk_ip=[f"{BLOCK}.21"], qualify_frequency=0)
        beta = Customer(code="beta", name="Beta", type="trunk", trunk_ip=[f"{BLOCK}.22"], qualify_frequency=0)
        office = Customer(code="office", name="Office", type="extension")
        neighbour = Customer(code="neighbour", name="Neighbour", type="extension")
        store.save(first, second, acme, beta, office, neighbour)
        store.save(
            Extension(customer_id=office.id, extension="100", name="João", secret=RECEPTION[1]),
            Extension(customer_id=office.id, extension="101", secret=DESK[1]),
            Extension(customer_id=neighbour.id, extension="200", secret=NEXT_DOOR[1]),
        )
        store.save(
            Route(name="all, spare", pattern="5521.", gateway_id=second.id, priority=20),
            Route(name="all", pattern="55.", gateway_id=first.id, priority=10),
        )
        ids = {
            "provider": provider.id,
            "first": first.id,
            "second": second.id,
            "acme": acme.id,
            "beta": beta.id,
            "office": office.id,
            "neighbour": neighbour.id,
        }
    until(lambda: query(calls_url, "SELECT 1 FROM nodes WHERE asterisk_up"), "the agent to sign in")
    return Carrier(
        calls_url,
        peer(f"{BLOCK}.11"),
        peer(f"{BLOCK}.12"),
        peer(f"{BLOCK}.21"),
        peer(f"{BLOCK}.22"),
        peer(f"{BLOCK}.31"),
        peer(f"{BLOCK}.32"),
        peer(f"{BLOCK}.33"),
        peer(f"{BLOCK}.99"),
        ids,
    )


@pytest.fixture
def carrier(_carrier: Carrier, calls_app: Flask, asterisk: Asterisk, agent: AgentProcess) -> Iterator[Carrier]:
    """The carrier, in an application context; afterwards Asterisk's tables must be what they should."""
    seen = [path.stat().st_size for path in (asterisk.log_path, agent.log)]
    with calls_app.app_context():
        yield _carrier
        sip.kill_all()
        # pytest shows this when the test failed.
        for path, start in zip((asterisk.log_path, agent.log), seen, strict=True):
            print(f"---- {path.name}\n{path.read_bytes()[start:].decode(errors='replace')}")
        assert check(db.session()) == []
