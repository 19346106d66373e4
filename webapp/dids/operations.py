"""What is done with DIDs besides filling in and saving: ranges, giving them away, taking them back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from flask_babel import gettext
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from webapp import store
from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema, ManyAllocatedSchema, ManySchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.settings import operations as settings
from webapp.validation import N_

NAMED = 5  # Numbers that stand in the way, by name.


def create_range(wanted: DidRangeSchema) -> int:
    """Enter a range of numbers, all or none; how many they are. Refused when one of them is already there."""
    first = int(wanted.number)
    numbers = [str(first + n) for n in range(wanted.count)]
    origin = wanted.model_dump(include={"provider_id", "gateway_id", "description", "status"})
    store.insert(Did, [{"number": number, **origin} for number in numbers])
    label = wanted.number if wanted.count == 1 else f"{numbers[0]} - {numbers[-1]}"
    store.record("create", Did.__tablename__, uuid.uuid4(), label, count=wanted.count, **origin)
    store.save()
    return wanted.count


def allocate(did: Did, wanted: AllocationSchema) -> store.Receipt:
    """Give a DID to a customer, or to another one: the earlier allocation then ends and stays as history."""
    if did.status == "blocked" or did.resting:
        raise store.Refused("ck_dids_free")
    customer = db.session.get(Customer, wanted.customer_id)
    if customer is None:
        raise store.Refused("fk_customer_dids_customer_id_customers")
    extension = _destination(customer, wanted.destination)
    if did.current:
        _end(did.current)
    did.status = "allocated"
    did.updated_at = func.now()  # So that whoever else is changing this DID is told.
    allocation = Allocation(did=did, customer=customer, customer_code=customer.code, extension=extension)
    return store.save(did, allocation)


def deallocate(did: Did) -> store.Receipt:
    """Take a DID back; who had it stays as history. It rests before somebody else gets the calls meant for them."""
    if did.current is None:
        raise store.Refused("ck_dids_allocated")
    until = _quarantine_end()  # Asked first, for a question would write what has changed before the save has its turn.
    _end(did.current)
    did.status = "quarantine" if until else "available"
    did.quarantine_until = until
    did.updated_at = func.now()
    return store.save(did)


def end_quarantine(did: Did) -> store.Receipt:
    """Let a DID rest no longer."""
    if did.status != "quarantine":
        raise store.Refused("ck_dids_quarantine")
    did.status = "available"
    return store.save(did)


def quarantine_days() -> int:
    """For how many days a number rests that somebody had; 0: it is free at once."""
    return settings.current().quarantine_days


def _quarantine_end() -> dt.datetime | None:
    days = quarantine_days()
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days) if days else None


# ---- many at once


class Unfit(Exception):
    """Some of the numbers cannot be given away or taken back: which, and why. Then none is."""

    def __init__(self, reason: str, numbers: Sequence[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.numbers = numbers

    def sentence(self) -> str:
        """For the reader; the first of the numbers by name."""
        names = ", ".join(self.numbers[:NAMED])
        more = len(self.numbers) - NAMED
        if more > 0:
            names = gettext("%(names)s and %(count)s more", names=names, count=more)
        return f"{gettext(self.reason)} {names}".strip()


def allocate_many(wanted: ManyAllocatedSchema) -> int:
    """Give many free DIDs to one customer, all or none; how many they are."""
    customer = db.session.get(Customer, wanted.customer_id)
    if customer is None:
        raise store.Refused("fk_customer_dids_customer_id_customers")
    phone = _destination(customer, wanted.destination)
    customer_id, code, phone_id = customer.id, customer.code, phone.id if phone else None

    def work(session: Session) -> list[uuid.UUID]:
        found = _chosen(session, wanted)
        _unfit(N_("Somebody has these numbers. Take them back first."), [n for n in found if n.status == "allocated"])
        _unfit(N_("These numbers are blocked or in quarantine."), [n for n in found if n.resting or n.blocked])
        ids = [number.id for number in found]
        give(session, select(Did.id, literal(customer_id, Uuid), literal(phone_id, Uuid)).where(_among(ids)))
        _set(session, ids, status="allocated", quarantine_until=None)
        _record("allocate", found, customer=code, destination=wanted.destination)
        return ids

    return _in_bulk(work)


def deallocate_many(wanted: ManySchema) -> int:
    """Take many DIDs back, all or none; how many they are."""

    def work(session: Session) -> list[uuid.UUID]:
        found = _chosen(session, wanted)
        _unfit(N_("Nobody has these numbers."), [number for number in found if number.status != "allocated"])
        ids = [number.id for number in found]
        until = _quarantine_end()
        end(session, ids)
        _set(session, ids, status="quarantine" if until else "available", quarantine_until=until)
        _record("deallocate", found)
        return ids

    return _in_bulk(work)


def _in_bulk(work: Callable[[Session], list[uuid.UUID]]) -> int:
    done: list[uuid.UUID] = []

    def counted(session: Session) -> list[uuid.UUID]:
        done.extend(work(session))
        return done

    store.bulk(counted, Did)
    return len(done)


def _chosen(session: Session, wanted: ManySchema) -> Sequence[Any]:
    """The numbers meant, locked: nobody else gives them away now. Unfit names those that are not there."""
    blocked = (Did.status == "blocked").label("blocked")
    resting = and_(Did.status == "quarantine", Did.quarantine_until > func.now()).label("resting")
    query = select(Did.id, Did.number, Did.status, blocked, resting).order_by(Did.number).with_for_update()
    if wanted.ids:
        found = session.execute(query.where(_among(wanted.ids))).all()
        missing = len(set(wanted.ids)) - len(found)
        if missing:
            raise Unfit(N_("Some of these numbers were deleted in the meantime."), [])
        return found
    first = int(wanted.number or "0")
    numbers = [str(first + n) for n in range(wanted.count)]
    found = session.execute(query.where(Did.number == any_(literal(numbers, ARRAY(Text))))).all()
    there = {row.number for row in found}
    absent = [number for number in numbers if number not in there]
    if absent:
        raise Unfit(N_("These numbers are not among yours."), absent)
    return found


def _unfit(reason: str, numbers: Sequence[Any]) -> None:
    if numbers:
        raise Unfit(reason, [row.number for row in numbers])


def _among(ids: Sequence[uuid.UUID]) -> ColumnElement[bool]:
    return Did.id == any_(literal(ids, ARRAY(Uuid)))


def _set(session: Session, ids: Sequence[uuid.UUID], **values: Any) -> None:
    changed = update(Did).where(_among(ids)).execution_options(synchronize_session=False)
    session.execute(changed.values(**values, version=Did.version + 1, updated_at=func.now()))


def _record(action: str, found: Sequence[Any], **values: Any) -> None:
    label = f"{found[0].number} - {found[-1].number}" if len(found) > 1 else found[0].number
    numbers = [row.number for row in found]
    store.record(action, Did.__tablename__, uuid.uuid4(), label, count=len(found), numbers=numbers, **values)


def give(session: Session, wanted: Select[Any]) -> list[uuid.UUID]:
    """Give many DIDs away: `wanted` answers DID, customer and phone (NULL: the trunk). Earlier allocations end.

    The ids of the DIDs, whose status and rows in Asterisk are left to the caller, as all that follows here.
    """
    found = wanted.cte("wanted").prefix_with("MATERIALIZED")
    session.execute(_ended(Allocation.did_id.in_(select(found.c[0]))))
    named = select(found, Customer.code).join(Customer, Customer.id == found.c[1])
    columns = ["did_id", "customer_id", "extension_id", "customer_code"]
    given = insert(Allocation).from_select(columns, named, include_defaults=False)
    return list(session.scalars(given.returning(Allocation.did_id)))


def give_back(session: Session, holders: Sequence[tuple[uuid.UUID, uuid.UUID, uuid.UUID | None]]) -> None:
    """Give DIDs again to who had them: each with its customer and phone."""
    if holders:
        codes = dict(session.execute(select(Customer.id, Customer.code)).all())
        session.execute(
            insert(Allocation),
            [
                {"did_id": did, "customer_id": customer, "extension_id": phone, "customer_code": codes[customer]}
                for did, customer, phone in holders
            ],
        )


def end(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """End the allocations of many DIDs; they stay as history."""
    session.execute(_ended(Allocation.did_id == any_(literal(ids, ARRAY(Uuid)))))


def _ended(which: ColumnElement[bool]) -> Update:
    rang = select(Extension.extension).where(Extension.id == Allocation.extension_id).scalar_subquery()
    return (
        update(Allocation)
        .where(Allocation.released_at.is_(None), which)
        .values(released_at=func.clock_timestamp(), released_destination=func.coalesce(rang, ""), extension_id=null())
        .execution_options(synchronize_session=False)
    )


def set_status(dids: Sequence[Did], status: str) -> store.Receipt:
    """Make numbers that nobody has available, reserved or blocked; all of them or none."""
    if any(did.current for did in dids):
        raise store.Refused("ck_dids_free")
    return store.change(dids, status=status, quarantine_until=None)


def _destination(customer: Customer, number: str | None) -> Extension | None:
    if customer.type == "trunk":
        if number is not None:
            raise store.Refused("ck_customer_dids_trunk_has_no_extension")
        return None
    if number is None:
        raise store.Refused("ck_customer_dids_needs_extension")
    extension = db.session.scalar(
        select(Extension).where(Extension.customer_id == customer.id, Extension.extension == number)
    )
    if extension is None:
        raise store.Refused("ck_customer_dids_extension_exists")
    return extension


def _end(allocation: Allocation) -> None:
    allocation.released_destination = allocation.destination or ""
    allocation.extension = None
    allocation.released_at = func.clock_timestamp()
