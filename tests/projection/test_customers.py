"""A customer with a trunk becomes an endpoint; one with phones has rows for each phone only."""

from __future__ import annotations

from tests.factories import make_customer, make_trunk
from tests.projection.written import written
from webapp.asterisk.projection.sip import identify_id
from webapp.customers.models import Customer


def rows_of_trunk(customer: Customer, contact: str, match: str) -> dict[str, list[dict[str, str | int]]]:
    name = f"trunk-{customer.code}"
    return {
        "ps_endpoints": [
            {
                "id": name,
                "context": "from-internal",
                "aors": name,
                "allow": "!all,alaw,ulaw",
                "accountcode": customer.code,
                "set_var": f"CUSTOMER_ID={customer.id}",
                "identify_by": "ip",
                "direct_media": "no",
                "rtp_symmetric": "yes",
                "force_rport": "yes",
                "rewrite_contact": "no",
                "allow_transfer": "no",
                "allow_subscribe": "no",
            }
        ],
        "ps_aors": [
            {
                "id": name,
                "contact": contact,
                "max_contacts": 0,
                "remove_existing": "no",
                "minimum_expiration": 60,
                "maximum_expiration": 3600,
                "qualify_frequency": 60,
            }
        ],
        "ps_endpoint_id_ips": [{"id": identify_id(name), "endpoint": name, "match": match}],
    }


def test_a_trunk() -> None:
    customer = make_trunk("padaria", "198.51.100.1")

    assert written(customer) == rows_of_trunk(customer, "sip:198.51.100.1:5060", "198.51.100.1")


def test_calls_come_from_all_addresses_and_go_to_the_single_ones() -> None:
    customer = make_trunk("padaria", "198.51.100.1", "203.0.113.0/28", "2001:db8::1", trunk_port=5080)

    assert written(customer) == rows_of_trunk(
        customer,
        "sip:198.51.100.1:5080,sip:[2001:db8::1]:5080",
        "198.51.100.1;203.0.113.0/28;2001:db8::1",
    )


def test_over_tls_with_encrypted_media() -> None:
    customer = make_trunk("padaria", "198.51.100.1", trunk_port=5061, trunk_transport="tls", srtp=True)

    rows = written(customer)

    assert [aor["contact"] for aor in rows["ps_aors"]] == ["sip:198.51.100.1:5061^3Btransport=tls"]
    assert [endpoint["media_encryption"] for endpoint in rows["ps_endpoints"]] == ["sdes"]


def test_a_disabled_trunk_keeps_its_rows_for_its_calls_are_refused_as_its_own() -> None:
    customer = make_trunk("padaria", "198.51.100.1", enabled=False)

    assert written(customer) == rows_of_trunk(customer, "sip:198.51.100.1:5060", "198.51.100.1")


def test_a_customer_with_phones_has_no_rows_even_if_addresses_are_left_over() -> None:
    assert written(make_customer()) == {}
    assert written(make_customer(trunk_ip=["198.51.100.1"])) == {}
