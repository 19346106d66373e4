"""Domain object -> rows. Pure: no database, no settings, no clock; one file per area."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from webapp.asterisk.projection.customers import project_customer
from webapp.asterisk.projection.dids import project_did
from webapp.asterisk.projection.extensions import project_extension
from webapp.asterisk.projection.gateways import project_gateway
from webapp.asterisk.rows import Row
from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway

PROJECTIONS: dict[type[Any], Callable[[Any], Iterator[Row]]] = {
    Gateway: project_gateway,
    Customer: project_customer,
    Extension: project_extension,
    Did: project_did,
}


def owner(thing: Any) -> str:
    """Whose rows they are, as the rows' `owner` column says it: gateway:<uuid>."""
    return owner_of(type(thing), thing.id)


def owner_of(kind: type[Any], id: uuid.UUID) -> str:
    """The owner of the rows of a thing that may be gone."""
    return f"{kind.__name__.lower()}:{id}"


def project(thing: Any) -> list[Row]:
    """The rows a thing needs to have in Asterisk's tables."""
    return list(PROJECTIONS[type(thing)](thing))
