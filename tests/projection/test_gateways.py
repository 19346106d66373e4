"""A gateway becomes an endpoint that is known by its address."""

from __future__ import annotations

from tests.factories import make_gateway
from tests.projection.written import written
from webapp.asterisk.projection.sip import identify_id
from webapp.gateways.models import Gateway


def endpoint(gateway: Gateway, **values: str) -> dict[str, str]:
    """The endpoint of a plain gateway, but for `values`."""
    return {
        "id": f"gateway-{gateway.name}",
        "context": "from-trunk",
        "aors": f"gateway-{gateway.name}",
        "allow": "!all,alaw,ulaw",
        "accountcode": gateway.name,
        "set_var": f"GATEWAY_ID={gateway.id};PROVIDER_ID={gateway.provider_id};INBOUND_STRIP=0;INBOUND_PREPEND=",
        "transport": "transport-udp",
        "identify_by": "ip",
        "direct_media": "no",
        "rtp_symmetric": "yes",
        "force_rport": "yes",
        "rewrite_contact": "no",
        "allow_transfer": "no",
        "allow_subscribe": "no",
        **values,
    }


def aor(gateway: Gateway, contact: str, qualify_frequency: int = 60) -> dict[str, str | int]:
    return {
        "id": f"gateway-{gateway.name}",
        "contact": contact,
        "max_contacts": 0,
        "remove_existing": "no",
        "minimum_expiration": 60,
        "maximum_expiration": 3600,
        "qualify_frequency": qualify_frequency,
    }


def identify(gateway: Gateway, match: str) -> dict[str, str]:
    name = f"gateway-{gateway.name}"
    return {"id": identify_id(name), "endpoint": name, "match": match}


def auth(gateway: Gateway, username: str, password: str) -> dict[str, str]:
    return {
        "id": f"gateway-{gateway.name}",
        "auth_type": "userpass",
        "username": username,
        "password": password,
    }


def test_at_an_address() -> None:
    gateway = make_gateway("SP")

    assert written(gateway) == {
        "ps_endpoints": [endpoint(gateway)],
        "ps_aors": [aor(gateway, "sip:192.0.2.10:5060")],
        "ps_endpoint_id_ips": [identify(gateway, "192.0.2.10")],
    }


def test_disabled_it_has_no_rows() -> None:
    assert written(make_gateway(enabled=False, registration=True, username="us", password="pass")) == {}


def test_its_own_codecs_port_and_rule_for_called_numbers() -> None:
    gateway = make_gateway(
        codecs=["g729"], port=5070, inbound_strip=2, inbound_prepend="55", qualify_frequency=0, tech_prefix="77"
    )

    rows = written(gateway)

    variables = f"GATEWAY_ID={gateway.id};PROVIDER_ID={gateway.provider_id};INBOUND_STRIP=2;INBOUND_PREPEND=55"
    assert rows["ps_endpoints"] == [endpoint(gateway, allow="!all,g729", set_var=variables)]
    assert rows["ps_aors"] == [aor(gateway, "sip:192.0.2.10:5070", qualify_frequency=0)]


def test_further_source_addresses_are_its_own_each_once() -> None:
    gateway = make_gateway(source_ips=["192.0.2.11", "192.0.2.10", "198.51.100.0/24"])

    assert written(gateway)["ps_endpoint_id_ips"] == [identify(gateway, "192.0.2.10;192.0.2.11;198.51.100.0/24")]


def test_over_tcp_the_parameter_of_the_contact_is_encoded() -> None:
    gateway = make_gateway(transport="tcp")

    assert written(gateway) == {
        "ps_endpoints": [endpoint(gateway, transport="transport-tcp")],
        "ps_aors": [aor(gateway, "sip:192.0.2.10:5060^3Btransport=tcp")],
        "ps_endpoint_id_ips": [identify(gateway, "192.0.2.10")],
    }


def test_an_ipv6_address_stands_in_brackets_in_a_uri_only() -> None:
    gateway = make_gateway(ip_address="2001:db8::10")

    rows = written(gateway)

    assert rows["ps_aors"] == [aor(gateway, "sip:[2001:db8::10]:5060")]
    assert rows["ps_endpoint_id_ips"] == [identify(gateway, "2001:db8::10")]


def test_a_domain_stands_in_from_while_calls_go_to_the_address() -> None:
    gateway = make_gateway(domain="sip.example.com")

    assert written(gateway) == {
        "ps_endpoints": [endpoint(gateway, from_domain="sip.example.com")],
        "ps_aors": [aor(gateway, "sip:192.0.2.10:5060")],
        "ps_endpoint_id_ips": [identify(gateway, "192.0.2.10")],
    }


def test_an_account_without_registration_answers_challenges() -> None:
    gateway = make_gateway("GW", username="us", password="pa;ss^")

    assert written(gateway) == {
        "ps_endpoints": [endpoint(gateway, outbound_auth="gateway-GW")],
        "ps_aors": [aor(gateway, "sip:192.0.2.10:5060")],
        "ps_endpoint_id_ips": [identify(gateway, "192.0.2.10")],
        "ps_auths": [auth(gateway, "us", "pa^3Bss^5E")],
    }


def test_half_an_account_is_none() -> None:
    for half in (make_gateway(username="us"), make_gateway(password="pass")):
        rows = written(half)
        assert "ps_auths" not in rows
        assert "outbound_auth" not in rows["ps_endpoints"][0]


def test_a_registration() -> None:
    gateway = make_gateway("GW", registration=True, username="us", password="pass")

    assert written(gateway) == {
        "ps_endpoints": [endpoint(gateway, outbound_auth="gateway-GW")],
        "ps_aors": [aor(gateway, "sip:192.0.2.10:5060")],
        "ps_endpoint_id_ips": [identify(gateway, "192.0.2.10")],
        "ps_auths": [auth(gateway, "us", "pass")],
        "ps_registrations": [
            {
                "id": "gateway-GW",
                "endpoint": "gateway-GW",
                "outbound_auth": "gateway-GW",
                "client_uri": "sip:us@192.0.2.10:5060",
                "server_uri": "sip:192.0.2.10:5060",
                "contact_user": "us",
                "transport": "transport-udp",
                "line": "yes",
                "expiration": 600,
                "retry_interval": 30,
                "forbidden_retry_interval": 300,
                "max_random_initial_delay": 0,
                "auth_rejection_permanent": "no",
            }
        ],
    }


def test_a_registration_names_its_node_if_one_was_chosen() -> None:
    gateway = make_gateway(registration=True, username="us", password="pass", node="pbx2")

    [registration] = written(gateway)["ps_registrations"]
    assert registration["node"] == "pbx2"


def test_a_registration_with_a_domain_goes_to_the_address_all_the_same() -> None:
    gateway = make_gateway(
        registration=True, username="us", password="pass", domain="sip.example.com", transport="tcp", port=5061
    )

    [registration] = written(gateway)["ps_registrations"]

    assert registration["client_uri"] == "sip:us@sip.example.com:5061"
    assert registration["server_uri"] == "sip:sip.example.com:5061^3Btransport=tcp"
    assert registration["outbound_proxy"] == "sip:192.0.2.10:5061^3Btransport=tcp^3Blr"
    assert registration["transport"] == "transport-tcp"


def test_media_is_encrypted_over_tls() -> None:
    gateway = make_gateway(transport="tls", port=5061, srtp=True)

    rows = written(gateway)

    assert rows["ps_endpoints"] == [endpoint(gateway, transport="transport-tls", media_encryption="sdes")]
    assert rows["ps_aors"] == [aor(gateway, "sip:192.0.2.10:5061^3Btransport=tls")]
