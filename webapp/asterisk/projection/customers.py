"""A customer with a trunk: an endpoint known by its addresses. One with phones has rows for each phone only."""

from __future__ import annotations

from collections.abc import Iterator

from webapp.asterisk.projection.sip import allow, identify_id, media_encryption, uri
from webapp.asterisk.rows import Aor, Endpoint, Identify, Row
from webapp.customers.models import Customer


def trunk_name(customer: Customer) -> str:
    """The endpoint of a customer's PBX."""
    return f"trunk-{customer.code}"


def project_customer(customer: Customer) -> Iterator[Row]:
    """A disabled customer keeps its rows: its calls are refused as its own (route_call), not as a stranger's."""
    if customer.type != "trunk":
        return
    name = trunk_name(customer)
    contacts = [
        uri(address, customer.trunk_port, transport=customer.trunk_transport)
        for address in customer.trunk_ip
        if "/" not in address
    ]
    yield Endpoint(
        id=name,
        context="from-internal",
        aors=name,
        allow=allow(customer.codecs),
        accountcode=customer.code,
        set_var=(f"CUSTOMER_ID={customer.id}",),
        identify_by="ip",
        media_encryption=media_encryption(customer.srtp),
    )
    yield Aor(id=name, contact=",".join(contacts), qualify_frequency=customer.qualify_frequency)
    yield Identify(id=identify_id(name), endpoint=name, match=tuple(customer.trunk_ip))
