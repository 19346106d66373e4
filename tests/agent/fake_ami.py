"""A manager interface without an Asterisk: it answers as Asterisk 22 does, or as a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum

SECRET = "s3cr3t"


class Do(Enum):
    """What a server may do instead of answering."""

    HANG_UP = "close the connection after what else is to be said"


# Text is a message: one header a line, "{id}" stands for the action's id. Bytes are sent as they are.
Step = str | bytes | Do

# How to answer an action; no steps at all is silence.
Answer = Sequence[Step]

PONG = "Response: Success\nActionID: {id}\nPing: Pong"
FULLY_BOOTED = "Event: FullyBooted\nPrivilege: system,all\nStatus: Fully Booted"
CHANNELS_FOLLOW = "Response: Success\nActionID: {id}\nEventList: start\nMessage: Channels will follow"
CHANNEL = "Event: CoreShowChannel\nActionID: {id}\nChannel: PJSIP/gw-00000001\nUniqueid: 1795374521.0"
CHANNELS_COMPLETE = "Event: CoreShowChannelsComplete\nActionID: {id}\nEventList: Complete\nListItems: 1"


def success(message: str) -> list[Step]:
    """The answer to an action that has nothing to tell but that it was done."""
    return [f"Response: Success\nActionID: {{id}}\nMessage: {message}"]


def error(message: str) -> list[Step]:
    """A refusal, with the empty line too many that Asterisk sends after some of them."""
    return [f"Response: Error\nActionID: {{id}}\nMessage: {message}", b"\r\n"]


def wire(text: str) -> bytes:
    """A message as it travels."""
    return text.replace("\n", "\r\n").encode() + b"\r\n\r\n"


class FakeAmi:
    """The server. A test changes `answers`, `events_after_login` and `greeting`, and looks at `received`."""

    def __init__(self) -> None:
        self.greeting = b"Asterisk Call Manager/11.0.0\r\n"
        self.events_after_login: list[Step] = [FULLY_BOOTED]
        self.answers: dict[str, Answer] = {
            "Ping": [PONG],
            "CoreShowChannels": [CHANNELS_FOLLOW, CHANNEL, CHANNELS_COMPLETE],
        }
        self.commands: dict[str, Answer] = {}  # Those of the console that are answered otherwise than "Command".
        self.received: list[dict[str, list[str]]] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._news = asyncio.Event()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._writers)

    async def start(self) -> None:
        """Listens; after a `stop`, at the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes every connection, as an Asterisk that is killed does."""
        if self._server is not None:
            self._server.close()
        await self.say(Do.HANG_UP)

    async def say(self, *steps: Step) -> None:
        """Sends events, or anything else, to all who are connected."""
        for writer in list(self._writers):
            self._perform(writer, steps, action_id="")

    async def trickle(self, data: bytes) -> None:
        """Sends bytes one by one, each of them seen alone at the other end."""
        for index in range(len(data)):
            await self.say(data[index : index + 1])
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def actions(self, name: str) -> list[dict[str, list[str]]]:
        """The actions of this name that came in."""
        return [action for action in self.received if action["Action"] == [name]]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something that came in makes the condition true."""
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def got(self, name: str, times: int = 1) -> None:
        """Waits until an action has come in so many times."""
        await self.until(lambda: len(self.actions(name)) >= times)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        self._news.set()
        writer.write(self.greeting)
        try:
            while True:
                self._answer(writer, await reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if writer in self._writers:
                self._writers.remove(writer)
            writer.close()
            self._news.set()

    def _answer(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        action: dict[str, list[str]] = {}
        for line in data.decode().split("\r\n"):
            if line:
                name, _, value = line.partition(": ")
                action.setdefault(name, []).append(value)
        self.received.append(action)
        self._news.set()
        name = action["Action"][0]
        if action.get("Command", [""])[0] in self.commands:
            steps = self.commands[action["Command"][0]]
        elif name in self.answers:
            steps = self.answers[name]
        elif name == "Login":
            steps = self._log_in(action)
        else:
            steps = error(f"Invalid/unknown command: {name}.")
        self._perform(writer, steps, action.get("ActionID", [""])[0])

    def _log_in(self, action: dict[str, list[str]]) -> list[Step]:
        if action["Secret"] == [SECRET]:
            return success("Authentication accepted") + self.events_after_login
        return [*error("Authentication failed"), Do.HANG_UP]

    def _perform(self, writer: asyncio.StreamWriter, steps: Answer, action_id: str) -> None:
        """All that is to be said goes out in one piece, so that it comes in as one."""
        data = b""
        for step in steps:
            if isinstance(step, str):
                data += wire(step.replace("{id}", action_id))
            elif isinstance(step, bytes):
                data += step
        writer.write(data)
        if Do.HANG_UP in steps:
            self._writers.remove(writer)
            writer.close()
