"""Proof that this node's Asterisk uses what it should: asked by the web, read over AMI, answered in the database."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine, Text, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webapp.agent import outbox
from webapp.agent.ami import Ami, AmiDown, AmiError
from webapp.asterisk import check
from webapp.asterisk.load import load
from webapp.asterisk.projection import PROJECTIONS, owner, project
from webapp.asterisk.rows import TABLES, Auth, Registration, Row
from webapp.asterisk.sync import Values, present
from webapp.asterisk.used import CONTACTS, CUT_SHORT, SECRET, Finding, compared
from webapp.dids.models import Did
from webapp.proof.models import MOST, SyncCheck
from webapp.settings.models import OutboxEntry

log = structlog.get_logger()

LOOK_SECONDS = 2.0  # How often to look whether a proof is asked for.
SHARE = 4  # After each answer Asterisk is left alone so many times as long as it took.
TELL_SECONDS = 2.0  # How often to say how far it is.
SETTLING_SECONDS = 30.0  # So long it waits until everything saved is delivered. What is owed still, is missing.
AGAIN_SECONDS = outbox.SECOND_EXPIRY_SECONDS + 1.0
ANSWER_SECONDS = 30.0  # What is not answered by then ends the link.

NAME_LENGTH = 25  # Of a name in a cache Asterisk shows no more.
_NO_SUCH = "Unable to retrieve"  # What it says of an endpoint that it does not know.
_DETAILS = {"ps_endpoints": "EndpointDetail", "ps_aors": "AorDetail", "ps_auths": "AuthDetail"}

Tell = Callable[[int, int], None]  # So many objects looked at, of so many.


@dataclass(frozen=True)
class Expected:
    """What a node should use: table -> key -> owner and values."""

    rows: Mapping[str, Mapping[str, tuple[str, Values]]]
    by_hand: Mapping[str, frozenset[str]]
    registering: frozenset[str]  # The registrations that are this node's.
    everything: bool  # Else it is what one owner has, and what else there is proves nothing.

    def unknown(self, table: str, key: str) -> bool:
        """Whether nobody wants it to be there."""
        return self.everything and key not in self.rows[table] and key not in self.by_hand.get(table, ())


async def watch(engine: Engine, node: str, ami: Ami) -> None:
    """For ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            while asked := await asyncio.to_thread(_asked, engine, node):
                await answer(engine, node, ami, *asked)
        except DBAPIError as error:
            log.warning("proof not told", reason=str(error.orig).strip().splitlines()[0])


async def answer(engine: Engine, node: str, ami: Ami, scope: str, asked_at: dt.datetime) -> None:
    """Prove what was asked for, and write down what is different, or why that is not known."""

    def tell(done: int, total: int) -> None:
        _write(engine, node, scope, asked_at, done=done, total=total)

    found: list[Finding] = []
    reason = ""
    try:
        found = await prove(engine, node, ami, scope, tell)
    except (AmiDown, AmiError, outbox.DatabaseAway) as error:
        reason = str(error)
    values = {"findings": [finding.as_json() for finding in found[:MOST]], "differences": len(found), "error": reason}
    await asyncio.to_thread(_write, engine, node, scope, asked_at, finished_at=func.clock_timestamp(), **values)
    log.info("proof", scope=scope, differences=len(found), reason=reason)


async def prove(engine: Engine, node: str, ami: Ami, scope: str, tell: Tell) -> list[Finding]:
    """What this node uses otherwise than it should, when everything that was saved is delivered.

    Somebody may save while we look. So what is different is looked at once more, when that must have come, too.
    """
    await _settled(engine, node)
    found = await _look(ami, await asyncio.to_thread(_expected, engine, node, scope), tell)
    if not found:
        return []
    await asyncio.sleep(AGAIN_SECONDS)
    await _settled(engine, node)
    doubtful = {(finding.table, finding.key) for finding in found}
    expected = await asyncio.to_thread(_expected, engine, node, scope)
    again = await _look(ami, expected, tell, {key for _, key in doubtful})
    return [finding for finding in again if (finding.table, finding.key) in doubtful]


async def _look(ami: Ami, expected: Expected, tell: Tell, names: Container[str] | None = None) -> list[Finding]:
    """All differences; with `names`, of the endpoints only those. The endpoints come first: to look at one that is not
    in its cache puts it there, and then the caches hold what they should, or more."""
    await outbox.require_database(ami)
    found: list[Finding] = []
    keys = [key for key in expected.rows["ps_endpoints"] if names is None or key in names]
    told = time.monotonic()
    for number, key in enumerate(keys):
        began = time.monotonic()
        found += await _endpoint(ami, expected, key)
        if names is None and began - told > TELL_SECONDS:
            told = began
            await asyncio.to_thread(tell, number, len(keys))
        await asyncio.sleep(SHARE * (time.monotonic() - began))
    found += _identifies(expected, await ami.command("pjsip show identifies", ANSWER_SECONDS))
    found += await _registrations(ami, expected)
    if expected.everything:
        for kind in outbox.CACHES:
            dump = await ami.command(f"sorcery memory cache dump {kind}", ANSWER_SECONDS)
            found += _left_in_cache(expected, f"ps_{kind}s", dump)
        found += _left_contacts(expected, await outbox.contacts(ami))
    await outbox.require_database(ami)  # Else what could not be read would seem to be missing.
    return found


async def _endpoint(ami: Ami, expected: Expected, key: str) -> Iterable[Finding]:
    """An endpoint with the aor and the auth of the same name, as Asterisk has them in its caches."""
    try:
        said = await ami.call({"Action": "PJSIPShowEndpoint", "Endpoint": key}, ANSWER_SECONDS)
    except AmiError as error:
        if not str(error).startswith(_NO_SUCH):
            raise
        said = []
    fixed = [message.get("URI", "") for message in said if message.get("ID", "").startswith(f"{key}@@")]
    details = {
        table: {**message, "FixedContacts": ",".join(fixed)}
        for table, event in _DETAILS.items()
        for message in said
        if message.get("Event") == event and message.get("ObjectName") == key
    }
    return [
        finding
        for table in _DETAILS
        if key in expected.rows[table] and (finding := _held_against(expected, table, key, details.get(table)))
    ]


def _identifies(expected: Expected, console: str) -> Iterator[Finding]:
    """By which addresses Asterisk knows whom: no action of AMI says it, but the console does, from the cache."""
    said: dict[str, dict[str, str]] = {}
    for line in console.splitlines():
        label, _, value = line.strip().partition(":")
        value = value.strip()
        if label == "Identify" and not value.startswith("<"):
            key, _, endpoint = value.partition("/")
            said[key] = {"Endpoint": endpoint, "Match": ""}
        elif label == "Match" and said:
            said[key]["Match"] += f",{value}"
    yield from _both_ways(expected, "ps_endpoint_id_ips", said)


async def _registrations(ami: Ami, expected: Expected) -> list[Finding]:
    """Those Asterisk reads and, by the threads that work for them, those that it keeps up though it reads them no more.

    To read them is to take them up, so what is new or different there never stays unseen.
    """
    answer = await ami.call({"Action": "PJSIPShowRegistrationsOutbound"}, ANSWER_SECONDS)
    said = {
        message["ObjectName"]: message for message in answer if message.get("Event") == "OutboundRegistrationDetail"
    }
    found = list(_both_ways(expected, "ps_registrations", said, expected.registering))
    if expected.everything:
        workers = await ami.command("core show taskprocessors like pjsip/outreg/", ANSWER_SECONDS)
        running = set(re.findall(r"^pjsip/outreg/(\S+)-[0-9a-f]{8}\s", workers, re.MULTILINE))
        found += [Finding("ps_registrations", key, "", "left_over") for key in sorted(running - said.keys())]
    return found


def _left_in_cache(expected: Expected, table: str, dump: str) -> Iterator[Finding]:
    """What a cache holds that nobody wants there. The caches show long names cut short, so they are counted."""
    there = Counter(re.findall(r"^(\S+) +\d+ +\d+ *$", dump, re.MULTILINE))
    known = expected.rows[table].keys() | expected.by_hand.get(table, frozenset())
    for short in there - Counter(key[:NAME_LENGTH] for key in known):
        # The account of a gateway that is gone is kept: it was needed to unregister with (asterisk/reloads.py).
        if table != "ps_auths" or not short.startswith("gateway-"):
            yield Finding(table, short + CUT_SHORT if len(short) >= NAME_LENGTH else short, "", "left_over")


def _left_contacts(expected: Expected, contacts: Iterable[str]) -> Iterator[Finding]:
    """Where phones registered from that are gone: each is <aor>;@<hash of the address>."""
    for contact in contacts:
        if expected.unknown("ps_aors", contact.partition(";")[0]):
            yield Finding(CONTACTS, contact, "", "left_over")


def _both_ways(
    expected: Expected,
    table: str,
    said: Mapping[str, Mapping[str, str]],
    here: Container[str] | None = None,
) -> Iterator[Finding]:
    """What is different, what is missing although it belongs here, and what is there although nobody wants it."""
    for key in expected.rows[table]:
        if (key in said or here is None or key in here) and (
            finding := _held_against(expected, table, key, said.get(key))
        ):
            yield finding
    for key in said:
        if expected.unknown(table, key):
            yield Finding(table, key, "", "left_over")


def _held_against(expected: Expected, table: str, key: str, said: Mapping[str, str] | None) -> Finding | None:
    whose, values = expected.rows[table][key]
    return compared(table, key, whose, values, said) if said else Finding(table, key, whose, "missing")


# ---- the database


def _asked(engine: Engine, node: str) -> tuple[str, dt.datetime] | None:
    """The oldest question that has no answer: of which scope, and when it was asked."""
    query = select(SyncCheck.scope, SyncCheck.asked_at).where(SyncCheck.node == node, SyncCheck.finished_at.is_(None))
    with engine.begin() as connection:
        row = connection.execute(query.order_by(SyncCheck.asked_at).limit(1)).one_or_none()
    return (row.scope, row.asked_at) if row else None


def _write(engine: Engine, node: str, scope: str, asked_at: dt.datetime, **values: object) -> None:
    """Unless somebody has asked again meanwhile: that is answered next."""
    mine = (SyncCheck.node == node, SyncCheck.scope == scope, SyncCheck.asked_at == asked_at)
    with engine.begin() as connection:
        connection.execute(update(SyncCheck).where(*mine).values(**values))


async def _settled(engine: Engine, node: str) -> None:
    """Wait until nothing is owed, but not for ever."""
    until = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < until and await asyncio.to_thread(_owes, engine, node):
        await asyncio.sleep(LOOK_SECONDS / 4)


def _owes(engine: Engine, node: str) -> bool:
    query = select(OutboxEntry.id).where(OutboxEntry.node == node, OutboxEntry.done_at.is_(None))
    with engine.begin() as connection:
        return connection.scalar(query.limit(1)) is not None


def _expected(engine: Engine, node: str, scope: str) -> Expected:
    """What follows for Asterisk from what is stored now. Dialplan rows are looked up at every call and kept nowhere.

    What is entered as a secret an agent cannot read, for it has no ENCRYPTION_KEY. So of secrets the row counts.
    """
    rows: dict[str, dict[str, tuple[str, Values]]] = {kind.TABLE: {} for kind in TABLES}
    with Session(engine) as session:
        wanted = check.wanted(session, [scope]) if scope else _sip(session)
        by_hand = {table: frozenset(keys) for table, keys in check.by_hand(session).items()}
        for whose, those in wanted.items():
            for row in those:
                rows[row.TABLE][str(row.key()[0])] = whose, row.stored()
        for (whose, key), there in present(session, Auth, [scope] if scope else None).items():
            if auth := rows[Auth.TABLE].get(str(key[0])):
                rows[Auth.TABLE][str(key[0])] = whose, auth[1] | {name: there[name] for name in SECRET}
        registrations = rows[Registration.TABLE].items()
        registering = frozenset(key for key, (_, row) in registrations if _registers(session, node, row))
    by_hand["ps_endpoint_id_ips"] = by_hand.get("ps_endpoint_id_ips", frozenset()) | {check.CANARY}
    return Expected(rows, by_hand, registering, not scope)


def _registers(session: Session, node: str, registration: Values) -> bool:
    return session.scalar(select(func.public.registering_node(registration["node"], type_=Text))) == node


def _sip(session: Session) -> dict[str, Iterable[Row]]:
    """A number has dialplan rows only, and there are many numbers."""
    kinds = [kind for kind in PROJECTIONS if kind is not Did]
    return {owner(thing): project(thing) for kind in kinds for thing in load(session, kind)}
