"""The link to Asterisk's manager interface (AMI): panoramisk's protocol under rules one can rely on."""

from __future__ import annotations

import asyncio
import codecs
import logging
import random
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

log = structlog.get_logger()

State = Literal["up", "down", "auth-failed"]

# Header names are found in any case. A header that came several times holds its values joined by "\n".
# An empty header at the end of a message is missing, so read with .get(); an empty "content" is panoramisk's.
Message = Mapping[str, str]
Event = Message

# A line break in a value would begin a header, or a whole action, of its own.
_UNSENDABLE = re.compile("[\r\n\0\ud800-\udfff]")

# panoramisk logs whole actions and answers, with the passwords in them. This logger leads nowhere.
_NOWHERE = logging.Logger("panoramisk")
_NOWHERE.addHandler(logging.NullHandler())


class AmiError(Exception):
    """Asterisk answered Error; the text is what Asterisk said, "No endpoints found" for instance."""


class AmiDown(Exception):
    """There is no answer, because there is no link, it broke, or time ran out; the text says which.

    Asterisk may have carried out the action all the same, unless the text is "not connected" or "busy".
    """


class Ami:
    """A link to one Asterisk that logs in, notices its own death, and comes back by itself.

    `on_event` and `on_state` are called from the event loop, one at a time. Events and answers arrive in the
    order Asterisk sent them: a task that awaits `call` directly goes on before any later event is delivered.
    Without `on_event` no events are asked for. All times are in seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        on_event: Callable[[Event], None] | None,
        on_state: Callable[[State, str], None],
        connect_timeout: float = 5,
        ping_interval: float = 10,
        ping_timeout: float = 5,
        backoff: float = 1,
        backoff_max: float = 5,
        refused_pause: float = 60,
    ) -> None:
        self._host = host
        self._port = port
        self._login = _checked(
            {
                "Action": "Login",
                "Username": username,
                "Secret": secret,
                "Events": "on" if on_event else "off",
            }
        )
        self._on_event = on_event
        self._on_state = on_state
        self._connect_timeout = connect_timeout
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._backoff = backoff
        self._backoff_max = backoff_max
        self._refused_pause = refused_pause
        self._state: tuple[State, str] = ("down", "not started")
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether an action would be sent now."""
        return self._link is not None and not self._link.lost.done()

    def start(self) -> asyncio.Task[None]:
        """Connects, and connects again, until `close` cancels the task; nothing but a bug ends it earlier."""
        if self._task is not None:
            raise RuntimeError("an Ami is started once")
        self._task = asyncio.create_task(self._run(), name="ami")
        return self._task

    def close(self) -> None:
        """Ends the link for good. Calls under way get AmiDown; neither callback is called any more."""
        self._on_event = None
        if self._task is not None:
            self._task.cancel()
        if self._link is not None:
            self._link.drop("the link was closed")

    async def call(self, action: Mapping[str, str | Sequence[str]], timeout: float = 10) -> list[Message]:
        """The whole answer to an action: the response, then for a list its events, the closing one included.

        AMI answers one action at a time, so calls take turns; waiting for its turn counts in a call's time.
        An action that was sent and is not answered in time ends the link, because whatever came after it
        would wait as well. Nothing is ever sent twice, or later.

        Raises AmiError, AmiDown, or ValueError if a value cannot be sent.
        """
        checked = _checked(action)
        if self._link is None:
            raise AmiDown(f"not connected: {self._state[1]}")
        return _accepted(await self._link.ask(checked, timeout))

    async def command(self, cli: str, timeout: float = 10) -> str:
        """What a command of Asterisk's console prints."""
        [reply] = await self.call({"Action": "Command", "Command": cli}, timeout)
        return reply.get("Output", "")

    async def _run(self) -> None:
        delay = self._backoff
        while True:
            try:
                await self._session()
            except AmiError as refusal:
                # Asterisk's host may ban who tries a wrong password again and again.
                delay = self._refused_pause
                self._change("auth-failed", str(refusal))
            except AmiDown as loss:
                if self._state[0] == "up":
                    delay = self._backoff
                self._change("down", str(loss))
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 (it only spreads reconnections)
            delay = min(delay * 2, self._backoff_max)

    async def _session(self) -> None:
        """One connection from beginning to end, which is always an exception."""
        link = await self._connect()
        try:
            _accepted(await link.ask(self._login, self._connect_timeout))
            self._link = link
            self._change("up", "")
            await self._watch(link)
        finally:
            self._link = None
            link.drop("the link was closed")

    async def _connect(self) -> _Link:
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, link = await asyncio.get_running_loop().create_connection(
                    lambda: _Link(self._deliver), self._host, self._port
                )
        except OSError as error:
            raise AmiDown(f"cannot connect: {str(error) or 'timed out'}") from error
        return link

    async def _watch(self, link: _Link) -> None:
        """Asks for a sign of life now and then, until the link is lost."""
        while not link.lost.done():
            await asyncio.wait([link.lost], timeout=self._ping_interval)
            # A ping that finds no turn is no sign of death: the action that has the turn has its own time.
            with suppress(AmiDown):
                await link.ask({"Action": "Ping"}, self._ping_timeout)
        raise AmiDown(link.lost.result())

    def _deliver(self, event: Event) -> None:
        if self._on_event is not None:
            _tell(self._on_event, event)

    def _change(self, state: State, why: str) -> None:
        if self._state == (state, why):
            return
        self._state = (state, why)
        say = log.info if state == "up" else log.warning
        say("ami", host=self._host, port=self._port, state=state, why=why)
        _tell(self._on_state, state, why)


class _Request(Action):  # type: ignore[misc] # panoramisk has no type information
    """An action under way, and the messages that answer it."""

    def add_message(self, message: Message) -> bool:
        """Takes the next message of the answer; true when it was the last.

        panoramisk guesses from the wording whether a list follows, and waits for ever where it is wrong.
        Asterisk says so: "EventList: start" in the response, "EventList: Complete" in the last event.
        """
        self.responses.append(message)
        is_list = "EventList" in self.responses[0]
        complete = not is_list or ("Event" in message and "EventList" in message)
        if complete and not self.future.done():
            self.future.set_result(self.responses)
        return complete


class _Link(AMIProtocol):  # type: ignore[misc] # panoramisk has no type information
    """One connection; when it is lost, it stays lost."""

    encoding = "utf-8"

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._turn = asyncio.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.lost: asyncio.Future[str] = self._loop.create_future()

    async def ask(self, action: Mapping[str, str | Sequence[str]], timeout: float) -> list[Message]:
        """Sends an action when its turn comes, and waits for the whole answer. Raises AmiDown."""
        request = _Request(action)
        sent = False
        try:
            async with asyncio.timeout(timeout), self._turn:
                if not self.lost.done():
                    self.send(request)
                    sent = True
                    # Awaited directly: each task or callback in between would let later events overtake.
                    answer: list[Message] = await request.future
                    return answer
        except TimeoutError:
            if not sent:
                raise AmiDown("busy with another action") from None
            self.drop(f"no answer to {action['Action']}")
        finally:
            self.responses.pop(request.id, None)
        raise AmiDown(self.lost.result())

    def drop(self, why: str) -> None:
        """Ends the connection at once and tells everybody who waits for an answer."""
        if self.lost.done():
            return
        self.lost.set_result(why)
        self.transport.abort()
        for request in self.responses.values():
            if not request.future.done():
                request.future.set_exception(AmiDown(why))

    # What follows is called by asyncio and by panoramisk.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.factory = self
        self.log = _NOWHERE

    def data_received(self, data: bytes) -> None:
        # panoramisk decodes each piece by itself and loses a character that two pieces share.
        super().data_received(self._decoder.decode(data).encode())

    def handle_message(self, message: Any) -> None:
        for name, value in message.items():
            if isinstance(value, list):
                message[name] = "\n".join(value)
        super().handle_message(message)

    def dispatch(self, event: Event) -> None:
        # A task whose answer is complete goes on by way of the loop's queue. Events take the same way, so
        # that none overtakes an answer that Asterisk sent before it.
        self._loop.call_soon(self._on_event, event)

    def connection_lost(self, cause: Exception | Message | None) -> None:
        """The cause is a message when Asterisk announces its shutdown."""
        if isinstance(cause, Mapping):
            self.drop("Asterisk is shutting down")
        else:
            self.drop(f"the connection broke: {cause}" if cause else "Asterisk closed the connection")


def _checked(action: Mapping[str, str | Sequence[str]]) -> dict[str, str | list[str]]:
    headers = {name: value if isinstance(value, str) else list(value) for name, value in action.items()}
    for name, value in headers.items():
        texts = [name, value] if isinstance(value, str) else [name, *value]
        if any(_UNSENDABLE.search(text) for text in texts):
            raise ValueError(f"a character that AMI cannot carry, in header {name!r}")
    return headers


def _accepted(answer: list[Message]) -> list[Message]:
    response = answer[0]
    if response.get("Response") == "Error":
        # A refused console command gives its reason in its output, and always the same message.
        raise AmiError(response.get("Output") or response.get("Message", ""))
    return answer


def _tell(callback: Callable[..., None], *args: Any) -> None:
    """Calls somebody else's function, whose mistakes must not cost the link."""
    try:
        callback(*args)
    except Exception:
        log.exception("ami callback failed")
