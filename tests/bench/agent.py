"""What the agent takes of a core while it watches many gateways, phones and calls.

python -m tests.bench agent runs this measurement alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.asterisk import Asterisk
from tests.calls import sip
from tests.calls.exchange import (
    AMI_SECRET,
    AgentProcess,
    prepare_database,
    production_postgres,
    query,
    running_asterisk,
    settings,
    until,
)
from tests.calls.sip import Peer
from webapp import create_app, store
from webapp.agent.ami import Ami
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route

GATEWAYS, PHONES, CALLS = 200, 5000, 300
SECONDS = 60
BLOCK = "127.251.0"


@dataclass(frozen=True)
class Place:
    url: str
    asterisk: Asterisk
    agent: AgentProcess
    gateway: Peer
    customer: Peer


@contextmanager
def place() -> Iterator[Place]:
    with production_postgres() as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_database("agent")
        url = prepare_database(cluster, "agent")
        app = create_app(settings(url))
        app.logger.disabled = True
        with running_asterisk(cluster, "agent", ports=4 * CALLS + 100) as asterisk, app.app_context():
            _carrier()
            asyncio.run(_register(asterisk))
            agent = AgentProcess(url, asterisk, Path(folder) / "agent.log")
            agent.start()
            sip_address = ("127.0.0.1", int(asterisk.values["SIP_PORT"]))
            try:
                until(lambda: query(url, "SELECT 1 FROM nodes WHERE asterisk_up"), "the agent", timeout=60)
                seen = "SELECT 1 FROM live_contacts HAVING count(*) >= :count"
                until(lambda: query(url, seen, count=PHONES + GATEWAYS), "the contacts", timeout=300)
                yield Place(
                    url,
                    asterisk,
                    agent,
                    Peer(f"{BLOCK}.1", asterisk=sip_address, workdir=Path(folder)),
                    Peer(f"{BLOCK}.251", asterisk=sip_address, workdir=Path(folder)),
                )
            finally:
                sip.kill_all()
                agent.stop()


def _carrier() -> None:
    provider = Provider(name="Provider")
    store.save(provider)
    store.save(
        *(
            Gateway(name=f"GW{n:03}", provider_id=provider.id, ip_address=f"{BLOCK}.{n}", qualify_frequency=60)
            for n in range(1, GATEWAYS + 1)
        )
    )
    office = Customer(code="office", name="Office", type="extension")
    store.save(office, Customer(code="acme", name="Acme", type="trunk", trunk_ip=[f"{BLOCK}.251"], qualify_frequency=0))
    for first in range(0, PHONES, 1000):
        store.save(
            *(
                Extension(customer_id=office.id, extension=str(10000 + n), secret=f"secret-of-{n:05}")
                for n in range(first, first + 1000)
            )
        )
    gateway = db.session.query(Gateway).filter_by(name="GW001").one()
    store.save(Route(name="all", pattern="55.", gateway_id=gateway.id, priority=1))


async def _register(asterisk: Asterisk) -> None:
    """As if each phone had registered: Asterisk keeps contacts in its own small database."""
    link = Ami(
        "127.0.0.1",
        int(asterisk.values["AMI_PORT"]),
        "agent",
        AMI_SECRET,
        on_event=None,
        on_state=lambda *_: None,
    )
    link.start()
    while not link.connected:
        await asyncio.sleep(0.1)
    for n in range(PHONES):
        name = f"office-{10000 + n}"
        contact = {
            "via_addr": "127.252.0.1",
            "via_port": str(1024 + n),
            "uri": f"sip:{name}@127.252.0.1:{1024 + n}",
            "endpoint": name,
            "user_agent": "A phone of a well-known make 1.2.3.4",
            "expiration_time": str(int(time.time()) + 86400),
            "reg_server": asterisk.values["NODE"],
        }
        key = f"{name};@{n:032x}"
        await link.call(
            {"Action": "DBPut", "Family": "registrar/contact", "Key": key, "Val": json.dumps(contact)}, timeout=30
        )
    link.close()


def _cpu(pid: int) -> float:
    """Seconds that a process has worked so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _shares(place: Place) -> tuple[float, float]:
    """Percent of one core that agent and Asterisk take for a while."""
    assert place.agent.process
    pids = (place.agent.process.pid, place.asterisk.pid or 0)
    before = [_cpu(pid) for pid in pids]
    time.sleep(SECONDS)
    agent, asterisk = (100 * (_cpu(pid) - cpu) / SECONDS for pid, cpu in zip(pids, before, strict=True))
    return agent, asterisk


def main() -> None:
    head = f"Percent of a core: {GATEWAYS} gateways, {PHONES} phones"
    print(f"{head:<64}{'agent':>10}{'Asterisk':>10}")
    with place() as here:
        time.sleep(10)
        print("{:<64}{:>10.1f}{:>10.1f}".format("no calls", *_shares(here)), flush=True)
        hold = SECONDS
        rate = CALLS // hold + 1
        with (
            here.gateway.answer(expect_calls=CALLS),
            here.customer.traffic(
                "55213335[call_number]", "551140001234", rate=rate, calls=rate * (2 * hold + 20), hold=hold
            ),
        ):
            time.sleep(hold + 5)
            print("{:<64}{:>10.1f}{:>10.1f}".format(f"{CALLS} calls and more at once", *_shares(here)), flush=True)
            [[calls]] = query(here.url, "SELECT count(*) FROM live_channels")
            print(f"({calls} calls seen at its end)")


if __name__ == "__main__":
    main()
