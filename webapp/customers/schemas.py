"""What is valid for a customer."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from webapp.validation import (
    N_,
    SRTP_NEEDS_TLS,
    TRANSPORTS,
    AreaCode,
    CallsPerSecond,
    Channels,
    Codecs,
    CustomerCode,
    DisplayName,
    E164OrNothing,
    E164s,
    IpNetworks,
    Money,
    Port,
    QualifyFrequency,
    Schema,
    at,
)


class CustomerSchema(Schema):
    code: CustomerCode = Field(
        title=N_("Code"), description=N_("Short name; the phones of the customer log in as code-number.")
    )
    name: DisplayName = Field(title=N_("Name"))
    type: Literal["trunk", "extension"] = Field(
        title=N_("Type"),
        json_schema_extra={
            "choices": {
                "trunk": N_("Trunk: a PBX at fixed addresses"),
                "extension": N_("Extensions: phones that register"),
            }
        },
    )
    enabled: bool = Field(True, title=N_("Enabled"))
    price_plan_id: uuid.UUID | None = Field(None, title=N_("Price plan"))
    caller_id: E164OrNothing = Field(
        "",
        title=N_("Default caller number"),
        description=N_("Shown when a call presents no number of the customer's own."),
    )
    number_rules: Literal["", "e164", "brazil", "company", "own"] = Field(
        "",
        title=N_("Numbers are dialled"),
        description=N_("How a dialled number becomes one with country code, by which routes and tariffs find it."),
        json_schema_extra={
            "choices": {
                "": N_("As usual: by phones as in Brazil, by a trunk with country code"),
                "e164": N_("With country code (E.164)"),
                "brazil": N_("As people in Brazil dial"),
                "company": N_("By the company's rules"),
                "own": N_("By rules of its own"),
            }
        },
    )
    area_code: AreaCode = Field(
        "",
        title=N_("Area code"),
        description=N_("Local numbers are in this area; empty: the company's."),
        json_schema_extra={"attributes": {"inputmode": "numeric"}},
    )
    allowed_caller_ids: E164s = Field(
        [],
        title=N_("Further caller numbers"),
        description=N_("Numbers that its calls may show besides its own, one in each line."),
        json_schema_extra={"widget": "lines"},
    )
    max_channels: Channels = Field(
        0,
        title=N_("Calls at once"),
        description=N_("In and out together, counted on each server by itself; 0: no limit."),
    )
    calls_per_second: CallsPerSecond = Field(
        0, title=N_("New calls per second"), description=N_("Calls out; 0: no limit.")
    )
    max_price_per_minute: Money | None = Field(
        None,
        title=N_("Highest price per minute"),
        description=N_("Numbers that are dearer for the customer cannot be called. Empty: no limit."),
    )
    daily_limit: Money | None = Field(
        None,
        title=N_("Limit per day"),
        description=N_("Once the calls out of a day come to so much, no more are placed. Empty: no limit."),
    )
    prepaid: bool = Field(
        False,
        title=N_("Prepaid"),
        description=N_("Calls that cost the customer something end where its balance does."),
    )
    credit_limit: Money = Field(
        Decimal(0),
        title=N_("May owe"),
        description=N_("So much below zero the balance of a prepaid customer may go."),
    )
    refuse_below_cost: bool = Field(
        False,
        title=N_("Never below cost"),
        description=N_("Its calls leave only by gateways where a minute costs no more than the customer pays."),
    )
    blocked_list_id: uuid.UUID | None = Field(
        None, title=N_("Blocked destinations"), description=N_("Numbers of this list cannot be called.")
    )
    allowed_list_id: uuid.UUID | None = Field(
        None,
        title=N_("Allowed destinations"),
        description=N_("Only numbers of this list can be called. In both lists, the longer prefix counts."),
    )
    phone_networks: IpNetworks = Field(
        [],
        title=N_("Phones are at"),
        description=N_(
            "Addresses or networks (CIDR) from which its phones register and call, one in each line. "
            "Empty: from anywhere."
        ),
        json_schema_extra={"widget": "lines"},
    )
    trunk_ip: IpNetworks = Field(
        [],
        title=N_("Trunk addresses"),
        description=N_("Addresses or networks (CIDR) of the PBX, one in each line. Calls go to the single addresses."),
        json_schema_extra={"widget": "lines"},
    )
    trunk_port: Port = Field(5060, title=N_("Trunk port"))
    trunk_transport: Literal["udp", "tcp", "tls"] = Field(
        "udp", title=N_("Trunk transport"), json_schema_extra={"choices": TRANSPORTS}
    )
    qualify_frequency: QualifyFrequency = Field(
        60,
        title=N_("Check every (s)"),
        description=N_("Seconds between two OPTIONS requests; 0 for none. A peer that does not answer gets no calls."),
    )
    codecs: Codecs = Field(["alaw", "ulaw"], title=N_("Codecs"), description=N_("In order of preference."))
    srtp: bool = Field(
        False,
        title=N_("Encrypted media (SRTP)"),
        description=N_(
            "Calls are encrypted, or there are none. The keys go along with SIP, so it takes TLS: for a trunk as its "
            "transport, for phones in their own settings."
        ),
    )

    REFUSALS = {
        "uq_customers_code": ("code", N_("Another customer has this code.")),
        "fk_customers_price_plan_id_price_plans": ("price_plan_id", N_("This price plan no longer exists.")),
        "fk_customers_blocked_list_id_destination_lists": (
            "blocked_list_id",
            N_("This destination list no longer exists."),
        ),
        "fk_customers_allowed_list_id_destination_lists": (
            "allowed_list_id",
            N_("This destination list no longer exists."),
        ),
        "fk_extensions_customer_id_customer_type_customers": (
            "type",
            N_("This customer has extensions; delete them before you change the type."),
        ),
        "fk_customer_dids_customer_id_trunk_type_customers": (
            "type",
            N_("This customer has DIDs; take them back before you change the type."),
        ),
        "ex_peer_addresses_overlap": (
            "trunk_ip",
            N_("One of these addresses already belongs to another customer or to a gateway."),
        ),
    }

    @model_validator(mode="after")
    def _dials_as_usual(self) -> CustomerSchema:
        if not self.number_rules:
            self.number_rules = "brazil" if self.type == "extension" else "e164"
        return self

    @model_validator(mode="after")
    def _prepaid_has_prices(self) -> CustomerSchema:
        if self.prepaid and self.price_plan_id is None:
            raise at(
                "price_plan_id",
                N_("A prepaid customer needs a price plan: without one nobody could say how long it may talk."),
            )
        return self

    @model_validator(mode="after")
    def _srtp_needs_tls(self) -> CustomerSchema:
        if self.srtp and self.type == "trunk" and self.trunk_transport != "tls":
            raise at("srtp", SRTP_NEEDS_TLS)
        return self

    @model_validator(mode="after")
    def _trunk_has_address(self) -> CustomerSchema:
        if self.type == "trunk" and not any("/" not in address for address in self.trunk_ip):
            raise at("trunk_ip", N_("Give at least one single address: that is where the customer's calls go."))
        return self
