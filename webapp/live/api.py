"""The calls that go on now, and who is where, for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from flask import Response
from flask_openapi import Tag
from pydantic import BaseModel, Field

from webapp.api import bp, narrowed_list, query_of
from webapp.live import operations
from webapp.live.lists import CONTACTS, LIVE, REGISTRATIONS
from webapp.permissions import permission


class LiveCallAnswer(BaseModel):
    """A call that goes on now."""

    node: str
    uniqueid: str
    direction: str = Field(description="`inbound`, `outbound`, `internal` or `onnet` (between customers).")
    customer_id: uuid.UUID | None
    gateway_id: uuid.UUID | None
    provider_id: uuid.UUID | None
    src: str
    dst: str
    did: str
    state: str = Field(description="`ringing` or `answered`.")
    started_at: dt.datetime
    answered_at: dt.datetime | None = Field(description="When it was seen to be: up to some seconds late.")
    seconds: int = Field(description="Since its start, ringing included.")
    price: Decimal | None = Field(description="What it would be charged if it ended now; null if there is no price.")


class LiveCallList(BaseModel):
    items: list[LiveCallAnswer]
    next_cursor: str | None
    unknown: list[str] = Field(description="The nodes of which it is not known what goes on there now.")


def live_calls(query: Any) -> Response:
    """The last to begin is the first, unless `sort` says otherwise. Amounts are texts, so that nobody rounds them."""
    return narrowed_list(LiveCallAnswer, LIVE, query, unknown=list(operations.unknown()))


class ContactAnswer(BaseModel):
    """Where a phone is registered, or a gateway or PBX is, as a node sees it."""

    node: str
    aor: str = Field(description="What Asterisk calls it: `acme-100`, `gateway-GW_SP` or `trunk-acme`.")
    thing_id: uuid.UUID | None = Field(description="The extension, gateway or customer; null if it is none of ours.")
    uri: str
    address: str
    user_agent: str = Field(description="What a phone says that it is.")
    state: str = Field(description="`reachable`, `unreachable`, or `unchecked`: it is not asked.")
    rtt: Decimal | None = Field(description="Milliseconds until it answered.")
    since: dt.datetime = Field(description="How long it has been in this state.")


class ContactList(BaseModel):
    items: list[ContactAnswer]
    next_cursor: str | None
    unknown: list[str] = Field(description="The nodes of which it is not known who is there.")


class RegistrationAnswer(BaseModel):
    """Whether a node is registered with a gateway that asks for it."""

    node: str
    name: str
    thing_id: uuid.UUID | None = Field(description="The gateway.")
    state: str = Field(description="`registered`, `unregistered`, `rejected` or `stopped`.")
    since: dt.datetime


class RegistrationList(BaseModel):
    items: list[RegistrationAnswer]
    next_cursor: str | None
    unknown: list[str] = Field(description="The nodes of which it is not known.")


def live_contacts(query: Any) -> Response:
    """Phones that are registered, and gateways and PBXs, at every node."""
    return narrowed_list(ContactAnswer, CONTACTS, query, unknown=list(operations.unknown()))


def live_registrations(query: Any) -> Response:
    """Registrations of ours with gateways."""
    return narrowed_list(RegistrationAnswer, REGISTRATIONS, query, unknown=list(operations.unknown()))


live_calls.__annotations__["query"] = query_of("live", LIVE)
live_contacts.__annotations__["query"] = query_of("live_contacts", CONTACTS)
live_registrations.__annotations__["query"] = query_of("live_registrations", REGISTRATIONS)
for path, summary, answer, view in (
    ("/live-calls/", "List calls that go on", LiveCallList, live_calls),
    ("/live-contacts/", "List phones, gateways and PBXs that are seen", ContactList, live_contacts),
    ("/live-registrations/", "List registrations with gateways", RegistrationList, live_registrations),
):
    bp.get(path, tags=[Tag(name="live", description="What goes on now.")], summary=summary, responses={200: answer})(
        permission("live.read")(view)
    )
