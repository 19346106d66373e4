"""What the list of gateways shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import Text, cast, func, select
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import contains_eager

from webapp.gateways.models import Gateway
from webapp.listing import STATES, Column, Filter, ListOf
from webapp.live import operations as live
from webapp.live.lists import SEEN_AS
from webapp.live.models import LiveCall
from webapp.providers.models import Provider

KINDS = {"true": lazy_gettext("Registration"), "false": lazy_gettext("IP address")}

GATEWAYS = ListOf(
    query=select(Gateway).join(Gateway.provider),
    options=[contains_eager(Gateway.provider)],
    columns=[
        Column("name", lazy_gettext("Name"), Gateway.name),
        Column("provider", lazy_gettext("Provider"), Provider.name),
        Column("address", lazy_gettext("Address"), [cast(Gateway.ip_address, INET), Gateway.port]),
        Column("registration", lazy_gettext("Kind"), Gateway.registration),
        Column("codecs", lazy_gettext("Codecs"), func.array_to_string(Gateway.codecs, " ", type_=Text)),
        Column("connection", lazy_gettext("Connection"), live.worst_state(Gateway.id)),
        Column("calls", lazy_gettext("Calls now"), live.number_of_calls(LiveCall.gateway_id, Gateway.id), end=True),
        Column("enabled", lazy_gettext("State"), Gateway.enabled),
    ],
    order=[Gateway.name],
    search=[Gateway.name, Gateway.ip_address, Provider.name],
    filters=[
        Filter("provider_id", lazy_gettext("Provider"), Gateway.provider_id, things=Provider),
        Filter("registration", lazy_gettext("Kind"), Gateway.registration, words=KINDS),
        Filter("connection", lazy_gettext("Connection"), live.worst_state(Gateway.id), words=SEEN_AS),
        Filter("enabled", lazy_gettext("State"), Gateway.enabled, words=STATES),
    ],
    export={
        "name": Gateway.name,
        "provider": Provider.name,
        "enabled": Gateway.enabled,
        "ip_address": Gateway.ip_address,
        "port": Gateway.port,
        "transport": Gateway.transport,
        "source_ips": Gateway.source_ips,
        "domain": Gateway.domain,
        "registration": Gateway.registration,
        "username": Gateway.username,
        "node": Gateway.node,
        "codecs": Gateway.codecs,
        "srtp": Gateway.srtp,
        "tech_prefix": Gateway.tech_prefix,
        "caller_id_format": Gateway.caller_id_format,
        "max_channels": Gateway.max_channels,
        "inbound_strip": Gateway.inbound_strip,
        "inbound_prepend": Gateway.inbound_prepend,
        "qualify_frequency": Gateway.qualify_frequency,
    },
)
