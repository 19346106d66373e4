"""A gateway: an endpoint at a fixed address, known by that address, registered with if it asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from webapp.asterisk.projection.sip import allow, identify_id, media_encryption, uri
from webapp.asterisk.rows import Aor, Auth, Endpoint, Identify, Registration, Row
from webapp.gateways.models import Gateway


def project_gateway(gateway: Gateway) -> Iterator[Row]:
    """A disabled gateway has no rows: it neither takes calls nor registers, and its calls are strangers'."""
    if not gateway.enabled:
        return
    name = f"gateway-{gateway.name}"
    host = gateway.domain or gateway.ip_address
    transport = f"transport-{gateway.transport}"
    address = uri(gateway.ip_address, gateway.port, transport=gateway.transport)
    # A host name is only ever written into headers: requests go to the address, so a call never waits for DNS.
    proxy = f"{address};lr" if gateway.domain else None
    has_account = bool(gateway.username and gateway.password)

    yield Endpoint(
        id=name,
        context="from-trunk",
        aors=name,
        allow=allow(gateway.codecs),
        accountcode=gateway.name,
        set_var=(
            f"GATEWAY_ID={gateway.id}",
            f"PROVIDER_ID={gateway.provider_id}",
            f"INBOUND_STRIP={gateway.inbound_strip}",
            f"INBOUND_PREPEND={gateway.inbound_prepend}",
        ),
        outbound_auth=name if has_account else None,
        transport=transport,
        from_domain=gateway.domain or None,
        identify_by="ip",
        media_encryption=media_encryption(gateway.srtp),
    )
    yield Aor(id=name, contact=address, qualify_frequency=gateway.qualify_frequency)
    yield Identify(
        id=identify_id(name), endpoint=name, match=tuple(dict.fromkeys([gateway.ip_address, *gateway.source_ips]))
    )
    if has_account:
        yield Auth(id=name, auth_type="userpass", username=gateway.username, password=gateway.password)
    if gateway.registration:
        yield Registration(
            id=name,
            endpoint=name,
            outbound_auth=name,
            client_uri=uri(host, gateway.port, user=gateway.username),
            server_uri=uri(host, gateway.port, transport=gateway.transport),
            contact_user=gateway.username,
            transport=transport,
            outbound_proxy=proxy,
            node=gateway.node,
        )
