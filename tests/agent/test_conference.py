"""Who is called into a conference, exactly once, and what is written down of it, with an Asterisk that only says it."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from deploy.embedded.postgres import Postgres
from tests.agent.fake_ami import FakeAmi, error, success
from tests.agent.test_outbox import read, until, write
from webapp.agent import conference, database
from webapp.agent.ami import Ami, AmiError
from webapp.models import Conference, Participant

CUSTOMER = uuid.UUID(int=10)


def channel(participant: object, state: int, end: int = 1) -> str:
    return (
        f"Event: Status\nActionID: {{id}}\nChannel: Local/1@conference-call-{str(participant)[-4:]};{end}\n"
        f"ChannelState: {state}\nVariable: PARTICIPANT={participant}"
    )


OTHER = "Event: Status\nActionID: {id}\nChannel: PJSIP/x-1\nChannelState: 6\nVariable: PARTICIPANT=(null)"


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("conferences", template=empty_database)
    yield cluster.url("conferences")
    cluster.drop_database("conferences")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = database.engine(url, "pbx1")
    write(engine, "TRUNCATE conferences CASCADE")
    write(engine, "TRUNCATE asterisk.call_requests")
    write(engine, "DELETE FROM customers")
    yield engine
    engine.dispose()


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAmi]:
    fake = FakeAmi()
    fake.answers["Hangup"] = success("Channel Hungup")
    await fake.start()
    yield fake
    await fake.stop()


class Looking:
    """Looks again and again, as the agent does, but when the test says so."""

    def __init__(self, engine: Engine, asterisk: FakeAmi, ami: Ami, spool: Path) -> None:
        self.engine, self.asterisk, self.ami, self.spool = engine, asterisk, ami, spool

    async def sees(self, *events: str) -> list[str]:
        """The participants' states when Asterisk has these channels."""
        begin = "Response: Success\nActionID: {id}\nEventList: start\nMessage: Channel status will follow"
        end = "Event: StatusComplete\nActionID: {id}\nEventList: Complete\nItems: 1"
        self.asterisk.answers["Status"] = [begin, *events, OTHER, end]
        await conference.look(self.engine, "pbx1", self.ami, self.spool)
        return self.states()

    def states(self) -> list[str]:
        return [state for (state,) in read(self.engine, "SELECT state FROM conference_participants ORDER BY position")]

    def files(self) -> list[Path]:
        return sorted(self.spool.glob("*"))

    def take_files(self) -> list[str]:
        """What Asterisk does with them."""
        contents = [path.read_text() for path in self.files()]
        for path in self.files():
            path.unlink()
        return contents

    def ended(self) -> str | None:
        [(ended_at, reason)] = read(self.engine, "SELECT ended_at, end_reason FROM conferences")
        return str(reason) if ended_at else None

    def hung_up(self) -> list[str]:
        return [action["Channel"][0][-6:] for action in self.asterisk.actions("Hangup")]


@pytest.fixture
def looking(engine: Engine, asterisk: FakeAmi, ami: Ami, tmp_path: Path) -> Looking:
    (tmp_path / "outgoing").mkdir()
    return Looking(engine, asterisk, ami, tmp_path / "outgoing")


def held(engine: Engine, *numbers: str, **values: object) -> list[uuid.UUID]:
    """Make a conference; the ids of its participants."""
    given = {"name": "x", "customer_id": CUSTOMER, "numbers": list(numbers), "node": "pbx1", "username": "olga"}
    ids = [uuid.uuid4() for _ in numbers]
    with engine.begin() as connection:
        made = insert(Conference).values(given | values).returning(Conference.id)
        id = connection.execute(made).scalar_one()
        for place, (participant, number) in enumerate(zip(ids, numbers, strict=True)):
            called = {"id": participant, "conference_id": id, "position": place, "number": number}
            connection.execute(insert(Participant).values(called))
    return ids


def later(engine: Engine, seconds: int) -> None:
    """Have so many seconds go by."""
    back = {"back": dt.timedelta(seconds=seconds)}
    participants = "UPDATE conference_participants SET asked_at = asked_at - :back, called_at = called_at - :back"
    write(engine, participants, **back)
    write(engine, "UPDATE conferences SET created_at = created_at - :back", **back)


async def test_from_the_call_to_the_end(engine: Engine, looking: Looking) -> None:
    one, two = held(engine, "551140001234", "100")
    assert await looking.sees() == ["calling", "calling"]
    assert [path.name for path in looking.files()] == sorted([f"{one}.call", f"{two}.call"])
    looking.take_files()
    assert await looking.sees(channel(one, 0), channel(two, 5)) == ["calling", "ringing"]
    assert await looking.sees(channel(one, 5), channel(one, 6, end=2), channel(two, 6)) == ["ringing", "joined"]
    assert await looking.sees(channel(one, 6), channel(two, 6)) == ["joined", "joined"]
    assert await looking.sees(channel(two, 6)) == ["over", "joined"]
    assert looking.ended() is None
    assert await looking.sees() == ["over", "over"]
    assert looking.ended() == "left"
    assert looking.files() == []
    moments = "SELECT called_at, joined_at, left_at FROM conference_participants WHERE position = 0"
    [(called_at, joined_at, left_at)] = read(engine, moments)
    assert called_at < joined_at < left_at


async def test_a_call_file_holds_what_it_should_and_nothing_else(engine: Engine, looking: Looking) -> None:
    [id] = held(engine, "+55*11#", caller_id="551140001000", record=True, name="x\nApplication: System")
    await looking.sees()
    [content] = looking.take_files()
    [(room,)] = read(engine, "SELECT id FROM conferences")
    lines = content.splitlines()
    ends = next(line for line in lines if line.startswith("Setvar: ENDS="))
    before = next(line for line in lines if line.startswith("Setvar: CALL_BEFORE="))
    assert 7100 < int(ends.partition("=")[2]) - int(before.partition("=")[2]) <= 7200 - conference.CALL_WITHIN_SECONDS
    assert lines == [
        "Channel: Local/+55*11#@conference-call/n",
        "Context: conference",
        "Extension: s",
        "Priority: 1",
        "MaxRetries: 0",
        "WaitTime: 150",
        f"Setvar: PARTICIPANT={id}",
        f"Setvar: CONFERENCE={room}",
        f"Setvar: CUSTOMER_ID={CUSTOMER}",
        "Setvar: CALLER=551140001000",
        "Setvar: RECORD=yes",
        before,
        ends,
    ]
    assert list((looking.spool.parent / "tmp").iterdir()) == []


@dataclass(frozen=True)
class Taken:
    id: str = "a"
    number: str = "100"
    conference: str = "b"
    customer: str = "c"
    caller_id: str = ""
    record: bool = False
    seconds: int = 60


@pytest.mark.parametrize(
    "hostile",
    [
        *("1\n2", "1\r2", "100\nApplication: System", "1\x00", "1&2", "1@x"),
        *("1/n", "", " 1", "1;2", "${X}", "100\n"),
    ],
)
def test_what_is_no_number_gets_into_no_call_file(engine: Engine, hostile: str) -> None:
    taken: Any = Taken()
    assert "Local/100@" in conference.call_file(taken, 0)
    with pytest.raises(ValueError, match="no number"):
        conference.call_file(replace(taken, number=hostile), 0)
    if hostile:
        with pytest.raises(ValueError, match="no number"):
            conference.call_file(replace(taken, caller_id=hostile), 0)
    if "\x00" not in hostile:
        with pytest.raises(IntegrityError):
            held(engine, hostile)


async def test_nobody_is_called_twice_whatever_happened_to_the_file(
    engine: Engine, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent dies after it has marked the participant: what is not certain is not tried again by itself."""
    held(engine, "100")

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(conference, "drop", die)
        with pytest.raises(Died):
            await looking.sees()
    assert await looking.sees() == ["calling"]
    later(engine, 50)
    assert await looking.sees() == ["calling"]
    later(engine, 20)
    assert await looking.sees() == ["not_called"]
    assert looking.files() == []
    assert looking.ended() == "nobody"


async def test_one_that_was_dialled_is_over_when_it_has_no_channel(engine: Engine, looking: Looking) -> None:
    """Its call was so short that nobody saw it."""
    [id] = held(engine, "100")
    await looking.sees()
    write(engine, "INSERT INTO asterisk.call_requests (id, customer_id, dialed) VALUES (:id, '', '')", id=str(id))
    assert await looking.sees(channel(id, 0)) == ["calling"]
    assert await looking.sees() == ["over"]


async def test_a_call_that_begins_while_we_look_is_not_taken_for_gone(
    engine: Engine, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    [id] = held(engine, "100")
    await looking.sees()
    asked = conference._channels

    async def begins(ami: Ami) -> dict[str, conference.Channel]:
        found = await asked(ami)
        write(engine, "INSERT INTO asterisk.call_requests (id, customer_id, dialed) VALUES (:id, '', '')", id=str(id))
        return found

    monkeypatch.setattr(conference, "_channels", begins)
    assert await looking.sees() == ["calling"]
    assert looking.ended() is None


async def test_one_more_number_keeps_a_conference_from_ending(engine: Engine, looking: Looking) -> None:
    """Somebody calls it in the very moment in which the last one has left."""
    held(engine, "100")
    write(engine, "UPDATE conference_participants SET state = 'over', joined_at = now()")
    with engine.connect() as connection:
        id = connection.execute(select(Conference.id).with_for_update()).scalar_one()
        ending = asyncio.create_task(looking.sees())
        await until(lambda: read(engine, "SELECT 1 FROM pg_locks WHERE NOT granted"))
        connection.execute(insert(Participant).values(conference_id=id, position=1, number="101"))
        connection.commit()
    assert await ending == ["over", "asked"]
    assert looking.ended() is None


async def test_a_spool_that_takes_nothing(engine: Engine, looking: Looking) -> None:
    held(engine, "100")
    looking.spool.rmdir()
    assert await looking.sees() == ["not_called"]


async def test_who_was_asked_for_long_ago_is_not_called(engine: Engine, looking: Looking) -> None:
    """The agent or its Asterisk was away; nobody expects that call any more."""
    held(engine, "100")
    later(engine, 61)
    assert await looking.sees() == ["not_called"]
    assert looking.files() == []


async def test_without_asterisk_nothing_is_done_and_nothing_said(engine: Engine, looking: Looking) -> None:
    [id, _] = held(engine, "100", "101")
    await looking.sees()
    await looking.sees(channel(id, 6))
    looking.take_files()
    looking.asterisk.answers["Status"] = error("Permission denied")
    with pytest.raises(AmiError):
        await conference.look(engine, "pbx1", looking.ami, looking.spool)
    assert looking.states() == ["joined", "calling"]


async def test_who_is_dropped_is_hung_up_on(engine: Engine, looking: Looking) -> None:
    one, two, three = held(engine, "100", "101", "102")
    await looking.sees()
    write(engine, "UPDATE conference_participants SET dropping_at = now() WHERE position = 1")
    channels = [channel(id, 6) for id in (one, two, three)]
    await looking.sees(*channels)
    assert looking.hung_up() == [f"{str(two)[-4:]};1"]
    assert await looking.sees(channels[0], channels[2]) == ["joined", "over", "joined"]


async def test_a_room_is_closed(engine: Engine, looking: Looking) -> None:
    """Those who are there are hung up on, those who are not are called no more."""
    ids = held(engine, *(str(100 + n) for n in range(7)))
    await looking.sees()
    assert len(looking.take_files()) == conference.AT_ONCE
    write(engine, "UPDATE conferences SET closing_at = now()")
    looking.asterisk.answers["Hangup"] = error("No such channel")
    states = await looking.sees(*(channel(id, 6) for id in ids[:5]))
    assert states == ["joined"] * 5 + ["not_called"] * 2
    assert len(looking.hung_up()) == 5
    assert await looking.sees() == ["over"] * 5 + ["not_called"] * 2
    assert looking.ended() == "closed"
    assert looking.files() == []


async def test_time_is_up(engine: Engine, looking: Looking) -> None:
    [id] = held(engine, "100", max_minutes=1)
    await looking.sees()
    await looking.sees(channel(id, 6))
    assert looking.hung_up() == []
    later(engine, 61)
    await looking.sees(channel(id, 6))
    assert looking.hung_up() == [f"{str(id)[-4:]};1"]
    await looking.sees()
    assert looking.ended() == "time"


async def test_a_customer_calls_no_more_a_second_than_it_may(engine: Engine, looking: Looking) -> None:
    limited = "INSERT INTO customers (id, code, name, type, calls_per_second) VALUES (:id, 'a', 'A', 'extension', 1)"
    write(engine, limited, id=CUSTOMER)
    held(engine, "100", "101")
    assert await looking.sees() == ["calling", "asked"]
    assert await looking.sees(channel("x", 6)) == ["calling", "calling"]
    assert conference.PAUSE_SECONDS > 1


async def test_another_node_has_its_own(engine: Engine, looking: Looking) -> None:
    held(engine, "100", node="pbx2")
    assert await looking.sees() == ["asked"]
    assert looking.asterisk.actions("Status") == []
    later(engine, 2 * 3600 + 3000)
    await looking.sees()
    assert looking.ended() is None
    later(engine, 700)
    await looking.sees()
    assert looking.ended() == "lost"
