"""Carry out what the outbox owes this node's Asterisk, over AMI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import structlog
from sqlalchemy import Engine, column, delete, func, select, table, update

from webapp.agent.ami import Ami, AmiDown, AmiError
from webapp.asterisk.reloads import Order
from webapp.settings.models import OutboxEntry

log = structlog.get_logger()

Action = dict[str, str]

# The caches of single objects (sorcery.conf), and a field by which to read an object of each.
CACHES = {"endpoint": "context", "auth": "username", "aor": "max_contacts"}

ACTIONS: dict[str, Callable[[str], list[Action]]] = {
    **{f"expire_{kind}": partial(lambda kind, name: [_expire(kind, name)], kind) for kind in CACHES},
    **{
        f"refresh_{kind}": partial(lambda kind, name: [_expire(kind, name), _read(kind, name)], kind) for kind in CACHES
    },
    "qualify": lambda name: [{"Action": "Command", "Command": f"pjsip reload qualify aor {name}"}],
    "reload_qualify": lambda _: [{"Action": "Reload", "Module": "res_pjsip.so"}],
    "populate_identify": lambda _: [{"Action": "SorceryMemoryCachePopulate", "Cache": "identify"}],
    "reload_registrations": lambda _: [{"Action": "Reload", "Module": "res_pjsip_outbound_registration.so"}],
    "start_afresh": lambda _: [],  # deliver() does it,
    "forget_contacts": lambda _: [],  # and that.
}

# Asterisk takes a database that does not answer for an empty table: these would then forget everything they know.
READS_A_WHOLE_TABLE = frozenset({"populate_identify", "reload_registrations", "reload_qualify"})

# A lookup that read a row before our commit may put it into the cache after our expiry; without a lifetime it would
# stay there for ever. So every expiry is done once more when such a lookup must be over.
SECOND_EXPIRY_SECONDS = 2.0

BOOT_SECONDS = 60.0
ACTION_SECONDS = 60.0  # A reload of 6 000 endpoints was seen to take 3 s on two busy cores.
BATCH = 1000


class DatabaseAway(Exception):
    """Asterisk cannot read the database, so it must not be told to read anything anew."""


def _expire(kind: str, name: str) -> Action:
    return {"Action": "SorceryMemoryCacheExpireObject", "Cache": kind, "Object": name}


def _read(kind: str, name: str) -> Action:
    """Have Asterisk look at one field of an object, which puts the object into its cache."""
    return {"Action": "Getvar", "Variable": f"AST_SORCERY(res_pjsip,{kind},{name},{CACHES[kind]})"}


async def deliver(engine: Engine, node: str, ami: Ami) -> bool:
    """Carry out what is owed and mark exactly that as done. False: something failed and is still owed.

    A node that was out of service has missed it does not know what: it is owed to start afresh, which comes first.
    """
    while entries := await asyncio.to_thread(_owed, engine, node):
        orders = _folded(entries)
        if Order("start_afresh") in orders:
            await start_afresh(engine, node, ami)
        elif Order("forget_contacts") in orders:
            await forget_contacts(engine, ami)
        failed = await _carry_out_all(ami, orders)
        done = [entry_id for order, ids in orders.items() if order not in failed for entry_id in ids]
        owed: dict[str, list[int]] = {}
        for order, reason in failed.items():
            owed.setdefault(reason, []).extend(orders[order])
        await asyncio.to_thread(_mark, engine, done, owed)
        _expire_again(ami, [order for order in orders if order not in failed])  # What failed comes again as a whole.
        if failed:
            return False
    return True


async def _carry_out_all(ami: Ami, orders: Iterable[Order]) -> dict[Order, str]:
    """Each order, and why it failed for those that did.

    With the database away an old object in a cache is better than none, so nothing is refreshed; but what was deleted
    is forgotten all the same.
    """
    away: AmiError | DatabaseAway | None = None
    try:
        await require_database(ami)
    except AmiDown as error:
        log.warning("orders failed", reason=str(error))
        return dict.fromkeys(orders, str(error))
    except (AmiError, DatabaseAway) as error:
        away = error
    failed = {}
    for order in orders:
        try:
            if away and not order.action.startswith("expire_"):
                raise away
            await carry_out(ami, order)
        except (AmiDown, AmiError, DatabaseAway) as error:
            log.warning("order failed", action=order.action, object=order.object, reason=str(error))
            failed[order] = str(error)
    return failed


async def start_afresh(engine: Engine, node: str, ami: Ami) -> None:
    """Have Asterisk forget what it may have read and read all of it anew: its caches are then right and warm.

    One that was started while the database was away has not even tried to register, nor looks after any peer, nor
    stores calls: it does all of it now.
    """
    await ami.command("core waitfullybooted", BOOT_SECONDS)  # AMI answers before there are caches.
    await require_database(ami)
    await _have_calls_stored(ami)
    for kind in CACHES:
        await ami.call({"Action": "SorceryMemoryCacheExpire", "Cache": kind})
    for action in ("populate_identify", "reload_registrations", "reload_qualify"):
        await carry_out(ami, Order(action))
    for kind in CACHES:
        for name in await asyncio.to_thread(_names, engine, kind):
            await carry_out(ami, Order(f"refresh_{kind}", name))
    await forget_contacts(engine, ami)


async def forget_contacts(engine: Engine, ami: Ami) -> None:
    """Delete the contacts of phones that are gone. Asterisk keeps a contact in its own database until its registration
    ends: who has the name of the phone next, or the phone itself when it is enabled again, would ring there."""
    found = await contacts(ami)
    known = set(await asyncio.to_thread(_names, engine, "aor"))  # Only now, lest a phone that is new lose its own.
    for contact in found:
        if contact.partition(";")[0] not in known:
            with suppress(AmiError):  # It has just ended.
                await ami.call({"Action": "DBDel", "Family": "registrar", "Key": f"contact/{contact}"})


async def contacts(ami: Ami) -> list[str]:
    """Where phones registered from, each as <aor>;@<hash of the address>."""
    answer = await ami.call({"Action": "DBGetTree", "Family": "registrar"}, ACTION_SECONDS)
    keys = [message.get("Key", "") for message in answer]
    return [key.removeprefix("/registrar/contact/") for key in keys if key.startswith("/registrar/contact/")]


async def _have_calls_stored(ami: Ami) -> None:
    """Load what stores call records, see modules.conf; anew, if it was loaded without a database.

    That it fails stops nothing else: what is not stored is in the journal.
    """
    how = "load"
    with suppress(AmiError):  # No such command: it is not loaded.
        if "Not currently connected" not in await ami.command("cdr show pgsql status"):
            return
        how = "refresh"
    try:
        await ami.call({"Action": "ModuleLoad", "Module": "cdr_pgsql.so", "LoadType": how}, ACTION_SECONDS)
    except AmiError as error:
        log.error("calls are not stored", reason=str(error))


async def carry_out(ami: Ami, order: Order) -> None:
    """One order, or AmiDown, AmiError or DatabaseAway.

    Asterisk refuses what concerns an object it does not have. That is as good as done: it is not in the cache, or it
    was deleted since; unless it does not have it because it cannot read the database.
    """
    if order.action not in ACTIONS:
        raise AmiError(f"this agent does not know the order {order.action}")  # The web may be newer than the agent.
    whole_table = order.action in READS_A_WHOLE_TABLE
    if whole_table:
        await require_database(ami)
    for action in ACTIONS[order.action](order.object):
        try:
            await ami.call(action, ACTION_SECONDS)
        except AmiError as error:
            if whole_table or str(error) == "Permission denied":
                raise
            if action["Action"] != "SorceryMemoryCacheExpireObject":
                await require_database(ami)
                log.info("nothing to do", action=order.action, object=order.object, reason=str(error))
    if whole_table:
        log.info("whole table read", action=order.action)


def forget_old(engine: Engine, days: int = 30) -> None:
    """Drop entries done longer ago than `days`."""
    with engine.begin() as connection:
        before = func.now() - func.make_interval(0, 0, 0, days)
        connection.execute(delete(OutboxEntry).where(OutboxEntry.done_at < before))


async def require_database(ami: Ami) -> None:
    """Have Asterisk read the row that is always there."""
    output = await ami.command("realtime load canary id 1")
    if ["id", "1"] not in [line.split() for line in output.splitlines()]:
        raise DatabaseAway("Asterisk cannot read the database")


def _expire_again(ami: Ami, orders: Iterable[Order]) -> None:
    again = [order for order in orders if order.action.startswith(("expire_", "refresh_"))]
    if again:
        task = asyncio.get_running_loop().create_task(_later(ami, again))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[None]] = set()  # The event loop itself holds no strong reference to a task.


async def _moment() -> None:
    await asyncio.sleep(SECOND_EXPIRY_SECONDS)


async def _later(ami: Ami, orders: Iterable[Order]) -> None:
    await _moment()
    await _carry_out_all(ami, orders)


def _folded(entries: Iterable[tuple[int, Order]]) -> dict[Order, list[int]]:
    orders: dict[Order, list[int]] = {}
    for entry_id, order in entries:
        orders.setdefault(order, []).append(entry_id)
    return orders


def _names(engine: Engine, kind: str) -> list[str]:
    source = table(f"ps_{kind}s", column("id"), schema="asterisk")
    with engine.begin() as connection:
        return list(connection.scalars(select(source.c.id)))


def _owed(engine: Engine, node: str) -> list[tuple[int, Order]]:
    query = select(OutboxEntry.id, OutboxEntry.action, OutboxEntry.object)
    query = query.where(OutboxEntry.node == node, OutboxEntry.done_at.is_(None)).order_by(OutboxEntry.id)
    with engine.begin() as connection:
        return [(row.id, Order(row.action, row.object)) for row in connection.execute(query.limit(BATCH))]


def _mark(engine: Engine, done: list[int], failed: dict[str, list[int]]) -> None:
    """Exactly these ids: ids are not in the order of commits, so "all up to" would lose some."""
    with engine.begin() as connection:
        if done:
            values = {"done_at": func.clock_timestamp(), "error": ""}
            connection.execute(update(OutboxEntry).where(OutboxEntry.id.in_(done)).values(values))
        for error, ids in failed.items():
            connection.execute(update(OutboxEntry).where(OutboxEntry.id.in_(ids)).values(error=error))
