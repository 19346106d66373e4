"""Whose calls come from which address: who has one already, when another one is refused it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from flask_babel import gettext
from sqlalchemy import or_, select

from webapp.customers.models import Customer
from webapp.ext import db
from webapp.gateways.models import Gateway


def taken(existing: Mapping[str, str]) -> str:
    """A sentence about who has an address, from the key of the row that stands in the way; empty if it is gone."""
    address, (kind, _, id) = existing.get("address", ""), existing.get("holder", "").partition(":")
    if kind == "customer" and (customer := db.session.get(Customer, uuid.UUID(id))):
        name = gettext("the customer %(name)s", name=str(customer))
    elif kind == "provider" and (gateway := _gateway(uuid.UUID(id), address)):
        name = gettext("the gateway %(name)s", name=gateway)
    else:
        return ""
    return str(gettext("%(address)s already belongs to %(name)s.", address=address, name=name))


def _gateway(provider_id: uuid.UUID, address: str) -> str | None:
    mine = Gateway.provider_id == provider_id
    has_it = or_(Gateway.ip_address == address, Gateway.source_ips.any_() == address)
    return db.session.scalar(select(Gateway.name).where(mine, has_it).order_by(Gateway.name).limit(1))
