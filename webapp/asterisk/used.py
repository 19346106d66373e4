"""What Asterisk says it uses, in the words of our rows, so that both can be compared. Pure.

Asterisk reads a value, keeps what it means and says it in its own words: yes as true, 10.0.0.1 as a mask, codecs in
brackets. Each column that it says at all has here how to read it. What it does not say, or says of something else than
it does, is left out: the interval of OPTIONS goes by a schedule that it does not show, and the dialplan is looked up
at every call, so there is nothing of it to compare.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from webapp.asterisk.rows import ANYWHERE, Stored, encode
from webapp.asterisk.sync import Change, Values

SECRET = frozenset({"password", "md5_cred"})
CONTACTS = "contacts"  # No table of ours: where phones registered from, which each node keeps for itself.
CUT_SHORT = "…"  # Ends a key of which Asterisk does not say all.

What = Literal["missing", "left_over", "different"]
Read = Callable[[str], Stored]


@dataclass(frozen=True)
class Field:
    """One column that is not as it should be. Of a secret it is told that it is, and nothing more."""

    name: str
    there: Stored
    wanted: Stored


@dataclass(frozen=True)
class Finding:
    """One row, or one object of Asterisk's, that is not as it should be."""

    table: str
    key: str
    owner: str
    what: What
    fields: tuple[Field, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _text(said: str) -> Stored:
    return encode(said) or None


def _yes_or_no(said: str) -> Stored:
    return {"true": "yes", "false": "no"}.get(said, said)


def _encryption(said: str) -> Stored:
    return None if said in ("", "no", "none") else said


def _number(said: str) -> Stored:
    return int(said) if said.isdecimal() else said


def _codecs(said: str) -> Stored:
    """(alaw|ulaw) is all that is allowed, and (nothing) none."""
    return ",".join(["!all", *said.strip("()").replace("nothing", "").split("|")]).rstrip(",")


def _variables(said: str) -> Stored:
    """No value of ours has a comma."""
    return ";".join(encode(variable) for variable in said.split(",") if variable) or None


def _caller(said: str) -> Stored:
    """What is not set is said as <unknown>, and a caller without a name by the number alone."""
    if said in ("", "<unknown>"):
        return None
    return encode(said if "<" in said else f'"" <{said}>')


def _denied(said: str) -> Stored:
    """Of an access list Asterisk says that there is one, and ours begin alike. What is permitted it does not say."""
    return ";".join(ANYWHERE) if said == "deny/permit" else _text(said)


def _addresses(said: str) -> Stored:
    """An address is said with its mask: 10.0.0.1/255.255.255.255, or 10.0.0.1/32 on the console."""
    return ";".join(_short(address) for address in said.split(",") if address) or None


def _short(address: str) -> str:
    host, _, mask = address.partition("/")
    if ":" in host and ":" in mask:  # Python knows no masks of IPv6.
        mask = str(int(ipaddress.IPv6Address(mask)).bit_count())
    network = ipaddress.ip_network(f"{host}/{mask}" if mask else host, strict=False)
    return str(network.network_address if network.num_addresses == 1 else network)


# Table -> column -> the header in which Asterisk says it, and how to read that.
COLUMNS: dict[str, dict[str, tuple[str, Read]]] = {
    "ps_endpoints": {
        "context": ("Context", _text),
        "aors": ("Aors", _text),
        "allow": ("Allow", _codecs),
        "accountcode": ("Accountcode", _text),
        "set_var": ("SetVar", _variables),
        "auth": ("Auth", _text),
        "outbound_auth": ("OutboundAuth", _text),
        "transport": ("Transport", _text),
        "outbound_proxy": ("OutboundProxy", _text),
        "from_user": ("FromUser", _text),
        "from_domain": ("FromDomain", _text),
        "callerid": ("Callerid", _caller),
        "identify_by": ("IdentifyBy", _text),
        "media_encryption": ("MediaEncryption", _encryption),
        "direct_media": ("DirectMedia", _yes_or_no),
        "rtp_symmetric": ("RtpSymmetric", _yes_or_no),
        "force_rport": ("ForceRport", _yes_or_no),
        "rewrite_contact": ("RewriteContact", _yes_or_no),
        "allow_transfer": ("AllowTransfer", _yes_or_no),
        "allow_subscribe": ("AllowSubscribe", _yes_or_no),
        "deny": ("Acl", _denied),
    },
    "ps_aors": {
        "contact": ("FixedContacts", _text),  # The agent puts it there: Contacts has those of phones among them.
        "max_contacts": ("MaxContacts", _number),
        "remove_existing": ("RemoveExisting", _yes_or_no),
        "minimum_expiration": ("MinimumExpiration", _number),
        "maximum_expiration": ("MaximumExpiration", _number),
        "qualify_frequency": ("QualifyFrequency", _number),
    },
    "ps_auths": {
        "auth_type": ("AuthType", _text),
        "username": ("Username", _text),
        "password": ("Password", _text),
        "md5_cred": ("Md5Cred", _text),
    },
    "ps_endpoint_id_ips": {
        "endpoint": ("Endpoint", _text),
        "match": ("Match", _addresses),
    },
    "ps_registrations": {
        "endpoint": ("Endpoint", _text),
        "outbound_auth": ("OutboundAuth", _text),
        "client_uri": ("ClientUri", _text),
        "server_uri": ("ServerUri", _text),
        "contact_user": ("ContactUser", _text),
        "transport": ("Transport", _text),
        "outbound_proxy": ("OutboundProxy", _text),
        "line": ("Line", _yes_or_no),
        "expiration": ("Expiration", _number),
        "retry_interval": ("RetryInterval", _number),
        "forbidden_retry_interval": ("ForbiddenRetryInterval", _number),
        "max_random_initial_delay": ("MaxRandomInitialDelay", _number),
        "auth_rejection_permanent": ("AuthRejectionPermanent", _yes_or_no),
    },
}

# Columns whose parts Asterisk says in an order of its own, and what parts them.
_UNORDERED = {("ps_aors", "contact"): ",", ("ps_endpoint_id_ips", "match"): ";"}


def compared(table: str, key: str, owner: str, wanted: Values, said: Mapping[str, str]) -> Finding | None:
    """What is different in what Asterisk says of an object; None: nothing is."""
    there = {name: read(said.get(header, "")) for name, (header, read) in COLUMNS[table].items()}
    fields = _differing(table, wanted, there)
    return Finding(table, key, owner, "different", fields) if fields else None


def found(changes: Iterable[Change]) -> list[Finding]:
    """What the changes would set right."""
    return [_finding(change) for change in changes]


def _finding(change: Change) -> Finding:
    key = "/".join(map(str, change.key))
    if change.before is None or change.after is None:
        what: What = "left_over" if change.after is None else "missing"
        return Finding(change.table, key, change.owner, what)
    return Finding(change.table, key, change.owner, "different", _differing(change.table, change.after, change.before))


def _differing(table: str, wanted: Values, there: Values) -> tuple[Field, ...]:
    return tuple(
        Field(name, "***", "***") if name in SECRET else Field(name, there[name], wanted.get(name))
        for name in there
        if _plain(table, name, there[name]) != _plain(table, name, wanted.get(name))
    )


def _plain(table: str, name: str, value: Stored) -> object:
    """The value, as it can be compared."""
    if value is None or (table, name) not in _UNORDERED:
        return value
    parts = str(value).split(_UNORDERED[table, name])
    return {_address(part) for part in parts} if name == "match" else set(parts)


def _address(text: str) -> str:
    """Of a row somebody changed by hand, what stands there may be no address."""
    try:
        return _short(text)
    except ValueError:
        return text
