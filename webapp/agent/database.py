"""The agent's side of the database: notices of new work, and the node's own row."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg2
import structlog
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import Engine, create_engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from webapp import patience
from webapp.settings.models import ALIVE_SECONDS, Node

log = structlog.get_logger()

FOR_EVER = 365 * 100  # Days.
CLOCK_SECONDS = 5.0  # By how much a server's clock may differ from the database's before that is told.


def engine(url: str, node: str) -> Engine:
    return create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        pool_size=2,
        connect_args=_connect_args(f"agent-{node}"),
    )


def _connect_args(name: str) -> dict[str, Any]:
    """A database that hangs must not hang the agent."""
    return patience.connect_args(name, connect=3, statement=10, lock=5)


def _listens(node: str) -> str:
    """The name of the one connection that each agent has open as long as it has the database."""
    return f"agent-{node} listens"


class Listener:
    """Sets `woken` when something is put into the outbox. It connects again by itself, and wakes us when it has,
    for a notice given meanwhile is lost. Then it sets `back`, too."""

    def __init__(
        self,
        url: str,
        woken: asyncio.Event,
        back: asyncio.Event | None = None,
        retry_seconds: float = 1.0,
        node: str = "",
    ) -> None:
        self._dsn = url.replace("postgresql+psycopg2://", "postgresql://")
        self._woken = woken
        self._back = back or asyncio.Event()
        self._retry_seconds = retry_seconds
        self._name = _listens(node)
        self._lost = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                connection = await asyncio.to_thread(self._connect)
            except psycopg2.OperationalError as error:
                log.warning("database is away", reason=str(error).strip().splitlines()[0])
                await asyncio.sleep(self._retry_seconds)
                continue
            try:
                await self._listen(connection)
            finally:
                connection.close()

    def _connect(self) -> psycopg2.extensions.connection:
        connection: psycopg2.extensions.connection = psycopg2.connect(self._dsn, **_connect_args(self._name))
        return connection

    async def _listen(self, connection: psycopg2.extensions.connection) -> None:
        """Until the connection is lost."""
        loop = asyncio.get_running_loop()
        descriptor = connection.fileno()
        self._lost.clear()
        try:
            connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            with connection.cursor() as cursor:
                cursor.execute("LISTEN outbox")
        except psycopg2.Error as error:
            log.warning("database is away", reason=str(error).strip())
            return
        loop.add_reader(descriptor, self._readable, connection)
        self._woken.set()
        self._back.set()
        try:
            await self._lost.wait()
        finally:
            loop.remove_reader(descriptor)

    def _readable(self, connection: psycopg2.extensions.connection) -> None:
        try:
            connection.poll()
        except psycopg2.Error as error:
            log.warning("database connection lost", reason=str(error).strip().splitlines()[0])
            self._lost.set()
            return
        if connection.notifies:
            connection.notifies.clear()
            self._woken.set()


def sign_in(engine: Engine, node: str, asterisk_up: bool, detail: str) -> bool:
    """Say that this node's agent lives, and whether its Asterisk does. The first time, the node enters the books.

    True: it was not in them, perhaps because it was deleted, so it has not been told of what was saved until now.
    """
    values = {"seen_at": func.clock_timestamp(), "asterisk_up": asterisk_up, "detail": detail}
    with engine.begin() as connection:
        if connection.execute(update(Node).where(Node.name == node).values(values)).rowcount:
            return False
        statement = insert(Node).values(name=node, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=[Node.name], set_=values))
        return True


def complaint(engine: Engine, node: str) -> str:
    """What is wrong with this server though it works, in a sentence; empty: nothing.

    A second agent does no harm, since orders may be carried out twice, but nobody wants one. A clock that is wrong
    spoils the times of call records.
    """
    query = text(
        """
        SELECT extract(epoch FROM clock_timestamp()), count(*)
        FROM pg_stat_activity WHERE datname = current_database() AND application_name = left(:name, 63)
        """
    )
    with engine.begin() as connection:
        began = time.time()
        now, agents = connection.execute(query, {"name": _listens(node)}).one()
    ahead = (began + time.time()) / 2 - float(now)
    if agents > 1:
        return f"{agents} agents work for this node, where one is enough"
    if abs(ahead) > CLOCK_SECONDS:
        return f"the clock is {abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} the database's"
    return ""


def clock_jumped(engine: Engine) -> bool:
    """Whether no partition was made for today: nobody has kept house for a week, or the database's clock is wrong."""
    query = text(
        """
        SELECT max(right(c.relname, 8)::date) < (now() AT TIME ZONE 'UTC')::date
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'asterisk.call_requests'::regclass AND c.relname ~ '^call_requests_[0-9]{8}$'
        """
    )
    with engine.begin() as connection:
        return bool(connection.scalar(query))


def keep_partitions(engine: Engine, *, drop: bool = True) -> None:
    """Make the partitions of the next days, and drop what is older than is kept."""
    with engine.begin() as connection:
        connection.execute(text("SELECT public.keep_partitions(:days)"), {"days": None if drop else FOR_EVER})


def release_quarantine(engine: Engine) -> None:
    """Set the numbers free that have rested long enough."""
    with engine.begin() as connection:
        connection.execute(text("SELECT public.release_quarantine()"))


def try_again(engine: Engine) -> None:
    """Make calls of the CDRs that could not become one for a reason that passes, such as a lock that somebody held."""
    with engine.begin() as connection:
        landed = connection.scalar(text("SELECT public.reland_what_may_pass()"))
    if landed:
        log.info("calls rated that were not at first", count=landed)


def is_up(engine: Engine, node: str) -> tuple[bool, str]:
    """Whether the agent of a node signed in lately and has its Asterisk, with a sentence about it."""
    alive = Node.seen_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, ALIVE_SECONDS)
    with engine.connect() as connection:
        row = connection.execute(select(Node.asterisk_up, Node.detail, alive).where(Node.name == node)).one_or_none()
    if row is None:
        return False, f"No agent has ever signed in for {node}."
    up, detail, is_alive = row
    if not is_alive:
        return False, f"The agent of {node} has not signed in for {ALIVE_SECONDS} seconds."
    return (True, f"{node} is up.") if up else (False, f"Asterisk on {node} is away: {detail}.")
