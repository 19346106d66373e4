"""What is valid for a gateway."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field, model_validator

from webapp.validation import (
    N_,
    SRTP_NEEDS_TLS,
    TRANSPORTS,
    Channels,
    Codecs,
    DialString,
    Digits,
    HostName,
    IpAddress,
    IpNetworks,
    NodeName,
    Port,
    ProviderPassword,
    QualifyFrequency,
    Schema,
    SipName,
    SipUser,
    Whole,
    at,
)


class GatewaySchema(Schema):
    name: SipName = Field(title=N_("Name"), description=N_("As it will be called in Asterisk and in reports."))
    provider_id: uuid.UUID = Field(title=N_("Provider"))
    enabled: bool = Field(True, title=N_("Enabled"))
    ip_address: IpAddress = Field(title=N_("IP address"), description=N_("Calls are sent to this address."))
    port: Port = Field(5060, title=N_("Port"))
    transport: Literal["udp", "tcp", "tls"] = Field(
        "udp",
        title=N_("Transport"),
        json_schema_extra={"choices": TRANSPORTS},
    )
    source_ips: IpNetworks = Field(
        [],
        title=N_("Further source addresses"),
        description=N_("Addresses or networks (CIDR) its calls may also come from, one in each line."),
        json_schema_extra={"widget": "lines"},
    )
    domain: HostName = Field(
        "",
        title=N_("Domain"),
        description=N_("Host name the provider wants to see in From and in registrations; else the IP address."),
    )
    registration: bool = Field(
        False, title=N_("Register"), description=N_("Register with the provider under the user name below.")
    )
    username: SipUser = Field("", title=N_("User name"))
    password: ProviderPassword = Field(
        "",
        title=N_("Password"),
        description=N_("Leave it empty to keep the one that is stored."),
        json_schema_extra={"widget": "password"},
    )
    node: NodeName | None = Field(
        None,
        title=N_("Register from"),
        description=N_(
            "The provider sends its calls to this node. The first by name does it if none is chosen or it is disabled."
        ),
        json_schema_extra={"widget": "choice"},
    )
    codecs: Codecs = Field(["alaw", "ulaw"], title=N_("Codecs"), description=N_("In order of preference."))
    srtp: bool = Field(
        False,
        title=N_("Encrypted media (SRTP)"),
        description=N_("Calls are encrypted, or there are none. The keys go along with SIP, so it takes TLS."),
    )
    tech_prefix: DialString = Field(
        "", title=N_("Tech prefix"), description=N_("Put before every number sent to this gateway.")
    )
    caller_id_format: Literal["e164", "plus", "national", "long_distance"] = Field(
        "e164",
        title=N_("Caller numbers are sent"),
        description=N_("Numbers of other countries are sent with their country code in any case."),
        json_schema_extra={
            "choices": {
                "e164": N_("With country code: 5511…"),
                "plus": N_("With + and country code: +5511…"),
                "national": N_("Without country code: 11…"),
                "long_distance": N_("With 0 instead of the country code: 011…"),
            }
        },
    )
    max_channels: Channels = Field(
        0,
        title=N_("Calls at once"),
        description=N_(
            "In and out together, counted on each server by itself; a full gateway is passed over. 0: no limit."
        ),
    )
    inbound_strip: Annotated[Whole, Field(ge=0, le=15)] = Field(
        0,
        title=N_("Inbound: digits to cut"),
        description=N_("Cut from the start of the called number as the provider sends it …"),
    )
    inbound_prepend: Digits = Field(
        "",
        title=N_("Inbound: digits to add"),
        description=N_("… and put before it, to make country code, area code, number."),
    )
    qualify_frequency: QualifyFrequency = Field(
        60,
        title=N_("Check every (s)"),
        description=N_("Seconds between two OPTIONS requests; 0 for none. A peer that does not answer gets no calls."),
    )

    REFUSALS = {
        "uq_gateways_name": ("name", N_("Another gateway has this name.")),
        "fk_gateways_provider_id_providers": ("provider_id", N_("This provider no longer exists.")),
        "fk_gateways_node_nodes": ("node", N_("This node no longer exists.")),
        "ex_peer_addresses_overlap": (
            "ip_address",
            N_("One of these addresses already belongs to a customer or to another provider's gateway."),
        ),
    }

    @model_validator(mode="after")
    def _registration_needs_credentials(self) -> GatewaySchema:
        if self.registration and not self.username:
            raise at("username", N_("A registration needs a user name."))
        if self.registration and not self.password:
            raise at("password", N_("A registration needs a password."))
        return self

    @model_validator(mode="after")
    def _srtp_needs_tls(self) -> GatewaySchema:
        if self.srtp and self.transport != "tls":
            raise at("srtp", SRTP_NEEDS_TLS)
        return self
