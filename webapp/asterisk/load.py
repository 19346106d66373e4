"""Read the things to project, with all that their projection looks at, in a fixed number of queries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, undefer

from webapp.asterisk.projection import PROJECTIONS
from webapp.models import Allocation, Customer, Did, Extension, Gateway

_READ_BY_PROJECTION: dict[type[Any], tuple[Any, ...]] = {
    Gateway: (undefer(Gateway.password),),
    Extension: (undefer(Extension.secret), joinedload(Extension.customer)),
    Did: (
        joinedload(Did.current).joinedload(Allocation.customer),
        joinedload(Did.current).joinedload(Allocation.extension).joinedload(Extension.customer),
    ),
}


def affected(session: Session, changed: Iterable[Any]) -> list[Any]:
    """The things to project: those that changed, and those whose rows depend on them."""
    ids: dict[type[Any], set[uuid.UUID]] = {kind: set() for kind in PROJECTIONS}
    for thing in changed:
        if isinstance(thing, Allocation):
            ids[Did].add(thing.did_id)
        elif type(thing) in PROJECTIONS:
            ids[type(thing)].add(thing.id)
    session.expire_all()  # Another save may have changed what was read before we held the lock.
    customers, phones = ids[Customer], ids[Extension]
    ids[Extension] |= set(session.scalars(select(Extension.id).where(Extension.customer_id.in_(customers))))
    ids[Did] |= set(
        session.scalars(
            select(Allocation.did_id).where(
                Allocation.released_at.is_(None),
                Allocation.customer_id.in_(customers) | Allocation.extension_id.in_(phones),
            )
        )
    )
    return [thing for kind, wanted in ids.items() for thing in load(session, kind, wanted)]


def load(session: Session, kind: type[Any], ids: Iterable[uuid.UUID] | None = None) -> Sequence[Any]:
    """Things of one kind with all that their projection reads, in a fixed number of queries; None: all of them."""
    query = select(kind).options(*_READ_BY_PROJECTION.get(kind, ()))
    if ids is not None:
        query = query.where(kind.id.in_(ids))
    return session.scalars(query).all()
