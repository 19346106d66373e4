"""The link to AMI against a server that does all the things a real one does on a bad day."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.agent.fake_ami import (
    CHANNEL,
    CHANNELS_COMPLETE,
    CHANNELS_FOLLOW,
    FULLY_BOOTED,
    PONG,
    SECRET,
    Do,
    FakeAmi,
    error,
    success,
    wire,
)
from webapp.agent import ami as module
from webapp.agent.ami import Ami, AmiDown, AmiError, Event, State

PING = {"Action": "Ping"}
CHANNELS = {"Action": "CoreShowChannels"}
ORIGINATE = {
    "Action": "Originate",
    "Channel": "Local/1@test",
    "Context": "test",
    "Exten": "1",
    "Priority": "1",
}


class Listener:
    """Remembers what a link reports, in order, and lets a test wait for it."""

    def __init__(self) -> None:
        self.states: list[tuple[State, str]] = []
        self.events: list[Event] = []
        self.heard: list[str] = []
        self._news = asyncio.Event()

    def on_state(self, state: State, why: str) -> None:
        self.states.append((state, why))
        self._hear(state)

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        self._hear(event["Event"])

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def hears(self, what: str, times: int = 1) -> None:
        """Waits until a state or an event of this name has come so many times."""
        await self.until(lambda: self.heard.count(what) >= times)

    def why(self, state: State) -> str:
        """The reason given for the latest state of this name."""
        return next(why for known, why in reversed(self.states) if known == state)

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        self._news.set()


@pytest.fixture
async def server() -> AsyncIterator[FakeAmi]:
    fake = FakeAmi()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def listener() -> Listener:
    return Listener()


Connect = Callable[..., Ami]


@pytest.fixture
async def connect(server: FakeAmi, listener: Listener) -> AsyncIterator[Connect]:
    """Makes and starts a link to the server; whatever it made is closed after the test."""
    links: list[Ami] = []
    tasks: list[asyncio.Task[None]] = []

    def make(**changes: Any) -> Ami:
        settings: dict[str, Any] = {
            "on_event": listener.on_event,
            "on_state": listener.on_state,
            "backoff": 0.01,
            "backoff_max": 0.05,
            "refused_pause": 0.05,
        }
        secret = changes.pop("secret", SECRET)
        link = Ami("127.0.0.1", server.port, "agent", secret, **settings | changes)
        links.append(link)
        tasks.append(link.start())
        return link

    yield make
    for link in links:
        link.close()
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=20)
        assert not pending


@pytest.fixture
async def ami(connect: Connect, listener: Listener) -> Ami:
    """A link that is up and has heard FullyBooted."""
    link = connect()
    await listener.hears("FullyBooted")
    return link


async def test_it_works(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    assert ami.connected
    assert listener.heard == ["up", "FullyBooted"]
    assert server.received[0]["Events"] == ["on"]
    [reply] = await ami.call(PING)
    assert reply["Ping"] == "Pong"


async def test_a_list_comes_whole(ami: Ami) -> None:
    answer = await ami.call(CHANNELS)
    assert [message.get("Event") for message in answer] == [
        None,
        "CoreShowChannel",
        "CoreShowChannelsComplete",
    ]
    assert answer[1]["Channel"] == "PJSIP/gw-00000001"


async def test_a_list_is_known_by_its_header_and_not_by_its_wording(ami: Ami, server: FakeAmi) -> None:
    server.answers["One"] = success("Contacts will follow, or so it sounds")
    server.answers["Many"] = [
        "Response: Success\nActionID: {id}\nEventList: start\nMessage: Following are the events",
        "Event: WorkComplete\nActionID: {id}\nDone: by half",
        "Event: ManyComplete\nActionID: {id}\nEventList: Complete",
    ]
    assert len(await ami.call({"Action": "One"})) == 1
    assert len(await ami.call({"Action": "Many"})) == 3


async def test_a_refusal_is_an_error_with_asterisks_words(ami: Ami, server: FakeAmi) -> None:
    server.answers["Reload"] = error("No such module")
    with pytest.raises(AmiError, match=r"^No such module$"):
        await ami.call({"Action": "Reload", "Module": "nothere.so"})
    assert ami.connected


async def test_an_empty_list_that_is_answered_with_error_ends_at_once(ami: Ami, server: FakeAmi) -> None:
    server.answers["PJSIPShowEndpoints"] = error("No endpoints found")
    with pytest.raises(AmiError, match=r"^No endpoints found$"):
        await ami.call({"Action": "PJSIPShowEndpoints"})
    # Asterisk puts an empty line too many behind this answer; the next one must not suffer from it.
    assert (await ami.call(PING))[0]["Ping"] == "Pong"


async def test_queue_add_does_not_wait_for_a_list(ami: Ami, server: FakeAmi) -> None:
    server.answers["QueueAdd"] = success("Added interface to queue")
    answer = await ami.call({"Action": "QueueAdd", "Queue": "q1", "Interface": "Local/1@test"})
    assert len(answer) == 1


@pytest.mark.parametrize("asynchronous", [{}, {"Async": "false"}, {"Async": "true"}])
async def test_originate_ends_with_its_response(
    ami: Ami, server: FakeAmi, listener: Listener, asynchronous: dict[str, str]
) -> None:
    server.answers["Originate"] = [
        *success("Originate successfully queued"),
        "Event: OriginateResponse\nActionID: {id}\nResponse: Failure\nReason: 3",
    ]
    [reply] = await ami.call(ORIGINATE | asynchronous)
    assert reply["Message"] == "Originate successfully queued"
    await listener.hears("OriginateResponse")
    assert "down" not in listener.heard


async def test_a_command_gives_its_output(ami: Ami, server: FakeAmi) -> None:
    server.answers["Command"] = [
        "Response: Success\nActionID: {id}\nMessage: Command output follows\n"
        "Output: Usage: core show help\nOutput: \nOutput:        Displays: usage"
    ]
    assert await ami.command("core show help") == "Usage: core show help\n\n       Displays: usage"
    assert server.actions("Command")[0]["Command"] == ["core show help"]


async def test_a_command_may_print_nothing(ami: Ami, server: FakeAmi) -> None:
    server.answers["Command"] = success("Command output follows")
    assert await ami.command("core set verbose 0") == ""


async def test_a_refused_command_says_why(ami: Ami, server: FakeAmi) -> None:
    server.answers["Command"] = [
        "Response: Error\nActionID: {id}\nMessage: Command output follows\nOutput: No such command 'x'"
    ]
    with pytest.raises(AmiError, match="No such command 'x'"):
        await ami.command("x")


async def test_header_names_have_no_case_and_repeated_ones_are_joined(ami: Ami, server: FakeAmi) -> None:
    server.answers["Status"] = ["Response: Success\nActionID: {id}\nChanVariable: a=1\nChanVariable: b=2"]
    [reply] = await ami.call({"Action": "Status"})
    assert reply["chanvariable"] == "a=1\nb=2"


async def test_a_header_may_have_several_values(ami: Ami, server: FakeAmi) -> None:
    server.answers["Originate"] = success("Originate successfully queued")
    await ami.call(ORIGINATE | {"Variable": ("A=1", "B=2")})
    assert server.actions("Originate")[0]["Variable"] == ["A=1", "B=2"]


async def test_calls_made_together_get_each_their_own_answer(ami: Ami) -> None:
    answers = await asyncio.gather(ami.call(PING), ami.call(CHANNELS), ami.call(PING))
    assert [len(answer) for answer in answers] == [1, 3, 1]


async def test_calls_take_turns_because_asterisk_does(ami: Ami, server: FakeAmi) -> None:
    server.answers["Reload"] = []
    first = asyncio.create_task(ami.call({"Action": "Reload"}))
    await server.got("Reload")
    with pytest.raises(AmiDown, match="busy"):
        await ami.call(PING, timeout=0.1)
    assert not server.actions("Ping")
    assert ami.connected
    [action_id] = server.actions("Reload")[0]["ActionID"]
    await server.say(f"Response: Success\nActionID: {action_id}\nMessage: Module Reloaded")
    assert len(await first) == 1


@pytest.mark.parametrize("break_", ["\r", "\n", "\r\n\r\nAction: Originate\r\n", "\0", "\udce9"])
@pytest.mark.parametrize("place", ["name", "value", "one of several", "command"])
async def test_a_line_break_cannot_smuggle_in_an_action(ami: Ami, server: FakeAmi, break_: str, place: str) -> None:
    actions: dict[str, Any] = {
        "name": {"Action": "Ping", f"X{break_}": "1"},
        "value": {"Action": "Ping", "X": f"1{break_}"},
        "one of several": {"Action": "Ping", "X": ["1", f"2{break_}"]},
        "command": {"Action": "Command", "Command": f"core show uptime{break_}"},
    }
    with pytest.raises(ValueError, match="cannot carry"):
        await ami.call(actions[place])
    await ami.call(PING)
    assert [action["Action"] for action in server.received] == [["Login"], ["Ping"]]


def test_a_secret_that_cannot_be_sent_is_refused_without_being_shown(listener: Listener) -> None:
    with pytest.raises(ValueError, match="'Secret'") as refusal:
        Ami("127.0.0.1", 1, "agent", "hidden\r\n", on_event=None, on_state=listener.on_state)
    assert "hidden" not in str(refusal.value)


def test_a_link_can_be_made_where_no_event_loop_runs(listener: Listener) -> None:
    link = Ami("127.0.0.1", 1, "agent", SECRET, on_event=None, on_state=listener.on_state)
    assert not link.connected


async def test_a_character_split_over_two_packets_survives(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.trickle(wire("Event: Newchannel\nCallerIDName: João Müller €"))
    await listener.hears("Newchannel")
    assert listener.events[-1]["CallerIDName"] == "João Müller €"


async def test_an_answer_split_anywhere_is_whole(ami: Ami, server: FakeAmi) -> None:
    server.answers["CoreShowChannels"] = []
    call = asyncio.create_task(ami.call(CHANNELS))
    await server.got("CoreShowChannels")
    [action_id] = server.actions("CoreShowChannels")[0]["ActionID"]
    for text in [CHANNELS_FOLLOW, CHANNEL, CHANNELS_COMPLETE]:
        await server.trickle(wire(text.replace("{id}", action_id)))
    assert len(await call) == 3


async def test_bytes_that_are_no_utf8_cost_only_themselves(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.say(b"Event: Newchannel\r\nCallerIDName: Jo\xe3o\r\nContext: a\r\n\r\n", "Event: Hangup")
    await listener.hears("Hangup")
    assert listener.events[-2]["CallerIDName"] == "Jo\ufffdo"
    assert listener.events[-2]["Context"] == "a"


async def test_noise_is_passed_over(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.say("Neither: event nor response", "no header at all", b"\r\n\r\n", "Response: Success\nActionID: 1")
    await server.say("Event: Odd\nActionID: 1\nActionID: 2")
    await listener.hears("Odd")
    assert ami.connected


async def test_events_come_in_order(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.say(*(f"Event: E{number}" for number in range(100)))
    await listener.hears("E99")
    assert listener.heard[2:] == [f"E{number}" for number in range(100)]


async def test_channels_made_in_the_same_second_are_two(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.say("Event: Newchannel\nUniqueid: 1795374521.1", "Event: Newchannel\nUniqueid: 1795374521.2")
    await listener.hears("Newchannel", times=2)
    assert [event["Uniqueid"] for event in listener.events[-2:]] == ["1795374521.1", "1795374521.2"]


async def test_an_event_behind_a_list_is_heard_after_the_list(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    """Otherwise a snapshot would undo what happened after it was taken."""
    server.answers["CoreShowChannels"] = [
        "Event: Before",
        CHANNELS_FOLLOW,
        "Event: Between",
        CHANNELS_COMPLETE,
        "Event: Hangup",
    ]
    await ami.call(CHANNELS)
    assert listener.heard[2:] == ["Before", "Between"]
    await listener.hears("Hangup")


async def test_whoever_wants_no_events_asks_for_none(connect: Connect, server: FakeAmi, listener: Listener) -> None:
    link = connect(on_event=None)
    await listener.hears("up")
    await link.call(PING)
    assert server.received[0]["Events"] == ["off"]
    assert listener.events == []


async def test_a_mistake_in_on_event_costs_that_event_only(
    connect: Connect, server: FakeAmi, listener: Listener
) -> None:
    def on_event(event: Event) -> None:
        listener.on_event(event)
        if event["Event"] == "Bad":
            raise KeyError("Uniqueid")

    link = connect(on_event=on_event)
    await listener.hears("FullyBooted")
    with capture_logs() as logs:
        await server.say("Event: Bad", "Event: Good")
        await listener.hears("Good")
        await link.call(PING)
    assert [entry["event"] for entry in logs] == ["ami callback failed"]
    assert listener.heard == ["up", "FullyBooted", "Bad", "Good"]
    assert server.connections == 1


async def test_a_mistake_in_on_state_does_not_end_the_link(
    connect: Connect, server: FakeAmi, listener: Listener
) -> None:
    def on_state(state: State, why: str) -> None:
        listener.on_state(state, why)
        raise OSError("no database")

    with capture_logs() as logs:
        link = connect(on_state=on_state)
        await listener.hears("FullyBooted")
        await server.say(Do.HANG_UP)
        await listener.hears("FullyBooted", times=2)
        await link.call(PING)
    assert [entry["event"] for entry in logs].count("ami callback failed") == 3


async def test_without_a_link_a_call_fails_at_once(server: FakeAmi, listener: Listener) -> None:
    link = Ami("127.0.0.1", server.port, "agent", SECRET, on_event=None, on_state=listener.on_state)
    with pytest.raises(AmiDown, match="not started"):
        await link.call(PING)
    link.start()
    await listener.hears("up")
    await server.stop()
    await listener.hears("down")
    with pytest.raises(AmiDown, match="Asterisk closed the connection"):
        await link.call(ORIGINATE)
    link.close()
    with pytest.raises(AmiDown):
        await link.call(PING)


@pytest.mark.parametrize("booted", [True, False])
async def test_an_action_cut_off_is_reported_and_never_sent_again(
    ami: Ami, server: FakeAmi, listener: Listener, booted: bool
) -> None:
    """Neither with FullyBooted, which an account without read class system never hears, nor without."""
    server.events_after_login = [FULLY_BOOTED] if booted else []
    server.answers["Originate"] = [Do.HANG_UP]
    with pytest.raises(AmiDown, match="Asterisk closed the connection"):
        await ami.call(ORIGINATE)
    await listener.hears("up", times=2)
    await ami.call(PING)
    assert len(server.actions("Originate")) == 1


async def test_what_was_asked_while_down_is_not_sent_later(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.stop()
    await listener.hears("down")
    with pytest.raises(AmiDown):
        await ami.call(ORIGINATE)
    await server.start()
    await listener.hears("up", times=2)
    await ami.call(PING)
    assert not server.actions("Originate")


async def test_a_list_cut_off_in_the_middle_is_no_list(ami: Ami, server: FakeAmi) -> None:
    server.answers["CoreShowChannels"] = [CHANNELS_FOLLOW, CHANNEL, Do.HANG_UP]
    with pytest.raises(AmiDown):
        await ami.call(CHANNELS)


async def test_those_who_wait_for_their_turn_hear_of_the_loss_too(ami: Ami, server: FakeAmi) -> None:
    server.answers["Reload"] = []
    calls = [asyncio.create_task(ami.call({"Action": "Reload"})) for _ in range(3)]
    await server.got("Reload")
    await server.say(Do.HANG_UP)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [AmiDown] * 3
    assert len(server.actions("Reload")) == 1


async def test_no_answer_in_time_ends_the_link_and_the_next_one_works(
    ami: Ami, server: FakeAmi, listener: Listener
) -> None:
    server.answers["Reload"] = []
    with pytest.raises(AmiDown, match="no answer to Reload"):
        await ami.call({"Action": "Reload"}, timeout=0.1)
    assert not ami.connected
    await listener.hears("up", times=2)
    assert listener.why("down") == "no answer to Reload"
    assert (await ami.call(PING))[0]["Ping"] == "Pong"
    await server.until(lambda: server.open == 1)


async def test_a_list_that_stops_halfway_ends_the_link(ami: Ami, server: FakeAmi) -> None:
    server.answers["CoreShowChannels"] = [CHANNELS_FOLLOW, CHANNEL]
    with pytest.raises(AmiDown, match="no answer to CoreShowChannels"):
        await ami.call(CHANNELS, timeout=0.1)


async def test_a_call_given_up_leaves_nothing_behind(ami: Ami, server: FakeAmi) -> None:
    server.answers["Reload"] = []
    call = asyncio.create_task(ami.call({"Action": "Reload"}))
    await server.got("Reload")
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    assert ami._link is not None
    assert ami._link.responses == {}
    [action_id] = server.actions("Reload")[0]["ActionID"]
    await server.say(f"Response: Success\nActionID: {action_id}\nMessage: Module Reloaded")
    assert (await ami.call(PING))[0]["Ping"] == "Pong"


async def test_a_peer_that_went_silent_is_noticed(connect: Connect, server: FakeAmi, listener: Listener) -> None:
    link = connect(ping_interval=0.02, ping_timeout=0.2)
    await listener.hears("up")
    server.answers["Ping"] = []
    await listener.hears("down")
    assert listener.why("down") == "no answer to Ping"
    server.answers["Ping"] = [PONG]
    await listener.hears("up", times=2)
    assert link.connected


async def test_pings_that_are_answered_change_nothing(connect: Connect, server: FakeAmi, listener: Listener) -> None:
    connect(ping_interval=0.01)
    await server.got("Ping", times=5)
    assert listener.states == [("up", "")]


async def test_a_long_action_is_not_taken_for_death(connect: Connect, server: FakeAmi, listener: Listener) -> None:
    link = connect(ping_interval=0.01, ping_timeout=0.01)
    await listener.hears("up")
    server.answers = {"Reload": [], "Ping": []}
    call = asyncio.create_task(link.call({"Action": "Reload"}))
    await server.got("Reload")
    before = len(server.actions("Ping"))
    await asyncio.sleep(0.2)  # Time for several pings to find no turn.
    assert len(server.actions("Ping")) == before
    server.answers["Ping"] = [PONG]
    [action_id] = server.actions("Reload")[0]["ActionID"]
    await server.say(f"Response: Success\nActionID: {action_id}\nMessage: Module Reloaded")
    assert len(await call) == 1


async def test_an_announced_shutdown_is_a_loss_with_a_reason(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.say("Event: Shutdown\nShutdown: Cleanly\nRestart: False")
    await listener.hears("down")
    assert listener.why("down") == "Asterisk is shutting down"
    await listener.hears("Shutdown")


async def test_it_comes_back_when_asterisk_does(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.stop()
    await listener.until(lambda: "cannot connect" in listener.states[-1][1])
    with pytest.raises(AmiDown, match="not connected: cannot connect"):
        await ami.call(PING)
    await server.start()
    await listener.hears("FullyBooted", times=2)
    assert (await ami.call(PING))[0]["Ping"] == "Pong"
    assert [state for state, _ in listener.states] == ["up", "down", "down", "up"]


async def test_a_server_that_does_not_answer_the_login_is_down(
    connect: Connect, server: FakeAmi, listener: Listener
) -> None:
    server.answers["Login"] = []
    link = connect(connect_timeout=0.1)
    await listener.hears("down")
    assert listener.why("down") == "no answer to Login"
    assert not link.connected
    with pytest.raises(AmiDown, match="no answer to Login"):
        await link.call(PING)


async def test_nothing_is_sent_before_the_login_is_answered(connect: Connect, server: FakeAmi) -> None:
    server.answers["Login"] = []
    link = connect()
    await server.got("Login")
    assert not link.connected
    with pytest.raises(AmiDown, match="not connected"):
        await link.call(PING)
    assert len(server.received) == 1


async def test_a_server_that_is_no_asterisk_is_down(connect: Connect, server: FakeAmi, listener: Listener) -> None:
    server.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    server.answers["Login"] = [Do.HANG_UP]
    connect()
    await listener.hears("down")
    assert "up" not in listener.heard


async def test_a_host_that_swallows_packets_is_down(
    connect: Connect, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def swallow(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", swallow)
    connect(connect_timeout=0.05)
    await listener.hears("down")
    assert listener.why("down") == "cannot connect: timed out"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses the link means to make before it connects again; it makes none."""
    made: list[float] = []
    really_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            made.append(seconds)
        await really_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    return made


async def test_a_wrong_password_is_said_and_not_tried_again_soon(
    connect: Connect, server: FakeAmi, listener: Listener, pauses: list[float]
) -> None:
    connect(secret="wrong", backoff=1, refused_pause=60)
    await server.got("Login", times=3)
    assert listener.states == [("auth-failed", "Authentication failed")]
    assert set(pauses) == {60}


async def test_pauses_grow_and_begin_anew_after_success(
    connect: Connect, server: FakeAmi, listener: Listener, pauses: list[float]
) -> None:
    server.answers["Login"] = [Do.HANG_UP]
    connect(backoff=1, backoff_max=60)
    await server.until(lambda: len(pauses) >= 8)
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    del server.answers["Login"]
    await listener.hears("up")
    pauses.clear()
    await server.say(Do.HANG_UP)
    await listener.hears("up", times=2)
    assert pauses[0] == 1


async def test_pauses_differ_from_one_another(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []
    drew = asyncio.Event()

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        drew.set()
        return 1

    monkeypatch.setattr(random, "uniform", uniform)
    connect(secret="wrong")
    async with asyncio.timeout(20):
        await drew.wait()
    low, high = drawn[0]
    assert low < 1 < high


async def all_done() -> None:
    """Waits until there is no task but the test's own and the server's."""
    async with asyncio.timeout(20):
        while any("FakeAmi" not in repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}):
            await asyncio.sleep(0)


async def test_closing_while_it_reconnects_is_final(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    await server.stop()
    await listener.hears("down")
    ami.close()
    await all_done()
    await server.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await server.until(lambda: server.connections > 1)


async def test_closing_while_it_logs_in_is_final(connect: Connect, server: FakeAmi, listener: Listener) -> None:
    server.answers["Login"] = []
    link = connect()
    await server.got("Login")
    link.close()
    await all_done()
    assert listener.heard == []


async def test_closing_ends_the_calls_under_way(ami: Ami, server: FakeAmi) -> None:
    server.answers["Reload"] = []
    call = asyncio.create_task(ami.call({"Action": "Reload"}))
    await server.got("Reload")
    ami.close()
    with pytest.raises(AmiDown, match="the link was closed"):
        await call
    await all_done()


async def test_after_closing_nothing_is_reported(ami: Ami, server: FakeAmi, listener: Listener) -> None:
    assert ami._link is not None
    ami._link.dispatch({"Event": "Late"})
    ami.close()
    assert not ami.connected
    await all_done()
    await server.until(lambda: server.open == 0)
    assert listener.heard == ["up", "FullyBooted"]


def test_closing_what_never_started_does_nothing(listener: Listener) -> None:
    Ami("127.0.0.1", 1, "agent", SECRET, on_event=None, on_state=listener.on_state).close()


async def test_a_link_is_started_once(ami: Ami) -> None:
    with pytest.raises(RuntimeError):
        ami.start()
    ami.close()
    with pytest.raises(RuntimeError):
        ami.start()


async def test_no_secret_is_logged_at_any_level(
    connect: Connect, server: FakeAmi, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    for name in ["", "asyncio", "panoramisk", "panoramisk.manager", "panoramisk.ami_protocol"]:
        caplog.set_level(1, logger=name)
    asyncio.get_running_loop().set_debug(True)
    server.answers["PJSIPShowAuths"] = ["Response: Success\nActionID: {id}\nPassword: inanswer"]
    server.answers["Originate"] = [Do.HANG_UP]
    with capture_logs() as logs:
        link = connect()
        await listener.hears("up")
        await link.call({"Action": "PJSIPShowAuths"})
        await server.say("Event: Any\nPassword: inevent")
        await listener.hears("Any")
        with pytest.raises(AmiDown):
            await link.call(ORIGINATE | {"Variable": "PASSWORD=inaction"})
        await listener.hears("up", times=2)
        server.answers["Login"] = [Do.HANG_UP]
        await server.say(Do.HANG_UP)
        await server.got("Login", times=4)
        connect(secret="wrong1ogin")
        await server.got("Login", times=6)
    said = caplog.text + repr(logs) + repr(link)
    assert "ami" in said
    assert [word for word in [SECRET, "inanswer", "inevent", "inaction", "wrong1ogin"] if word in said] == []
    assert [record for record in caplog.records if record.name.startswith("panoramisk")] == []


def test_only_the_protocol_of_panoramisk_is_used() -> None:
    """Its Manager, CallManager and fast_agi have faults that cannot be mended from outside."""
    tree = ast.parse(inspect.getsource(module))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("panoramisk")
        for alias in node.names
    }
    assert imported == {"Action", "AMIProtocol"}
    assert logging.getLogger("panoramisk") is not module._NOWHERE
