"""Where phones are registered, which gateways and PBXs answer, and with whom this node is registered: asked of its
Asterisk again and again, and written into the database."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Engine, text

from webapp.agent.ami import Ami, AmiDown, AmiError, Message

PAUSE_SECONDS = 5.0  # Between two looks, ...
SHARE = 50  # ... and so many times as long as a look took: thousands of phones must not keep Asterisk and us busy.
ANSWER_SECONDS = 30.0

# The contacts that phones registered are in the node's own memory; those of gateways and PBXs are in their aors, which
# takes one query for all of them. Nothing here asks for each endpoint.
PHONES = {"Action": "PJSIPShowContacts"}
FIXED = "pjsip show contacts like ^(gateway|trunk)-"
REGISTRATIONS = {"Action": "PJSIPShowRegistrationsOutbound"}

# ast_sip_get_contact_status_label() and its short form: res_pjsip/location.c. The others: it was not asked, or not yet.
STATES = {
    "Reachable": "reachable",
    "Avail": "reachable",
    "Unreachable": "unreachable",
    "Unavail": "unreachable",
}
_FIXED = re.compile(r"Contact: +([^/ ]+)/(sips?:\S+) +[0-9a-f]+ +(\w+) +(\S+)$")
_PLACE = re.compile(r"sips?:(?:[^@]*@)?([^;>?]+)")

_WRITE = text("""
    WITH seen AS (
        SELECT * FROM jsonb_to_recordset(CAST(:contacts AS jsonb)) AS (
            aor text, uri text, address text, user_agent text, state text, rtt numeric)
    ), gone AS (
        DELETE FROM public.live_contacts l
        WHERE l.node = :node AND NOT EXISTS (SELECT FROM seen s WHERE (s.aor, s.uri) = (l.aor, l.uri))
    )
    INSERT INTO public.live_contacts AS l (node, aor, uri, thing_id, address, user_agent, state, rtt, since)
    SELECT :node, s.aor, s.uri, public.uuid_or_null(split_part(a.owner, ':', 2)), s.address, s.user_agent, s.state,
           s.rtt, now()
    FROM seen s LEFT JOIN asterisk.ps_aors a ON a.id = s.aor
    ON CONFLICT (node, aor, uri) DO UPDATE
    SET thing_id = excluded.thing_id, address = excluded.address, user_agent = excluded.user_agent,
        state = excluded.state, rtt = excluded.rtt,
        since = CASE WHEN l.state = excluded.state THEN l.since ELSE excluded.since END
    WHERE (l.thing_id, l.address, l.user_agent, l.state, l.rtt)
        IS DISTINCT FROM (excluded.thing_id, excluded.address, excluded.user_agent, excluded.state, excluded.rtt)
""")
_WRITE_REGISTRATIONS = text("""
    WITH seen AS (
        SELECT * FROM jsonb_to_recordset(CAST(:registrations AS jsonb)) AS (name text, state text)
    ), gone AS (
        DELETE FROM public.live_registrations l
        WHERE l.node = :node AND NOT EXISTS (SELECT FROM seen s WHERE s.name = l.name)
    )
    INSERT INTO public.live_registrations AS l (node, name, thing_id, state, since)
    SELECT :node, s.name, public.uuid_or_null(split_part(r.owner, ':', 2)), s.state, now()
    FROM seen s LEFT JOIN asterisk.ps_registrations r ON r.id = s.name
    ON CONFLICT (node, name) DO UPDATE
    SET thing_id = excluded.thing_id, state = excluded.state,
        since = CASE WHEN l.state = excluded.state THEN l.since ELSE excluded.since END
    WHERE (l.thing_id, l.state) IS DISTINCT FROM (excluded.thing_id, excluded.state)
""")
_FORGET = (
    text("DELETE FROM public.live_contacts WHERE node = :node"),
    text("DELETE FROM public.live_registrations WHERE node = :node"),
)


@dataclass(frozen=True)
class Contact:
    """A row of live_contacts, without what the database adds."""

    aor: str
    uri: str
    address: str
    user_agent: str
    state: str
    rtt: float | None  # Milliseconds.


async def look(engine: Engine, node: str, ami: Ami) -> None:
    """Write down who is where now, or that it is not known."""
    try:
        phones = await _listed(ami, PHONES, "ContactList")
        fixed = await ami.command(FIXED, ANSWER_SECONDS)
        registrations = await _listed(ami, REGISTRATIONS, "OutboundRegistrationDetail")
    except (AmiDown, AmiError):  # The link itself tells in the log that it is down.
        await asyncio.to_thread(forget, engine, node)
    else:
        contacts = [*map(_phone, phones), *_fixed(fixed)]
        states = {message["ObjectName"]: message["Status"].lower() for message in registrations}
        await asyncio.to_thread(write, engine, node, contacts, states)


def write(engine: Engine, node: str, contacts: Iterable[Contact], registrations: dict[str, str]) -> None:
    """These, and no others, are at a node. Only what is new or different is written."""
    each = {(contact.aor, contact.uri): asdict(contact) for contact in contacts}
    named = [{"name": name, "state": state} for name, state in registrations.items()]
    with engine.begin() as connection:
        connection.execute(_WRITE, {"node": node, "contacts": json.dumps(list(each.values()))})
        connection.execute(_WRITE_REGISTRATIONS, {"node": node, "registrations": json.dumps(named)})


def forget(engine: Engine, node: str) -> None:
    """It is not known any more who is there."""
    with engine.begin() as connection:
        for statement in _FORGET:
            connection.execute(statement, {"node": node})


async def _listed(ami: Ami, action: dict[str, str], event: str) -> Sequence[Message]:
    """The items of a list. Asterisk calls it an error if there are none."""
    try:
        answer = await ami.call(action, ANSWER_SECONDS)
    except AmiError as error:
        if re.fullmatch("No .* found", str(error)):
            return []
        raise
    return [message for message in answer if message.get("Event") == event]


def _phone(message: Message) -> Contact:
    """The address is that its REGISTER came from: behind a router the contact itself names another one."""
    uri, microseconds = message["Uri"], message.get("RoundtripUsec", "")
    return Contact(
        aor=_aor(message),
        uri=_clean(uri),
        address=_clean(f"{message.get('ViaAddr', '')}:{message.get('ViaPort', '')}".strip(":") or _place(uri)),
        user_agent=_clean(message.get("UserAgent", "")),
        state=STATES.get(message.get("Status", ""), "unchecked"),
        rtt=int(microseconds) / 1000 if microseconds.isdecimal() else None,
    )


def _aor(message: Message) -> str:
    """A contact is named by its aor, ";@" and a hash of its uri."""
    return _clean(message["ObjectName"].partition(";@")[0])


def _fixed(output: str) -> Iterator[Contact]:
    for line in output.splitlines():
        if found := _FIXED.search(line.rstrip()):
            aor, uri, state, rtt = found.groups()
            # Without an answer it is nan.
            milliseconds = float(rtt) if re.fullmatch(r"[0-9.]+", rtt) else math.nan
            known = STATES.get(state, "unchecked")
            yield Contact(aor, uri, _place(uri), "", known, None if math.isnan(milliseconds) else milliseconds)


def _place(uri: str) -> str:
    """Host and port of an address."""
    found = _PLACE.match(uri)
    return found[1] if found else ""


def _clean(text: str) -> str:
    """Phones say what they like of themselves; the database takes no NUL."""
    return text.replace("\0", "")[:255]
