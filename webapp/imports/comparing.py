"""Each line of a file, understood and held against what is stored."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext
from sqlalchemy import ColumnElement, Select, Text, and_, case, func, literal, or_, select, true, update
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.orm import Session

from webapp import store
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.models import Import
from webapp.imports.staging import column_name, stage_file
from webapp.imports.working import Progress
from webapp.tariffs.models import ProviderTariff


def read(import_: Import, progress: Progress) -> None:
    """Understand each line, and hold it against what is stored."""

    def work(session: Session) -> None:
        kind = KINDS[import_.kind]
        stage_file(session, import_, kind, progress)
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
    wrong = _wrong(import_, kind, kind.key[0], keys[0], reason)
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
        wrong = _wrong(import_, kind, rule.field, rule.value, literal(gettext(rule.message)))
        errors = errors.op("||")(case((rule.broken, func.jsonb_build_array(wrong)), else_=nothing))
    judged = select(line.line, errors.label("errors")).select_from(kind.line.__table__.outerjoin(before, true()))
    found = judged.where(line.import_id == import_.id, line.errors.is_(None)).subquery()
    refused = update(kind.line).where(line.import_id == import_.id, line.line == found.c.line)
    session.execute(refused.where(found.c.errors != nothing).values(errors=found.c.errors))


def _wrong(import_: Import, kind: Kind, field: str, value: Any, reason: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.jsonb_build_object("column", column_name(import_, kind, field), "value", value, "reason", reason)


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
