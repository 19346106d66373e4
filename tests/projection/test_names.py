"""Gateways, trunks and phones are endpoints of one table, so no two of them may come to one name."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.factories import make_customer, make_extension, make_gateway, make_trunk
from tests.projection.written import written
from webapp.asterisk.rows import Stored
from webapp.validation import CustomerCode

code = TypeAdapter(CustomerCode)


def endpoints(*things: object) -> list[Stored]:
    return [row["id"] for thing in things for row in written(thing)["ps_endpoints"]]


def test_names_tell_gateways_trunks_and_phones_apart() -> None:
    names = endpoints(make_gateway("acme"), make_trunk("acme"), make_extension("100", make_customer("acme")))

    assert names == ["gateway-acme", "trunk-acme", "acme-100"]


@pytest.mark.parametrize(
    ("phones_of", "other"),
    [
        ("trunk", make_trunk("100")),
        ("trunk-sp", make_trunk("sp-100")),
        ("gateway", make_gateway("100")),
        ("gateway-sp", make_gateway("sp-100")),
    ],
)
def test_a_customers_code_cannot_make_a_phone_look_like_a_gateway_or_a_trunk(phones_of: str, other: object) -> None:
    phone = make_extension("100", make_customer(phones_of))
    assert endpoints(phone) == endpoints(other), "no clash, so nothing to refuse"

    with pytest.raises(ValidationError):
        code.validate_python(phones_of)
