"""Things as an operator would have entered them: with ids and every default, without a database."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy.orm.attributes import set_committed_value

from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route
from webapp.settings.models import Node


def make_provider(name: str = "provider", **values: Any) -> Provider:
    return Provider(**{"id": uuid.uuid4(), "name": name, "type": "both", "cost_per_minute": Decimal(0), **values})


def make_gateway(name: str = "gw", **values: Any) -> Gateway:
    """A gateway; give `provider_id` if it is to be stored."""
    defaults = {
        "id": uuid.uuid4(),
        "name": name,
        "provider_id": uuid.uuid4(),
        "enabled": True,
        "ip_address": "192.0.2.10",
        "port": 5060,
        "transport": "udp",
        "source_ips": [],
        "domain": "",
        "registration": False,
        "username": "",
        "password": "",
        "codecs": ["alaw", "ulaw"],
        "tech_prefix": "",
        "inbound_strip": 0,
        "inbound_prepend": "",
        "qualify_frequency": 60,
        "max_channels": 0,
        "caller_id_format": "e164",
        "srtp": False,
    }
    return Gateway(**(defaults | values))


def make_customer(code: str = "acme", **values: Any) -> Customer:
    """A customer with phones; `make_trunk` for one with a PBX."""
    defaults = {
        "id": uuid.uuid4(),
        "code": code,
        "name": f"Customer {code}",
        "type": "extension",
        "enabled": True,
        "caller_id": "",
        "trunk_ip": [],
        "trunk_port": 5060,
        "trunk_transport": "udp",
        "srtp": False,
        "qualify_frequency": 60,
        "codecs": ["alaw", "ulaw"],
        "max_channels": 0,
        "calls_per_second": 0,
        "max_price_per_minute": None,
        "refuse_below_cost": False,
        "daily_limit": None,
        "allowed_caller_ids": [],
        "phone_networks": [],
    }
    return Customer(**(defaults | values))


def make_trunk(code: str = "acme", *addresses: str, **values: Any) -> Customer:
    return make_customer(code, **{"type": "trunk", "trunk_ip": list(addresses) or ["198.51.100.1"], **values})


def make_extension(extension: str = "100", customer: Customer | None = None, **values: Any) -> Extension:
    customer = customer or make_customer()
    defaults = {
        "id": uuid.uuid4(),
        "customer_id": customer.id,
        "extension": extension,
        "name": "",
        "secret": "secret-of-a-phone",
        "enabled": True,
    }
    phone = Extension(**(defaults | values))
    set_committed_value(phone, "customer", customer)  # Says whose it is without putting either into a session.
    return phone


def make_did(number: str = "551140001000", **values: Any) -> Did:
    """A DID; give `provider_id` if it is to be stored."""
    defaults = {"id": uuid.uuid4(), "number": number, "provider_id": uuid.uuid4(), "status": "available"}
    return Did(**(defaults | {"description": ""} | values))


def make_allocation(did: Did, customer: Customer, extension: Extension | None = None) -> Allocation:
    """Give a DID to a customer, on paper: `dids.operations.allocate` is what does it in the database."""
    allocation = Allocation(
        id=uuid.uuid4(),
        did_id=did.id,
        customer_id=customer.id,
        customer_code=customer.code,
        extension_id=extension.id if extension else None,
        released_destination="",
    )
    set_committed_value(allocation, "customer", customer)
    set_committed_value(allocation, "extension", extension)
    set_committed_value(did, "current", allocation)
    did.status = "allocated"
    return allocation


def make_route(name: str = "Brazil", pattern: str = "55.", **values: Any) -> Route:
    """A route; give `gateway_id` if it is to be stored."""
    defaults = {"id": uuid.uuid4(), "gateway_id": uuid.uuid4(), "priority": 100, "strip": 0, "prepend": ""}
    return Route(**(defaults | {"name": name, "pattern": pattern, "enabled": True} | values))


def make_node(name: str = "pbx1", **values: Any) -> Node:
    return Node(**{"name": name, "enabled": True, **values})
