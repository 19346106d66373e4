"""The things that have rows in Asterisk's tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import joinedload

from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway

# Named as their areas; an extension's name takes its customer.
KINDS: dict[str, tuple[type[Any], list[Any]]] = {
    "customers": (Customer, []),
    "extensions": (Extension, [joinedload(Extension.customer)]),
    "gateways": (Gateway, []),
    "dids": (Did, []),
}
