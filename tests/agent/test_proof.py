"""What an agent answers when it is asked for a proof: differences, how far it is, or why it does not know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deploy.embedded.postgres import Postgres
from tests.agent.fake_ami import SECRET, FakeAmi, Step, error
from tests.agent.test_outbox import CANARY, NO_CANARY, contacts, read, until, write
from webapp.agent import database, proof
from webapp.agent.ami import Ami
from webapp.asterisk.projection.sip import identify_id
from webapp.asterisk.sync import Values

DETAILS = "Response: Success\nActionID: {id}\nEventList: start\nMessage: Following are Events"
COMPLETE = "Event: Complete\nActionID: {id}\nEventList: Complete"


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("proof", template=empty_database)
    yield cluster.url("proof")
    cluster.drop_database("proof")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """With one customer's trunk in it."""
    engine = database.engine(url, "pbx1")
    write(engine, "DELETE FROM nodes; TRUNCATE sync_checks, outbox; DELETE FROM customers")
    write(engine, "INSERT INTO nodes (name) VALUES ('pbx1')")
    write(engine, "INSERT INTO customers (code, name, type, trunk_ip) VALUES ('acme', 'Acme', 'trunk', '{10.0.0.1}')")
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "AGAIN_SECONDS", "SETTLING_SECONDS", "TELL_SECONDS"):
        monkeypatch.setattr(proof, name, 0.01)


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAmi]:
    """It can read the database, and knows nothing of anything."""
    fake = FakeAmi()
    fake.answers |= {
        "Command": CANARY,
        "DBGetTree": contacts(),
        "PJSIPShowEndpoint": error("Unable to retrieve endpoint trunk-acme"),
        "PJSIPShowRegistrationsOutbound": [DETAILS, COMPLETE],
    }
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def ami(asterisk: FakeAmi) -> AsyncIterator[Ami]:
    link = Ami("127.0.0.1", asterisk.port, "agent", SECRET, on_event=None, on_state=lambda *_: None)
    task = link.start()
    await until(lambda: link.connected)
    yield link
    link.close()
    await asyncio.wait([task], timeout=5)


async def answered(engine: Engine, ami: Ami) -> Any:
    """Ask, and let the agent answer."""
    write(engine, "INSERT INTO sync_checks (node, asked_by) VALUES ('pbx1', 'olga'), ('pbx2', 'olga')")
    task = asyncio.create_task(proof.watch(engine, "pbx1", ami))
    try:
        await until(lambda: finished(engine) == ["pbx1"])
    finally:
        task.cancel()
    [answer] = read(engine, "SELECT error, differences, findings FROM sync_checks WHERE node = 'pbx1'")
    return answer


def finished(engine: Engine) -> list[str]:
    return [node for (node,) in read(engine, "SELECT node FROM sync_checks WHERE finished_at IS NOT NULL")]


async def test_an_asterisk_that_knows_nothing_lacks_all(engine: Engine, ami: Ami) -> None:
    reason, count, findings = await answered(engine, ami)

    assert (reason, count) == ("", 3)
    assert [(each["table"], each["key"], each["what"]) for each in findings] == [
        ("ps_endpoints", "trunk-acme", "missing"),
        ("ps_aors", "trunk-acme", "missing"),
        ("ps_endpoint_id_ips", identify_id("trunk-acme"), "missing"),
    ]


async def test_what_is_well_the_second_time_is_not_told(engine: Engine, ami: Ami, asterisk: FakeAmi) -> None:
    """Somebody has saved while it looked."""

    class Once(list[Step]):
        """Answers a stale contact, and afterwards none."""

        def __iter__(self) -> Iterator[Step]:
            asterisk.answers["DBGetTree"] = contacts()
            return super().__iter__()

    write(engine, "DELETE FROM customers")
    asterisk.answers["DBGetTree"] = Once(contacts("gone;@1"))

    assert await answered(engine, ami) == ("", 0, [])
    assert len(asterisk.actions("DBGetTree")) == 2


@pytest.mark.parametrize("answers", [0, 1, 13], ids=["before", "meanwhile", "when it looked again"])
async def test_with_the_database_away_nothing_is_said_to_be_missing(
    engine: Engine, ami: Ami, asterisk: FakeAmi, answers: int
) -> None:
    later = iter([CANARY] * answers)

    class Commands(list[Step]):
        def __iter__(self) -> Iterator[Step]:
            return iter(next(later, NO_CANARY))

    asterisk.answers["Command"] = Commands()

    assert await answered(engine, ami) == ("Asterisk cannot read the database", 0, [])


async def test_with_asterisk_away_it_says_so(engine: Engine, ami: Ami, asterisk: FakeAmi) -> None:
    await asterisk.stop()
    await until(lambda: not ami.connected)

    reason, count, findings = await answered(engine, ami)

    assert (count, findings) == (0, [])
    assert "connect" in reason or "connection" in reason


async def test_what_it_may_not_ask_is_not_taken_for_missing(engine: Engine, ami: Ami, asterisk: FakeAmi) -> None:
    asterisk.answers["PJSIPShowEndpoint"] = error("Permission denied")

    assert await answered(engine, ami) == ("Permission denied", 0, [])


async def test_who_asks_again_meanwhile_is_answered_anew(engine: Engine, ami: Ami) -> None:
    write(engine, "INSERT INTO sync_checks (node, asked_by) VALUES ('pbx1', 'olga')")
    scope, asked_at = proof._asked(engine, "pbx1") or ("", None)
    write(engine, "UPDATE sync_checks SET asked_at = clock_timestamp()")
    assert asked_at

    await proof.answer(engine, "pbx1", ami, scope, asked_at)

    assert finished(engine) == []


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["trunk-acme"], []),
        (["trunk-acme", "stray"], ["stray"]),
        (["trunk-acme", "a-name-of-exactly-25-signs"[:25]], ["a-name-of-exactly-25-sign…"]),
        (["trunk-acme", "gateway-gone"], ["gateway-gone"]),
        ([], []),  # It is read when it is needed.
    ],
)
def test_what_is_left_in_a_cache(names: list[str], left: list[str]) -> None:
    expected = proof.Expected({"ps_aors": {"trunk-acme": ("", {})}, "ps_auths": {}}, {}, frozenset(), everything=True)
    head = "Object Name               Stale In        Expires In      \n" + "-" * 25 + " " + "-" * 15
    dump = "\n".join([head, *(f"{name:25} 0               0               " for name in names), "-" * 25, "Total: 1"])

    assert [finding.key for finding in proof._left_in_cache(expected, "ps_aors", dump)] == left
    if names == ["trunk-acme", "gateway-gone"]:  # Its account was needed to unregister with.
        assert [finding.key for finding in proof._left_in_cache(expected, "ps_auths", dump)] == ["trunk-acme"]


def test_two_long_names_that_a_cache_shows_alike_are_counted() -> None:
    first, second = "gateway-with-a-long-name-of-spain", "gateway-with-a-long-name-of-spanish-town"
    expected = proof.Expected({"ps_aors": {first: ("", {})}}, {}, frozenset(), everything=True)
    dump = "\n".join(f"{name[:25]:25} 0               0               " for name in (first, second))

    assert [finding.key for finding in proof._left_in_cache(expected, "ps_aors", dump)] == [f"{first[:25]}…"]
    known = proof.Expected({"ps_aors": {first: ("", {}), second: ("", {})}}, {}, frozenset(), everything=True)
    assert list(proof._left_in_cache(known, "ps_aors", dump)) == []


def test_a_registration_is_missed_only_where_it_belongs() -> None:
    rows: dict[str, dict[str, tuple[str, Values]]] = {"ps_registrations": {"here": ("", {}), "elsewhere": ("", {})}}
    expected = proof.Expected(rows, {}, frozenset(["here"]), everything=True)

    found = proof._both_ways(expected, "ps_registrations", {"stray": {}}, expected.registering)
    assert [(each.key, each.what) for each in found] == [("here", "missing"), ("stray", "left_over")]


def test_which_registrations_are_a_node_s(engine: Engine) -> None:
    """Those that name it, and if it is the first one those that name none."""
    write(engine, "INSERT INTO nodes (name) VALUES ('pbx2')")
    with Session(engine) as session:
        found = {
            node: [proof._registers(session, node, {"node": named}) for named in (None, "pbx1", "pbx2")]
            for node in ("pbx1", "pbx2")
        }
    assert found == {"pbx1": [True, True, False], "pbx2": [False, False, True]}
