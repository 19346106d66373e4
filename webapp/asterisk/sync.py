"""Write the difference between the rows wanted and the rows present. Only rows of the owners asked for are touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnClause,
    TableClause,
    Text,
    and_,
    any_,
    bindparam,
    column,
    delete,
    insert,
    literal,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from webapp.asterisk.rows import TABLES, Row, Stored

Values = dict[str, Stored]
Key = tuple[Stored, ...]


@dataclass(frozen=True)
class Change:
    """One row that is not as it should be; `before` None: it is new, `after` None: it goes."""

    table: str
    owner: str
    key: Key
    before: Values | None
    after: Values | None


def sync(session: Session, wanted: Mapping[str, Iterable[Row]]) -> list[Change]:
    """Make the rows of these owners what they should be, and say what changed.

    `wanted` maps each owner to all the rows it needs; an owner with no rows loses those it has.
    """
    changes = differences(session, wanted)
    for kind in TABLES:
        mine = [change for change in changes if change.table == kind.TABLE]
        _delete(session, kind, [change for change in mine if change.after is None])
        _update(session, kind, [change for change in mine if change.before and change.after])
        _insert(session, kind, [change for change in mine if change.before is None])
    return changes


def differences(session: Session, wanted: Mapping[str, Iterable[Row]]) -> list[Change]:
    """What sync would change."""
    by_table: dict[str, dict[tuple[str, Key], Values]] = {kind.TABLE: {} for kind in TABLES}
    for owner, rows in wanted.items():
        for row in rows:
            by_table[row.TABLE][owner, row.key()] = row.stored()
    return [
        change
        for kind in TABLES
        for change in _compare(kind, by_table[kind.TABLE], present(session, kind, list(wanted)))
    ]


def present(session: Session, kind: type[Row], owners: Sequence[str] | None) -> dict[tuple[str, Key], Values]:
    """(owner, key) -> the columns we manage, of the rows these owners have; None: of all that have an owner of ours."""
    source = target(kind)
    query = select(source)
    if owners is None:
        query = query.where(source.c.owner.is_not(None), source.c.owner != "system")
    else:
        query = query.where(source.c.owner == any_(literal(owners, ARRAY(Text))))
    found = {}
    for row in session.execute(query).mappings():
        values = {name: row[name] for name in kind.columns()}
        found[row["owner"], tuple(values[name] for name in kind.KEY)] = values
    return found


def target(kind: type[Row]) -> TableClause:
    """The realtime table, with the columns we manage and `owner`."""
    return _TARGETS[kind.TABLE]


def _target(kind: type[Row]) -> TableClause:
    columns: list[ColumnClause[Any]] = [column(name) for name in (*kind.columns(), "owner")]
    return table(kind.TABLE, *columns, schema="asterisk")


_TARGETS = {kind.TABLE: _target(kind) for kind in TABLES}


def _compare(
    kind: type[Row], wanted: dict[tuple[str, Key], Values], there: dict[tuple[str, Key], Values]
) -> Iterator[Change]:
    for owner, key in there.keys() | wanted.keys():
        before, after = there.get((owner, key)), wanted.get((owner, key))
        if before != after:
            yield Change(kind.TABLE, owner, key, before, after)


def _delete(session: Session, kind: type[Row], changes: list[Change]) -> None:
    if changes:
        session.execute(delete(target(kind)).where(_is_row(kind)), [_names(kind, change) for change in changes])


def _update(session: Session, kind: type[Row], changes: list[Change]) -> None:
    if changes:
        statement = update(target(kind)).where(_is_row(kind))
        statement = statement.values({name: bindparam(f"new_{name}") for name in kind.columns()})
        session.execute(
            statement,
            [
                _names(kind, change) | {f"new_{name}": value for name, value in (change.after or {}).items()}
                for change in changes
            ],
        )


def _insert(session: Session, kind: type[Row], changes: list[Change]) -> None:
    if changes:
        session.execute(insert(target(kind)), [{**(c.after or {}), "owner": c.owner} for c in changes])


def _is_row(kind: type[Row]) -> Any:
    columns = target(kind).c
    return and_(*(columns[name] == bindparam(f"key_{name}") for name in (*kind.KEY, "owner")))


def _names(kind: type[Row], change: Change) -> Values:
    return {f"key_{name}": value for name, value in zip((*kind.KEY, "owner"), (*change.key, change.owner), strict=True)}
