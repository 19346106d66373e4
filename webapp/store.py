"""The only place that commits. One transaction holds what the operator said, Asterisk's rows, the audit, the outbox.

flush -> project what changed and what depends on it -> write the difference -> audit -> outbox -> commit
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

import psycopg2
import sqlalchemy
import structlog
from flask import g, has_request_context
from sqlalchemy import CursorResult, Delete, Executable, RowMapping, Text, Update, and_, func, select, type_coerce
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty, Session, aliased, with_parent
from sqlalchemy.orm.exc import StaleDataError

from webapp import who
from webapp.accounts.models import AuditEntry
from webapp.asterisk import check
from webapp.asterisk.load import affected, load
from webapp.asterisk.projection import PROJECTIONS, owner, owner_of, project
from webapp.asterisk.reloads import Order, cures, orders
from webapp.asterisk.rows import Row
from webapp.asterisk.sync import Change, sync
from webapp.asterisk.used import Finding
from webapp.dids.models import Allocation
from webapp.encryption import EncryptedText
from webapp.ext import Managed, db
from webapp.proof.models import EVERYTHING, SyncCheck
from webapp.settings.models import Node, OutboxEntry

log = structlog.get_logger()

NOTHING = uuid.UUID(int=0)  # What an audit entry is about that is about no thing of ours.
CHUNK = 2000  # Things projected at a time in bulk work.
SECRETS = frozenset({"password", "password_hash", "secret", "token_hash"})
_UNREMARKABLE = frozenset({"id", "version", "created_at", "updated_at", "regex", "customer_type", "tokens_valid_from"})


class Refused(Exception):
    """The database would not have it: the name of the broken constraint, to be told at a field.

    `existing` is the key of what stands in the way, where the constraint is one that keeps two rows apart.
    """

    def __init__(self, constraint: str, existing: Mapping[str, str] | None = None) -> None:
        super().__init__(constraint)
        self.constraint = constraint
        self.existing = existing or {}


class InUse(Exception):
    """Things depend on what was to be deleted: of which kind, some of their names, and how many there are."""

    def __init__(self, kind: str, names: Sequence[str], count: int) -> None:
        super().__init__(f"{count} {kind}: {', '.join(names)}")
        self.kind = kind
        self.names = names
        self.count = count


class Unsure(Exception):
    """The connection broke during the commit, so nobody knows whether it was stored."""


class Stale(Exception):
    """Somebody else changed or deleted the thing since it was read."""


@dataclass(frozen=True)
class Receipt:
    """What a save did: the rows written for Asterisk, and what the nodes have to do about it."""

    changes: list[Change] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


def save(*things: Managed | Allocation) -> Receipt:
    """Store new things and every change made to those already there: all of it, or none and an exception."""
    db.session.add_all(things)
    return _commit()


def change(things: Sequence[Managed], **values: Any) -> Receipt:
    """Give these values to many things of one kind, however many they are in a fixed number of statements."""
    return _guarded(lambda session: _change(session, things, values))


def delete(*things: Managed) -> Receipt:
    """Delete things of one kind, on which nothing depends; InUse names what does."""
    _refuse_if_in_use(things)
    return _guarded(lambda session: _delete(session, things))


def insert(kind: type[Managed], rows: list[dict[str, Any]]) -> None:
    """Many new things at once, stored with the next save; only for things with no rows in Asterisk yet."""
    try:
        db.session.execute(sqlalchemy.insert(kind), rows)
    except IntegrityError as error:
        db.session.rollback()
        raise _refused(error) from error


def record(action: str, kind: str, thing_id: uuid.UUID, label: str, **after: Any) -> None:
    """An audit entry for work done with set-based statements; it is stored with the next save."""
    db.session.add(_entry(action, kind, thing_id, label, {}, after))


def note(*statements: Executable) -> Sequence[Any]:
    """Carry out and store what is no change of the exchange: who is signed in, who has to wait, what was recorded.

    It takes no turn among the saves, for nobody should wait for an import to sign in. The rows that the last
    statement returns, if any.
    """
    session = db.session()
    if any(map(_is_audited, (*session.new, *session.dirty, *session.deleted))):
        raise RuntimeError("a change of what is managed must go through save() or delete()")
    rows: Sequence[Any] = []
    try:
        for statement in statements:
            result = session.connection().execute(statement)
            rows = result.all() if result.returns_rows else []
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return rows


def bulk(
    work: Callable[[Session], Iterable[uuid.UUID] | None],
    kind: type[Managed] | None = None,
    finish: Callable[[Session], None] | None = None,
) -> None:
    """Set-based work of any size, all of it or none: however long it takes, and whatever stops it leaves no trace.

    For things of a `kind` that Asterisk must know of, `work` answers the ids of those that changed, or are gone;
    their rows follow by the chunk, and `finish` comes last. Only where there is a `kind` do others who save wait.
    """

    def in_full(session: Session) -> Receipt:
        session.execute(sqlalchemy.text("SET LOCAL statement_timeout = 0"))
        changed = work(session)
        session.flush()
        receipt = Receipt(orders=_follow(session, kind, list(changed)) if kind and changed else [])
        _enqueue(session, receipt.orders)
        if finish:
            finish(session)
        _store(session)
        return _handed_over(receipt)

    _guarded(in_full, alone=kind is not None)


def aside(statement: Update) -> int:
    """Do one statement in a short transaction of its own, beside the one that is open; how many rows it changed."""
    with Session(db.engine, join_transaction_mode="create_savepoint") as session, session.begin():
        return cast(CursorResult[Any], session.execute(statement)).rowcount


def repair(scope: str = "", owners: Sequence[str] | None = None) -> Receipt:
    """Set Asterisk's tables right where they are not what the stored things make of them, and have the nodes read anew
    what the last proof found them to use wrongly. With a `scope`, an owner of rows, only what is its.

    `owners`: whose rows are wrong, if that is known; else it is found out, before others who save have to wait.
    """
    if owners is None:
        owners = [scope] if scope else check.suspects(db.session())
    return _guarded(lambda session: _repair(session, scope, owners))


def _commit() -> Receipt:
    return _guarded(_save)


def _guarded(work: Callable[[Session], Receipt], *, alone: bool = True) -> Receipt:
    """Do it, under the lock if it is to be `alone`; whatever stops it leaves nothing behind."""
    session = db.session()
    try:
        if alone:
            _lock(session)
        return work(session)
    except StaleDataError:
        session.rollback()
        raise Stale from None
    except IntegrityError as error:
        session.rollback()
        raise _refused(error) from error
    except BaseException:
        session.rollback()
        raise


def _lock(session: Session) -> None:
    """One save at a time: a phone's rows hold its customer's code, which another save may be changing."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("asterisk-admin save"))))


def _save(session: Session) -> Receipt:
    new, dirty, gone = list(session.new), [x for x in session.dirty if session.is_modified(x)], list(session.deleted)
    return _carry_out(session, session.flush, new, dirty, gone)


def _change(session: Session, things: Sequence[Managed], values: dict[str, Any]) -> Receipt:
    others = [thing for thing in things if any(getattr(thing, name) != value for name, value in values.items())]
    if not others:
        return Receipt()
    kind = _fresh_kind(session, others)
    mine = kind.id.in_([thing.id for thing in others])
    statement = sqlalchemy.update(kind).where(mine).values(**values, version=kind.version + 1)
    return _carry_out(session, lambda: _execute(session, statement), [], others, [])


def _delete(session: Session, things: Sequence[Managed]) -> Receipt:
    kind = _fresh_kind(session, things)
    ids = [thing.id for thing in things]
    gone = [*_parts(session, kind, ids), *things]

    def work() -> None:
        _execute(session, sqlalchemy.delete(kind).where(kind.id.in_(ids)))
        for thing in gone:
            session.expunge(thing)

    return _carry_out(session, work, [], [], gone)


def _kind(things: Sequence[Managed]) -> type[Managed]:
    [kind] = {type(thing) for thing in things}
    return kind


def _fresh_kind(session: Session, things: Sequence[Managed]) -> type[Managed]:
    """What kind the things are of; none may have changed since it was read. Others wait for the lock that we hold."""
    kind, read = _kind(things), {(thing.id, thing.version) for thing in things}
    there = session.execute(select(kind.id, kind.version).where(kind.id.in_([id for id, _ in read])))
    if {(id, version) for id, version in there} != read:
        raise StaleDataError
    return kind


def _parts(session: Session, kind: type[Managed], ids: Sequence[uuid.UUID]) -> list[Any]:
    """What goes along with things, to be recorded one by one. passive_deletes says that it is not worth that."""
    return [
        part
        for relationship, mine in _belonging(kind, ids)
        if not relationship.passive_deletes
        for part in session.scalars(select(relationship.mapper.class_).where(mine))
    ]


def _belonging(kind: type[Managed], ids: Sequence[uuid.UUID]) -> Iterator[tuple[RelationshipProperty[Any], Any]]:
    """The relationships to what the database deletes along with things, and which of that is these things'."""
    for relationship in sqlalchemy.inspect(kind).relationships:
        if relationship.cascade.delete:
            yield relationship, and_(*(remote.in_(ids) for _, remote in relationship.local_remote_pairs))


def _execute(session: Session, statement: Update | Delete) -> None:
    session.execute(statement, execution_options={"synchronize_session": False})


def _carry_out(
    session: Session, work: Callable[[], object], new: list[Any], dirty: list[Any], gone: list[Any]
) -> Receipt:
    """Do the work in the database that makes, changes and deletes these things, and what follows from it."""
    before = _stored(session, [*dirty, *gone])
    gone_by_name = {thing: str(thing) for thing in gone}
    work()
    session.add_all(_audit(session, before, new, dirty, gone_by_name))
    session.flush()

    wanted: dict[str, list[Row]] = {owner(thing): [] for thing in gone if type(thing) in PROJECTIONS}
    for thing in affected(session, [*new, *dirty, *gone]):
        wanted[owner(thing)] = project(thing)
    return _write(session, wanted)


def _repair(session: Session, scope: str, owners: Sequence[str]) -> Receipt:
    changes = sync(session, check.wanted(session, owners))
    owed = _cures(session, scope)
    if changes or owed:
        about = {"rows": len(changes), "nodes": sorted(owed), "owner": scope}
        record("repair", "asterisk", NOTHING, "Asterisk", **{name: value for name, value in about.items() if value})
    for node, todo in owed.items():
        _owe(session, node, todo)
    receipt = _finish(session, changes)
    return Receipt(receipt.changes, list(dict.fromkeys([*receipt.orders, *chain(*owed.values())])))


def _cures(session: Session, scope: str) -> dict[str, list[Order]]:
    """Node -> the orders that cure what the last proofs found there."""
    query = select(SyncCheck).join(Node, Node.name == SyncCheck.node)
    owed: dict[str, list[Order]] = {}
    for proof in session.scalars(query.where(Node.enabled, SyncCheck.scope.in_({EVERYTHING, scope}))):
        found = [Finding(**finding) for finding in proof.findings if scope in (EVERYTHING, finding["owner"])]
        todo = [Order("start_afresh")] if found and proof.differences > len(proof.findings) else cures(found)
        if todo:
            owed[proof.node] = list(dict.fromkeys([*owed.get(proof.node, []), *todo]))
    return owed


def _write(session: Session, wanted: Mapping[str, Iterable[Row]]) -> Receipt:
    """Asterisk's rows, the outbox and the commit."""
    return _finish(session, sync(session, wanted))


def _finish(session: Session, changes: list[Change]) -> Receipt:
    """The outbox and the commit."""
    todo = orders(changes)
    _enqueue(session, todo)
    _store(session)
    if changes:
        log.info("saved", rows=len(changes), orders=[f"{order.action} {order.object}".strip() for order in todo])
    return _handed_over(Receipt(changes, todo))


def _store(session: Session) -> None:
    """The commit. What the database refuses it says; a connection that breaks says nothing."""
    try:
        session.commit()
    except OperationalError as error:
        if error.connection_invalidated:
            raise Unsure from error
        raise


def _handed_over(receipt: Receipt) -> Receipt:
    """Keep the receipt for the answer to the request, if it tells of anything."""
    if has_request_context() and (receipt.changes or receipt.orders):
        g.setdefault("receipts", []).append(receipt)
    return receipt


def _follow(session: Session, kind: type[Managed], ids: list[uuid.UUID]) -> list[Order]:
    """Make Asterisk's rows follow many things of a kind; the orders that come of it."""
    todo: dict[Order, None] = {}
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        wanted: dict[str, list[Row]] = {owner_of(kind, id): [] for id in some}
        # What is read is let go with its session, so the memory does not grow with the number of things.
        with Session(session.connection()) as reader:
            for thing in load(reader, kind, some):
                wanted[owner(thing)] = project(thing)
        todo |= dict.fromkeys(orders(sync(session, wanted)))
    return list(todo)


def _enqueue(session: Session, todo: list[Order]) -> None:
    if not todo:
        return
    for node in session.scalars(select(Node.name).where(Node.enabled)):
        _owe(session, node, todo)
    session.flush()


def _owe(session: Session, node: str, todo: list[Order]) -> None:
    session.add_all(
        OutboxEntry(node=node, action=order.action, object=order.object, request_id=who.request_id()) for order in todo
    )


# ---- audit


def _audit(
    session: Session,
    before: Mapping[Any, dict[str, Any]],
    new: list[Any],
    dirty: list[Any],
    gone: dict[Any, str],
) -> Iterator[AuditEntry]:
    after = _stored(session, [*new, *dirty])
    for thing in filter(_is_audited, new):
        yield _entry("create", thing.__tablename__, thing.id, str(thing), {}, after[thing])
    for thing in filter(_is_audited, dirty):
        was, now = before[thing], after[thing]
        changed = [name for name in now if was.get(name) != now[name]]
        if changed:
            was, now = ({name: values.get(name) for name in changed} for values in (was, now))
            yield _entry("update", thing.__tablename__, thing.id, str(thing), was, now)
    for thing, name in gone.items():
        if _is_audited(thing):
            yield _entry("delete", thing.__tablename__, thing.id, name, before[thing], {})


def _is_audited(thing: Any) -> bool:
    return isinstance(thing, Managed | Allocation)


def _stored(session: Session, things: Iterable[Any]) -> dict[Any, dict[str, Any]]:
    """The values of each thing that are in the database now, whatever the object in memory says."""
    audited = list(filter(_is_audited, things))
    rows = {
        (kind, row["id"]): {name: value for name, value in row.items() if name not in _UNREMARKABLE}
        for kind in {type(thing) for thing in audited}
        for row in _rows(session, kind, [thing.id for thing in audited if type(thing) is kind])
    }
    return {thing: rows.get((type(thing), thing.id), {}) for thing in audited}


def _rows(session: Session, kind: type[Any], ids: Sequence[uuid.UUID]) -> Iterable[RowMapping]:
    table = kind.__table__
    columns = [
        # Whether a secret has changed is seen in how it is stored: it is not read for that.
        type_coerce(column, Text).label(column.name) if isinstance(column.type, EncryptedText) else column
        for column in table.columns
        if column.name == "id" or column.name not in _UNREMARKABLE
    ]
    return session.execute(select(*columns).where(table.c.id.in_(ids))).mappings()


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can hold it, and without secrets: only whether there is one."""
    return {name: _masked(value) if name in SECRETS else _plain(value) for name, value in values.items()}


def _masked(value: Any) -> str:
    return "***" if value else ""


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | list | None) else str(value)


def _entry(
    action: str, kind: str, thing_id: uuid.UUID, label: str, before: dict[str, Any], after: dict[str, Any]
) -> AuditEntry:
    return AuditEntry(
        username=who.username(),
        request_id=who.request_id(),
        action=action,
        kind=kind,
        thing_id=thing_id,
        label=label,
        before=_shown(before),
        after=_shown(after),
    )


# ---- refusals


def _refused(error: IntegrityError) -> Exception:
    if not isinstance(error.orig, psycopg2.Error) or not error.orig.diag.constraint_name:
        return error
    return Refused(error.orig.diag.constraint_name, _existing(error.orig.diag.message_detail or ""))


def _existing(detail: str) -> dict[str, str]:
    """The last key of a detail, in whatever language: Key (address, holder)=(10.0.0.1, a) conflicts with existing key
    (address, holder)=(10.0.0.1, b)."""
    keys = re.findall(r"\(([^()]*)\)=\(([^()]*)\)", detail)
    names, values = (text.split(", ") for text in keys[-1]) if keys else ([], [])
    return dict(zip(names, values, strict=False))


def dependents(things: Sequence[Managed]) -> Iterator[tuple[Managed, InstrumentedAttribute[Any], int]]:
    """What keeps things of one kind from being deleted: which of them, by which relationship, to how many."""
    kind, by_id = _kind(things), {thing.id: thing for thing in things}
    for name in kind.DEPENDENTS:
        relationship = getattr(kind, name)
        other = aliased(relationship.property.mapper.class_)  # It may be of the same kind.
        counts = select(kind.id, func.count()).join(relationship.of_type(other)).group_by(kind.id)
        counts = counts.where(kind.id.in_(by_id))
        for id, count in db.session.execute(counts):
            yield by_id[id], relationship, count


def parts(things: Sequence[Managed]) -> Iterator[tuple[str, int]]:
    """What would be deleted along with things of one kind: which table's, and how many."""
    for relationship, mine in _belonging(_kind(things), [thing.id for thing in things]):
        kind = relationship.mapper.class_
        if count := db.session.scalar(select(func.count()).select_from(kind).where(mine)):
            yield kind.__tablename__, count


def _refuse_if_in_use(things: Sequence[Managed]) -> None:
    for thing, relationship, count in dependents(things):
        kind = relationship.property.mapper.class_
        mine = select(kind).where(with_parent(thing, relationship))
        some = db.session.scalars(mine.order_by(*(relationship.property.order_by or ())).limit(3))
        raise InUse(kind.__tablename__, [str(each) for each in some], count)
