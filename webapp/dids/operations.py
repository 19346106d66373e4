"""What is done with DIDs besides filling in and saving: ranges, giving them away, taking them back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, Uuid, any_, func, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from webapp import store
from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import db
from webapp.extensions.models import Extension


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
    if did.status in ("quarantine", "blocked"):
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
    """Take a DID back; who had it stays as history."""
    if did.current is None:
        raise store.Refused("ck_dids_allocated")
    _end(did.current)
    did.status = "available"
    did.updated_at = func.now()
    return store.save(did)


# ---- many at once


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
