"""Carry out what the outbox owes this node's Asterisk, over AMI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog
from sqlalchemy import Engine, delete, func, select, update

from webapp.agent.ami import Ami, AmiDown, AmiError
from webapp.asterisk.reloads import Order
from webapp.settings.models import OutboxEntry

log = structlog.get_logger()

Action = dict[str, str]

CACHES = (
    "endpoint",
    "auth",
    "aor",
)  # The caches of single objects in sorcery.conf; "identify" holds a whole table.

ACTIONS: dict[str, Callable[[str], Action]] = {
    "expire_endpoint": lambda name: _expire("endpoint", name),
    "expire_auth": lambda name: _expire("auth", name),
    "expire_aor": lambda name: _expire("aor", name),
    "qualify": lambda name: {"Action": "Command", "Command": f"pjsip reload qualify aor {name}"},
    "populate_identify": lambda _: {"Action": "SorceryMemoryCachePopulate", "Cache": "identify"},
    "reload_registrations": lambda _: {
        "Action": "Reload",
        "Module": "res_pjsip_outbound_registration.so",
    },
}

# Asterisk takes a database that does not answer for an empty table: these would then forget everything they know.
READS_A_WHOLE_TABLE = frozenset({"populate_identify", "reload_registrations"})

# A lookup that read a row before our commit may put it into the cache after our expiry; without a lifetime it would
# stay there for ever. So every expiry is done once more when such a lookup must be over.
SECOND_EXPIRY_SECONDS = 2.0

BATCH = 1000


class DatabaseAway(Exception):
    """Asterisk cannot read the database, so it must not be told to read anything anew."""


def _expire(cache: str, name: str) -> Action:
    return {"Action": "SorceryMemoryCacheExpireObject", "Cache": cache, "Object": name}


async def deliver(engine: Engine, node: str, ami: Ami) -> bool:
    """Carry out what is owed and mark exactly that as done. False: something failed and is still owed."""
    while entries := await asyncio.to_thread(_owed, engine, node):
        done: list[int] = []
        failed: dict[str, list[int]] = {}
        for order, ids in _folded(entries).items():
            try:
                await carry_out(ami, order)
            except (AmiDown, AmiError, DatabaseAway) as error:
                log.warning("order failed", action=order.action, object=order.object, reason=str(error))
                failed.setdefault(str(error), []).extend(ids)
            else:
                done += ids
        await asyncio.to_thread(_mark, engine, done, failed)
        _expire_again(ami, entries)
        if failed:
            return False
    return True


async def start_afresh(engine: Engine, node: str, ami: Ami) -> None:
    """Have Asterisk forget and read anew all it may have read; whatever was owed until now is thereby done."""
    entries = await asyncio.to_thread(_owed, engine, node, None)
    await _require_database(ami)
    for cache in CACHES:
        await ami.call({"Action": "SorceryMemoryCacheExpire", "Cache": cache})
    for action in READS_A_WHOLE_TABLE:
        await ami.call(ACTIONS[action](""))
    for order, _ in _folded(entries).items():
        if order.action == "qualify":
            await carry_out(ami, order)
    await asyncio.to_thread(_mark, engine, [entry_id for entry_id, _ in entries], {})


async def carry_out(ami: Ami, order: Order) -> None:
    """One order. That an object to be expired is not in the cache is as good as done."""
    if order.action in READS_A_WHOLE_TABLE:
        await _require_database(ami)
    try:
        await ami.call(ACTIONS[order.action](order.object))
    except AmiError:
        if not order.action.startswith("expire_"):
            raise


def forget_old(engine: Engine, days: int = 30) -> None:
    """Drop entries done longer ago than `days`."""
    with engine.begin() as connection:
        before = func.now() - func.make_interval(0, 0, 0, days)
        connection.execute(delete(OutboxEntry).where(OutboxEntry.done_at < before))


async def _require_database(ami: Ami) -> None:
    """Have Asterisk read the row that is always there."""
    output = await ami.command("realtime load canary id 1")
    if not any(line.split("|")[0].strip() == "id" for line in output.splitlines() if "|" in line):
        raise DatabaseAway("Asterisk cannot read the database")


def _expire_again(ami: Ami, entries: Sequence[tuple[int, Order]]) -> None:
    orders = [order for order in _folded(entries) if order.action.startswith("expire_")]
    if orders:
        task = asyncio.get_running_loop().create_task(_later(ami, orders))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[None]] = set()  # The event loop itself holds no strong reference to a task.


async def _later(ami: Ami, orders: Iterable[Order]) -> None:
    await asyncio.sleep(SECOND_EXPIRY_SECONDS)
    try:
        for order in orders:
            await carry_out(ami, order)
    except AmiDown:
        log.info("second expiry left out", reason="Asterisk is away; what was cached goes with it")


def _folded(entries: Iterable[tuple[int, Order]]) -> dict[Order, list[int]]:
    orders: dict[Order, list[int]] = {}
    for entry_id, order in entries:
        orders.setdefault(order, []).append(entry_id)
    return orders


def _owed(engine: Engine, node: str, limit: int | None = BATCH) -> list[tuple[int, Order]]:
    query = select(OutboxEntry.id, OutboxEntry.action, OutboxEntry.object)
    query = query.where(OutboxEntry.node == node, OutboxEntry.done_at.is_(None)).order_by(OutboxEntry.id)
    with engine.begin() as connection:
        return [(row.id, Order(row.action, row.object)) for row in connection.execute(query.limit(limit))]


def _mark(engine: Engine, done: list[int], failed: dict[str, list[int]]) -> None:
    """Exactly these ids: ids are not in the order of commits, so "all up to" would lose some."""
    with engine.begin() as connection:
        if done:
            values = {"done_at": func.clock_timestamp(), "error": ""}
            connection.execute(update(OutboxEntry).where(OutboxEntry.id.in_(done)).values(values))
        for error, ids in failed.items():
            connection.execute(update(OutboxEntry).where(OutboxEntry.id.in_(ids)).values(error=error))
