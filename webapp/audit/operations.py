"""Saying in words what the entries of the audit log hold."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, url_for
from flask_babel import format_datetime, gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from webapp.accounts.models import AuditEntry, User
from webapp.accounts.schemas import UserSchema
from webapp.alerts.models import AlertSettings
from webapp.alerts.schemas import AlertSettingsSchema
from webapp.conferences.models import Conference
from webapp.conferences.schemas import ConferenceSchema
from webapp.customers.models import Customer
from webapp.customers.schemas import CustomerSchema
from webapp.destination_lists.models import DestinationList
from webapp.destination_lists.schemas import DestinationListSchema
from webapp.dialling.models import NumberRule
from webapp.dialling.schemas import NumberRuleSchema
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import Base, db
from webapp.extensions.models import Extension
from webapp.extensions.schemas import ExtensionSchema
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_cases.schemas import ReleaseSchema
from webapp.fraud_rules.models import FraudRule
from webapp.fraud_rules.schemas import FraudRuleSchema
from webapp.gateways.models import Gateway
from webapp.gateways.schemas import GatewaySchema
from webapp.invoice_checks.models import InvoiceCheck
from webapp.invoice_checks.schemas import BillSchema
from webapp.payments.models import Payment
from webapp.payments.schemas import PaymentSchema
from webapp.permissions import may
from webapp.providers.models import Provider
from webapp.providers.schemas import ProviderSchema
from webapp.reratings.models import Rerating
from webapp.reratings.schemas import ReratingSchema
from webapp.routes.models import Route
from webapp.routes.schemas import RouteSchema
from webapp.settings.models import CompanySettings
from webapp.settings.schemas import SettingsSchema
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tariffs.schemas import PricePlanSchema, ProviderTariffSchema, TariffSchema
from webapp.tokens.models import ApiToken
from webapp.tokens.schemas import TokenSchema
from webapp.validation import N_, Schema


@dataclass(frozen=True)
class Kind:
    """A kind of thing that the log tells of: what one is called, the schema that knows what its fields are called, and
    where one is shown. Of a kind that is not here the log shows the names of the table and its columns.
    """

    label: str
    model: type[Any] | None  # None: it tells of no single thing.
    schema: type[Schema] | None = None
    page: str = ""  # Its endpoint, if things of this kind have a page.
    options: Sequence[ExecutableOption] = field(default=())  # What its name is made of.


KINDS = {
    "alert_settings": Kind(N_("Alerts"), AlertSettings, AlertSettingsSchema, "alerts.index"),
    "api_tokens": Kind(N_("API token"), ApiToken, TokenSchema),
    "asterisk": Kind(N_("Asterisk's tables"), None),
    "conferences": Kind(N_("Conference"), Conference, ConferenceSchema, "conferences.show"),
    "customers": Kind(N_("Customer"), Customer, CustomerSchema, "customers.show"),
    "customer_dids": Kind(N_("Allocation"), Allocation, AllocationSchema, "dids.show", [joinedload(Allocation.did)]),
    "destination_lists": Kind(N_("Destination list"), DestinationList, DestinationListSchema, "destination_lists.show"),
    "dids": Kind(N_("DID"), Did, DidRangeSchema, "dids.show"),
    "extensions": Kind(
        N_("Extension"), Extension, ExtensionSchema, "extensions.show", [joinedload(Extension.customer)]
    ),
    "fraud_cases": Kind(N_("Fraud case"), FraudCase, ReleaseSchema, "fraud_cases.show"),
    "fraud_rules": Kind(N_("Fraud rule"), FraudRule, FraudRuleSchema, "fraud_rules.show"),
    "gateways": Kind(N_("Gateway"), Gateway, GatewaySchema, "gateways.show"),
    "invoice_checks": Kind(N_("Invoice check"), InvoiceCheck, BillSchema, "invoice_checks.show"),
    "nodes": Kind(N_("Node"), None),
    "number_rules": Kind(N_("Number rule"), NumberRule, NumberRuleSchema, "dialling.edit"),
    "payments": Kind(N_("Payment"), Payment, PaymentSchema),
    "price_plans": Kind(N_("Price plan"), PricePlan, PricePlanSchema, "tariffs.show"),
    "provider_tariffs": Kind(N_("Provider's tariff"), ProviderTariff, ProviderTariffSchema, "tariffs.edit_deck_line"),
    "providers": Kind(N_("Provider"), Provider, ProviderSchema, "providers.show"),
    "reratings": Kind(N_("Calls"), Rerating, ReratingSchema, "reratings.show"),
    "routes": Kind(N_("Route"), Route, RouteSchema, "routes.show"),
    "settings": Kind(N_("Settings"), CompanySettings, SettingsSchema, "settings.index"),
    "tariffs": Kind(N_("Tariff"), Tariff, TariffSchema, "tariffs.edit_tariff"),
    "users": Kind(N_("User"), User, UserSchema, "users.show"),
}
ACTIONS = {
    "create": N_("Created"),
    "update": N_("Edited"),
    "delete": N_("Deleted"),
    "import": N_("Imported"),
    "undo import": N_("Import undone"),
    "repair": N_("Repaired"),
    "reveal": N_("Secret shown"),
    "sign in": N_("Sign-in"),
    "end sessions": N_("Sessions ended"),
    "second factor on": N_("Two-step sign-in turned on"),
    "second factor off": N_("Two-step sign-in turned off"),
    "rerate": N_("Rating again begun"),
    "rerated": N_("Rated again"),
    "drop": N_("Dropped from a conference"),
    "allocate": N_("Given to a customer"),
    "deallocate": N_("Taken back"),
}
# What columns are called that no schema has a field for.
_FIELDS = {
    "calls": N_("Calls"),
    "cost_after": N_("Cost after"),
    "cost_before": N_("Cost before"),
    "only_unrated": N_("Only those without a price"),
    "price_after": N_("Price after"),
    "price_before": N_("Price before"),
    "action": N_("What happens then"),
    "allocated_at": N_("Allocated at"),
    "amount": N_("Amount"),
    "changed_at": N_("Changed at"),
    "exempt_until": N_("Not stopped until"),
    "released_by": N_("Released by"),
    "rule_name": N_("Rule"),
    "seconds": N_("Seconds"),
    "state": N_("State"),
    "closing_at": N_("Closed at"),
    "node": N_("Node"),
    "number": N_("Number"),
    "end_reason": N_("End"),
    "ended_at": N_("Ended at"),
    "count": N_("How many"),
    "customer_code": N_("Customer"),
    "customer_id": N_("Customer"),
    "did_id": N_("DID"),
    "enabled": N_("Enabled"),
    "expires_at": N_("Expires"),
    "extension_id": N_("Extension"),
    "file_name": N_("File"),
    "language": N_("Language"),
    "last_used_at": N_("Last used"),
    "name": N_("Name"),
    "password_hash": N_("Password"),
    "price_plan_id": N_("Price plan"),
    "provider_id": N_("Provider"),
    "released_at": N_("Released at"),
    "released_destination": N_("Destination until then"),
    "revoked_at": N_("Revoked at"),
    "role": N_("Role"),
    "token_hash": N_("Token"),
    "tokens_valid_from": N_("Tokens valid from"),
    "trunk_type": N_("Destination"),
    "user_id": N_("Owner"),
    "username": N_("User name"),
}
# Columns that refer to another thing, which is then called by its name.
_REFERENCES = {
    "allowed_list_id": "destination_lists",
    "blocked_list_id": "destination_lists",
    "conference_customer_id": "customers",
    "customer_id": "customers",
    "default_allowed_list_id": "destination_lists",
    "default_blocked_list_id": "destination_lists",
    "did_id": "dids",
    "extension_id": "extensions",
    "gateway_id": "gateways",
    "price_plan_id": "price_plans",
    "provider_id": "providers",
    "user_id": "users",
}


@dataclass(frozen=True)
class Change:
    """One field of an entry, in words: empty where there was or is nothing."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Line:
    """An entry as people read it."""

    entry: AuditEntry
    kind: str
    action: str
    url: str  # Of the thing; empty if it is no longer there, or has no page.
    changes: Sequence[Change]


def lines(entries: Sequence[AuditEntry]) -> list[Line]:
    """The entries in the reader's words, with the names that things have now: one query for each kind of thing."""
    there = _things(entries)
    return [
        Line(
            entry,
            gettext(KINDS[entry.kind].label) if entry.kind in KINDS else _plain_name(entry.kind),
            action_word(entry.action),
            _url(KINDS.get(entry.kind), there.get(entry.thing_id)),
            list(_changes(entry, there)),
        )
        for entry in entries
    ]


def action_word(action: str) -> str:
    return str(gettext(ACTIONS[action])) if action in ACTIONS else _plain_name(action)


def _things(entries: Iterable[AuditEntry]) -> dict[uuid.UUID, Base]:
    """What the entries tell of or refer to, as far as it is still there."""
    ids: dict[str, set[uuid.UUID]] = defaultdict(set)
    for entry in entries:
        ids[entry.kind].add(entry.thing_id)
        for name, value in [*entry.before.items(), *entry.after.items()]:
            if name in _REFERENCES and (id := _uuid(value)):
                ids[_REFERENCES[name]].add(id)
    found: dict[uuid.UUID, Base] = {}
    for name in ids.keys() & KINDS.keys():
        kind = KINDS[name]
        if kind.model is not None:
            query = select(kind.model).options(*kind.options).where(kind.model.id.in_(ids[name]))
            found |= {thing.id: thing for thing in db.session.scalars(query)}
    return found


def _url(kind: Kind | None, thing: Any) -> str:
    """The page of a thing: where it is shown, or where its form is; none that the reader may not see."""
    if not (kind and kind.page and thing) or not may(vars(current_app.view_functions[kind.page])["permission"]):
        return ""
    if not current_app.url_map.is_endpoint_expecting(kind.page, "id"):
        return url_for(kind.page)
    return url_for(kind.page, id=thing.did_id if isinstance(thing, Allocation) else thing.id)


def _changes(entry: AuditEntry, there: Mapping[uuid.UUID, Base]) -> Iterable[Change]:
    """The fields of an entry in the order of the form, and after them what no form has."""
    kind = KINDS.get(entry.kind)
    schema = kind.schema if kind else None
    order = list(schema.model_fields) if schema else []
    names = entry.before | entry.after
    for name in sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name)):
        label = _label(schema, name)
        before, after = (_text(kind, name, values.get(name), there) for values in (entry.before, entry.after))
        if before or after:
            yield Change(label, before, after)


def _label(schema: type[Schema] | None, name: str) -> str:
    info = schema.model_fields.get(name) if schema else None
    if info and info.title:
        return str(gettext(info.title))
    return str(gettext(_FIELDS[name])) if name in _FIELDS else _plain_name(name)


def _text(kind: Kind | None, name: str, value: Any, there: Mapping[uuid.UUID, Base]) -> str:
    """A value of the log as people read it; what is nothing is empty."""
    if value is None or value in ("", []):
        return ""
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("No"))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if name in _REFERENCES and (id := _uuid(value)):
        return str(there.get(id) or gettext("(deleted) %(id)s", id=value))
    if name.endswith(("_at", "_from", "since", "until")) and (moment := _moment(value)):
        return str(format_datetime(moment, "short"))
    return choice_word(kind.schema if kind else None, name, str(value))


def choice_word(schema: type[Schema] | None, name: str, value: str) -> str:
    """A value in the words of the form, if its field is one to choose in."""
    info = schema.model_fields.get(name) if schema else None
    extra = info.json_schema_extra if info and isinstance(info.json_schema_extra, dict) else {}
    choices = extra.get("choices")
    if not isinstance(choices, dict):
        return value
    return str(gettext(str(choices.get(value) or _plain_name(value))))  # Not every state can be chosen in a form.


def _plain_name(name: str) -> str:
    """A name of the database without a translation: at least with blanks."""
    return name.replace("_", " ").capitalize()


def _uuid(value: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        return None


def _moment(value: Any) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
