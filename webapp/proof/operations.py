"""Asking for a proof, how far it is, and setting right what it found."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import structlog
from flask import Flask, abort, current_app
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from webapp import store, who
from webapp.asterisk.read import by_hand, differences
from webapp.dids.models import Did
from webapp.ext import db
from webapp.nodes import operations as nodes
from webapp.proof.models import EVERYTHING, MOST, TABLES, SyncCheck
from webapp.realtime.kinds import KINDS
from webapp.validation import N_

log = structlog.get_logger()

IN_THE_WAY = N_("A row made by hand stands where one of ours belongs. Delete it first (%(constraint)s).")
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
INTERRUPTED = "It was interrupted"
AT_ONCE = 5000  # Numbers, up to which the tables are compared while the browser waits.
SILENCE = dt.timedelta(minutes=10)  # After which nobody compares the tables any more.
KEPT_DAYS = 30  # Longer ago nothing is proved by it.

State = Literal["never", "asked", "unknown", "different", "right"]


@dataclass(frozen=True)
class Part:
    """The last proof of one node, or (without a name) of Asterisk's tables."""

    node: str
    check: SyncCheck | None
    alive: bool = True  # Whether its agent, or who compares the tables, would answer.

    @property
    def state(self) -> State:
        if self.check is None:
            return "never"
        if self.reason:
            return "unknown"
        if self.check.finished_at is None:
            return "asked"
        return "different" if self.check.differences else "right"

    @property
    def reason(self) -> str:
        """Why it could not be checked, in the words of who tried."""
        if self.check is None:
            return ""
        return INTERRUPTED if self.node == TABLES and not self.alive else self.check.error

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


def ask(scope: str = EVERYTHING, *, at_once: bool | None = None) -> None:
    """Hold Asterisk's tables against what they should be, and have the nodes say what they use.

    The agents answer when they can. The tables of a large carrier are compared in a thread of its own, unless they are
    to be `at_once`.
    """
    if at_once is None:
        at_once = scope != EVERYTHING or _is_small()
    begun = {"done": 0, "total": 0, "error": "", "finished_at": None, "differences": 0, "findings": [], "by_hand": {}}
    asked = {"scope": scope, "asked_by": who.username(), "asked_at": func.clock_timestamp(), **begun}
    questions = [{"node": TABLES, **asked}]
    questions += [{"node": node.name, **asked} for node in nodes.states() if node.enabled]
    old = delete(SyncCheck).where(SyncCheck.asked_at < func.now() - dt.timedelta(days=KEPT_DAYS))
    mine = select(SyncCheck.asked_at).where(SyncCheck.node == TABLES, SyncCheck.scope == scope)
    [[asked_at]] = store.note(old, *map(_put, questions), mine)
    if at_once:
        _compare(scope, asked_at)
    else:
        app = cast(Any, current_app)._get_current_object()
        threading.Thread(target=_in_thread, args=(app, scope, asked_at), name="proof", daemon=True).start()


def _is_small() -> bool:
    there = select(Did.id).limit(AT_ONCE).subquery()
    return (db.session.scalar(select(func.count()).select_from(there)) or 0) < AT_ONCE


def _in_thread(app: Flask, scope: str, asked_at: dt.datetime) -> None:
    with app.app_context():
        _compare(scope, asked_at)


def _compare(scope: str, asked_at: dt.datetime) -> None:
    """Write down what is different in the tables, unless somebody has asked again meanwhile."""
    mine = (SyncCheck.node == TABLES, SyncCheck.scope == scope, SyncCheck.asked_at == asked_at)
    row = update(SyncCheck).where(*mine)

    def tell(done: int, total: int) -> None:
        store.note(row.values(done=done, total=total))

    try:
        values = _of_tables(scope, tell)
    except OperationalError as error:
        log.warning("tables not compared", reason=str(error.orig).strip().splitlines()[0])
        db.session.rollback()
        values = {"error": INTERRUPTED}
    store.note(row.values(**values, finished_at=func.clock_timestamp()))


def tables_only() -> Proof:
    """Asterisk's tables held against what they should be, without a question to any node; nothing is stored."""
    now = dt.datetime.now(dt.UTC)
    check = SyncCheck(node=TABLES, scope=EVERYTHING, error="", finished_at=now, **_of_tables("", lambda *_: None))
    return Proof(EVERYTHING, [Part(TABLES, check)])


def _of_tables(scope: str, tell: Callable[[int, int], None]) -> dict[str, Any]:
    found = [finding.as_json() for finding in differences(db.session(), scope, tell)]
    strange = {} if scope else {table: keys[:MOST] for table, keys in by_hand(db.session()).items()}
    return {"differences": len(found), "findings": found[:MOST], "by_hand": strange}


def _put(values: dict[str, Any]) -> Any:
    changed = {name: value for name, value in values.items() if name not in ("node", "scope")}
    statement = insert(SyncCheck).values(values)
    return statement.on_conflict_do_update(index_elements=[SyncCheck.node, SyncCheck.scope], set_=changed)


def last(scope: str = EVERYTHING) -> Proof:
    """How far the last proof is: of the tables, and of each node in service."""
    checks = {check.node: check for check in db.session.scalars(select(SyncCheck).where(SyncCheck.scope == scope))}
    tables = checks.get(TABLES)
    silent = tables and tables.finished_at is None and tables.asked_at < dt.datetime.now(dt.UTC) - SILENCE
    there = [Part(node.name, checks.get(node.name), node.alive) for node in nodes.states() if node.enabled]
    return Proof(scope, [Part(TABLES, tables, not silent), *there])


def wait_for(seconds: float) -> Proof:
    """Ask for a proof of everything, and wait until all nodes that are there have answered, but not for ever."""
    ask(at_once=True)
    until = time.monotonic() + seconds
    while (proof := last()).working and time.monotonic() < until:
        db.session.rollback()  # Else we would go on to see what was there at first.
        time.sleep(0.5)
    return proof


def repair(scope: str = EVERYTHING) -> store.Receipt:
    """Set right what is wrong, and prove it. store.Refused: a row made by hand stands where one of ours belongs."""
    tables = last(scope).parts[0].check
    known = tables and tables.finished_at and not tables.error and tables.differences == len(tables.findings)
    receipt = store.repair(scope, list({finding["owner"] for finding in tables.findings}) if tables and known else None)
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
    return scope if scope == EVERYTHING or _is_owner(scope) else abort(404)


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
    return ("right" if part.check and part.check.finished_at and not part.reason else "unknown"), None


def things(found: Sequence[Line]) -> dict[str, Any]:
    """Owner -> the thing itself, of those that are still there; one query for each kind."""
    owners = [owner for owner in {line.owner for line in found} if _is_owner(owner)]
    there = {}
    for kind, options in KINDS.values():
        name = kind.__name__.lower()
        ids = [uuid.UUID(owner.partition(":")[2]) for owner in owners if owner.startswith(f"{name}:")]
        if ids:
            for thing in db.session.scalars(select(kind).options(*options).where(kind.id.in_(ids))):
                there[f"{name}:{thing.id}"] = thing
    return there


def _is_owner(text: str) -> bool:
    """Whether a thing of ours could be meant. Rows may have been given any owner by hand."""
    name, _, id = text.partition(":")
    return name in {kind.__name__.lower() for kind, _ in KINDS.values()} and bool(re.fullmatch(_UUID, id))
