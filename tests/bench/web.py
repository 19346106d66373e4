"""Pages and API under 50 operators at once, with 100 000 DIDs and ten million calls.

Each operator has a session of his own, opens a page, reads it for some seconds and goes on; every tenth step is a save.
CALLS=1000000 makes fewer calls; OPERATORS=50, SECONDS=120 and THINK=5 (seconds on a page, on the average) say what
they do.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, text

from tests.bench import calls, table
from tests.bench.browser import Browser, filled, web
from tests.bench.carrier import from_environment
from tests.calls.exchange import query, settings
from tests.conftest import PASSWORD, make_user
from webapp import create_app
from webapp.ext import db

CALLS = int(from_environment("CALLS", calls.CALLS))
OPERATORS = int(from_environment("OPERATORS", 50))
SECONDS = from_environment("SECONDS", 120)
THINK = from_environment("THINK", 5)
ALONE = 8  # Rounds of one operator who has the web for himself.

# 100 000 numbers, of which the customers of calls.CARRIER have 30 000.
NUMBERS = """
INSERT INTO dids (number, provider_id, gateway_id, status)
    SELECT (551140000000 + n)::text, g.provider_id, g.id, CASE WHEN n % 10 < 3 THEN 'allocated' ELSE 'available' END
    FROM generate_series(0, 99999) n JOIN gateways g ON g.name = 'GW-' || 1 + n % 20;
INSERT INTO customer_dids (did_id, customer_id, customer_code)
    SELECT d.id, c.id, c.code
    FROM (SELECT id, row_number() OVER (ORDER BY number) AS n FROM dids WHERE status = 'allocated') d
    JOIN customers c ON c.code = 'c' || 1 + d.n % 500;
ANALYZE dids, customer_dids;
"""
PAGES = {
    "rival: /healthz, which asks nobody": "/healthz",
    "dashboard": "/",
    "DIDs": "/dids/",
    "DIDs, somewhere in the middle": "/dids/?after=551140050000",
    "DIDs, searched by number": "/dids/?q=40050",
    "customers": "/customers/",
    "a customer": "/customers/{customer}",
    "form of a customer": "/customers/{customer}/edit",
    "routes": "/routes/",
    "tariffs of a plan": "/price-plans/{plan}",
    "calls, the latest": "/reports/cdr",
    "calls of a customer": "/reports/cdr?customer_id=c200",
    "totals by customer": "/reports/totals?by=customer",
    "days of a customer": "/reports/totals?by=day&customer_id=c1",
    "API: DIDs": "/api/v1/dids/?limit=100",
    "API: a customer": "/api/v1/customers/{customer}",
    "API: routes": "/api/v1/routes/?limit=100",
}
SAVE = "save of a customer's name (POST)"


class Person:
    """An operator at work, and what he had to wait for."""

    def __init__(self, host: str, name: str, pages: dict[str, str], customer: str) -> None:
        self.browser = Browser(host)
        self.browser.sign_in(name)
        self.browser.token = sign_in_to_api(self.browser, name)
        self.pages = pages
        self.customer = customer
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, int] = defaultdict(int)

    def step(self, dice: random.Random) -> None:
        if dice.random() < 0.1:
            self.save()
        else:
            self.open(dice.choice(list(self.pages)))

    def open(self, name: str) -> None:
        began = time.perf_counter()
        status, _ = self.browser.get(self.pages[name])
        self._note(name, began, status == 200)

    def save(self) -> None:
        path = f"/customers/{self.customer}/edit"
        form = filled(self.browser.form(path, "code"), name=f"Renamed at {time.time():.3f}")
        began = time.perf_counter()
        self._note(SAVE, began, self.browser.post(path, form) == 302)

    def work(self, seconds: float, seed: int) -> None:
        dice = random.Random(seed)
        ends = time.monotonic() + seconds
        time.sleep(dice.uniform(0, THINK))
        while time.monotonic() < ends:
            self.step(dice)
            time.sleep(dice.uniform(0.2 * THINK, 1.8 * THINK))

    def _note(self, name: str, began: float, well: bool) -> None:
        self.waits[name].append((time.perf_counter() - began) * 1000)
        self.errors[name] += not well


def sign_in_to_api(browser: Browser, name: str) -> str:
    body = json.dumps({"username": name, "password": PASSWORD})
    status, answer = browser.send("POST", "/api/v1/auth/login", body, "application/json")
    if status != 200:
        raise RuntimeError(f"the API answered {status} to a sign-in")
    return str(json.loads(answer)["access_token"])


def people(url: str, host: str) -> list[Person]:
    app = create_app(settings(url))
    app.logger.disabled = True
    names = [f"operator{number}" for number in range(OPERATORS)]
    with app.app_context():
        for name in names:
            make_user(name, "operator")
        db.session.remove()
        db.engine.dispose()
    statement = "SELECT (SELECT id FROM customers WHERE code = :code), (SELECT id FROM price_plans)"
    made = []
    for number, name in enumerate(names):
        [[customer, plan]] = query(url, statement, code=f"c{1 + number}")
        pages = {title: path.format(customer=customer, plan=plan) for title, path in PAGES.items()}
        made.append(Person(host, name, pages, str(customer)))
    return made


def alone(person: Person) -> dict[str, float]:
    """The median of each page while nobody else asks."""
    for _ in range(ALONE):
        for name in person.pages:
            person.open(name)
        person.save()
    medians = {name: table.quantiles(waits)[0] for name, waits in person.waits.items()}
    person.waits.clear()
    person.errors.clear()
    return medians


def together(persons: Sequence[Person]) -> None:
    threads = [threading.Thread(target=person.work, args=(SECONDS, n)) for n, person in enumerate(persons)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    title = f"{OPERATORS} operators at once, {CALLS} calls, 100000 DIDs, 300000 tariffs"
    table.head(f"Pages and API: {title}", f"make bench B=web CALLS={CALLS}")
    with calls.carrier(CALLS) as (url, _), TemporaryDirectory() as folder:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(NUMBERS))
        engine.dispose()
        with web(url, Path(folder)) as (host, _pid):
            persons = people(url, host)
            medians = alone(persons[0])
            began = time.monotonic()
            together(persons)
            spent = time.monotonic() - began
        table.columns("milliseconds", "n", "median", "p95", "p99", "most", "errors", "median, one operator alone")
        total: list[float] = []
        for name in [*PAGES, SAVE]:
            waits = [wait for person in persons for wait in person.waits[name]]
            errors = sum(person.errors[name] for person in persons)
            total += waits
            if waits:
                table.row(name, len(waits), *table.quantiles(waits), max(waits), errors, medians[name])
        errors = sum(sum(person.errors.values()) for person in persons)
        table.row("all of them", len(total), *table.quantiles(total), max(total), errors, "")
        table.note(
            f"{len(total) / spent:.1f} requests a second; each operator stays {THINK:g} s on a page, on the average."
        )


if __name__ == "__main__":
    main()
