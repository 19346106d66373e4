"""What is owed to a node's Asterisk is done, exactly that is marked as done, and nobody's absence loses any of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from deploy.embedded.postgres import Postgres
from tests.agent.fake_ami import SECRET, FakeAmi, Step, error, success
from tests.calls.exchange import SECRET_KEY
from webapp.agent import database, main, outbox
from webapp.agent.ami import Ami
from webapp.agent.main import Agent
from webapp.asterisk.reloads import Order
from webapp.config import AgentSettings
from webapp.nodes.operations import START_AFRESH

CANARY = [
    "Response: Success\nActionID: {id}\nMessage: Command output follows\n"
    "Output:               Column Name  Column Value\nOutput: --------------------  ------------\n"
    "Output:                        id  1"
]
NO_CANARY = [
    "Response: Success\nActionID: {id}\nMessage: Command output follows\n"
    "Output: No rows found matching search criteria."
]
STARTED = "Response: Success\nActionID: {{id}}\nCoreStartupDate: 2026-01-01\nCoreStartupTime: {}\nCoreReloadDate: x"
NOT_CACHED = error("The provided object could not be expired from the cache")


def contacts(*names: str) -> list[Step]:
    """What Asterisk keeps of phones that registered."""
    events = [f"Event: DBGetTreeResponse\nActionID: {{id}}\nKey: /registrar/contact/{name}\nVal: x" for name in names]
    begin = "Response: Success\nActionID: {id}\nEventList: start\nMessage: Result will follow"
    return [begin, *events, "Event: DBGetTreeComplete\nActionID: {id}\nEventList: Complete"]


# What start_afresh() says to an Asterisk whose database has no objects but the canary's.
AFRESH = [
    "expire all endpoint",
    "expire all auth",
    "expire all aor",
    "populate identify",
    "reload res_pjsip_outbound_registration.so",
    "reload res_pjsip.so",
]


class Asterisk(FakeAmi):
    """One that does all it is told, and remembers it in a few words."""

    def __init__(self) -> None:
        super().__init__()
        self.answers |= {
            "Command": CANARY,
            "CoreStatus": [STARTED.format("10:00:00")],
            "ModuleLoad": success("Module loaded."),
            "DBDel": success("Key deleted successfully"),
            "DBGetTree": contacts(),
            "Getvar": success("Variable read"),
            "Reload": success("Module Reloaded"),
            "SorceryMemoryCacheExpire": success("All objects expired"),
            "SorceryMemoryCacheExpireObject": success("The provided object was expired from the cache"),
            "SorceryMemoryCachePopulate": success("The provided cache was populated"),
        }

    def told(self) -> list[str]:
        """The actions that came in, without those that change nothing."""
        return [words for action in self.received if (words := _words(action))]


def _words(action: dict[str, list[str]]) -> str:
    values = {name: value[0] for name, value in action.items()}
    match values["Action"]:
        case "SorceryMemoryCacheExpireObject":
            return f"expire {values['Cache']} {values['Object']}"
        case "SorceryMemoryCacheExpire":
            return f"expire all {values['Cache']}"
        case "SorceryMemoryCachePopulate":
            return f"populate {values['Cache']}"
        case "ModuleLoad":
            return f"{values['LoadType']} {values['Module']}"
        case "Reload":
            return f"reload {values['Module']}"
        case "Getvar":
            return f"read {values['Variable']}"
        case "DBDel":
            return f"forget {values['Key']}"
        case "Command" if not values["Command"].startswith(("realtime load", "core ", "cdr show")):
            return values["Command"]
    return ""


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    """A database of its own, for what wakes an agent is a commit."""
    cluster.create_database("agent", template=empty_database)
    yield cluster.url("agent")
    cluster.drop_database("agent")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The agent's; two nodes are in the books."""
    engine = database.engine(url, "pbx1")
    write(engine, "DELETE FROM nodes")
    write(engine, "TRUNCATE outbox, asterisk.ps_endpoints, asterisk.ps_auths, asterisk.ps_aors")
    write(engine, "INSERT INTO nodes (name) VALUES ('pbx1'), ('pbx2')")
    yield engine
    engine.dispose()


@pytest.fixture
async def asterisk() -> AsyncIterator[Asterisk]:
    fake = Asterisk()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def ami(asterisk: Asterisk) -> AsyncIterator[Ami]:
    """A link that is up."""
    link = Ami("127.0.0.1", asterisk.port, "agent", SECRET, on_event=None, on_state=lambda *_: None)
    task = link.start()
    await until(lambda: link.connected)
    yield link
    await second_expiries()
    link.close()
    await asyncio.wait([task], timeout=5)


class Moment:
    """The time before a second expiry: it is over when the test says so."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def __call__(self) -> None:
        await self.over.wait()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are for real life."""
    monkeypatch.setattr(outbox, "_moment", Moment())
    monkeypatch.setattr(main, "TICK_SECONDS", 0.3)
    monkeypatch.setattr(main, "RETRY_SECONDS", 0.05)


async def second_expiries() -> None:
    """Let them happen."""
    cast(Moment, outbox._moment).over.set()
    async with asyncio.timeout(20):
        while outbox._tasks:
            await asyncio.gather(*outbox._tasks)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


def write(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def read(engine: Engine, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def owe(engine: Engine, *orders: str, node: str = "pbx1") -> None:
    """Put orders into the outbox, as "action object"."""
    for order in orders:
        action, _, name = order.partition(" ")
        write(
            engine,
            "INSERT INTO outbox (node, action, object) VALUES (:node, :action, :object)",
            node=node,
            action=action,
            object=name,
        )


def owed(engine: Engine, node: str = "pbx1") -> list[str]:
    statement = "SELECT trim(action || ' ' || object) FROM outbox WHERE node = :node AND done_at IS NULL ORDER BY id"
    return [row[0] for row in read(engine, statement, node=node)]


# ---- orders and what Asterisk is told


TOLD = {
    "expire_endpoint x": ["expire endpoint x"],
    "expire_auth x": ["expire auth x"],
    "expire_aor x": ["expire aor x"],
    "refresh_endpoint x": ["expire endpoint x", "read AST_SORCERY(res_pjsip,endpoint,x,context)"],
    "refresh_auth x": ["expire auth x", "read AST_SORCERY(res_pjsip,auth,x,username)"],
    "refresh_aor x": ["expire aor x", "read AST_SORCERY(res_pjsip,aor,x,max_contacts)"],
    "qualify x": ["pjsip reload qualify aor x"],
    "reload_qualify": ["reload res_pjsip.so"],
    "populate_identify": ["populate identify"],
    "reload_registrations": ["reload res_pjsip_outbound_registration.so"],
    "start_afresh": AFRESH,
    "forget_contacts": [],  # There are none.
}


@pytest.mark.parametrize("order", TOLD)
async def test_each_order(engine: Engine, ami: Ami, asterisk: Asterisk, order: str) -> None:
    owe(engine, order)

    assert await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == TOLD[order]
    assert owed(engine) == []


def test_every_order_there_is_was_tried_above() -> None:
    assert {order.split()[0] for order in TOLD} == set(outbox.ACTIONS)


# ---- delivery


async def test_equal_orders_are_carried_out_once_and_all_marked(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    owe(engine, "populate_identify", "expire_auth x", "populate_identify", "expire_auth y", "expire_auth x")

    assert await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == ["populate identify", "expire auth x", "expire auth y"]
    assert owed(engine) == []
    assert read(engine, "SELECT count(*) FROM outbox WHERE done_at IS NOT NULL AND error = ''") == [(5,)]


async def test_only_its_own_node_is_served(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    owe(engine, "expire_auth mine")
    owe(engine, "expire_auth theirs", node="pbx2")

    await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == ["expire auth mine"]
    assert owed(engine, "pbx2") == ["expire_auth theirs"]


async def test_an_equal_order_that_is_added_meanwhile_is_carried_out_as_well(
    engine: Engine, ami: Ami, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row may have changed again after Asterisk read it."""
    owe(engine, "expire_auth x")
    carry_out = outbox.carry_out

    async def meanwhile(ami: Ami, order: Order) -> None:
        await carry_out(ami, order)
        monkeypatch.setattr(outbox, "carry_out", carry_out)
        await asyncio.to_thread(owe, engine, "expire_auth x")

    monkeypatch.setattr(outbox, "carry_out", meanwhile)
    await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told().count("expire auth x") == 2
    assert owed(engine) == []


async def test_an_order_committed_late_with_an_earlier_number_is_not_lost(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    """Ids are given out before the commit, so "all up to this one" would be wrong."""
    with engine.connect() as slow:
        slow.execute(text("INSERT INTO outbox (node, action, object) VALUES ('pbx1', 'expire_auth', 'late')"))
        owe(engine, "expire_auth early")
        await outbox.deliver(engine, "pbx1", ami)
        slow.commit()
    assert owed(engine) == ["expire_auth late"]

    await outbox.deliver(engine, "pbx1", ami)

    assert {"expire auth early", "expire auth late"} <= set(asterisk.told())
    assert owed(engine) == []


async def test_more_than_a_batch(engine: Engine, ami: Ami, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    owe(engine, *(f"expire_auth {n}" for n in range(10)))

    assert await outbox.deliver(engine, "pbx1", ami)

    assert list(dict.fromkeys(asterisk.told())) == [f"expire auth {n}" for n in range(10)]
    assert owed(engine) == []


async def test_a_refused_order_stays_owed_with_the_reason_and_the_others_are_done(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    asterisk.answers["Reload"] = error("A module reload request is already in progress; please be patient")
    owe(engine, "expire_auth x", "reload_registrations", "expire_auth y")

    assert not await outbox.deliver(engine, "pbx1", ami)

    assert owed(engine) == ["reload_registrations"]
    [(reason,)] = read(engine, "SELECT error FROM outbox WHERE done_at IS NULL")
    assert reason == "A module reload request is already in progress; please be patient"
    assert {"expire auth x", "expire auth y"} <= set(asterisk.told())

    asterisk.answers["Reload"] = success("Module Reloaded")
    assert await outbox.deliver(engine, "pbx1", ami)
    assert read(engine, "SELECT count(*) FROM outbox WHERE done_at IS NULL OR error <> ''") == [(0,)]


async def test_what_asterisk_has_not_cached_needs_no_expiry(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    asterisk.answers["SorceryMemoryCacheExpireObject"] = NOT_CACHED
    owe(engine, "expire_auth x", "refresh_endpoint y")

    assert await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == ["expire auth x", "expire endpoint y", "read AST_SORCERY(res_pjsip,endpoint,y,context)"]
    assert owed(engine) == []


async def test_an_expiry_that_the_agent_is_not_allowed_is_not_done(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    """With the wrong classes in manager.conf nothing would ever reach Asterisk, and nobody would know."""
    asterisk.answers["SorceryMemoryCacheExpireObject"] = error("Permission denied")
    owe(engine, "expire_auth x")

    assert not await outbox.deliver(engine, "pbx1", ami)

    assert owed(engine) == ["expire_auth x"]


async def test_an_order_that_this_agent_does_not_know_stops_no_other(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    """The web may be newer than the agent for a while."""
    owe(engine, "dance x", "expire_auth y")

    assert not await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == ["expire auth y"]
    assert owed(engine) == ["dance x"]


async def test_without_a_link_everything_stays_owed(engine: Engine, asterisk: Asterisk, ami: Ami) -> None:
    await asterisk.stop()
    await until(lambda: not ami.connected)
    owe(engine, "expire_auth x", "populate_identify")

    assert not await outbox.deliver(engine, "pbx1", ami)

    assert owed(engine) == ["expire_auth x", "populate_identify"]
    assert read(engine, "SELECT count(*) FROM outbox WHERE error = ''") == [(0,)]


# ---- Asterisk cannot read the database


@pytest.mark.parametrize("order", ["populate_identify", "reload_registrations", "reload_qualify"])
async def test_nothing_reads_a_whole_table_while_the_canary_cannot_be_read(
    engine: Engine, ami: Ami, asterisk: Asterisk, order: str
) -> None:
    """Asterisk would take it for an empty table and forget all it knows."""
    asterisk.answers["Command"] = NO_CANARY
    owe(engine, order, "expire_auth x")

    assert not await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == ["expire auth x"]
    assert owed(engine) == [order]
    assert read(engine, "SELECT error FROM outbox WHERE done_at IS NULL") == [("Asterisk cannot read the database",)]

    asterisk.answers["Command"] = CANARY
    assert await outbox.deliver(engine, "pbx1", ami)
    assert owed(engine) == []


async def test_nothing_leaves_a_cache_that_could_not_be_read_again(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    """Without its database Asterisk lives on what is in its caches; an endpoint that is not there is a stranger."""
    asterisk.answers["Command"] = NO_CANARY
    owe(engine, "refresh_endpoint x")

    assert not await outbox.deliver(engine, "pbx1", ami)
    await second_expiries()

    assert asterisk.told() == []
    assert owed(engine) == ["refresh_endpoint x"]


async def test_a_canary_that_is_not_itself_is_none(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    asterisk.answers["Command"] = [CANARY[0].replace("id  1", "id  2")]
    owe(engine, "populate_identify")

    assert not await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == []


async def test_caches_are_not_emptied_while_the_canary_cannot_be_read(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    asterisk.answers["Command"] = NO_CANARY

    with pytest.raises(outbox.DatabaseAway):
        await outbox.start_afresh(engine, "pbx1", ami)

    assert asterisk.told() == []


# ---- contacts


async def test_the_contacts_of_phones_that_are_gone_are_forgotten_and_no_others(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    write(engine, "INSERT INTO asterisk.ps_aors (id) VALUES ('a-1')")
    asterisk.answers["DBGetTree"] = contacts("a-1;@11", "gone;@22", "gone;@33", "a-12;@44")
    owe(engine, "forget_contacts")

    assert await outbox.deliver(engine, "pbx1", ami)

    assert asterisk.told() == ["forget contact/gone;@22", "forget contact/gone;@33", "forget contact/a-12;@44"]
    assert owed(engine) == []


# ---- the second expiry


async def test_every_expiry_is_done_once_more(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    """A lookup that read the old row before the commit may put it into the cache after the first expiry."""
    owe(engine, "expire_auth x", "refresh_aor y", "populate_identify")

    await outbox.deliver(engine, "pbx1", ami)
    first = asterisk.told()
    await second_expiries()

    assert first == [
        "expire auth x",
        "expire aor y",
        "read AST_SORCERY(res_pjsip,aor,y,max_contacts)",
        "populate identify",
    ]
    assert asterisk.told()[len(first) :] == first[:3]


def test_the_second_expiry_is_later_than_any_lookup_may_last() -> None:
    """The role's statement_timeout is 2 s (schema/sql/role.sql)."""
    assert outbox.SECOND_EXPIRY_SECONDS >= 2


async def test_a_second_expiry_without_a_link_harms_nobody(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    owe(engine, "expire_auth x")
    await outbox.deliver(engine, "pbx1", ami)
    await asterisk.stop()

    await second_expiries()


# ---- the agent


@pytest.fixture
async def agent(engine: Engine, url: str, asterisk: Asterisk) -> AsyncIterator[Agent]:
    """One that runs, with an Asterisk that it has greeted."""
    settings = AgentSettings(
        database_url=url,
        secret_key=SecretStr(SECRET_KEY),
        node="pbx1",
        ami_port=asterisk.port,
        ami_secret=SecretStr(SECRET),
        _env_file=None,
    )
    agent = Agent(settings, engine)
    agent.ami._backoff = 0.02
    task = asyncio.create_task(agent.run())
    yield agent
    assert not task.done(), "the agent ended by itself"
    await second_expiries()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_at_its_start_it_signs_in_and_has_the_caches_begin_afresh(
    agent: Agent, engine: Engine, asterisk: Asterisk
) -> None:
    await until(lambda: agent.started)

    assert asterisk.told() == AFRESH
    await until(lambda: database.is_up(engine, "pbx1") == (True, "pbx1 is up."))


async def test_what_the_caches_hold_is_read_anew_so_that_they_are_warm(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    write(engine, "INSERT INTO asterisk.ps_endpoints (id) VALUES ('a'), ('b')")
    write(engine, "INSERT INTO asterisk.ps_aors (id) VALUES ('a')")
    write(engine, "INSERT INTO asterisk.ps_auths (id) VALUES ('b')")

    await outbox.start_afresh(engine, "pbx1", ami)

    assert asterisk.told()[: len(AFRESH)] == AFRESH
    assert {words for words in asterisk.told() if words.startswith("read ")} == {
        "read AST_SORCERY(res_pjsip,endpoint,a,context)",
        "read AST_SORCERY(res_pjsip,endpoint,b,context)",
        "read AST_SORCERY(res_pjsip,aor,a,max_contacts)",
        "read AST_SORCERY(res_pjsip,auth,b,username)",
    }


REFUSED = "Response: Error\nActionID: {id}\nMessage: Command output follows\nOutput: No such command"
STORING = "Response: Success\nActionID: {id}\nMessage: Command output follows\nOutput: Connected to x"
NOT_STORING = "Response: Success\nActionID: {id}\nMessage: Command output follows\nOutput: Not currently connected to"


@pytest.mark.parametrize(
    ("status", "told"),
    [(REFUSED, ["load cdr_pgsql.so"]), (NOT_STORING, ["refresh cdr_pgsql.so"]), (STORING, [])],
)
async def test_calls_are_stored_as_soon_as_the_database_can_be_read(
    engine: Engine, ami: Ami, asterisk: Asterisk, status: str, told: list[str]
) -> None:
    """What stores them reads the columns when it is loaded, and drops every call if it could not."""
    asterisk.commands["cdr show pgsql status"] = [status]
    await outbox.start_afresh(engine, "pbx1", ami)

    assert [words for words in asterisk.told() if words.endswith("cdr_pgsql.so")] == told


async def test_that_calls_cannot_be_stored_keeps_nobody_from_work(engine: Engine, ami: Ami, asterisk: Asterisk) -> None:
    asterisk.commands["cdr show pgsql status"] = [REFUSED]
    asterisk.answers["ModuleLoad"] = error("Could not load module.")
    await outbox.start_afresh(engine, "pbx1", ami)

    assert asterisk.told()[-1] == "reload res_pjsip.so"


async def test_a_commit_wakes_it_at_once(
    agent: Agent, engine: Engine, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: agent.started)
    monkeypatch.setattr(main, "TICK_SECONDS", 60.0)
    await asyncio.sleep(0.5)  # Until the last short pause is over.

    await asyncio.to_thread(owe, engine, "expire_auth x")
    await until(lambda: owed(engine) == [])  # It gives up after half a tick.

    assert "expire auth x" in asterisk.told()


async def test_a_mere_reconnect_empties_no_cache(agent: Agent, engine: Engine, asterisk: Asterisk) -> None:
    await until(lambda: agent.started)
    await asterisk.stop()
    await until(lambda: not agent.ami.connected)
    await asyncio.to_thread(owe, engine, "expire_auth x")

    await asterisk.start()
    await until(lambda: owed(engine) == [])
    await second_expiries()

    assert asterisk.told() == [*AFRESH, "expire auth x", "expire auth x"]


async def test_an_asterisk_that_was_started_anew_begins_afresh(
    agent: Agent, engine: Engine, asterisk: Asterisk
) -> None:
    await until(lambda: agent.started)
    await asterisk.stop()
    asterisk.answers["CoreStatus"] = [STARTED.format("11:11:11")]

    await asterisk.start()
    await until(lambda: agent.started.endswith("11:11:11"))

    assert asterisk.told() == AFRESH * 2


async def test_a_node_that_was_deleted_and_comes_back_begins_afresh(
    agent: Agent, engine: Engine, asterisk: Asterisk
) -> None:
    """Nobody kept for it what was saved meanwhile."""
    await until(lambda: agent.started)
    await until(lambda: asterisk.told() == AFRESH)

    write(engine, "DELETE FROM nodes WHERE name = 'pbx1'")
    await until(lambda: asterisk.told() == AFRESH * 2)

    assert read(engine, "SELECT enabled FROM nodes WHERE name = 'pbx1'") == [(True,)]


async def test_to_begin_afresh_comes_first_and_stays_owed_until_it_succeeds(
    engine: Engine, ami: Ami, asterisk: Asterisk
) -> None:
    owe(engine, "expire_auth x", START_AFRESH)
    asterisk.answers["Command"] = NO_CANARY
    with pytest.raises(outbox.DatabaseAway):
        await outbox.deliver(engine, "pbx1", ami)
    assert asterisk.told() == []
    assert owed(engine) == ["expire_auth x", "start_afresh"]

    asterisk.answers["Command"] = CANARY
    assert await outbox.deliver(engine, "pbx1", ami)
    assert asterisk.told() == [*AFRESH, "expire auth x"]
    assert owed(engine) == []


async def test_to_begin_afresh_is_tried_until_it_succeeds(
    engine: Engine, url: str, asterisk: Asterisk, agent: Agent
) -> None:
    """Asterisk may be up before its database, and must not be told to read it meanwhile."""
    await until(lambda: agent.started)
    await asterisk.stop()
    asterisk.answers |= {"CoreStatus": [STARTED.format("11:11:11")], "Command": NO_CANARY}
    await asyncio.to_thread(owe, engine, "expire_auth x")
    await asterisk.start()
    await until(
        lambda: read(engine, "SELECT detail FROM nodes WHERE name = 'pbx1'") == [("Asterisk cannot read the database",)]
    )
    assert asterisk.told() == AFRESH
    assert owed(engine) == ["expire_auth x"]

    asterisk.answers["Command"] = CANARY
    await until(lambda: owed(engine) == [])

    assert asterisk.told()[len(AFRESH) : 2 * len(AFRESH)] == AFRESH


async def test_what_was_wrong_is_forgotten_once_it_is_right(agent: Agent, engine: Engine, asterisk: Asterisk) -> None:
    await until(lambda: agent.started)
    asterisk.answers["CoreStatus"] = error("not now")
    await until(lambda: read(engine, "SELECT detail FROM nodes WHERE name = 'pbx1'") == [("not now",)])

    asterisk.answers["CoreStatus"] = [STARTED.format("10:00:00")]

    await until(lambda: read(engine, "SELECT detail FROM nodes WHERE name = 'pbx1'") == [("",)])


async def test_it_says_when_asterisk_goes_and_when_it_is_back(agent: Agent, engine: Engine, asterisk: Asterisk) -> None:
    await until(lambda: database.is_up(engine, "pbx1")[0])

    await asterisk.stop()
    await until(lambda: not database.is_up(engine, "pbx1")[0])
    _, sentence = database.is_up(engine, "pbx1")
    assert sentence.startswith("Asterisk on pbx1 is away: ")
    assert len(sentence) > len("Asterisk on pbx1 is away: .")

    await asterisk.start()
    await until(lambda: database.is_up(engine, "pbx1")[0])


async def test_it_survives_the_database_being_away(
    agent: Agent, engine: Engine, asterisk: Asterisk, cluster: Postgres
) -> None:
    await until(lambda: agent.started)
    elsewhere = database.engine(cluster.url("postgres"), "test")
    try:
        _let_in(elsewhere, False)
        await asyncio.sleep(0.5)
        assert agent.ami.connected
    finally:
        _let_in(elsewhere, True)
        elsewhere.dispose()
    before = time.time()

    await asyncio.to_thread(owe, engine, "expire_auth x")
    await until(lambda: owed(engine) == [])

    assert "expire auth x" in asterisk.told()
    assert asterisk.told()[: len(AFRESH)] == AFRESH
    assert asterisk.told().count("expire all aor") == 1
    await until(
        lambda: read(engine, "SELECT extract(epoch FROM seen_at) FROM nodes WHERE name = 'pbx1'")[0][0] > before
    )


def _let_in(elsewhere: Engine, allowed: bool) -> None:
    """Send everybody away from the agent's database and let nobody in, or let them in again."""
    with elsewhere.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE agent ALLOW_CONNECTIONS {allowed}"))
        if not allowed:
            connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'agent'"))


async def test_housekeeping_that_fails_keeps_nobody_from_work(
    engine: Engine, url: str, asterisk: Asterisk, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup may hold the tables for an hour."""
    await until(lambda: agent.started)
    tried = []

    def fail(*_: object, **__: object) -> None:
        tried.append(time.monotonic())
        write(engine, "SELECT 1/0")

    monkeypatch.setattr(database, "keep_partitions", fail)
    monkeypatch.setattr(time, "monotonic", lambda real=time.monotonic: real() + 3601)
    await until(lambda: tried)
    await asyncio.to_thread(owe, engine, "expire_auth x")
    await until(lambda: owed(engine) == [])

    assert len(tried) == 1


# ---- the listener

LISTENING = "FROM pg_stat_activity WHERE query = 'LISTEN outbox' AND datname = 'agent'"


@pytest.fixture
async def woken(url: str, engine: Engine) -> AsyncIterator[asyncio.Event]:
    """What a listener sets. It has connected, which it told by setting it."""
    event = asyncio.Event()
    task = asyncio.create_task(database.Listener(url, event, retry_seconds=0.02).run())
    await woke(event)
    yield event
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def woke(event: asyncio.Event, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        await event.wait()
    event.clear()


async def test_a_commit_wakes(woken: asyncio.Event, engine: Engine) -> None:
    for name in ("x", "y"):
        await asyncio.to_thread(owe, engine, f"expire_auth {name}")
        await woke(woken)


async def test_a_rollback_does_not_wake(woken: asyncio.Event, engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO outbox (node, action) VALUES ('pbx1', 'populate_identify')"))
        await asyncio.sleep(0.1)
        assert not woken.is_set()
        connection.rollback()

    with pytest.raises(TimeoutError):
        await woke(woken, 0.3)


async def test_what_changes_without_new_orders_does_not_wake(woken: asyncio.Event, engine: Engine) -> None:
    await asyncio.to_thread(owe, engine, "expire_auth x")
    await woke(woken)

    await asyncio.to_thread(write, engine, "UPDATE outbox SET done_at = now()")

    with pytest.raises(TimeoutError):
        await woke(woken, 0.2)


async def test_after_its_connection_was_killed_it_wakes_us_and_goes_on(woken: asyncio.Event, engine: Engine) -> None:
    """What was notified meanwhile is lost, so to be back is a reason to look."""
    for _ in range(3):
        assert read(engine, f"SELECT pg_terminate_backend(pid) {LISTENING}") == [(True,)]
        await woke(woken)
        await asyncio.to_thread(owe, engine, "expire_auth x")
        await woke(woken)


async def test_it_leaves_no_connection_behind(url: str, engine: Engine) -> None:
    event = asyncio.Event()
    task = asyncio.create_task(database.Listener(url, event).run())
    await woke(event)
    assert read(engine, f"SELECT count(*) {LISTENING}") == [(1,)]

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until(lambda: read(engine, f"SELECT count(*) {LISTENING}") == [(0,)])


# ---- the books


def test_a_node_enters_the_books_when_it_first_signs_in(engine: Engine) -> None:
    assert database.is_up(engine, "new") == (False, "No agent has ever signed in for new.")

    assert database.sign_in(engine, "new", False, "not connected yet")
    assert database.is_up(engine, "new") == (False, "Asterisk on new is away: not connected yet.")

    assert not database.sign_in(engine, "new", True, "")
    assert database.is_up(engine, "new") == (True, "new is up.")
    assert read(engine, "SELECT enabled, asterisk_up, detail FROM nodes WHERE name = 'new'") == [(True, True, "")]


def test_signing_in_leaves_a_node_out_of_service_that_is(engine: Engine) -> None:
    write(engine, "UPDATE nodes SET enabled = false WHERE name = 'pbx1'")

    database.sign_in(engine, "pbx1", True, "")

    assert read(engine, "SELECT enabled FROM nodes WHERE name = 'pbx1'") == [(False,)]


def test_a_node_that_was_silent_for_fifteen_seconds_is_not_up(engine: Engine) -> None:
    database.sign_in(engine, "pbx1", True, "")
    write(engine, "UPDATE nodes SET seen_at = now() - interval '14 seconds' WHERE name = 'pbx1'")
    assert database.is_up(engine, "pbx1")[0]

    write(engine, "UPDATE nodes SET seen_at = now() - interval '16 seconds' WHERE name = 'pbx1'")
    assert database.is_up(engine, "pbx1") == (False, "The agent of pbx1 has not signed in for 15 seconds.")


def test_what_was_done_long_ago_is_forgotten_and_what_is_owed_is_not(engine: Engine) -> None:
    owe(engine, "expire_auth old", "expire_auth new", "expire_auth owed")
    write(engine, "UPDATE outbox SET done_at = now() - interval '31 days' WHERE object = 'old'")
    write(engine, "UPDATE outbox SET done_at = now() - interval '29 days' WHERE object = 'new'")
    write(engine, "UPDATE outbox SET created_at = now() - interval '99 days' WHERE object = 'owed'")

    outbox.forget_old(engine)

    assert read(engine, "SELECT object FROM outbox ORDER BY object") == [("new",), ("owed",)]


def test_orders_go_with_their_node(engine: Engine) -> None:
    owe(engine, "expire_auth x", node="pbx2")

    write(engine, "DELETE FROM nodes WHERE name = 'pbx2'")

    assert read(engine, "SELECT * FROM outbox") == []
