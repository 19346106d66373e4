"""What the list of customers shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import String, Text, cast, func, select

from webapp.customers.models import Customer
from webapp.listing import STATES, Column, Filter, ListOf
from webapp.live import operations as live
from webapp.live.models import LiveCall
from webapp.tariffs.models import PricePlan

TYPES = {"trunk": lazy_gettext("Trunk"), "extension": lazy_gettext("Extensions")}
PAYS = {"true": lazy_gettext("Prepaid"), "false": lazy_gettext("Afterwards")}

CUSTOMERS = ListOf(
    query=select(Customer).outerjoin(Customer.price_plan),
    columns=[
        Column("code", lazy_gettext("Code"), Customer.code),
        Column("name", lazy_gettext("Name"), Customer.name),
        Column("type", lazy_gettext("Type"), Customer.type),
        Column("trunk_ip", lazy_gettext("Address"), func.array_to_string(Customer.trunk_ip, " ", type_=Text)),
        Column("calls", lazy_gettext("Calls now"), live.number_of_calls(LiveCall.customer_id, Customer.id), end=True),
        Column("enabled", lazy_gettext("State"), Customer.enabled),
    ],
    order=[Customer.code],
    search=[Customer.code, Customer.name, cast(Customer.trunk_ip, String)],
    filters=[
        Filter("type", lazy_gettext("Type"), Customer.type, words=TYPES),
        Filter("price_plan_id", lazy_gettext("Price plan"), Customer.price_plan_id, things=PricePlan),
        Filter("prepaid", lazy_gettext("Payment"), Customer.prepaid, words=PAYS),
        Filter("blocked_list_id", lazy_gettext("Blocked destinations"), Customer.blocked_list_id, type="hidden"),
        Filter("allowed_list_id", lazy_gettext("Allowed destinations"), Customer.allowed_list_id, type="hidden"),
        Filter("enabled", lazy_gettext("State"), Customer.enabled, words=STATES),
    ],
    export={
        "code": Customer.code,
        "name": Customer.name,
        "type": Customer.type,
        "enabled": Customer.enabled,
        "price_plan": PricePlan.name,
        "caller_id": Customer.caller_id,
        "allowed_caller_ids": Customer.allowed_caller_ids,
        "max_channels": Customer.max_channels,
        "calls_per_second": Customer.calls_per_second,
        "max_price_per_minute": Customer.max_price_per_minute,
        "daily_limit": Customer.daily_limit,
        "prepaid": Customer.prepaid,
        "credit_limit": Customer.credit_limit,
        "refuse_below_cost": Customer.refuse_below_cost,
        "phone_networks": Customer.phone_networks,
        "trunk_ip": Customer.trunk_ip,
        "trunk_port": Customer.trunk_port,
        "trunk_transport": Customer.trunk_transport,
        "qualify_frequency": Customer.qualify_frequency,
        "codecs": Customer.codecs,
        "srtp": Customer.srtp,
    },
)
