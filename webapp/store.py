"""The only place that commits. One transaction holds what the operator said, Asterisk's rows, the audit, the outbox.

flush -> project what changed and what depends on it -> write the difference -> audit -> outbox -> commit
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg2
import sqlalchemy
import structlog
from sqlalchemy import CursorResult, Update, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, with_parent
from sqlalchemy.orm.exc import StaleDataError

from webapp import who
from webapp.accounts.models import AuditEntry
from webapp.asterisk import check
from webapp.asterisk.load import affected, load
from webapp.asterisk.projection import PROJECTIONS, owner, owner_of, project
from webapp.asterisk.reloads import Order, orders
from webapp.asterisk.rows import Row
from webapp.asterisk.sync import Change, sync
from webapp.dids.models import Allocation
from webapp.ext import Managed, db
from webapp.settings.models import Node, OutboxEntry

log = structlog.get_logger()

CHUNK = 2000  # Things projected at a time in bulk work.
SECRETS = frozenset({"password", "password_hash", "secret"})
_UNREMARKABLE = frozenset({"id", "version", "created_at", "updated_at", "regex", "customer_type"})


class Refused(Exception):
    """The database would not have it: the name of the broken constraint, to be told at a field."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class InUse(Exception):
    """Things depend on what was to be deleted: of which kind, some of their names, and how many there are."""

    def __init__(self, kind: str, names: Sequence[str], count: int) -> None:
        super().__init__(f"{count} {kind}: {', '.join(names)}")
        self.kind = kind
        self.names = names
        self.count = count


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


def delete(thing: Managed) -> Receipt:
    """Delete a thing nothing depends on; InUse names what does."""
    _refuse_if_in_use(thing)
    db.session.delete(thing)
    return _commit()


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
        if kind and changed:
            _enqueue(session, _follow(session, kind, list(changed)))
        if finish:
            finish(session)
        session.commit()
        return Receipt()

    _guarded(in_full, alone=kind is not None)


def aside(statement: Update) -> int:
    """Do one statement in a short transaction of its own, beside the one that is open; how many rows it changed."""
    with Session(db.engine, join_transaction_mode="create_savepoint") as session, session.begin():
        return cast(CursorResult[Any], session.execute(statement)).rowcount


def repair() -> Receipt:
    """Set Asterisk's tables right where they are not what the stored things make of them."""
    return _guarded(lambda session: _write(session, check.wanted(session)))


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
    before = {thing: _stored(session, thing) for thing in [*dirty, *gone] if _is_audited(thing)}
    gone_by_name = {thing: str(thing) for thing in gone}
    session.flush()
    session.add_all(_audit(session, before, new, dirty, gone_by_name))
    session.flush()

    wanted: dict[str, list[Row]] = {owner(thing): [] for thing in gone if type(thing) in PROJECTIONS}
    for thing in affected(session, [*new, *dirty, *gone]):
        wanted[owner(thing)] = project(thing)
    return _write(session, wanted)


def _write(session: Session, wanted: Mapping[str, Iterable[Row]]) -> Receipt:
    """Asterisk's rows, the outbox and the commit."""
    changes = sync(session, wanted)
    todo = orders(changes)
    _enqueue(session, todo)
    session.commit()
    if changes:
        log.info("saved", rows=len(changes), orders=[f"{order.action} {order.object}".strip() for order in todo])
    return Receipt(changes, todo)


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
        session.add_all(
            OutboxEntry(node=node, action=order.action, object=order.object, request_id=who.request_id())
            for order in todo
        )
    session.flush()


# ---- audit


def _audit(
    session: Session,
    before: dict[Any, dict[str, Any]],
    new: list[Any],
    dirty: list[Any],
    gone: dict[Any, str],
) -> Iterator[AuditEntry]:
    for thing in filter(_is_audited, new):
        yield _entry("create", thing.__tablename__, thing.id, str(thing), {}, _stored(session, thing))
    for thing in filter(_is_audited, dirty):
        was, now = before[thing], _stored(session, thing)
        changed = [name for name in now if was.get(name) != now[name]]
        if changed:
            was, now = ({name: values.get(name) for name in changed} for values in (was, now))
            yield _entry("update", thing.__tablename__, thing.id, str(thing), was, now)
    for thing, name in gone.items():
        if _is_audited(thing):
            yield _entry("delete", thing.__tablename__, thing.id, name, before[thing], {})


def _is_audited(thing: Any) -> bool:
    return isinstance(thing, Managed | Allocation)


def _stored(session: Session, thing: Any) -> dict[str, Any]:
    """The values that are in the database now, whatever the object in memory says."""
    table = type(thing).__table__
    columns = [column for column in table.columns if column.name not in _UNREMARKABLE]
    row = session.execute(select(*columns).where(table.c.id == thing.id)).mappings().one_or_none()
    return dict(row or {})


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
    constraint = error.orig.diag.constraint_name if isinstance(error.orig, psycopg2.Error) else None
    return Refused(constraint) if constraint else error


def _refuse_if_in_use(thing: Managed) -> None:
    for name in thing.DEPENDENTS:
        dependents = getattr(type(thing), name)
        kind = dependents.property.mapper.class_
        mine = with_parent(thing, dependents)
        count = db.session.scalar(select(func.count()).select_from(kind).where(mine)) or 0
        if count:
            some = db.session.scalars(select(kind).where(mine).order_by(*(dependents.property.order_by or ())).limit(3))
            raise InUse(kind.__tablename__, [str(each) for each in some], count)
