"""A DID: one dialplan row while somebody has it, none otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from webapp.asterisk.projection.customers import trunk_name
from webapp.asterisk.projection.dialplan import NUMBERS, gosub
from webapp.asterisk.rows import Row
from webapp.customers.models import Customer
from webapp.dids.models import Did


def project_did(did: Did) -> Iterator[Row]:
    allocation = did.current
    customer = allocation.customer if allocation else None
    if allocation is None or customer is None:
        return
    limits = _limits(customer)
    if not customer.enabled:
        yield gosub(NUMBERS, did.number, "refuse-suspended", customer.id, did.number)
    elif allocation.extension:
        yield gosub(NUMBERS, did.number, "to-phone", allocation.extension.sip_user, customer.id, did.number, *limits)
    else:
        yield gosub(NUMBERS, did.number, "to-trunk", trunk_name(customer), customer.id, did.number, *limits)


def _limits(customer: Customer) -> list[str | int]:
    """What the dialplan has to know besides: how many calls at once, and whether money has to be put by for them."""
    if customer.prepaid:
        return [customer.max_channels, "prepaid"]
    return [customer.max_channels] if customer.max_channels else []
