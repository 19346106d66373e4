"""Which calls go on: what is made of Asterisk's channels, and what the database then says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from deploy.embedded.postgres import Postgres
from tests.agent.fake_ami import FakeAmi, error
from tests.agent.test_outbox import read, until, write
from webapp.agent import database, live
from webapp.agent.ami import Ami, AmiDown

ACME, BETA = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
GATEWAY, PROVIDER = "00000000-0000-0000-0000-0000000000c0", "00000000-0000-0000-0000-0000000000d0"
INBOUND = {
    "GATEWAY_ID": GATEWAY,
    "PROVIDER_ID": PROVIDER,
    "NUMBER": "551140000001",
    "OWNER": ACME,
    "DID": "551140000001",
}
OUTBOUND = {
    "CUSTOMER_ID": ACME,
    "LEG": f"gateway-first:{GATEWAY}:{PROVIDER}:552133330001:551140000001:0",
    "HASH(answer,verdict)": "route",
    "HASH(answer,number)": "552133330001",
}


def channel(uniqueid: str = "pbx1-1795374521.0", state: int = 4, application: str = "Dial", **more: Any) -> str:
    """An event of Asterisk's, with the variables of the channel."""
    variables = dict.fromkeys(live.VARIABLES, "(null)") | more.pop("variables", {})
    fields = {"Uniqueid": uniqueid, "ChannelState": state, "Application": application, "CallerIDNum": "551140000009"}
    lines = [f"{name}: {value}" for name, value in (fields | more).items()]
    lines += [f"Variable: {name}={value}" for name, value in variables.items()]
    return "\n".join(["Event: Status", "ActionID: {id}", *lines])


def channels(*events: str) -> list[str | bytes]:
    begin = "Response: Success\nActionID: {id}\nEventList: start\nMessage: Channel status will follow"
    end = (
        f"Event: StatusComplete\nActionID: {{id}}\nEventList: Complete\nListItems: {len(events)}\nItems: {len(events)}"
    )
    return [begin, *events, end]


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("live", template=empty_database)
    yield cluster.url("live")
    cluster.drop_database("live")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = database.engine(url, "pbx1")
    write(engine, "TRUNCATE live_channels, live_nodes")
    yield engine
    engine.dispose()


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAmi]:
    fake = FakeAmi()
    await fake.start()
    yield fake
    await fake.stop()


class Looking:
    """Looks again and again, as the agent does, but when the test says so."""

    def __init__(self, engine: Engine, asterisk: FakeAmi, ami: Ami) -> None:
        self.engine, self.asterisk, self.ami = engine, asterisk, ami

    async def sees(self, *events: str) -> list[dict[str, Any]]:
        """The rows when Asterisk has these channels."""
        self.asterisk.answers["Status"] = channels(*events)
        await live.look(self.engine, "pbx1", self.ami)
        return self.rows()

    def rows(self) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            found = connection.execute(text("SELECT *, xmin::text FROM live_channels ORDER BY node, uniqueid"))
            return [{name: _plain(value) for name, value in row.items()} for row in found.mappings()]


def _plain(value: Any) -> Any:
    return str(value) if hasattr(value, "hex") else value


@pytest.fixture
def looking(engine: Engine, asterisk: FakeAmi, ami: Ami) -> Looking:
    return Looking(engine, asterisk, ami)


async def test_a_call_out(looking: Looking) -> None:
    [row] = await looking.sees(
        channel(variables=OUTBOUND),
        channel("pbx1-1795374521.1", 5, "AppDial", variables={"GATEWAY_ID": GATEWAY, "PROVIDER_ID": PROVIDER}),
    )
    assert row.pop("started_at").timestamp() == 1795374521
    row.pop("xmin")
    assert row == {
        "node": "pbx1",
        "uniqueid": "pbx1-1795374521.0",
        "direction": "outbound",
        "customer_id": ACME,
        "gateway_id": GATEWAY,
        "provider_id": PROVIDER,
        "src": "551140000009",
        "dst": "552133330001",
        "did": "",
        "state": "ringing",
        "answered_at": None,
    }


async def test_a_call_in(looking: Looking) -> None:
    [row] = await looking.sees(channel(variables=INBOUND, CallerIDNum="<unknown>"))
    assert (row["direction"], row["customer_id"], row["gateway_id"]) == ("inbound", ACME, GATEWAY)
    assert (row["src"], row["dst"], row["did"]) == ("", "551140000001", "551140000001")


@pytest.mark.parametrize(("verdict", "direction", "did"), [("internal", "internal", ""), ("did", "onnet", "5511")])
async def test_calls_that_stay_in_the_house(looking: Looking, verdict: str, direction: str, did: str) -> None:
    found = {"CUSTOMER_ID": BETA, "OWNER": ACME, "DID": did, "HASH(answer,verdict)": verdict}
    found["HASH(answer,number)"] = "5511"
    [row] = await looking.sees(channel(variables=found))
    assert (row["direction"], row["customer_id"], row["gateway_id"]) == (direction, ACME, None)
    assert (row["dst"], row["did"]) == ("5511", did)


async def test_what_is_no_call_of_ours_is_not_shown(looking: Looking) -> None:
    assert not await looking.sees(
        channel(variables={}),  # Somebody's own dialplan.
        channel("pbx1-1.1", variables={"CUSTOMER_ID": ACME}),  # Nothing is decided yet.
        channel("pbx1-1.2", 0, "", variables=INBOUND),  # Just being called.
        channel("pbx1-1.3", 6, "AppDial", variables=INBOUND),
        channel("nonsense", variables=INBOUND),
    )


async def test_it_is_answered_once_and_only_what_changed_is_written(looking: Looking) -> None:
    other = channel("pbx1-1795374600.7", variables=INBOUND)
    before, first = await looking.sees(channel(variables=OUTBOUND), other)
    answered, same = await looking.sees(channel(state=6, variables=OUTBOUND), other)
    assert (before["state"], answered["state"]) == ("ringing", "answered")
    assert answered["answered_at"] is not None
    assert same == first
    assert (await looking.sees(channel(state=6, variables=OUTBOUND), other))[0] == answered

    next_gateway = OUTBOUND | {"LEG": f"gateway-second:{PROVIDER}:{GATEWAY}:1:2:0"}
    [row] = await looking.sees(channel(state=6, variables=next_gateway))
    assert row["gateway_id"] == PROVIDER
    assert row["answered_at"] == answered["answered_at"]
    assert not await looking.sees()


async def test_a_call_that_was_sent_on_stays_who_it_was_to(looking: Looking) -> None:
    sent_on = INBOUND | {"NUMBER": "552133330009", "CUSTOMER_ID": BETA}
    further = OUTBOUND | {"CUSTOMER_ID": BETA}
    first, second = await looking.sees(channel(variables=sent_on), channel("pbx1-1795374522.3", variables=further))
    assert (first["direction"], first["customer_id"], first["dst"]) == ("inbound", ACME, "551140000001")
    assert (second["direction"], second["customer_id"], second["dst"]) == ("outbound", BETA, "552133330001")


async def test_a_number_that_nobody_has(looking: Looking) -> None:
    unknown = {name: INBOUND[name] for name in ("GATEWAY_ID", "PROVIDER_ID", "NUMBER")}
    [row] = await looking.sees(channel(application="Playback", variables=unknown))
    assert (row["customer_id"], row["dst"], row["did"]) == (None, "551140000001", "")


async def test_a_hostile_caller_is_a_text(looking: Looking) -> None:
    name = "<script>'; DROP TABLE live_channels; -- =1+1 é"
    [row] = await looking.sees(channel(variables=INBOUND, CallerIDNum=name))
    assert row["src"] == name


async def test_another_node_keeps_its_calls(looking: Looking, engine: Engine) -> None:
    call = next(iter(live._calls([{"Event": "Status", **_fields()}])))
    live.write(engine, "pbx2", [call])
    await looking.sees(channel(variables=INBOUND))
    await looking.sees()
    assert [row["node"] for row in looking.rows()] == ["pbx2"]
    assert read(engine, "SELECT node FROM live_nodes ORDER BY node") == [("pbx1",), ("pbx2",)]


def _fields() -> dict[str, str]:
    variables = "\n".join(f"{name}={value}" for name, value in INBOUND.items())
    return {"Uniqueid": "pbx2-1.0", "ChannelState": "6", "CallerIDNum": "1", "Variable": variables}


@pytest.mark.parametrize("how", ["refuses", "is away"])
async def test_an_asterisk_that_does_not_say_has_nothing_said_about_it(
    looking: Looking, engine: Engine, asterisk: FakeAmi, how: str
) -> None:
    assert await looking.sees(channel(variables=INBOUND))
    if how == "refuses":
        asterisk.answers["Status"] = error("Permission denied")
    else:
        await asterisk.stop()
        await until(lambda: not looking.ami.connected)
    await live.look(engine, "pbx1", looking.ami)
    assert looking.rows() == []
    assert read(engine, "SELECT node FROM live_nodes") == []


async def test_after_a_look_that_took_long_or_failed_the_pause_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pauses = [0.0], []
    takes = iter([0.1, 2.0, 30.0, 30.0])

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def look() -> None:
        clock[0] += next(takes)
        if len(pauses) == 4:
            raise AmiDown("timed out")

    monkeypatch.setattr("webapp.agent.live.asyncio.sleep", sleep)
    monkeypatch.setattr("webapp.agent.live.time.monotonic", lambda: clock[0])
    with pytest.raises(RuntimeError, match="StopIteration"):
        await live.repeat(look, 5.0, 20)
    assert pauses[1:] == [5.0, 40.0, live.LONGEST_PAUSE_SECONDS, 5.0]
