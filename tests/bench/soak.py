"""An hour at 60 % of the highest rate, with an operator who saves something every second: no call fails, nothing grows,
every call is rated.

SOAK_MINUTES=60 is how long, RATE=0 how many calls a second (0: 60 % of the highest, which is looked for first).
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.bench import table, work
from tests.bench.browser import Browser, operators, web
from tests.bench.capacity import Exchange, exchange, highest, postmaster, ways
from tests.bench.carrier import NODE, Carrier, Size, carrier, from_environment, owed
from tests.bench.effect import SECRETS, Stage
from tests.bench.probe import Probe
from tests.bench.sipp import answering
from tests.calls.exchange import query, until

MINUTES = from_environment("SOAK_MINUTES", 60)
RATE = from_environment("RATE", 0)
SHARE = 0.6
EVERY = 1.0  # Seconds between two saves.
GROWTH_PERCENT = 10  # From the second quarter of the time to the last one, and ...
GROWTH_MB = 20  # ... this: less is noise.


@dataclass
class Minute:
    """What is seen once a minute."""

    made: int
    failed: int
    saved: int
    refused: int
    owed: int
    unrated: int
    connections: int
    memory: dict[str, float]


@dataclass
class Operator:
    """Saves one thing after the other, once a second."""

    stage: Stage
    saved: int = 0
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        made = self.stage.carrier
        did = self.stage.id("dids", "number", str(551140000000 + made.size.dids - 1))
        [[holder]] = query(made.url, "SELECT customer_code FROM customer_dids WHERE did_id = :did", did=did)
        phone = self.stage.id("extensions", "name", "Phone 0")
        office = self.stage.id("customers", "code", "o2")
        route = self.stage.id("routes", "name", "Route 1000")
        for number in itertools.count():
            began = time.monotonic()
            new = number // 4 % 2 == 0
            edits = (
                (f"/extensions/{phone}/edit", "secret", {"secret": SECRETS[new]}),
                (f"/dids/{did}/allocate", "customer_id", {"customer_id": "c7" if new else holder}),
                (f"/customers/{office}/edit", "code", {"name": f"Office {number}"}),
                (f"/routes/{route}/edit", "priority", {"priority": "1009" if new else "1010"}),
            )
            path, name, values = edits[number % 4]
            try:
                self.stage.edit(path, name, **values)()
                self.saved += 1
            except (RuntimeError, OSError) as error:
                self.refused += 1
                self.errors.append(str(error))
            if self.ended.wait(max(0.0, EVERY - (time.monotonic() - began))):
                return


def minutes(place: Exchange, operator: Operator, web_pid: int, rate: float) -> list[Minute]:
    made = place.carrier
    calls = [place.calls(way, rate / 2, MINUTES * 60) for way in ways(made).values()]
    seen: list[Minute] = []
    table.columns(
        "minute", "calls", "failed", "saves", "refused", "owed to the node", "not rated", "connections to PostgreSQL",
        "Asterisk MB", "agent MB", "web MB", "PostgreSQL MB",
    )  # fmt: skip
    for number in range(1, int(MINUTES) + 1):
        time.sleep(max(0.0, calls[0].began + 60 * number - time.monotonic()))
        each = look(place, operator, web_pid, [call.seen() for call in calls])
        seen.append(each)
        table.row(
            str(number), each.made, each.failed, each.saved, each.refused, each.owed, each.unrated, each.connections,
            *each.memory.values(),
        )  # fmt: skip
    outcomes = [call.wait() for call in calls]
    place.quiet()
    last = look(place, operator, web_pid, [(outcome.made, outcome.failed) for outcome in outcomes])
    return [*seen, last]


def look(place: Exchange, operator: Operator, web_pid: int, calls: list[tuple[int, int]]) -> Minute:
    url = place.carrier.url
    agent = place.agent.process.pid if place.agent and place.agent.process else 0
    return Minute(
        sum(made for made, _ in calls),
        sum(failed for _, failed in calls),
        operator.saved,
        operator.refused,
        owed(place.carrier),
        query(url, UNRATED)[0][0],
        query(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")[0][0],
        {
            "Asterisk": work.memory([place.asterisk.pid or 0]),
            "agent": work.memory([agent]),
            "web": work.memory(work.below(web_pid)),
            "PostgreSQL": work.memory(work.below(postmaster(place.carrier))),
        },
    )


UNRATED = "SELECT (SELECT count(*) FROM unrated_cdrs) + (SELECT count(*) FROM calls WHERE unrated <> '')"
ANSWERED = "SELECT count(*) FROM calls WHERE answered_at IS NOT NULL AND started_at >= :since"


def verdict(seen: list[Minute], booked: int) -> None:
    """What was promised, and whether it was kept."""
    last = seen[-1]
    promises = [
        ("calls that failed", last.failed, last.failed == 0),
        ("calls made, and answered calls in the books", f"{last.made}, {booked}", booked == last.made),
        ("calls without a price", last.unrated, last.unrated == 0),
        ("saves, and those refused", f"{last.saved}, {last.refused}", last.refused == 0),
        ("owed to the node at the end", last.owed, last.owed == 0),
    ]
    figures = {"connections": [float(each.connections) for each in seen[:-1]]}
    figures |= {f"MB of {name}": [each.memory[name] for each in seen[:-1]] for name in last.memory}
    quarter = len(seen) // 4
    if quarter:
        for name, values in figures.items():
            early, late = statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])
            limit = max(early * GROWTH_PERCENT / 100, 2 if name == "connections" else GROWTH_MB)
            # PostgreSQL's part of the memory is the tables that it has read so far, which grow with each call.
            kept = late - early <= limit or name == "MB of PostgreSQL"
            promises.append((f"{name}, median of the second and of the last quarter", f"{early:.0f}, {late:.0f}", kept))
    table.note("")
    table.columns("verdict", "seen", "")
    for name, figure, kept in promises:
        table.row(name, figure, "kept" if kept else "BROKEN")


def operate(made: Carrier, place: Exchange, rate: float) -> None:
    [name] = operators(made, 1)
    with (
        web(made.url, made.folder) as (host, web_pid),
        Probe("127.242.0.1", place.address) as nobody,
    ):
        browser = Browser(host)
        browser.sign_in(name)
        operator = Operator(Stage(made, browser, nobody, nobody, nobody))
        thread = threading.Thread(target=operator.work)
        [[since]] = query(made.url, "SELECT date_trunc('second', now())")
        thread.start()
        try:
            seen = minutes(place, operator, web_pid, rate)
        finally:
            operator.ended.set()
            thread.join()

        def booked() -> int:
            return int(query(made.url, ANSWERED, since=since)[0][0])

        with suppress(AssertionError):  # The verdict says so.
            until(lambda: not owed(made) and booked() >= seen[-1].made, "the agent and the books", 60)
        seen[-1].owed = owed(made)
        verdict(seen, booked())
        for error in operator.errors[:5]:
            table.note(error)


def main() -> None:
    size = Size(dids=int(from_environment("DIDS", 100_000)), phones=int(from_environment("PHONES", 5000)))
    table.head(f"Soak of {MINUTES:.0f} minutes: {size}", f"make bench B=soak SOAK_MINUTES={MINUTES:.0f}")
    with carrier(size) as made, answering(made.folder, made.port), exchange(made) as place:
        rate = RATE or SHARE * min(highest(place, way, 60)[0] for way in ways(made).values())
        table.note(f"{rate:.0f} calls a second, in and out by halves, on {NODE}, and a save every second.\n")
        operate(made, place, rate)


if __name__ == "__main__":
    main()
