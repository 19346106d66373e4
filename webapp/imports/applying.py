"""An import applied as a whole, and undone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask_babel import gettext
from sqlalchemy import and_, delete, func, insert, literal, null, select, text, update
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from webapp import store
from webapp.imports.comparing import compared
from webapp.imports.keeping import forget
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.models import Import, ImportChange
from webapp.imports.reading import Unreadable
from webapp.imports.working import Outdated, Progress
from webapp.validation import N_

NAMED = 20  # Of the things that stand in the way of an undo.


def may_be_applied(import_: Import) -> bool:
    """Whether all lines are right, and some of them say something new."""
    counts = import_.counts
    return bool(counts) and not counts["rejected"] and bool(counts["new"] + counts["changed"])


def apply(import_: Import, progress: Progress) -> None:
    """Store all that is new and all that changed."""
    kind = KINDS[import_.kind]

    def work(session: Session) -> list[uuid.UUID]:
        _store(session, import_, kind)
        concerned = kind.apply(session, import_)
        applied = session.scalar(select(func.count()).where(ImportChange.import_id == import_.id))
        if applied != import_.counts["new"] + import_.counts["changed"]:
            raise Outdated
        forget(session, import_)
        store.record("import", kind.thing.__tablename__, import_.id, import_.file_name, **_told(import_))
        return concerned

    _in_bulk(import_, work, "applied", applied_at=func.clock_timestamp())


def _store(session: Session, import_: Import, kind: Kind) -> None:
    """Insert and update, and keep what undo needs, in one statement that compares once."""
    thing = kind.thing.__table__
    line = compared(import_, kind).cte("compared")
    own = [name for name in kind.values if name in thing.c]
    adds = and_(line.c.outcome != "unchanged", line.c.in_place.is_not(True))
    changes = and_(line.c.outcome == "changed", line.c.in_place)

    names = [*kind.key, *own]
    values: list[Any] = [*(line.c[name] for name in kind.key), *(line.c[f"new_{name}"] for name in own)]
    if kind.scope:
        names, values = [kind.scope, *names], [literal(import_.target_id), *values]
    # In order, so that all lines are compared before the first is stored: how to find what a line is compared with is
    # planned for the table as it is now, and would be wrong for one that grows to many times its size on the way.
    ordered = select(*values).where(adds).order_by(line.c.line)
    # Without the defaults of Python, which would be one id for all of them.
    added = insert(thing).from_select(names, ordered, include_defaults=False)
    added_cte = added.returning(thing.c.id, thing.c.version).cte("added")

    before: list[Any] = [part for name in kind.values for part in (name, line.c[f"old_{name}"])]
    altered = update(thing).where(thing.c.id == line.c.before_id, changes)
    altered = altered.values(
        {name: line.c[f"new_{name}"] for name in own}
        | {"version": thing.c.version + 1, "updated_at": func.clock_timestamp()}
    )
    altered_cte = altered.returning(thing.c.id, thing.c.version, func.jsonb_build_object(*before).label("before")).cte(
        "altered"
    )

    done = select(literal(import_.id), added_cte.c.id, added_cte.c.version, cast_(null(), JSONB)).union_all(
        select(literal(import_.id), altered_cte.c.id, altered_cte.c.version, altered_cte.c.before)
    )
    columns = ["import_id", "thing_id", "version", "before"]
    session.execute(insert(ImportChange).from_select(columns, done, include_defaults=False))
    session.execute(text("ANALYZE import_changes"))  # What follows is planned by how many they are.


def undo(import_: Import, progress: Progress) -> None:
    """Remove what an import added and set back what it changed; Unreadable if somebody changed some of it since."""
    kind = KINDS[import_.kind]

    def work(session: Session) -> list[uuid.UUID]:
        _refuse_if_changed_since(session, import_, kind)
        concerned = kind.undo(session, import_)
        thing, change = kind.thing.__table__, ImportChange.__table__.c
        mine = and_(change.import_id == import_.id, change.thing_id == thing.c.id)
        session.execute(delete(thing).where(mine, change.before.is_(None)))
        was = {name: change.before[name].astext.cast(thing.c[name].type) for name in kind.values if name in thing.c}
        back: dict[str, Any] = {**was, "version": thing.c.version + 1, "updated_at": func.clock_timestamp()}
        session.execute(update(thing).where(mine, change.before.is_not(None)).values(back))
        session.execute(delete(ImportChange).where(change.import_id == import_.id))
        store.record("undo import", kind.thing.__tablename__, import_.id, import_.file_name, **_told(import_))
        return concerned

    _in_bulk(import_, work, "undone", undone_at=func.clock_timestamp())


def _refuse_if_changed_since(session: Session, import_: Import, kind: Kind) -> None:
    thing, change = kind.thing, ImportChange
    touched = select(change.thing_id, thing).outerjoin(thing, thing.id == change.thing_id)
    touched = touched.where(change.import_id == import_.id, thing.version.is_distinct_from(change.version))
    some = session.execute(touched.limit(NAMED)).all()
    if some:
        names = ", ".join(sorted(str(row[1]) if row[1] else gettext("deleted") for row in some))
        raise Unreadable(N_("Somebody changed some of it since, so it stays as it is: {names}"), names=names)


def _in_bulk(import_: Import, work: Callable[[Session], list[uuid.UUID]], state: str, **values: Any) -> None:
    """Do the work, and say in the same transaction that it is done."""

    def finish(session: Session) -> None:
        # The last thing of all: from here on the heartbeat has to wait.
        session.execute(update(Import).where(Import.id == import_.id).values(state=state, error="", **values))

    kind = KINDS[import_.kind]
    store.bulk(work, kind.thing if kind.seen_by_asterisk(import_) else None, finish)


def _told(import_: Import) -> dict[str, Any]:
    """What the audit log says of an import."""
    target = {"target_id": str(import_.target_id)} if import_.target_id else {}
    return {"file": import_.file_name, **target, **{k: import_.counts[k] for k in ("new", "changed", "unchanged")}}
