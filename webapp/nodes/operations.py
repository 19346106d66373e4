"""How the nodes are, what each is owed, and what becomes of one that is out of service."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import abort
from flask_babel import gettext, ngettext
from sqlalchemy import ColumnElement, delete, func, select, text

from webapp import store, typed, who
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.settings.models import ALIVE_SECONDS, Node, OutboxEntry
from webapp.validation import N_

START_AFRESH = "start_afresh"  # The order to forget what was read and to read all of it anew.

ALIVE = Node.seen_at > func.now() - dt.timedelta(seconds=ALIVE_SECONDS)
GONE = func.coalesce(Node.seen_at < func.now() - text("interval '1 hour'"), True)

_WORDS = {
    "Asterisk cannot read the database": N_("Asterisk cannot read the database. Look at its database connection."),
    "Permission denied": N_("Asterisk does not let the agent do this. Look at its rights in manager.conf."),
    "It was interrupted": N_("It was interrupted. Check again."),
    "not connected yet": N_("The agent has just started and looks for Asterisk."),
}


class StillThere(Exception):
    """The node's agent has signed in lately."""


@dataclass(frozen=True)
class State:
    """How a node is, and what its Asterisk has yet to be told."""

    name: str
    enabled: bool
    seen_at: dt.datetime | None
    asterisk_up: bool
    detail: str
    alive: bool  # Whether its agent signed in lately.
    gone: bool  # Whether it has not for so long that the node may be deleted.
    owed: int  # Orders.
    changes: int  # Saves that they come from.
    since: dt.datetime | None
    error: str  # Why the last try failed, if one did.

    @property
    def state(self) -> str:
        if not self.enabled:
            return "disabled"
        if not self.alive:
            return "agent_away"
        if not self.asterisk_up:
            return "asterisk_away"
        return "catching_up" if self.owed else "up_to_date"

    @property
    def reason(self) -> str:
        """What its agent last complained of, in the agent's words."""
        return self.error or self.detail


def states(*conditions: ColumnElement[bool]) -> Sequence[State]:
    """All nodes, or those of the conditions, in one query."""
    owed = (
        select(
            OutboxEntry.node,
            func.count().label("owed"),
            func.count(OutboxEntry.request_id.distinct()).label("changes"),
            func.min(OutboxEntry.created_at).label("since"),
            func.max(OutboxEntry.error).label("error"),  # All that is owed was tried when one of it was.
        )
        .where(OutboxEntry.done_at.is_(None))
        .group_by(OutboxEntry.node)
        .subquery()
    )
    query = select(
        Node.name,
        Node.enabled,
        Node.seen_at,
        Node.asterisk_up,
        Node.detail,
        func.coalesce(ALIVE, False).label("alive"),
        GONE.label("gone"),
        func.coalesce(owed.c.owed, 0).label("owed"),
        func.coalesce(owed.c.changes, 0).label("changes"),
        owed.c.since,
        func.coalesce(owed.c.error, "").label("error"),
    ).outerjoin(owed, owed.c.node == Node.name)
    rows = db.session.execute(query.where(*conditions).order_by(Node.name)).mappings()
    return [State(**row) for row in rows]


def state_of(name: str) -> State:
    """One node; 404 if there is none of this name."""
    found = states(Node.name == name.replace("\0", ""))
    return found[0] if found else abort(404)


def explained(reason: str) -> str:
    """What an agent complains of, in plain words; what nobody foresaw as it is."""
    if reason.startswith("this agent does not know the order"):
        return str(gettext("The agent is older than this application. Update it."))
    if re.fullmatch("[0-9]+ agents work for this node, where one is enough", reason):
        return str(gettext("Several agents work for this node. Stop all but the one beside its Asterisk."))
    if clock := re.fullmatch("the clock is ([0-9]+) seconds (ahead of|behind) the database's", reason):
        ahead = gettext(
            "The clock of this server is %(seconds)s seconds ahead of the database's. Set it right.", seconds=clock[1]
        )
        behind = gettext(
            "The clock of this server is %(seconds)s seconds behind the database's. Set it right.", seconds=clock[1]
        )
        return str(ahead if clock[2] == "ahead of" else behind)
    return str(gettext(_WORDS[reason])) if reason in _WORDS else reason


def switch(name: str, enabled: bool) -> None:
    """Put a node into service or out of it; 404 if it is not there, store.Stale if it was deleted just now.

    Out of service it is told nothing, not even what it is owed, but to let go of its registrations, which another node
    takes over: back in service it begins afresh.
    """
    node = _stored(name)
    if node.enabled == enabled:
        return
    if enabled:
        db.session.add(OutboxEntry(node=node.name, action=START_AFRESH, request_id=who.request_id()))
    else:
        owed = delete(OutboxEntry).where(OutboxEntry.node == node.name, OutboxEntry.done_at.is_(None))
        db.session.execute(owed)
    node.enabled = enabled  # Only now: it makes the database tell all nodes that registrations move.
    store.record("update", "nodes", store.NOTHING, node.name, enabled=enabled)
    store.save()


def remove(name: str) -> None:
    """Delete a node with what it is owed; StillThere if its agent has signed in within the hour.

    Gateways that register from it do so from the first node then. An agent that comes back all the same enters it
    anew, and begins afresh.
    """
    if not state_of(name).gone:
        raise StillThere
    node = _stored(name)
    for gateway in db.session.scalars(select(Gateway).where(Gateway.node == node.name)):
        gateway.node = None
    db.session.delete(node)
    store.record("delete", "nodes", store.NOTHING, node.name)
    store.save()


def _stored(name: str) -> Node:
    return db.session.get(Node, name.replace("\0", "")) or abort(404)


def badge(nodes: Sequence[State]) -> tuple[str, str]:
    """How all nodes in service are, in a colour and a few words: what is worst counts."""
    serving = [node for node in nodes if node.enabled]
    if not serving:
        return "off", str(gettext("No Asterisk yet") if not nodes else gettext("All nodes are disabled"))
    if lost := [node for node in serving if not node.alive]:
        return "bad", _unreachable(lost)
    if down := [node.name for node in serving if not node.asterisk_up]:
        return "bad", str(gettext("Asterisk away: %(nodes)s", nodes=", ".join(down)))
    if behind := [node for node in serving if node.owed]:
        # One save is one change, however many nodes still have to be told of it.
        changes = max(node.changes for node in behind)
        names = ", ".join(node.name for node in behind)
        told = ngettext(
            "%(num)s change on its way to %(nodes)s", "%(num)s changes on their way to %(nodes)s", changes, nodes=names
        )
        return "warn", str(told)
    return "ok", str(gettext("All nodes up to date"))


def _unreachable(nodes: Sequence[State]) -> str:
    names = ", ".join(node.name for node in nodes)
    seen_at = nodes[0].seen_at
    if len(nodes) > 1 or seen_at is None:
        return str(gettext("%(nodes)s unreachable", nodes=names))
    local, now = seen_at.astimezone(typed.zone()), dt.datetime.now(typed.zone())
    time = f"{local:%H:%M}" if local.date() == now.date() else typed.when(seen_at)
    return str(gettext("%(node)s unreachable since %(time)s", node=names, time=time))
