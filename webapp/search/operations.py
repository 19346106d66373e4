"""Find things of every kind by what somebody typed: a name, a code, a telephone number, an address, a SIP user."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, column, func, or_, select, table
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import InstrumentedAttribute, contains_eager, joinedload

from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route

MOST = 10  # Of each kind.

_ADDRESSES = table("peer_addresses", column("address", INET), column("owner", String))


@dataclass(frozen=True)
class Asked:
    """What was typed, in the ways it may be meant; what it cannot be is empty."""

    text: str
    digits: str  # A telephone number or a part of one, without what people put between digits.
    address: str  # An IP address or network, or the beginning of an address.
    peers: dict[str, list[uuid.UUID]]  # customer, gateway -> those whose addresses it meets.


@dataclass(frozen=True)
class Group:
    """What was found of one kind; `more` if that is not all of it."""

    kind: str
    things: Sequence[Any]
    more: bool


def search(typed: str) -> list[Group]:
    """What was found, by kind; kinds of which nothing was found are left out."""
    asked = _understood(typed)
    groups = []
    for query in _queries(asked) if asked.text else ():
        things = db.session.scalars(query.limit(MOST + 1)).all()
        if things:
            groups.append(Group(things[0].__tablename__, things[:MOST], len(things) > MOST))
    return groups


def the_one(groups: Sequence[Group], typed: str) -> Any:
    """The thing that was meant: the only one found, or else the only one that is called exactly so; None if unclear."""
    found = [thing for group in groups for thing in group.things]
    digits = _digits(typed)
    exact = [thing for thing in found if typed.casefold() in _names(thing) or (digits and digits in _names(thing))]
    return found[0] if len(found) == 1 else exact[0] if len(exact) == 1 else None


def _names(thing: Any) -> set[str]:
    """What a thing is called in full."""
    names = {str(thing).casefold()}
    if isinstance(thing, Customer):
        names |= {thing.code.casefold(), thing.name.casefold()}
    elif isinstance(thing, Route):
        names.add(thing.pattern.casefold())
    return names


def _understood(typed: str) -> Asked:
    text = typed.replace("\x00", "").strip()[:80]
    address = _address(text)
    peers: dict[str, list[uuid.UUID]] = {"customer": [], "gateway": []}
    for owner in _owners(address) if address else ():
        kind, _, id = owner.partition(":")
        peers[kind].append(uuid.UUID(id))
    return Asked(text, "" if address else _digits(text), address, peers)


def _digits(text: str) -> str:
    digits = re.sub(r"[\s().+-]", "", text)
    return digits.lstrip("0") if re.fullmatch(r"[0-9]{2,20}", digits) else ""


def _address(text: str) -> str:
    """What was typed, if it is an address, a network, or two numbers at least with a dot between them."""
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}\.?", text):
        return text
    try:
        return str(ipaddress.ip_interface(text)) if "%" not in text and not text.isdigit() else ""
    except ValueError:
        return ""


def _owners(address: str) -> Sequence[str]:
    """Whose addresses meet this one: `customer:<uuid>`; a network meets all that are in it."""
    try:
        asked = str(ipaddress.ip_network(address, strict=False))
    except ValueError:  # The beginning of an address; the columns are searched for it.
        return ()
    found = select(_ADDRESSES.c.owner).where(_ADDRESSES.c.address.op("&&")(cast(asked, INET))).distinct()
    return db.session.scalars(found.limit(2 * MOST)).all()


def _queries(asked: Asked) -> Iterator[Select[Any]]:
    """One query for each kind that what was typed may mean, those that are called exactly so first."""
    text, digits, address = asked.text, asked.digits, asked.address
    customers = [Customer.code.istartswith(text, autoescape=True), Customer.name.icontains(text, autoescape=True)]
    gateways = [Gateway.name.icontains(text, autoescape=True)]
    if address:
        customers += [Customer.id.in_(asked.peers["customer"]), cast(Customer.trunk_ip, String).contains(text)]
        gateways += [Gateway.id.in_(asked.peers["gateway"]), Gateway.ip_address.startswith(text)]
    yield _first(select(Customer).where(or_(*customers)), Customer.code, text)
    if digits:
        yield (
            select(Did)
            .where(or_(Did.number.startswith(digits), func.reverse(Did.number).startswith(digits[::-1])))
            .options(joinedload(Did.current).joinedload(Allocation.customer))
            .order_by(Did.number)
        )
    if not address:
        yield (
            select(Extension)
            .join(Extension.customer)
            .where(or_(*_phones(text)))
            .options(contains_eager(Extension.customer))
            .order_by(Customer.code, Extension.extension)
        )
        yield _first(select(Provider).where(Provider.name.icontains(text, autoescape=True)), Provider.name, text)
        routes = [Route.name.icontains(text, autoescape=True), Route.pattern.istartswith(text, autoescape=True)]
        yield _first(select(Route).where(or_(*routes)), Route.name, text)
    yield _first(select(Gateway).where(or_(*gateways)), Gateway.name, text)


def _first(query: Select[Any], name: InstrumentedAttribute[str], text: str) -> Select[Any]:
    """In the order of their names, but what is called exactly so before all others."""
    return query.order_by((func.lower(name) == text.lower()).desc(), name)


def _phones(text: str) -> Iterator[ColumnElement[bool]]:
    """A phone by its number, its name, or its SIP user, which is its customer's code, a hyphen and its number."""
    yield Extension.extension == text
    yield Extension.name.icontains(text, autoescape=True)
    code, hyphen, number = text.rpartition("-")
    if hyphen:
        customer = select(Customer.id).where(Customer.code == code.lower()).scalar_subquery()
        yield and_(Extension.customer_id == customer, Extension.extension.startswith(number, autoescape=True))
