"""How the Asterisk servers are, and whether every call is in the books."""

from __future__ import annotations

from collections.abc import Iterator

from webapp.completeness import operations as completeness
from webapp.doctor.findings import Finding, fault, ok, warning
from webapp.doctor.place import Place
from webapp.nodes import operations as nodes
from webapp.proof import operations as proof
from webapp.unrated import operations as unrated

LATE_SECONDS = 60
CLOCK_SECONDS = 2.0


def nodes_in_service(place: Place) -> Iterator[Finding]:
    """Each that is in service is there, and knows what was saved."""
    place.require_database()
    states = [state for state in nodes.states() if state.enabled]
    if not states:
        yield fault("Nodes", "no Asterisk server is in service", "Start an agent: systemctl start asterisk-admin-agent")
    late = {
        row.node: row.seconds
        for row in place.ask(
            "SELECT node, extract(epoch FROM clock_timestamp() - min(created_at))::integer AS seconds "
            "FROM outbox WHERE done_at IS NULL GROUP BY node"
        )
    }
    for state in states:
        name, seconds = state.name, late.get(state.name, 0)
        if not state.alive:
            since = f"since {state.seen_at:%Y-%m-%d %H:%M} UTC" if state.seen_at else "and never has"
            yield fault(
                name,
                f"its agent does not sign in {since}",
                "Start it there (systemctl start asterisk-admin-agent), or disable the node: Settings, Nodes.",
            )
        elif not state.asterisk_up:
            yield fault(
                name,
                f"its Asterisk is away: {state.reason or 'not reached'}",
                "Start it there: systemctl start asterisk",
            )
        elif seconds > LATE_SECONDS:
            yield fault(
                name,
                f"it does not know what was saved {seconds} s ago{': ' + state.error if state.error else ''}",
                "See what its agent complains of: journalctl -u asterisk-admin-agent",
            )
        else:
            yield ok(name, "up, and knows what was saved")


def own_node(place: Place) -> Iterator[Finding]:
    """The node of this machine is in the books."""
    if not place.node:
        return
    name = place.agent.node
    if not place.ask("SELECT FROM nodes WHERE name = :name", name=name):
        yield fault(name, "its agent has never signed in", "Start it: systemctl start asterisk-admin-agent")


def clocks(place: Place) -> Iterator[Finding]:
    """A call record is stored when the call ends by its node's clock. (Those taken from a journal come later.)"""
    rows = place.ask(
        "SELECT node, min(extract(epoch FROM received_at - \"end\"::timestamp AT TIME ZONE 'UTC'))::float8, count(*) "
        "FROM (SELECT * FROM asterisk.cdr ORDER BY id DESC LIMIT 500) AS c "
        "WHERE received_at > now() - interval '1 day' "
        "AND \"end\" ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}' GROUP BY node ORDER BY node"
    )
    for node, apart, count in rows:
        if apart < -CLOCK_SECONDS or (apart > 60 and count > 10):
            how = "ahead of the database's" if apart < 0 else "behind the database's, or its call records come late"
            yield fault(
                f"Clock of {node}",
                f"{abs(apart):.0f} s {how}",
                "Have it follow a time server: apt-get install chrony",
            )
        else:
            yield ok(f"Clock of {node}", "as the database's, by its last call records")


def last_proof(place: Place) -> Iterator[Finding]:
    """The last proof that Asterisk has what is entered."""
    place.require_database()
    last = proof.last()
    if last.state == "different":
        yield fault(
            "Proof",
            f"Asterisk's rows were not what they should be: {last.differences} differ",
            "Set them right: asterisk-admin check --repair",
        )
    elif last.state == "right":
        asked = max(part.check.asked_at for part in last.parts if part.check)
        yield ok("Proof", f"Asterisk had what is entered, {asked:%Y-%m-%d %H:%M} UTC")
    else:
        yield ok("Proof", "nobody has had it proved lately; asterisk-admin check does it")


def call_records(place: Place) -> Iterator[Finding]:
    """Every call of today and yesterday is stored, and every call has a price."""
    place.require_database()
    days = completeness.days(2)
    for day in days:
        if day.state in ("lost", "unreadable"):
            what = (
                f"{day.difference} calls are missing" if day.state == "lost" else "parts of its journal make no sense"
            )
            yield fault(
                "Call records",
                f"{day.node}, {day.day:%Y-%m-%d}: {what}",
                "See Reports, Completeness; a journal is taken in by: "
                f"asterisk-admin cdr reconcile FILE --node {day.node}",
            )
    if not any(day.state in ("lost", "unreadable") for day in days):
        yield ok("Call records", "complete today and yesterday")
    count = unrated.count()
    if count:
        yield warning(
            "Calls without price",
            f"{count}",
            "See Reports, Not rated, for the reasons; when they are gone, run: asterisk-admin cdr rate",
        )
    else:
        yield ok("Calls without price", "none")
