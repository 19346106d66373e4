"""Asking for a proof, how far it is, and setting right what it found."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import abort
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from webapp import store, who
from webapp.asterisk.read import by_hand, differences
from webapp.ext import db
from webapp.nodes import operations as nodes
from webapp.proof.models import EVERYTHING, MOST, TABLES, SyncCheck
from webapp.realtime.kinds import KINDS

KEPT_DAYS = 30  # Longer ago nothing is proved by it.

State = Literal["never", "asked", "unknown", "different", "right"]


@dataclass(frozen=True)
class Part:
    """The last proof of one node, or (without a name) of Asterisk's tables."""

    node: str
    check: SyncCheck | None
    alive: bool = True  # Whether its agent would answer.

    @property
    def state(self) -> State:
        if self.check is None:
            return "never"
        if self.check.finished_at is None:
            return "asked"
        if self.check.error:
            return "unknown"
        return "different" if self.check.differences else "right"

    @property
    def working(self) -> bool:
        """Whether an answer may come soon."""
        return self.state == "asked" and self.alive


@dataclass(frozen=True)
class Proof:
    """The last proof of everything or of one owner's rows."""

    scope: str
    parts: list[Part]

    @property
    def state(self) -> State:
        """Of all parts together: what is worst counts."""
        states = [part.state for part in self.parts]
        return next(state for state in ("different", "never", "asked", "unknown", "right") if state in states)

    @property
    def working(self) -> bool:
        return any(part.working for part in self.parts)

    @property
    def differences(self) -> int:
        return sum(part.check.differences for part in self.parts if part.check)

    @property
    def by_hand(self) -> Mapping[str, list[str]]:
        """Table -> the rows that somebody made by hand."""
        tables = self.parts[0].check
        return tables.by_hand if tables else {}


def ask(scope: str = EVERYTHING) -> None:
    """Hold Asterisk's tables against what they should be, and have the nodes say what they use.

    The tables are compared at once; the agents answer when they can.
    """
    session = db.session()
    found = [finding.as_json() for finding in differences(session, scope)]
    strange = {} if scope else {table: keys[:MOST] for table, keys in by_hand(session).items()}
    asked = {"scope": scope, "asked_by": who.username(), "asked_at": func.clock_timestamp()}
    begun = {"done": 0, "total": 0, "error": "", "finished_at": None, "differences": 0, "findings": [], "by_hand": {}}
    tables = {"finished_at": func.clock_timestamp(), "differences": len(found), "findings": found[:MOST]}
    questions = [{"node": TABLES, **asked, **begun, **tables, "by_hand": strange}]
    questions += [{"node": node.name, **asked, **begun} for node in nodes.states() if node.enabled]
    old = delete(SyncCheck).where(SyncCheck.asked_at < func.now() - dt.timedelta(days=KEPT_DAYS))
    store.note(old, *map(_put, questions))


def _put(values: dict[str, Any]) -> Any:
    changed = {name: value for name, value in values.items() if name not in ("node", "scope")}
    statement = insert(SyncCheck).values(values)
    return statement.on_conflict_do_update(index_elements=[SyncCheck.node, SyncCheck.scope], set_=changed)


def last(scope: str = EVERYTHING) -> Proof:
    """How far the last proof is: of the tables, and of each node in service."""
    checks = {check.node: check for check in db.session.scalars(select(SyncCheck).where(SyncCheck.scope == scope))}
    there = [Part(node.name, checks.get(node.name), node.alive) for node in nodes.states() if node.enabled]
    return Proof(scope, [Part(TABLES, checks.get(TABLES)), *there])


def repair(scope: str = EVERYTHING) -> store.Receipt:
    """Set right what is wrong, and prove it. store.Refused: a row made by hand stands where one of ours belongs."""
    receipt = store.repair(scope)
    ask(scope)
    return receipt


def answer_of(part: Part, table: str, key: str, column: str) -> tuple[str, Any]:
    """What a part says of a column of a row."""
    for finding in part.check.findings if part.check else []:
        if (finding["table"], finding["key"]) == (table, key):
            for name, _, there in _fields(finding):
                if name in ("", column):
                    return finding["what"], there
    return _said(part, {})


def owner_or_404(scope: str) -> str:
    """An owner of rows, or everything; 404 for what is neither."""
    if scope == EVERYTHING:
        return scope
    name, _, id = scope.partition(":")
    try:
        known = any(kind.__name__.lower() == name for kind, _ in KINDS.values())
        return f"{name}:{uuid.UUID(id)}" if known else abort(404)
    except ValueError:
        abort(404)


# ---- what was found, side by side


@dataclass(frozen=True)
class Line:
    """One thing that is not as it should be: a column of a row, or (without a name) the whole row."""

    table: str
    key: str
    owner: str
    name: str
    wanted: Any
    said: list[tuple[str, Any]]  # For each part: right, unknown, missing, left_over or different; and what is there.


def lines(proof: Proof, most: int = 200) -> list[Line]:
    """The first of the differences, each with what every part says of it."""
    seen: dict[tuple[str, str, str], dict[str, tuple[str, Any]]] = {}
    about: dict[tuple[str, str, str], tuple[str, Any]] = {}
    for part in proof.parts:
        for finding in part.check.findings if part.check else []:
            for name, wanted, there in _fields(finding):
                place = finding["table"], finding["key"], name
                seen.setdefault(place, {})[part.node] = finding["what"], there
                about[place] = finding["owner"] or about.get(place, ("", None))[0], wanted
    return [
        Line(*place[:2], about[place][0], place[2], about[place][1], [_said(part, found) for part in proof.parts])
        for place, found in sorted(seen.items())[:most]
    ]


def _fields(finding: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    if not finding["fields"]:
        return [("", None, None)]
    return [(field["name"], field["wanted"], field["there"]) for field in finding["fields"]]


def _said(part: Part, found: Mapping[str, tuple[str, Any]]) -> tuple[str, Any]:
    if part.node in found:
        return found[part.node]
    return ("right" if part.check and part.check.finished_at and not part.check.error else "unknown"), None


def things(found: Sequence[Line]) -> dict[str, Any]:
    """Owner -> the thing itself, of those that are still there; one query for each kind."""
    owners = {line.owner for line in found}
    there = {}
    for kind, options in KINDS.values():
        name = kind.__name__.lower()
        ids = [uuid.UUID(owner.partition(":")[2]) for owner in owners if owner.startswith(f"{name}:")]
        if ids:
            for thing in db.session.scalars(select(kind).options(*options).where(kind.id.in_(ids))):
                there[f"{name}:{thing.id}"] = thing
    return there
