"""Conferences at this node: have their numbers called, write down who is there, and end what shall end.

Calls cost money, so nobody is called twice by mistake. A participant is marked before the call file is dropped, and one
that is marked is never called again, whatever happened to the file. That it was not called is said only when the
dialplan has asked for no route for it and its call file is too old to be taken.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Engine, Row, text

from webapp.agent.ami import Ami, AmiError

log = structlog.get_logger()

# Longer than a second, in which the calls of a customer are counted (calls_per_second).
PAUSE_SECONDS = 1.5
ANSWER_SECONDS = 30.0  # What is not answered by then ends the link.
CALL_WITHIN_SECONDS = 30  # An older call file calls nobody: Asterisk was away. The dialplan sees to it.
WAIT_SECONDS = 150  # Of a call file, for an answer: longer than the dialplan rings at two gateways.
AT_ONCE = 5  # So many of a customer's participants are called in one look.

_NUMBER = re.compile(r"\+?[0-9*#]{2,32}")
_CALLER = re.compile(r"\+?[0-9]{0,20}")
# Of a Local channel: AST_STATE_RINGING and AST_STATE_UP.
_STATES = {"5": "ringing", "6": "joined"}

# Whether a participant was dialled is read before Asterisk is asked for its channels. So one that was, and has no
# channel then, is gone.
_OPEN = text("""
    SELECT p.id::text AS id, p.state,
           p.dropping_at IS NOT NULL OR c.closing_at IS NOT NULL
               OR c.created_at + c.max_minutes * interval '1 minute' < now() AS unwanted,
           p.state = 'calling' AND EXISTS (
               SELECT FROM asterisk.call_requests r
               WHERE r.id = p.id::text
                 AND r.requested_at BETWEEN asterisk.from_now('-10 minutes') AND asterisk.from_now('1 minute')
           ) AS dialled,
           coalesce(p.called_at, p.asked_at) < now() - :late * interval '1 second' AS late
    FROM public.conferences c
    JOIN public.conference_participants p ON p.conference_id = c.id
    WHERE c.node = :node AND c.ended_at IS NULL AND p.state IN ('asked', 'calling', 'ringing', 'joined')
""")
_TAKE = text("""
    WITH next AS (
        SELECT p.id, row_number() OVER (PARTITION BY c.customer_id ORDER BY p.asked_at, p.position) AS place,
               coalesce(nullif(k.calls_per_second, 0), :at_once) AS at_once
        FROM public.conferences c
        JOIN public.conference_participants p ON p.conference_id = c.id
        LEFT JOIN public.customers k ON k.id = c.customer_id
        WHERE c.node = :node AND c.ended_at IS NULL AND c.closing_at IS NULL
          AND p.state = 'asked' AND p.dropping_at IS NULL
    )
    UPDATE public.conference_participants p SET state = 'calling', called_at = now()
    FROM next, public.conferences c
    WHERE p.id = next.id AND p.state = 'asked' AND next.place <= least(next.at_once, :at_once)
      AND c.id = p.conference_id
    RETURNING p.id::text AS id, p.number, c.id::text AS conference, c.customer_id::text AS customer, c.caller_id,
              c.record,
              extract(epoch FROM c.created_at + c.max_minutes * interval '1 minute' - now())::integer AS seconds
""")
_WRITE = text("""
    UPDATE public.conference_participants
    SET state = :state, joined_at = CASE WHEN :state = 'joined' THEN now() ELSE joined_at END,
        left_at = CASE WHEN :state IN ('over', 'not_called') THEN now() END
    WHERE id = CAST(:id AS uuid)
""")
# Somebody may be calling one more number just now: whoever does so holds the row, and the statement after this sees it.
_LOCK = text("SELECT FROM public.conferences WHERE node = :node AND ended_at IS NULL ORDER BY id FOR UPDATE")
_END = text("""
    UPDATE public.conferences c
    SET ended_at = now(), end_reason = CASE
        WHEN c.closing_at IS NOT NULL THEN 'closed'
        WHEN c.created_at + c.max_minutes * interval '1 minute' < now() THEN 'time'
        WHEN EXISTS (SELECT FROM public.conference_participants p
                     WHERE p.conference_id = c.id AND p.joined_at IS NOT NULL) THEN 'left'
        ELSE 'nobody' END
    WHERE c.node = :node AND c.ended_at IS NULL AND NOT EXISTS (
        SELECT FROM public.conference_participants p
        WHERE p.conference_id = c.id AND p.state IN ('asked', 'calling', 'ringing', 'joined'))
""")
_LOST = text("""
    UPDATE public.conferences SET ended_at = now(), end_reason = 'lost'
    WHERE ended_at IS NULL AND created_at + max_minutes * interval '1 minute' < now() - interval '1 hour'
""")


@dataclass(frozen=True)
class Channel:
    """The end in the room, or on its way there, of a participant's call."""

    name: str
    state: str  # As the participant's is then.


async def look(engine: Engine, node: str, ami: Ami, spool: Path) -> None:
    """Do what is wanted, and write down what is."""
    participants = await asyncio.to_thread(_open, engine, node)
    if participants:
        channels = await _channels(ami)
        changed = {row.id: state for row in participants if (state := next_state(row, channels)) != row.state}
        await asyncio.to_thread(_write, engine, changed)
        await _hang_up(ami, [channels[row.id] for row in participants if row.unwanted and row.id in channels])
        await asyncio.to_thread(_call, engine, node, spool)
    await asyncio.to_thread(_end, engine, node)


def next_state(row: Row[Any], channels: Mapping[str, Channel]) -> str:
    """What a participant's state is, by what Asterisk has of it."""
    if row.id in channels:
        return channels[row.id].state
    if row.state == "asked":
        return "not_called" if row.unwanted or row.late else "asked"
    if row.state != "calling" or row.dialled:
        return "over"
    return "not_called" if row.late else "calling"


def call_file(row: Row[Any], now: int) -> str:
    """What makes Asterisk call a participant. ValueError for what is no number, such as a line break."""
    if not _NUMBER.fullmatch(row.number) or not _CALLER.fullmatch(row.caller_id):
        raise ValueError("no number")
    variables = {
        "PARTICIPANT": row.id,
        "CONFERENCE": row.conference,
        "CUSTOMER_ID": row.customer,
        "CALLER": row.caller_id,
        "RECORD": "yes" if row.record else "no",
        "CALL_BEFORE": now + CALL_WITHIN_SECONDS,
        "ENDS": now + row.seconds,
    }
    return "\n".join(
        [
            f"Channel: Local/{row.number}@conference-call/n",
            "Context: conference",
            "Extension: s",
            "Priority: 1",
            "MaxRetries: 0",
            f"WaitTime: {WAIT_SECONDS}",
            *(f"Setvar: {name}={value}" for name, value in variables.items()),
            "",
        ]
    )


def drop(spool: Path, name: str, content: str) -> None:
    """Give Asterisk a call file: whole or not at all."""
    folder = spool.parent / "tmp"  # Of the same file system, where Asterisk does not look.
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(content)
    path.chmod(0o640)
    owner = spool.stat()
    with suppress(PermissionError):  # We are Asterisk's user as a rule, or root.
        os.chown(path, owner.st_uid, owner.st_gid)
    path.rename(spool / name)


def _open(engine: Engine, node: str) -> Sequence[Row[Any]]:
    late = 2 * CALL_WITHIN_SECONDS  # Until then Asterisk may yet take a call file.
    with engine.connect() as connection:
        return connection.execute(_OPEN, {"node": node, "late": late}).all()


async def _channels(ami: Ami) -> dict[str, Channel]:
    """By participant. The other end of each bears the same mark."""
    answer = await ami.call({"Action": "Status", "Variables": "PARTICIPANT"}, ANSWER_SECONDS)
    return {
        participant: Channel(message["Channel"], _STATES.get(message.get("ChannelState", ""), "calling"))
        for message in answer
        if message.get("Channel", "").endswith(";1") and (participant := _participant(message))
    }


def _participant(message: Mapping[str, str]) -> str:
    value = message.get("Variable", "").partition("=")[2]
    return "" if value == "(null)" else value


async def _hang_up(ami: Ami, channels: Iterable[Channel]) -> None:
    for channel in channels:
        with suppress(AmiError):  # It may be gone by now.
            await ami.call({"Action": "Hangup", "Channel": channel.name, "Cause": "16"})


def _write(engine: Engine, states: Mapping[str, str]) -> None:
    if states:
        with engine.begin() as connection:
            connection.execute(_WRITE, [{"id": id, "state": state} for id, state in states.items()])


def _call(engine: Engine, node: str, spool: Path) -> None:
    """Mark some that are to be called, and then have them called."""
    with engine.begin() as connection:
        taken = connection.execute(_TAKE, {"node": node, "at_once": AT_ONCE}).all()
    for row in taken:
        try:
            drop(spool, f"{row.id}.call", call_file(row, int(time.time())))
        except (OSError, ValueError) as error:
            log.error("call file not dropped", participant=row.id, reason=str(error))
            _write(engine, {row.id: "not_called"})
        else:
            log.info("conference calls", participant=row.id)


def _end(engine: Engine, node: str) -> None:
    """End the conferences in which nobody is any more, and those of nodes that never came back."""
    with engine.begin() as connection:
        if connection.execute(_LOCK, {"node": node}).rowcount:
            connection.execute(_END, {"node": node})
        connection.execute(_LOST)
