"""The agent beside an Asterisk: wait for work, do it, sign in; all of it again when something was away."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from webapp.agent import alerts, conference, contacts, database, fraud, health, journal, live, outbox, proof
from webapp.agent.ami import Ami, AmiDown, AmiError
from webapp.config import AgentSettings
from webapp.settings.models import ALIVE_SECONDS

log = structlog.get_logger()

TICK_SECONDS = 5.0  # How often to sign in, and to look for work in case a notice was lost.
RETRY_SECONDS = 1.0  # How soon to try again what failed.
HOUSEKEEPING_SECONDS = 3600.0
BOOKS_SECONDS = 300.0  # How often to look whether every call is in the books.


class Agent:
    """One per node. `detail` is what it says of its Asterisk when it signs in: why it is not up, if it is not."""

    def __init__(self, settings: AgentSettings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.woken = asyncio.Event()
        self.books_due = asyncio.Event()
        self.detail = "not connected yet"
        self.complaint = ""  # What is wrong though all works.
        self.signed_in = -float(ALIVE_SECONDS)  # When, by a clock that nobody sets.
        self.connections = 0  # To Asterisk, since the start.
        self.started = ""  # When the Asterisk that we know the caches of was started.
        self.ami = Ami(
            settings.ami_host,
            settings.ami_port,
            settings.ami_username,
            settings.ami_secret.get_secret_value(),
            on_event=None,
            on_state=self._ami_state,
        )

    async def run(self) -> None:
        """For ever. Only cancelling it ends it."""
        listener = database.Listener(self.settings.database_url, self.woken, self.books_due, node=self.settings.node)
        seen = (self.engine, self.settings.node, self.ami)
        tasks = [
            asyncio.create_task(work)
            for work in (
                listener.run(),
                self._keep_books(),
                live.repeat(partial(live.look, *seen), live.PAUSE_SECONDS, live.SHARE),
                proof.watch(*seen),
                live.repeat(
                    partial(conference.look, *seen, self.settings.asterisk_spool_path),
                    conference.PAUSE_SECONDS,
                    live.SHARE,
                ),
                live.repeat(partial(contacts.look, *seen), contacts.PAUSE_SECONDS, contacts.SHARE),
                live.repeat(partial(fraud.look, self.engine), fraud.PAUSE_SECONDS, fraud.SHARE),
                live.repeat(partial(alerts.look, self.engine, self.settings), alerts.PAUSE_SECONDS, alerts.SHARE),
            )
        ]
        for task in tasks:
            task.add_done_callback(_tell_of_its_end)
        server = await self._serve()
        self.ami.start()
        housekeeping_due = 0.0
        try:
            while True:
                self.woken.clear()
                pause = TICK_SECONDS
                try:
                    self._complain(await asyncio.to_thread(database.complaint, self.engine, self.settings.node))
                    detail = self.detail or self.complaint
                    is_new = await asyncio.to_thread(
                        database.sign_in, self.engine, self.settings.node, self.ami.connected, detail
                    )
                    self.signed_in = time.monotonic()
                    if is_new:
                        self.started = ""
                    if time.monotonic() >= housekeeping_due:
                        housekeeping_due = time.monotonic() + HOUSEKEEPING_SECONDS
                        await asyncio.to_thread(self._keep_house)
                    if not await self._work():
                        pause = RETRY_SECONDS
                except DBAPIError as error:
                    log.warning("database is away", reason=str(error.orig).strip().splitlines()[0])
                    pause = RETRY_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):  # Not wait_for(), which may lose a cancellation (Python 3.11).
                        await self.woken.wait()
        finally:
            for task in tasks:
                task.cancel()
            if server:
                server.close()
            self.ami.close()

    async def _serve(self) -> asyncio.Server | None:
        """Answer whoever watches us, if that is wished. That the port is taken stops no call, nor does it stop us."""
        port = self.settings.agent_http_port
        if not port:
            return None
        try:
            return await health.serve(port, self.checks, self.metrics)
        except OSError as error:
            log.error("health port not opened", port=port, reason=str(error))
            return None

    def _complain(self, complaint: str) -> None:
        """Say in the log what is wrong with this server, once."""
        if complaint and complaint != self.complaint:
            log.error("something is wrong with this server", reason=complaint)
        self.complaint = complaint

    def checks(self) -> dict[str, str]:
        """What we need for our work, each with what is wrong with it; empty: nothing."""
        away = time.monotonic() - self.signed_in > ALIVE_SECONDS
        return {
            "database": f"not signed in for {ALIVE_SECONDS} seconds" if away else "",
            "asterisk": "" if self.ami.connected else "away",
        }

    def metrics(self) -> str:
        """What Prometheus asks of an agent."""
        return health.CONNECTIONS.format(node=self.settings.node, count=self.connections)

    async def _work(self) -> bool:
        """What this node's Asterisk is owed. False: something failed and should be tried again soon."""
        if not self.ami.connected:
            return True  # Its coming back wakes us.
        try:
            started = await self._started()
            if started != self.started:
                await outbox.start_afresh(self.engine, self.settings.node, self.ami)
                self.started = started
                self.books_due.set()  # Calls that ended before are in the journal only.
                log.info("caches begun afresh", asterisk_started=started)
            self.detail = ""
            return await outbox.deliver(self.engine, self.settings.node, self.ami)
        except (AmiDown, AmiError, outbox.DatabaseAway) as error:
            self.detail = str(error)
            log.warning("work failed", reason=str(error))
            return False

    async def _keep_books(self) -> None:
        """Take from the journal what the database missed, and rate what could not be rated: at the start, when the
        database is back, and now and then."""
        while True:
            self.books_due.clear()
            pause = BOOKS_SECONDS
            try:
                if await asyncio.to_thread(self._books):
                    pause = journal.SETTLING_SECONDS
            except DBAPIError as error:
                log.warning("books not kept", reason=str(error.orig).strip().splitlines()[0])
                pause = RETRY_SECONDS
            except (OSError, journal.NotAJournal) as error:
                log.error("journal not read", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.books_due.wait()

    def _books(self) -> bool:
        """True: some calls are missing that Asterisk may be just storing, so look again soon."""
        database.try_again(self.engine)
        path = self.settings.asterisk_journal_path
        return journal.reconcile(self.engine, self.settings.node, path).waiting

    async def _started(self) -> str:
        """When this Asterisk was started: another time means another process, of whose caches we know nothing."""
        status = (await self.ami.call({"Action": "CoreStatus"}))[0]
        return f"{status['CoreStartupDate']} {status['CoreStartupTime']}"

    def _ami_state(self, state: str, reason: str) -> None:
        self.detail = "" if state == "up" else reason
        if state == "up":
            self.connections += 1
            log.info("connected to Asterisk")
        else:
            log.warning("Asterisk is away", state=state, reason=reason)
        self.woken.set()

    def _keep_house(self) -> None:
        jumped = database.clock_jumped(self.engine)
        database.keep_partitions(self.engine, drop=not jumped)
        if jumped:
            # A clock that is set right within the hour has cost nothing.
            log.warning(
                "the database's clock has jumped ahead, or nobody has kept house for a week: nothing is dropped yet"
            )
            return
        database.release_quarantine(self.engine)
        outbox.forget_old(self.engine)
        alerts.forget_old(self.engine)


def _tell_of_its_end(task: asyncio.Task[None]) -> None:
    """A mistake of ours in one task does not stop the others, but it must not go unseen."""
    if not task.cancelled() and (error := task.exception()):
        log.error("unexpected error", exc_info=error)


async def run(settings: AgentSettings) -> None:
    """Until SIGTERM or SIGINT."""
    engine = database.engine(settings.database_url, settings.node)
    task = asyncio.create_task(Agent(settings, engine).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("agent ends")
    finally:
        engine.dispose()
