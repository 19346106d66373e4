"""The way of a file: received, read, compared with what is stored, applied as a whole, undone.

Each step is one transaction. The long ones go on in a thread of their own after the request is answered; the row of
the import says how far they are.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import threading
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import structlog
from flask import Flask, current_app
from flask_babel import force_locale, get_locale, gettext
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from webapp import store, who
from webapp.ext import db
from webapp.imports import reading
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.models import HEARTBEAT_SECONDS, WORKING, Import, ImportChange, ImportFile
from webapp.imports.staging import column_name, stage
from webapp.pages import LANGUAGES
from webapp.tariffs.models import ProviderTariff
from webapp.validation import N_, translated

log = structlog.get_logger()

PART_BYTES = 512 * 1024
SHOWN = 20  # Lines of each sort in the preview.
REMAPPED = ("mapping", "ready", "failed")  # In which states the columns may still be chosen.
KEEP_DAYS = 7  # What was never applied is then forgotten.


@dataclass
class Progress:
    """How many lines have been read; whoever works counts, and the heartbeat writes it down."""

    lines: int = 0


Step = Callable[[Import, Progress], None]


class Outdated(Exception):
    """What is stored is no longer what the preview was made of."""


# ---- receiving


def receive(file: FileStorage, kind: str, target_id: uuid.UUID | None, valid_from: dt.datetime | None) -> Import:
    """Keep a file, and find out what its columns are. Unreadable if it is no table."""
    stream = cast(BinaryIO, file.stream)
    first = reading.first_lines(stream, 4)
    found = columns(KINDS[kind], first[0])
    import_ = Import(
        id=uuid.uuid4(),
        kind=kind,
        target_id=target_id,
        file_name=_file_name(file.filename or ""),
        username=who.username(),
        request_id=who.request_id(),
        language=str(get_locale()),
        valid_from=valid_from,
        header=[[cell.replace("\x00", "")[:200] for cell in cells] for cells in first],
        has_header=bool(found),  # A first line that names nothing we know is taken for data, till somebody says so.
        columns=found,
        total=reading.count(stream),
    )
    import_.state = "mapping" if missing(import_) else "reading"
    _forget_old()
    db.session.add(import_)
    db.session.flush()
    stream.seek(0)
    for number, data in enumerate(iter(lambda: stream.read(PART_BYTES), b"")):
        db.session.execute(insert(ImportFile), {"import_id": import_.id, "part": number, "data": data})
    store.save()
    return import_


def _file_name(text: str) -> str:
    """The last part of what the browser says, as one line."""
    name = re.split(r"[\\/]", text)[-1]
    return re.sub(r"[\x00-\x1f\x7f]", "", name)[:120] or "?"


def _forget_old() -> None:
    """Let go of the lines and files of imports that came to nothing."""
    old = select(Import.id).where(
        Import.created_at < func.now() - func.make_interval(0, 0, 0, KEEP_DAYS), Import.state.in_(("mapping", "ready"))
    )
    ids = db.session.scalars(old).all()
    for id in ids:
        forget(db.session(), db.session.get_one(Import, id))
    db.session.execute(update(Import).where(Import.id.in_(ids)).values(state="failed", error=gettext(N_("Forgotten."))))


def forget(session: Session, import_: Import) -> None:
    """Let go of what is only needed until an import is applied."""
    line = KINDS[import_.kind].line
    session.execute(delete(line).where(line.import_id == import_.id))
    session.execute(delete(ImportFile).where(ImportFile.import_id == import_.id))


def heading(text: str) -> str:
    """The head of a column without accents, capitals and signs."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def columns(kind: Kind, header: list[str]) -> dict[str, int]:
    """Field -> position, as the header names them. A field that two columns could be is left open."""
    words: dict[str, str] = {}
    for name in reversed(kind.fields):  # What is asked for first wins a word that two of them know.
        known = [name, name.removesuffix("_id"), *kind.synonyms.get(name, "").split("|")]
        for language in LANGUAGES:
            with force_locale(language):
                known.append(gettext(kind.schema.model_fields[name].title or name))
        words |= {heading(each): name for each in known}
    found: dict[str, int] = {}
    twice = set()
    for position, cell in enumerate(header):
        field = words.get(heading(cell))
        if field and field in found:
            twice.add(field)
        elif field:
            found[field] = position
    return {name: position for name, position in found.items() if name not in twice}


def missing(import_: Import) -> list[str]:
    """The fields that every line must have and that no column was found for."""
    kind = KINDS[import_.kind]
    return [n for n in kind.fields if kind.schema.model_fields[n].is_required() and n not in import_.columns]


# ---- working


def start(import_: Import, step: Step) -> None:
    """Go on with an import in a thread of its own."""
    app = cast(Any, current_app)._get_current_object()
    threading.Thread(target=_in_thread, args=(app, import_.id, step), name=f"import {import_.id}", daemon=True).start()


def _in_thread(app: Flask, id: uuid.UUID, step: Step) -> None:
    with app.app_context(), _heartbeat(app, id) as progress:
        perform(id, step, progress)


def perform(id: uuid.UUID, step: Step, progress: Progress) -> None:
    """Do a step for whoever asked for it. What stops it is told in the import."""
    import_ = db.session.get_one(Import, id, populate_existing=True)
    db.session.expunge(import_)
    db.session.rollback()
    with force_locale(import_.language), who.on_behalf_of(import_.username, import_.request_id):
        try:
            step(import_, progress)
        except reading.Unreadable as error:
            _stopped(import_, translated(error.sentence, error.values))
        except Outdated:
            _stopped(import_, gettext("What is stored has changed since the preview. Nothing was done; look again."))
        except store.Refused as refused:
            log.warning("import refused", constraint=refused.constraint)
            _stopped(import_, gettext("Somebody changed what this file is about at the same time. Nothing was done."))
        except OperationalError as error:
            log.warning("import stopped", id=str(id), reason=str(error.orig).strip())
            _stopped(import_, gettext("The database did not do it in time. Nothing was done; try again."))
        except BaseException:
            log.exception("import failed", id=str(id))
            _stopped(import_, gettext("Something went wrong on our side. Nothing was done."))
            raise


def _stopped(import_: Import, sentence: str) -> None:
    """Nothing was done: an import is what it was before the step, with the reason."""
    state = {"reading": "failed", "applying": "ready", "undoing": "applied"}[import_.state]
    store.aside(update(Import).where(Import.id == import_.id).values(state=state, error=sentence))


@contextmanager
def _heartbeat(app: Flask, id: uuid.UUID) -> Iterator[Progress]:
    """Say every second that the work goes on, and how far it is."""
    progress, over = Progress(), threading.Event()

    def beat() -> None:
        with app.app_context():
            while not over.wait(1):
                alive = update(Import).where(Import.id == id, Import.state.in_(WORKING))
                try:
                    store.aside(alive.values(heartbeat=func.clock_timestamp(), progress=progress.lines))
                except DBAPIError as error:
                    log.warning("no heartbeat", id=str(id), reason=str(error.orig).strip())

    thread = threading.Thread(target=beat, name=f"heartbeat {id}", daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()


def claim(import_: Import, doing: str, *states: str) -> bool:
    """Take an import on, if it is in one of these states or whoever worked at it died. Only one of two gets it."""
    silent = Import.heartbeat < func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, HEARTBEAT_SECONDS)
    free = or_(Import.state.in_(states), and_(Import.state == doing, silent))
    taken = update(Import).where(Import.id == import_.id, free)
    values = {"state": doing, "error": "", "heartbeat": func.clock_timestamp(), "progress": 0}
    return store.aside(taken.values(values)) == 1


# ---- reading and comparing


def read(import_: Import, progress: Progress) -> None:
    """Understand each line, and hold it against what is stored."""

    def work(session: Session) -> None:
        kind = KINDS[import_.kind]
        session.execute(delete(kind.line).where(kind.line.import_id == import_.id))
        with tempfile.TemporaryFile() as file:
            parts = select(ImportFile.data).where(ImportFile.import_id == import_.id).order_by(ImportFile.part)
            for data in session.scalars(parts.execution_options(yield_per=4)):
                file.write(data)
            if not file.tell():
                raise reading.Unreadable(N_("The file is no longer there. Bring it in again."))
            with reading.lines(cast(BinaryIO, file)) as lines:
                stage(session, import_, kind, lines, progress)
        session.execute(text(f"ANALYZE {kind.line.__tablename__}"))
        _reject_repeated(session, import_, kind)
        _reject_by_rules(session, import_, kind)
        counts = _count(session, import_, kind)
        done = {"state": "ready", "counts": counts, "progress": progress.lines, "total": progress.lines}
        session.execute(update(Import).where(Import.id == import_.id).values(done))

    store.bulk(work)


def _reject_repeated(session: Session, import_: Import, kind: Kind) -> None:
    """Two lines about one thing: both are refused, and each names both."""
    line = kind.line.__table__.c
    valid = and_(line.import_id == import_.id, line.errors.is_(None))
    keys = [line[name] for name in kind.key]
    several = select(*keys, func.min(line.line).label("first"), func.max(line.line).label("last"))
    twice = several.where(valid).group_by(*keys).having(func.count() > 1).subquery()
    reason: ColumnElement[Any] = literal(gettext("Lines {first} and {last} of the file are about the same thing."))
    for name in ("first", "last"):
        reason = func.replace(reason, f"{{{name}}}", cast_(twice.c[name], Text))
    wrong = _wrong(import_, kind.key[0], keys[0], reason)
    same = and_(*(line[name] == twice.c[name] for name in kind.key))
    session.execute(update(kind.line).where(valid, same).values(errors=func.jsonb_build_array(wrong)))


def _reject_by_rules(session: Session, import_: Import, kind: Kind) -> None:
    """What the database alone can judge, such as whether somebody has a number."""
    line, before = kind.line.__table__.c, kind.before(import_)
    rules = list(kind.rules(before))
    if not rules:
        return
    nothing = literal([], JSONB)
    errors: ColumnElement[Any] = nothing
    for rule in rules:
        wrong = _wrong(import_, rule.field, rule.value, literal(gettext(rule.message)))
        errors = errors.op("||")(case((rule.broken, func.jsonb_build_array(wrong)), else_=nothing))
    judged = select(line.line, errors.label("errors")).select_from(kind.line.__table__.outerjoin(before, true()))
    found = judged.where(line.import_id == import_.id, line.errors.is_(None)).subquery()
    refused = update(kind.line).where(line.import_id == import_.id, line.line == found.c.line)
    session.execute(refused.where(found.c.errors != nothing).values(errors=found.c.errors))


def _wrong(import_: Import, field: str, value: Any, reason: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.jsonb_build_object("column", column_name(import_, field), "value", value, "reason", reason)


def compared(import_: Import, kind: Kind) -> Select[Any]:
    """Each valid line beside what is stored: outcome, line, key, new_<column> and old_<column>, before_id, in_place."""
    line, before = kind.line.__table__.c, kind.before(import_)
    wanted = kind.wanted(import_, before)
    differs = or_(*(wanted[name].is_distinct_from(before.c[name]) for name in kind.values))
    outcome = case((before.c.id.is_(None), "new"), (differs, "changed"), else_="unchanged").label("outcome")
    # A tariff that changes is a new one beside the old, unless both begin at the same moment.
    in_place = and_(*(line[name] == before.c[name] for name in kind.key)).label("in_place")
    return (
        select(outcome, in_place, line.line, before.c.id.label("before_id"), *(line[name] for name in kind.key))
        .add_columns(*(wanted[name].label(f"new_{name}") for name in kind.values))
        .add_columns(*(before.c[name].label(f"old_{name}") for name in kind.values))
        .select_from(kind.line.__table__.outerjoin(before, true()))
        .where(line.import_id == import_.id, line.errors.is_(None))
    )


def _count(session: Session, import_: Import, kind: Kind) -> dict[str, int]:
    outcomes = compared(import_, kind).subquery().c.outcome
    found: dict[str, int] = dict(session.execute(select(outcomes, func.count()).group_by(outcomes)).all())
    line = kind.line.__table__.c
    refused = select(func.count()).where(line.import_id == import_.id, line.errors.is_not(None))
    counts = {outcome: found.get(outcome, 0) for outcome in ("new", "changed", "unchanged")}
    losing = below_cost(import_, kind)
    below = session.scalar(select(func.count()).select_from(losing.subquery())) if losing is not None else 0
    return counts | {"rejected": session.scalar(refused) or 0, "below_cost": below or 0}


# ---- applying and undoing


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
    some = session.execute(touched.limit(SHOWN)).all()
    if some:
        names = ", ".join(sorted(str(row[1]) if row[1] else gettext("deleted") for row in some))
        raise reading.Unreadable(N_("Somebody changed some of it since, so it stays as it is: {names}"), names=names)


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


# ---- looking


def sample(import_: Import, outcome: str) -> list[dict[str, Any]]:
    """The first lines of an outcome."""
    kind = KINDS[import_.kind]
    found = compared(import_, kind).subquery()
    query = select(found).where(found.c.outcome == outcome).order_by(found.c.line).limit(SHOWN)
    return [dict(row) for row in db.session.execute(query).mappings()]


def rejected(import_: Import) -> list[Any]:
    """The first lines that were refused, each with what is wrong."""
    line = KINDS[import_.kind].line
    query = select(line.line, line.errors).where(line.import_id == import_.id, line.errors.is_not(None))
    return list(db.session.execute(query.order_by(line.line).limit(5 * SHOWN)))


def below_cost(import_: Import, kind: Kind) -> Select[Any] | None:
    """The lines whose price would be below the cost: their own, or if they have none the cheapest deck's."""
    if "price_per_minute" not in kind.values:
        return None
    line = compared(import_, kind).subquery()
    deck = ProviderTariff.__table__.c
    moment = import_.valid_from or import_.created_at
    in_force = select(deck.prefix, deck.cost_per_minute).ext(distinct_on(deck.provider_id, deck.prefix))
    in_force = in_force.where(deck.valid_from <= moment)
    newest = in_force.order_by(deck.provider_id, deck.prefix, deck.valid_from.desc()).subquery()
    cheapest = select(newest.c.prefix, func.min(newest.c.cost_per_minute).label("cost")).group_by(newest.c.prefix)
    market = cheapest.subquery()
    own = line.c.new_cost_per_minute
    cost = case((own > 0, own), else_=market.c.cost)
    joined = line.outerjoin(market, market.c.prefix == line.c.prefix)
    found = select(line.c.line, line.c.prefix, line.c.new_description, line.c.new_price_per_minute, cost.label("cost"))
    return found.select_from(joined).where(line.c.outcome != "unchanged", line.c.new_price_per_minute < cost)


def may_be_applied(import_: Import) -> bool:
    """Whether all lines are right, and some of them say something new."""
    counts = import_.counts
    return bool(counts) and not counts["rejected"] and bool(counts["new"] + counts["changed"])


def unused(import_: Import) -> list[str]:
    """The columns of the file that are not brought in."""
    taken = set(import_.columns.values())
    names = import_.header[0] if import_.has_header else []
    return [name.strip() for position, name in enumerate(names) if position not in taken and name.strip()]


def map_columns(import_: Import, chosen: dict[str, str]) -> bool:
    """Take an operator's word for which column is what; False if something that is needed is still missing."""
    if import_.state not in REMAPPED:
        return False  # What was applied is undone by what its columns were.
    kind = KINDS[import_.kind]
    wide = max(map(len, import_.header))
    import_.columns = {
        name: int(chosen[name])
        for name in kind.fields
        if re.fullmatch(r"[0-9]{1,3}", chosen.get(name, "")) and int(chosen[name]) < wide
    }
    import_.has_header = "has_header" in chosen
    if missing(import_):
        db.session.rollback()
        return False
    store.save()
    return True


def names(import_: Import, outcomes: dict[str, list[dict[str, Any]]]) -> dict[uuid.UUID, str]:
    """The names of all that the lines shown refer to by id."""
    ids = {v for lines in outcomes.values() for line in lines for v in line.values() if isinstance(v, uuid.UUID)}
    found: dict[uuid.UUID, str] = {}
    for name, id in KINDS[import_.kind].named():
        found |= dict(db.session.execute(select(id, name).where(id.in_(ids))).all()) if ids else {}
    return found
