"""What each node's Asterisk must be told when rows change. Pure.

A dialplan row needs nothing: it is looked up at every call. Caches keep what they read until told (sorcery.conf);
they never keep that something was *not* there, so a new endpoint, auth or aor needs no word either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from webapp.asterisk.sync import Change


@dataclass(frozen=True)
class Order:
    """One thing to do on every node; doing it twice does no harm."""

    action: str  # One of the keys of agent.outbox.ACTIONS.
    object: str = ""


def orders(changes: Iterable[Change]) -> list[Order]:
    """The orders that changes call for, each once, in the order in which they should be carried out."""
    return list(dict.fromkeys(order for change in changes for order in _orders(change)))


def _orders(change: Change) -> Iterator[Order]:
    name = str(change.key[0])
    known = change.before is not None
    match change.table:
        case "ps_endpoints" if known:
            yield Order("expire_endpoint", name)
        case "ps_auths" if known:
            yield Order("expire_auth", name)
        case "ps_aors":
            if known:
                yield Order("expire_aor", name)
            # OPTIONS are sent on a schedule of their own, which looks at no row until it is told to.
            if _qualified(change):
                yield Order("qualify", name)
        case "ps_endpoint_id_ips":
            yield Order("populate_identify")
        case "ps_registrations":
            yield Order("reload_registrations")


def _qualified(change: Change) -> bool:
    return any(row and row["qualify_frequency"] for row in (change.before, change.after))
