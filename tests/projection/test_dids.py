"""A DID is one dialplan row while somebody has it."""

from __future__ import annotations

import pytest

from tests.factories import make_allocation, make_customer, make_did, make_extension, make_trunk
from tests.projection.written import written


def row(appdata: str) -> dict[str, list[dict[str, str | int]]]:
    number: dict[str, str | int] = {"context": "from-trunk", "exten": "551140001000", "priority": 1, "app": "Gosub"}
    return {"extensions": [{**number, "appdata": appdata}]}


@pytest.mark.parametrize("status", ["available", "reserved", "quarantine", "blocked"])
def test_nobody_has_it(status: str) -> None:
    assert written(make_did(status=status)) == {}


def test_a_trunk_has_it() -> None:
    did, customer = make_did("551140001000"), make_trunk("padaria")
    make_allocation(did, customer)

    assert written(did) == row(f"to-trunk,s,1(trunk-padaria,{customer.id},551140001000)")


def test_a_phone_has_it() -> None:
    did, customer = make_did("551140001000"), make_customer("acme")
    make_allocation(did, customer, make_extension("100", customer))

    assert written(did) == row(f"to-phone,s,1(acme-100,{customer.id},551140001000)")


def test_how_many_calls_its_customer_may_have_at_once_goes_along() -> None:
    trunk, office = make_trunk("padaria", max_channels=30), make_customer("acme", max_channels=2)
    with_trunk, with_phone = make_did("551140001000"), make_did("551140001000")
    make_allocation(with_trunk, trunk)
    make_allocation(with_phone, office, make_extension("100", office))

    assert written(with_trunk) == row(f"to-trunk,s,1(trunk-padaria,{trunk.id},551140001000,30)")
    assert written(with_phone) == row(f"to-phone,s,1(acme-100,{office.id},551140001000,2)")


def test_the_number_of_a_disabled_customer_is_refused_in_its_name() -> None:
    suspended = f"refuse-suspended,s,1({{}},{'551140001000'})"
    trunk = make_trunk(enabled=False)
    office = make_customer(enabled=False)
    with_trunk, with_phone = make_did("551140001000"), make_did("551140001000")
    make_allocation(with_trunk, trunk)
    make_allocation(with_phone, office, make_extension("100", office))

    assert written(with_trunk) == row(suspended.format(trunk.id))
    assert written(with_phone) == row(suspended.format(office.id))


@pytest.mark.parametrize("code", ["a,b", "a)", "${SHELL(id)}", "a&b", "a|b", "a\nb"])
def test_a_code_that_could_be_read_as_dialplan_is_refused(code: str) -> None:
    did = make_did()
    make_allocation(did, make_trunk(code))

    with pytest.raises(ValueError, match="not allowed in a dialplan argument"):
        written(did)
