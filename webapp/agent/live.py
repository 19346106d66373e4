"""Which calls go on at this node: asked of its Asterisk again and again, and written into the database."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from webapp.agent.ami import Ami, AmiDown, AmiError, Message

log = structlog.get_logger()

PAUSE_SECONDS = 2.0  # Between two looks, ...
SHARE = 5  # ... and so many times as long as a look took: many calls must not keep Asterisk and us busy.
LONGEST_PAUSE_SECONDS = 60.0  # An Asterisk that hung for once must not be left alone for long.
ANSWER_SECONDS = 30.0  # What is not answered by then ends the link.

# Plain variables of the channel: to read CDR() would make Asterisk's call records wait for us. The dialplan and the
# endpoints set them, see extensions.conf. LEG is a leg of route_call()'s answer.
VARIABLES = (
    "CUSTOMER_ID",
    "GATEWAY_ID",
    "PROVIDER_ID",
    "NUMBER",
    "OWNER",
    "DID",
    "LEG",
    "HASH(answer,verdict)",
    "HASH(answer,number)",
)
DIRECTIONS = {"internal": "internal", "did": "onnet", "route": "outbound"}  # By the verdict of route_call().
# State of the channel of who calls: AST_STATE_RING and AST_STATE_UP. (Of who is called it is others before he answers.)
STATES = {"4": "ringing", "6": "answered"}

_WRITE = text("""
    WITH seen AS (
        SELECT * FROM jsonb_to_recordset(CAST(:calls AS jsonb)) AS (
            uniqueid text, direction text, customer_id uuid, gateway_id uuid, provider_id uuid, src text, dst text,
            did text, state text, started_at timestamptz)
    ), gone AS (
        DELETE FROM public.live_channels l
        WHERE l.node = :node AND NOT EXISTS (SELECT FROM seen s WHERE s.uniqueid = l.uniqueid)
    ), looked AS (
        INSERT INTO public.live_nodes (node, looked_at) VALUES (:node, now())
        ON CONFLICT (node) DO UPDATE SET looked_at = excluded.looked_at
    )
    INSERT INTO public.live_channels AS l (
        node, uniqueid, direction, customer_id, gateway_id, provider_id, src, dst, did, state, started_at, answered_at)
    SELECT :node, uniqueid, direction, customer_id, gateway_id, provider_id, src, dst, did, state, started_at,
           CASE WHEN state = 'answered' THEN now() END
    FROM seen
    ON CONFLICT (node, uniqueid) DO UPDATE
    SET direction = excluded.direction, customer_id = excluded.customer_id, gateway_id = excluded.gateway_id,
        provider_id = excluded.provider_id, src = excluded.src, dst = excluded.dst, did = excluded.did,
        state = excluded.state, answered_at = coalesce(l.answered_at, excluded.answered_at)
    WHERE (l.direction, l.customer_id, l.gateway_id, l.provider_id, l.src, l.dst, l.did, l.state)
        IS DISTINCT FROM (excluded.direction, excluded.customer_id, excluded.gateway_id, excluded.provider_id,
                          excluded.src, excluded.dst, excluded.did, excluded.state)
""")
_FORGET = (
    text("DELETE FROM public.live_nodes WHERE node = :node"),
    text("DELETE FROM public.live_channels WHERE node = :node"),
)


@dataclass(frozen=True)
class Call:
    """A row of live_channels, without what the database adds."""

    uniqueid: str
    direction: str
    customer_id: str | None
    gateway_id: str | None
    provider_id: str | None
    src: str
    dst: str
    did: str
    state: str
    started_at: str


async def repeat(look: Callable[[], Awaitable[None]], pause_seconds: float, share: int) -> None:
    """Look for ever, with a pause after each look that is `share` times as long as it took, within bounds."""
    pause = PAUSE_SECONDS / 4  # Until the link is there.
    while True:
        await asyncio.sleep(pause)
        began = time.monotonic()
        pause = pause_seconds
        try:
            await look()
        except DBAPIError as error:
            log.warning("database is away", reason=str(error.orig).strip().splitlines()[0])
        except AmiError as error:
            log.warning("Asterisk refused", reason=str(error))
        except AmiDown:  # The link itself tells in the log that it is down.
            pass
        else:
            pause = min(max(pause_seconds, share * (time.monotonic() - began)), LONGEST_PAUSE_SECONDS)


async def look(engine: Engine, node: str, ami: Ami) -> None:
    """Write down which calls go on now, or that it is not known."""
    try:
        answer = await ami.call({"Action": "Status", "Variables": ",".join(VARIABLES)}, ANSWER_SECONDS)
    except (AmiDown, AmiError):  # The link itself tells in the log that it is down.
        await asyncio.to_thread(forget, engine, node)
    else:
        await asyncio.to_thread(write, engine, node, _calls(answer))


def write(engine: Engine, node: str, calls: Iterable[Call]) -> None:
    """These calls, and no others, go on at a node. Only what is new or different is written."""
    with engine.begin() as connection:
        connection.execute(_WRITE, {"node": node, "calls": json.dumps([asdict(call) for call in calls])})


def forget(engine: Engine, node: str) -> None:
    """It is not known any more what goes on at a node."""
    with engine.begin() as connection:
        for statement in _FORGET:
            connection.execute(statement, {"node": node})


def _calls(answer: Iterable[Message]) -> Iterable[Call]:
    """The calls among the channels: those of who calls, and of those only ours."""
    for message in answer:
        if message.get("Event") == "Status" and message.get("Application") != "AppDial" and (call := _call(message)):
            yield call


def _call(message: Message) -> Call | None:
    """None for the channel of who is called, for one that is not ours, and as long as nothing is decided."""
    state = STATES.get(message.get("ChannelState", ""))
    uniqueid = message["Uniqueid"]
    began = re.search(r"([0-9]{1,10})\.[0-9]+$", uniqueid)
    found = _variables(message)
    inbound = "GATEWAY_ID" in found  # Asked first, for who is called may send the call on and be a customer, too.
    direction = "inbound" if inbound else DIRECTIONS.get(found.get("HASH(answer,verdict)", ""))
    if state is None or began is None or direction is None:
        return None
    did, gateway, provider = found.get("DID", ""), found.get("GATEWAY_ID"), found.get("PROVIDER_ID")
    if direction == "outbound":
        _, gateway, provider, *_ = [*found.get("LEG", "").split(":"), "", ""]
    return Call(
        uniqueid=uniqueid,
        direction=direction,
        customer_id=_id(found.get("OWNER", found.get("CUSTOMER_ID"))),
        gateway_id=_id(gateway),
        provider_id=_id(provider),
        src=_number(message.get("CallerIDNum", "")),
        dst=did or found.get("NUMBER" if inbound else "HASH(answer,number)", ""),
        did=did,
        state=state,
        started_at=dt.datetime.fromtimestamp(int(began[1]), dt.UTC).isoformat(),
    )


def _variables(message: Message) -> Mapping[str, str]:
    """Each comes as "Variable: name=value", and one that is not set as (null)."""
    lines = (line.partition("=") for line in message.get("Variable", "").split("\n"))
    return {name: value for name, _, value in lines if value != "(null)"}


def _number(text: str) -> str:
    """Asterisk writes <unknown> where there is no number."""
    return "" if text == "<unknown>" else text.replace("\0", "")


def _id(text: str | None) -> str | None:
    try:
        return str(uuid.UUID(text or ""))
    except ValueError:
        return None
