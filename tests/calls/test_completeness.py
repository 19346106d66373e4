"""Every call is in the books exactly once, whatever went away while it was made."""

from __future__ import annotations

import re
import time
from collections import Counter

from deploy.embedded.asterisk import Asterisk
from deploy.embedded.postgres import Postgres
from tests.calls.conftest import BLOCK, DESK, Carrier
from tests.calls.exchange import AgentProcess, query, until
from tests.calls.sip import Peer, user_part
from webapp import store
from webapp.agent import journal
from webapp.ext import db
from webapp.gateways.models import Gateway


def test_the_journal_holds_what_asterisk_stores(carrier: Carrier, asterisk: Asterisk) -> None:
    """Field by field, so that a call comes to the same whichever way it came."""
    carrier.did("551140000700", "acme")
    with carrier.first.answer(), carrier.acme.answer():
        carrier.desk.call("552133337001", auth=DESK)
        carrier.first.call("551140000700")
    with carrier.first.refuse(503), carrier.second.refuse(486):
        carrier.acme.call("552133337002", expect=486)
    carrier.acme.call("0", expect=404)
    carrier.cdrs("552133337002", 2)

    names = ", ".join(f'"{name}"' for name in journal.FIELDS)
    rows = query(carrier.url, f"SELECT {names} FROM asterisk.cdr WHERE node = 'pbx1' ORDER BY id")  # noqa: S608 - ours
    stored = {(row.uniqueid, row.sequence): dict(row._mapping) for row in rows}
    data = asterisk.journal_path.read_bytes()
    [*pieces] = journal._pieces("pbx1", data, at_the_end=True, settled=True)
    written = {journal._key(record): record for piece in pieces for record in piece.records}

    assert all(piece.clean for piece in pieces)
    assert len(stored) >= 5
    for key, row in stored.items():
        assert {name: row[name] for name in written[key]} == written[key]


# ---- what goes away while calls are made

RATE, SECONDS, HOLD = 4, 20, 2.0


class Traffic:
    """Calls in to a customer and out to a provider, several a second, each told apart by a number of its own."""

    def __init__(self, carrier: Carrier, mark: str, rate: int = RATE, seconds: int = SECONDS) -> None:
        self.carrier = carrier
        self.began = time.monotonic()
        self.inward = f"5511{mark}"  # The callers' numbers, and ...
        self.outward = f"5521{mark}"  # ... the numbers called.
        did = f"5511{mark}0000"
        carrier.did(did, "acme")
        db.session.remove()  # What the test itself holds open would not outlive the database.
        db.engine.dispose()
        self.called = [carrier.acme.answer(), carrier.first.answer()]
        shape = {"rate": rate, "calls": rate * seconds, "hold": HOLD}
        self.callers = [
            carrier.first.traffic(did, f"{self.inward}[call_number]", **shape),  # type: ignore[arg-type]  # it fits
            carrier.acme.traffic(f"{self.outward}[call_number]", did, **shape),  # type: ignore[arg-type]  # it fits
        ]

    def until_second(self, seconds: float) -> None:
        """Wait until it has gone on for so long."""
        time.sleep(max(0, self.began + seconds - time.monotonic()))

    def answered(self) -> set[str]:
        """Wait for the end of it; the numbers of the calls that were answered, as the callers saw it."""
        found = set()
        for caller in self.callers:
            caller.process.wait(90)
            for message in caller.messages:
                if not message.sent and message.status == 200 and message.method == "INVITE":
                    numbers = (message.caller_number, user_part(str(message.headers["To"])))
                    found |= {number for number in numbers if number.startswith((self.inward, self.outward))}
        for party in (*self.callers, *self.called):
            party.stop()
        return found - {f"{self.inward}0000"}

    def in_the_books(self) -> Counter[str]:
        """How often each of its answered calls is among the calls."""
        rows = query(
            self.carrier.url,
            "SELECT CASE direction WHEN 'inbound' THEN src ELSE dst END AS number FROM calls "
            "WHERE answered_at IS NOT NULL AND direction IN ('inbound', 'outbound')",
        )
        return Counter(row.number for row in rows if row.number.startswith((self.inward, self.outward)))


def all_are_there_once(traffic: Traffic) -> None:
    answered = traffic.answered()
    assert len(answered) > RATE * SECONDS  # Half of them, at least.
    until(lambda: answered <= set(traffic.in_the_books()), "every answered call to be in the books", 90)
    assert set(traffic.in_the_books().values()) == {1}
    assert query(traffic.carrier.url, "SELECT * FROM unrated_cdrs") == []


def test_the_database_is_killed_during_traffic(carrier: Carrier, cluster: Postgres) -> None:
    """Calls in progress go on, and those that end while it is away are in the books once it is back."""
    traffic = Traffic(carrier, "7010")
    traffic.until_second(4)
    cluster.kill()
    traffic.until_second(10)
    cluster.start()

    all_are_there_once(traffic)

    recovered = query(carrier.url, "SELECT sum(calls) AS calls, sum(recovered) AS recovered FROM journal_days")[0]
    assert recovered.recovered > RATE  # It was worth it.


def test_asterisk_and_the_agent_start_while_the_database_is_away(
    carrier: Carrier, cluster: Postgres, asterisk: Asterisk, agent: AgentProcess
) -> None:
    """The journal has what could not be stored. With the database back all is as if it had never been away."""
    registrar = Peer(f"{BLOCK}.46", asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    gateway = Gateway(
        name="registers-late",
        provider_id=carrier.ids["provider"],
        ip_address=f"{BLOCK}.46",
        registration=True,
        username="our-account",
        password="password-of-ours",
        qualify_frequency=30,
    )
    store.save(gateway)
    gateway_id = gateway.id
    traffic = Traffic(carrier, "7020")
    traffic.until_second(3)
    cluster.kill()
    agent.stop()
    asterisk.restart()
    agent.start()
    with registrar.registrar("our-account", "password-of-ours") as provider:
        cluster.start()
        provider.wait_for_registration(60)
        provider.wait_for("OPTIONS", 60)
        all_are_there_once(traffic)
    with carrier.first.answer():
        carrier.acme.call("552133337020")
    carrier.cdrs("552133337020", 1)
    assert re.search("Wrote [1-9]", asterisk.rx("cdr show pgsql status")), "Asterisk itself stores calls again"
    store.delete(db.session.get_one(Gateway, gateway_id))
    carrier.settled()
