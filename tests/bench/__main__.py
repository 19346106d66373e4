"""`make bench`: what things take on this machine, each beside its rival in the same run. Nothing is asserted here."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.asterisk import Asterisk
from tests.bench import agent, calls, capacity, effect, growth, imports, lists, media, soak, web
from tests.calls.exchange import (
    AgentProcess,
    prepare_database,
    production_postgres,
    query,
    running_asterisk,
    settings,
    until,
)
from webapp import create_app, store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.extensions.models import Extension

PHONES = 1000
ROUNDS = 100


@dataclass(frozen=True)
class Place:
    """Where the measurements are made: PHONES phones, and an Asterisk with its agent."""

    url: str
    asterisk: Asterisk


@contextmanager
def place() -> Iterator[Place]:
    with production_postgres() as cluster, tempfile.TemporaryDirectory() as logs:
        cluster.create_database("bench")
        url = prepare_database(cluster, "bench")
        app = create_app(settings(url))
        app.logger.disabled = True
        with running_asterisk(cluster, "bench") as asterisk, app.app_context():
            customer = Customer(code="bench", name="Bench", type="extension")
            store.save(customer)
            store.save(
                *(
                    Extension(customer_id=customer.id, extension=str(10000 + n), secret=f"secret-of-{n:05}")
                    for n in range(PHONES)
                )
            )
            agent = AgentProcess(url, asterisk, Path(logs) / "agent.log")
            agent.start()
            try:
                until(lambda: query(url, "SELECT 1 FROM nodes WHERE asterisk_up"), "the agent")
                time.sleep(3)  # Until the caches are warm.
                yield Place(url, asterisk)
            finally:
                agent.stop()


def save_and_acknowledgement(place: Place) -> tuple[list[float], list[float]]:
    """Milliseconds of a save of one phone, and from its commit to the agent's acknowledgement of all it owed for it."""
    phone = db.session.scalars(db.select(Extension).limit(1)).one()
    saves, acknowledgements = [], []
    for n in range(ROUNDS):
        phone.secret = f"another-secret-{n:05}"
        began = time.perf_counter()
        store.save(phone)
        saves.append((time.perf_counter() - began) * 1000)
        committed = time.time()
        until(lambda: not query(place.url, "SELECT 1 FROM outbox WHERE done_at IS NULL"), "the agent")
        [[done]] = query(place.url, "SELECT extract(epoch FROM max(done_at)) FROM outbox")
        acknowledgements.append((float(done) - committed) * 1000)
    return saves, acknowledgements


def reload_of_everything(place: Place) -> list[float]:
    """The rival: milliseconds of the reload that a program which writes pjsip.conf sends after each save."""
    return [_timed(lambda: place.asterisk.rx("module reload res_pjsip.so")) for _ in range(5)]


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def _row(name: str, figures: list[float]) -> str:
    ordered = sorted(figures)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{name:<64}{statistics.median(ordered):>10.1f}{p99:>10.1f}{len(ordered):>6}"


def saves() -> None:
    with place() as here:
        print(f"{'Milliseconds, with ' + str(PHONES) + ' phones':<64}{'median':>10}{'p99':>10}{'n':>6}")
        committed, acknowledgements = save_and_acknowledgement(here)
        print(_row("save of a phone's secret, until committed", committed))
        print(_row("from commit to the agent's acknowledgement", acknowledgements))
        print(_row("rival: module reload res_pjsip.so", reload_of_everything(here)))


PARTS = {
    "saves": saves,
    "lists": lists.main,
    "imports": imports.main,
    "calls": calls.main,
    "agent": agent.main,
    "capacity": capacity.main,
    "effect": effect.main,
    "soak": soak.main,
    "web": web.main,
    "growth": growth.main,
    "media": media.main,
}


def main() -> None:
    """The parts that are named (python -m tests.bench lists), or all but the one that takes an hour."""
    for name in sys.argv[1:] or [name for name in PARTS if name != "soak"]:
        PARTS[name]()
        print()


if __name__ == "__main__":
    main()
