"""Which nodes are watched, how many calls go on, and what the nodes see of phones, gateways and PBXs."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp.ext import Managed, db
from webapp.extensions.models import Extension
from webapp.live.models import LiveCall, LiveContact, LiveNode, LiveRegistration
from webapp.settings.models import ALIVE_SECONDS, Node

FRESH = dt.timedelta(seconds=ALIVE_SECONDS)  # What an agent saw longer ago says nothing about now.


class CallsNow(BaseModel):
    """Calls that go on, or ring."""

    count: int
    answered: int
    inbound: int
    outbound: int = Field(description="Those between customers and between phones are neither inbound nor outbound.")


def watched() -> Select[str]:
    """The nodes of which it is known what goes on there."""
    return select(LiveNode.node).where(LiveNode.looked_at > func.now() - FRESH)


def unknown() -> Sequence[str]:
    """The nodes of which it is not known: their agent or their Asterisk is away."""
    return db.session.scalars(
        select(Node.name).where(Node.enabled, Node.name.not_in(watched())).order_by(Node.name)
    ).all()


def calls_now() -> CallsNow:
    """How many calls go on at all nodes together."""
    counted = select(
        func.count().label("count"),
        func.count().filter(LiveCall.state == "answered").label("answered"),
        func.count().filter(LiveCall.direction == "inbound").label("inbound"),
        func.count().filter(LiveCall.direction == "outbound").label("outbound"),
    ).where(LiveCall.node.in_(watched()))
    return CallsNow(**db.session.execute(counted).mappings().one())


def calls_of(
    column: InstrumentedAttribute[uuid.UUID | None], things: Iterable[Managed]
) -> Mapping[uuid.UUID | None, int]:
    """How many calls go on of each customer or gateway, as the column of the calls has it; of others 0."""
    ids = [thing.id for thing in things]
    counted = select(column, func.count()).where(LiveCall.node.in_(watched()), column.in_(ids)).group_by(column)
    found: dict[uuid.UUID | None, int] = defaultdict(int)
    found.update((row[0], row[1]) for row in db.session.execute(counted))
    return found


def phones_at(*conditions: ColumnElement[bool]) -> Mapping[str, int]:
    """How many of some extensions are registered at each node; 0 at others."""
    counted = (
        select(LiveContact.node, func.count(Extension.id.distinct()))
        .join(Extension, Extension.id == LiveContact.thing_id)
        .where(LiveContact.node.in_(watched()), *conditions)
        .group_by(LiveContact.node)
    )
    found: dict[str, int] = defaultdict(int)
    found.update((row[0], row[1]) for row in db.session.execute(counted))
    return found


_Kind = TypeVar("_Kind", LiveContact, LiveRegistration)


def number_of_calls(column: InstrumentedAttribute[Any], id: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[int]:
    """The same as a column of a list, by which it may be sorted."""
    counted = select(func.count()).select_from(LiveCall).where(LiveCall.node.in_(watched()), column == id)
    return counted.scalar_subquery()


def worst_state(id: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[str]:
    """How a thing is reached, the worst of all nodes: reachable, unchecked, unreachable; empty if it is not seen."""
    states = select(func.max(LiveContact.state)).where(LiveContact.node.in_(watched()), LiveContact.thing_id == id)
    return func.coalesce(states.scalar_subquery(), "")


@dataclass(frozen=True)
class Seen:
    """What the nodes see of some extensions, gateways or customers, each by its id."""

    is_known: bool  # Whether any node is watched at all.
    contacts: Mapping[uuid.UUID | None, Sequence[LiveContact]]
    registrations: Mapping[uuid.UUID | None, Sequence[LiveRegistration]]


def seen(things: Iterable[Managed]) -> Seen:
    """In three statements, however many things there are."""
    ids = [thing.id for thing in things]
    contacts: dict[uuid.UUID | None, list[LiveContact]] = defaultdict(list)
    registrations: dict[uuid.UUID | None, list[LiveRegistration]] = defaultdict(list)
    for contact in db.session.scalars(_of(LiveContact, ids).order_by(LiveContact.node, LiveContact.uri)):
        contacts[contact.thing_id].append(contact)
    for registration in db.session.scalars(_of(LiveRegistration, ids).order_by(LiveRegistration.node)):
        registrations[registration.thing_id].append(registration)
    is_known = db.session.scalar(select(watched().exists())) or False
    return Seen(is_known, contacts, registrations)


def _of(kind: type[_Kind], ids: Sequence[uuid.UUID]) -> Select[_Kind]:
    return select(kind).where(kind.node.in_(watched()), kind.thing_id.in_(ids))
