"""The rows we write for Asterisk: one frozen class per realtime table, with exactly the columns we manage.

Columns are Asterisk's own (Asterisk 22 documentation, res_pjsip). What is not listed keeps Asterisk's default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar

Stored = str | int | None

ANYWHERE = ("0.0.0.0/0", "::/0")


def encode(value: str) -> str:
    """A text as res_config_pgsql must find it: it splits at `;` and decodes ^XX when it reads (main/config.c)."""
    return value.replace("^", "^5E").replace(";", "^3B")


def decode(stored: str) -> str:
    """Such a text as it was."""
    return stored.replace("^3B", ";").replace("^5E", "^")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What all of them have in common. A tuple is an option given several times, None one that is not given."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("id",)

    @classmethod
    @cache
    def columns(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    def key(self) -> tuple[Stored, ...]:
        return tuple(_stored(getattr(self, name)) for name in self.KEY)

    def stored(self) -> dict[str, Stored]:
        """Column -> value as the database holds it."""
        return {name: _stored(getattr(self, name)) for name in self.columns()}


def _stored(value: str | int | bool | tuple[str, ...] | None) -> Stored:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ";".join(map(encode, value)) or None
    return encode(value) if isinstance(value, str) else value


@dataclass(frozen=True, kw_only=True)
class Endpoint(Row):
    """A SIP party: what it may do and how calls to and from it look."""

    TABLE = "ps_endpoints"

    id: str
    context: str
    aors: str
    allow: str
    accountcode: str
    set_var: tuple[str, ...]  # Channel variables of its calls, NAME=value.
    auth: str | None = None
    outbound_auth: str | None = None
    transport: str | None = None
    outbound_proxy: str | None = None
    from_user: str | None = None
    from_domain: str | None = None
    callerid: str | None = None
    identify_by: str
    media_encryption: str | None = None  # sdes: SRTP with keys in the SDP.
    direct_media: bool = False
    rtp_symmetric: bool = True
    force_rport: bool = True
    rewrite_contact: bool = False
    allow_transfer: bool = False
    allow_subscribe: bool = False
    # Who may be it: requests from elsewhere are answered as a stranger's. Asterisk reads them in this order.
    deny: tuple[str, ...] = ()
    permit: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Aor(Row):
    """Where a SIP party is found: fixed contacts, or room for those that register."""

    TABLE = "ps_aors"

    id: str
    contact: str | None = None  # URIs joined with commas.
    max_contacts: int = 0
    remove_existing: bool = False
    minimum_expiration: int = 60
    maximum_expiration: int = 3600
    qualify_frequency: int = 0  # Seconds between OPTIONS; 0: none.


@dataclass(frozen=True, kw_only=True)
class Auth(Row):
    """A user name and secret: a phone's, of which its digest is enough to know it, or ours at a provider."""

    TABLE = "ps_auths"

    id: str
    auth_type: str  # md5: who asks for calls is held against md5_cred; userpass: we ourselves answer with the password.
    username: str
    password: str | None = None
    md5_cred: str | None = None


@dataclass(frozen=True, kw_only=True)
class Identify(Row):
    """The addresses whose requests are those of an endpoint."""

    TABLE = "ps_endpoint_id_ips"

    id: str
    endpoint: str
    match: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Registration(Row):
    """Our registration with a provider. `line` tells its calls from those of other accounts at one address.

    `node` is ours: each node reads its own rows through the view own_registrations.
    """

    TABLE = "ps_registrations"

    id: str
    endpoint: str
    outbound_auth: str
    client_uri: str
    server_uri: str
    contact_user: str
    transport: str
    outbound_proxy: str | None = None
    line: bool = True
    expiration: int = 600
    retry_interval: int = 30
    forbidden_retry_interval: int = 300
    max_random_initial_delay: int = 0  # Asterisk would wait up to 10 s before the first try.
    auth_rejection_permanent: bool = False
    node: str | None = None


@dataclass(frozen=True, kw_only=True)
class DialplanRow(Row):
    """One step of a realtime extension, in Asterisk's sense of the word."""

    TABLE = "extensions"
    KEY = ("context", "exten", "priority")

    context: str
    exten: str
    priority: int
    app: str
    appdata: str


TABLES: tuple[type[Row], ...] = (Endpoint, Aor, Auth, Identify, Registration, DialplanRow)
