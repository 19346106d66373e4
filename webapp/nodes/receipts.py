"""What became of a save: said with the message after it, and once more when the nodes have it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, abort, g, session
from flask_babel import gettext
from sqlalchemy import Row, func, or_, select

from webapp import who
from webapp.ext import db
from webapp.nodes.operations import ALIVE
from webapp.settings.models import Node, OutboxEntry
from webapp.store import Receipt

SECONDS = 15  # So long a page looks whether the nodes have it.
RECENT = 10_000  # Among so many of the latest orders are those that were done just now: no index knows of requests.


@dataclass(frozen=True)
class Told:
    """How far the nodes are with what a request saved."""

    request_id: str
    words: str
    settled: bool  # Nothing more is to be said.
    rows: int = 0  # Written for Asterisk; known only right after the save.


def keep(response: Response) -> Response:
    """After a save that concerns Asterisk, the page that the browser is sent to tells of it."""
    receipts: list[Receipt] = g.get("receipts", [])
    if receipts and 300 <= response.status_code < 400:
        rows = sum(len(receipt.changes) for receipt in receipts)
        session["receipt"] = [who.request_id(), rows, any(receipt.orders for receipt in receipts)]
    return response


def latest() -> Told | None:
    """Of the save that this page follows, if it concerned Asterisk; told once."""
    kept = session.pop("receipt", None)
    if kept is None:
        return None
    request_id, rows, has_orders = kept
    if not has_orders:
        return Told(request_id, gettext("Asterisk has it at once."), True, rows)
    found = told(request_id)
    return Told(request_id, found.words, found.settled, rows)


def told(request_id: str) -> Told:
    """Who has it, after how long, and who has not: no more than times and the names of nodes. 404 for what is no id."""
    if not re.fullmatch("[0-9a-f]{12}", request_id):
        abort(404)
    nodes = _nodes(request_id)
    live = [gettext("%(node)s after %(ms)s ms", node=node.name, ms=node.ms) for node in nodes if not node.owed]
    waiting = [node for node in nodes if node.owed]
    late = any(node.age >= SECONDS for node in nodes)
    sentences = [gettext("Live on %(nodes)s.", nodes=", ".join(live))] if live else []
    if late:
        sentences += [_why_not(node) for node in waiting]
    elif waiting:
        sentences.append(gettext("On its way to %(nodes)s.", nodes=", ".join(node.name for node in waiting)))
    return Told(request_id, " ".join(sentences), late or not waiting)


def _why_not(node: Row[tuple[str, int, int, float, bool]]) -> str:
    if node.up:
        return str(gettext("%(node)s has not taken it yet; it is tried again until it has.", node=node.name))
    return str(gettext("%(node)s is away; it will get the change when it is back.", node=node.name))


def _nodes(request_id: str) -> Sequence[Row[tuple[str, int, int, float, bool]]]:
    """What each node still owes of a request, in how many milliseconds it did the rest, how old the orders are in
    seconds, and whether the node is up."""
    done, made = OutboxEntry.done_at, OutboxEntry.created_at
    latest = select(func.max(OutboxEntry.id) - RECENT).scalar_subquery()
    query = (
        select(
            Node.name,
            func.count().filter(done.is_(None)).label("owed"),
            func.coalesce(func.round(func.extract("epoch", func.max(done) - func.min(made)) * 1000), 0).label("ms"),
            func.extract("epoch", func.now() - func.min(made)).label("age"),
            func.bool_and(func.coalesce(ALIVE, False) & Node.asterisk_up).label("up"),
        )
        .join(OutboxEntry, OutboxEntry.node == Node.name)
        .where(OutboxEntry.request_id == request_id, or_(done.is_(None), OutboxEntry.id > latest))
        .group_by(Node.name)
        .order_by(Node.name)
    )
    return db.session.execute(query).all()
