"""What each node's Asterisk must be told when rows change. Pure.

A dialplan row needs nothing: it is looked up at every call. Caches keep what they read until told (sorcery.conf).
They would also find a new object by themselves, but then its first call would have to wait for the database, and
could not be placed at all while that is away: so what is new or changed is read into the cache at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from webapp.asterisk.sync import Change
from webapp.asterisk.used import CONTACTS, CUT_SHORT, Finding


@dataclass(frozen=True)
class Order:
    """One thing to do on every node; doing it twice does no harm."""

    action: str  # One of the keys of agent.outbox.ACTIONS.
    object: str = ""


def orders(changes: Iterable[Change]) -> list[Order]:
    """The orders that changes call for, each once, in the order in which they should be carried out."""
    changes = list(changes)
    there = {(change.table, change.key) for change in changes if change.after}
    # A row that changes its owner goes and comes in one: only its coming counts.
    real = [change for change in changes if change.after or (change.table, change.key) not in there]
    return list(dict.fromkeys(order for change in real for order in _orders(change)))


def cures(findings: Iterable[Finding]) -> list[Order]:
    """The orders that make a node use what it should, each once."""
    return list(dict.fromkeys(map(_cure, findings)))


def _cure(finding: Finding) -> Order:
    if finding.key.endswith(CUT_SHORT):
        return Order("start_afresh")
    match finding.table:
        case "ps_endpoint_id_ips":
            return Order("populate_identify")
        case "ps_registrations":
            return Order("reload_registrations")
        case contacts if contacts == CONTACTS:
            return Order("forget_contacts")
    kind = finding.table.removeprefix("ps_").removesuffix("s")
    return Order(f"{'expire' if finding.what == 'left_over' else 'refresh'}_{kind}", finding.key)


def _orders(change: Change) -> Iterator[Order]:
    name = str(change.key[0])
    how = "refresh" if change.after else "expire"
    match change.table:
        case "ps_endpoints":
            yield Order(f"{how}_endpoint", name)
        case "ps_auths":
            # The account of a gateway that goes is needed once more, to unregister with. It does no harm in the cache.
            if change.after or not change.owner.startswith("gateway:"):
                yield Order(f"{how}_auth", name)
        case "ps_aors":
            yield Order(f"{how}_aor", name)
            if not change.after and change.owner.startswith("extension:"):
                yield Order("forget_contacts")  # Else who has its name next would ring where it was.
            yield from _qualify(change, name)
        case "ps_endpoint_id_ips":
            yield Order("populate_identify")
        case "ps_registrations":
            yield Order("reload_registrations")


def _qualify(change: Change, name: str) -> Iterator[Order]:
    """OPTIONS are sent on a schedule of their own, which looks at no row until it is told to."""
    if not any(row and row["qualify_frequency"] for row in (change.before, change.after)):
        return
    # For an aor that is gone Asterisk has nothing but the reload of them all.
    yield Order("qualify", name) if change.after else Order("reload_qualify")
