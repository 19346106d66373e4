"""A phone becomes an endpoint that registers, and a dialplan row for the customer's other phones."""

from __future__ import annotations

import pytest

from tests.factories import make_customer, make_extension
from tests.projection.written import written


def test_a_phone() -> None:
    customer = make_customer("acme", codecs=["g722", "alaw"])
    phone = make_extension("100", customer, name="Recepção", secret="se;cret^3B")

    assert written(phone) == {
        "ps_endpoints": [
            {
                "id": "acme-100",
                "context": "from-internal",
                "aors": "acme-100",
                "auth": "acme-100",
                "allow": "!all,g722,alaw",
                "accountcode": "acme",
                "set_var": f"CUSTOMER_ID={customer.id}",
                "callerid": '"Recepção" <100>',
                "identify_by": "username",
                "direct_media": "no",
                "rtp_symmetric": "yes",
                "force_rport": "yes",
                "rewrite_contact": "yes",
                "allow_transfer": "no",
                "allow_subscribe": "no",
            }
        ],
        "ps_aors": [
            {
                "id": "acme-100",
                "max_contacts": 1,
                "remove_existing": "yes",
                "minimum_expiration": 60,
                "maximum_expiration": 3600,
                "qualify_frequency": 0,
            }
        ],
        # printf 'acme-100:asterisk:se;cret^3B' | md5sum
        "ps_auths": [
            {
                "id": "acme-100",
                "auth_type": "md5",
                "username": "acme-100",
                "md5_cred": "7e4be9242a858074ae1f1de6c6b68a10",
            }
        ],
        "extensions": [
            {
                "context": "phones",
                "exten": "acme-100",
                "priority": 1,
                "app": "Gosub",
                "appdata": f"to-phone,s,1(acme-100,{customer.id})",
            }
        ],
    }


def test_media_is_encrypted_where_the_customer_insists() -> None:
    rows = written(make_extension(customer=make_customer(srtp=True)))

    assert [endpoint["media_encryption"] for endpoint in rows["ps_endpoints"]] == ["sdes"]


def test_the_phones_of_a_customer_may_be_in_its_networks_only() -> None:
    phone = make_extension(customer=make_customer(phone_networks=["198.51.100.0/24", "2001:db8::1"]))

    [endpoint] = written(phone)["ps_endpoints"]
    assert (endpoint["deny"], endpoint["permit"]) == ("0.0.0.0/0;::/0", "198.51.100.0/24;2001:db8::1")


def test_a_disabled_phone_has_no_rows() -> None:
    assert written(make_extension(enabled=False)) == {}


def test_the_phone_of_a_disabled_customer_keeps_its_rows_for_its_calls_are_refused_as_the_customers() -> None:
    customer = make_customer(enabled=False)

    assert set(written(make_extension(customer=customer))) == {"ps_endpoints", "ps_aors", "ps_auths", "extensions"}


@pytest.mark.parametrize("code", ["a,b", "a)", "${EPOCH}", "a;b", "a b", "a\n", "á"])
def test_a_code_that_could_be_read_as_dialplan_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="not allowed in a dialplan argument"):
        written(make_extension(customer=make_customer(code)))
