"""How many calls a second Asterisk takes without losing one, what a call costs, and how soon it takes calls after a
start: as it is here, without caches, and from static files.

python -m tests.bench capacity measures all; INBOUND=no or OUTBOUND=no leaves a direction out, RIVALS=no the rivals.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.asterisk import Asterisk
from tests.bench import rivals, table, work
from tests.bench.carrier import (
    CUSTOMER,
    PROVIDER,
    Carrier,
    Size,
    agent,
    asterisk,
    called_numbers,
    carrier,
    dialled_numbers,
    from_environment,
    trunk_address,
    warm,
)
from tests.bench.probe import Probe
from tests.bench.sipp import HOLD, Calls, Outcome, answering
from tests.calls.exchange import AgentProcess, until

SECONDS = from_environment("PROBE_SECONDS", 8)  # Of each trial while the highest rate is looked for.
LAST_SECONDS = from_environment("LAST_SECONDS", 20)  # Of the trial that confirms it.
CPU_RATE = from_environment("CPU_RATE", 40)  # Calls a second while the work of a call is measured: one for all.
CPU_SECONDS = from_environment("CPU_SECONDS", 15)
STEP = 5
# A call that waits longer than this for its answer is none that anybody would call served.
SLOWEST_MS = 1000


@dataclass(frozen=True)
class Exchange:
    """An Asterisk that runs, and who is beside it."""

    carrier: Carrier
    asterisk: Asterisk
    agent: AgentProcess | None
    boot: float  # Seconds from the start of Asterisk to the first call that was answered.

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.asterisk.values["SIP_PORT"])

    def calls(self, way: Way, rate: float, seconds: float) -> Calls:
        return Calls(self.carrier.folder, self.address, way.address, way.numbers, rate, round(rate * seconds))

    def quiet(self) -> None:
        """Until no call goes on, of those that failed either."""
        quiet = lambda: "0 active channels" in self.asterisk.rx("core show channels count")  # noqa: E731
        try:
            until(quiet, "the calls to end", 20)
        except AssertionError:
            self.asterisk.rx("channel request hangup all")
            until(quiet, "the calls to end", 60)


@dataclass(frozen=True)
class Way:
    """In or out: from where calls come, and to which numbers."""

    name: str
    address: str
    numbers: Sequence[str]


@dataclass(frozen=True)
class Work:
    """Milliseconds of the processor that a call takes, of Asterisk, the database and the agent."""

    asterisk: float
    database: float
    agent: float


def ways(made: Carrier) -> dict[str, Way]:
    return {
        "inbound": Way("inbound", PROVIDER, called_numbers(made)),
        "outbound": Way("outbound", trunk_address(min(CUSTOMER, made.size.trunks)), dialled_numbers()),
    }


@contextmanager
def exchange(made: Carrier, source: Path | None = None, *, with_agent: bool = True) -> Iterator[Exchange]:
    """One that takes calls, with everything in its caches if there is an agent."""
    with ExitStack() as stack:
        began = time.monotonic()
        running = stack.enter_context(asterisk(made, source) if source else asterisk(made))
        beside = stack.enter_context(agent(made, running)) if with_agent else None
        boot = first_call(running, ways(made)["inbound"], began)
        running.wait_booted()
        if beside:
            warm(beside)
        yield Exchange(made, running, beside, boot)


def trial(place: Exchange, way: Way, rate: float, seconds: float) -> tuple[bool, Outcome]:
    """Whether calls at this rate all went well."""
    outcome = place.calls(way, rate, seconds).wait()
    place.quiet()
    return outcome.failed == 0 and outcome.quantile(0.99) <= SLOWEST_MS, outcome


def highest(place: Exchange, way: Way, start: float) -> tuple[int, Outcome]:
    """The highest rate without a failed call, and what became of those that confirm it."""
    good, bad, rate = 0, 0, int(start)
    while not bad:
        well, _ = trial(place, way, rate, SECONDS)
        good, bad = (rate, bad) if well else (good, rate)
        if not well and not good:
            bad, rate = 0, rate // 2
            if rate < STEP:
                break
        else:
            rate = (rate * 13 // 10 + STEP - 1) // STEP * STEP
    while bad - good > STEP:
        rate = (good + bad) // 2 // STEP * STEP
        rate = rate if good < rate < bad else good + STEP
        well, _ = trial(place, way, rate, SECONDS)
        good, bad = (rate, bad) if well else (good, rate)
    while good > 0:
        well, outcome = trial(place, way, good, LAST_SECONDS)
        if well:
            return good, outcome
        good -= STEP
    return 0, Outcome(0, 0, 1, [])


def cost(place: Exchange, way: Way) -> Work:
    """What a call takes at a rate that is well within everybody's reach."""
    beside = [place.agent.process.pid] if place.agent and place.agent.process else []
    pids = ([place.asterisk.pid or 0], work.below(postmaster(place.carrier)), beside)
    before = [work.seconds_of(each) for each in pids]
    outcome = place.calls(way, CPU_RATE, CPU_SECONDS).wait()
    place.quiet()
    spent = [work.seconds_of(each) for each in pids]
    return Work(*(1000 * (after - b) / max(1, outcome.made) for b, after in zip(before, spent, strict=True)))


def postmaster(made: Carrier) -> int:
    return int((made.cluster.directory / "data" / "postmaster.pid").read_text().split()[0])


def first_call(exchange: Asterisk, way: Way, began: float) -> float:
    """Seconds until the first call is answered, tried again and again."""
    with Probe(way.address, ("127.0.0.1", int(exchange.values["SIP_PORT"]))) as probe:
        while probe.call(way.numbers[0], patience=0.5) != 200:
            if time.monotonic() - began > 300:
                raise RuntimeError("no call was answered in five minutes")
            time.sleep(0.05)
    return time.monotonic() - began


def measure(place: Exchange, name: str, which: Sequence[Way], found: dict[str, float]) -> None:
    for way in which:
        taken = cost(place, way)
        rate, outcome = highest(place, way, from_environment("START_RATE", 70))
        found[f"{way.name} {name}"] = rate
        found[f"{way.name} {name} work"] = taken.asterisk
        table.row(
            f"{way.name}, {name}", rate, outcome.made, outcome.median, outcome.quantile(0.99), taken.asterisk,
            taken.database, taken.agent, place.boot,
        )  # fmt: skip
    found[f"boot {name}"] = place.boot


OURS, UNCACHED, STATIC, TREE, BARE = (
    "Asterisk Admin",
    "rival: realtime without caches",
    "rival: static files, same dialplan",
    "rival: static files in a tree, same dialplan",
    "rival: static files, a bare Dial()",
)


def main() -> None:
    size = Size(
        trunks=int(from_environment("TRUNKS", 1200)),
        phones=int(from_environment("PHONES", 5000)),
        dids=int(from_environment("DIDS", 100_000)),
    )
    table.head(f"Calls a second: {size}", "make bench B=capacity")
    began = time.monotonic()
    found: dict[str, float] = {}
    with carrier(size) as made, answering(made.folder, made.port):
        table.note(
            f"Calls of {HOLD:.0f} s without media. Highest: of the calls of {LAST_SECONDS:.0f} s none failed, and 99 %"
            f" were answered within {SLOWEST_MS} ms. CPU: at {CPU_RATE:.0f} calls a second."
            f" (Made in {time.monotonic() - began:.0f} s.)\n"
        )
        table.columns(
            "", "highest calls/s", "calls then", "answered after ms, median", "p99", "Asterisk ms of CPU a call",
            "PostgreSQL", "agent", "s from start to first call",
        )  # fmt: skip
        both = ways(made)
        which = [way for name, way in both.items() if os.environ.get(name.upper()) != "no"]
        for name, source, with_agent in _configurations(made):
            with exchange(made, source, with_agent=with_agent) as place:
                measure(place, name, which, found)
    _verdicts(found)


def _configurations(made: Carrier) -> Iterator[tuple[str, Path | None, bool]]:
    makers: dict[str, Callable[[Path], Path]] = {
        UNCACHED: rivals.without_caches,
        STATIC: lambda folder: rivals.static_files(folder, made),
        TREE: lambda folder: rivals.static_files(folder, made, tree=True),
        BARE: lambda folder: rivals.bare_files(folder, made),
    }
    wanted = os.environ.get("RIVALS", "uncached static bare").split()
    yield OURS, None, True
    for word, name in {"uncached": UNCACHED, "static": STATIC, "tree": TREE, "bare": BARE}.items():
        if word in wanted:
            yield name, makers[name](made.folder / f"conf-{word}"), False


def _verdicts(found: dict[str, float]) -> None:
    goals: tuple[tuple[str, str, str, Callable[[float], bool]], ...] = (
        ("inbound calls/s, times the static files'", "inbound {}", ">= 1.1", lambda x: x >= 1.1),
        ("work of an inbound call, times", "inbound {} work", "<= 0.8", lambda x: x <= 0.8),
        ("outbound calls/s, times", "outbound {}", ">= 0.9", lambda x: x >= 0.9),
        ("start to first call, times", "boot {}", "< 0.06", lambda x: x < 0.06),
    )
    table.note("")
    table.columns("against static files with the same dialplan", "measured", "goal", "")
    for name, key, goal, met in goals:
        ours, theirs = found.get(key.format(OURS)), found.get(key.format(STATIC))
        if ours is not None and theirs:
            table.row(name, ours / theirs, goal, "met" if met(ours / theirs) else "missed")


if __name__ == "__main__":
    main()
