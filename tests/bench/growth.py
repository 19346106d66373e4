"""How what is measured grows: from 1 000 to 100 000 DIDs, from 100 to 5 000 phones, from 100 000 to millions of calls.

MILLIONS="0.1 1 10" says with how many millions of calls; ten take six minutes to make.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import calls, table
from tests.bench.browser import Browser, operators, web
from tests.bench.capacity import cost, exchange, ways
from tests.bench.carrier import Size, carrier
from tests.bench.effect import SECRETS, Stage
from tests.bench.probe import Probe
from tests.bench.sipp import answering
from tests.calls.exchange import query, settings
from tests.conftest import make_user
from webapp import create_app

SIZES = (Size(20, 100, 1000), Size(200, 1000, 10_000), Size(1200, 5000, 100_000))
MILLIONS = [float(each) for each in os.environ.get("MILLIONS", "0.1 1").split()]
ROUNDS = 20
PAGES = ("/reports/cdr", "/reports/cdr?customer_id=c1", "/reports/totals?by=customer", "/")


def size(each: Size) -> None:
    """A row: what a call, a start, a save and a page take with so much in the database."""
    with carrier(each) as made, answering(made.folder, made.port):
        both = ways(made)
        with exchange(made) as place:
            inbound, outbound = cost(place, both["inbound"]), cost(place, both["outbound"])
            [name] = operators(made, 1)
            with web(made.url, made.folder) as (host, _), Probe("127.242.0.1", place.address) as nobody:
                browser = Browser(host)
                browser.sign_in(name)
                stage = Stage(made, browser, nobody, nobody, nobody)
                phone = f"/extensions/{stage.id('extensions', 'name', 'Phone 0')}/edit"
                did = f"/dids/{stage.id('dids', 'number', '551140000000')}/allocate"
                saves = [_click(stage, phone, "secret", secret=SECRETS[n % 2 == 0]) for n in range(ROUNDS)]
                given = [_click(stage, did, "customer_id", customer_id=f"c{2 + n % 2}") for n in range(ROUNDS)]
                pages = [_page(browser, "/dids/?after=551140000500") for _ in range(ROUNDS)]
        table.row(
            str(each), inbound.asterisk, inbound.database, outbound.asterisk, outbound.database, place.boot,
            table.quantiles(saves)[0], table.quantiles(given)[0], table.quantiles(pages)[0],
        )  # fmt: skip


def _click(stage: Stage, path: str, field: str, **values: str) -> float:
    # A form that needs a code where there are many customers needs an id where there are few.
    if "customer_id" in values and stage.carrier.size.trunks < 100:
        values["customer_id"] = stage.id("customers", "code", values["customer_id"])
    click = stage.edit(path, field, **values)
    began = time.perf_counter()
    click()
    return (time.perf_counter() - began) * 1000


def _page(browser: Browser, path: str) -> float:
    began = time.perf_counter()
    status, _ = browser.get(path)
    if status != 200:
        raise RuntimeError(f"{path} answered {status}")
    return (time.perf_counter() - began) * 1000


def history(count: int) -> None:
    """A row: what a route, a call record and a page take with so many calls in the books."""
    with calls.carrier(count) as (url, connection), TemporaryDirectory() as folder:
        figures = {name: taken for source in (calls.landing, calls.routing) for name, taken in source(connection)}
        app = create_app(settings(url))
        app.logger.disabled = True
        with app.app_context():
            make_user("operator0", "operator")
        [[disk]] = query(url, "SELECT pg_database_size(current_database()) / 1e9")
        with web(url, Path(folder)) as (host, _):
            browser = Browser(host)
            browser.sign_in("operator0")
            pages = [table.quantiles(_page(browser, path) for _ in range(ROUNDS))[0] for path in PAGES]
        table.row(
            f"{count:,} calls".replace(",", " "), float(disk),
            *(table.quantiles(taken)[0] / 1000 for taken in figures.values()), *pages,
        )  # fmt: skip


def main() -> None:
    table.head("Growth with what is in the database", "make bench B=growth")
    table.columns(
        "", "ms of CPU of Asterisk for a call in", "of PostgreSQL", "for a call out", "of PostgreSQL",
        "s from start to first call", "ms: save a phone's secret", "give a DID to another", "page of DIDs",
    )  # fmt: skip
    for each in SIZES:
        size(each)
    table.head("Growth with the calls in the books", "make bench B=growth")
    table.columns(
        "milliseconds, median", "GB on disk", "rival: a call record as it is", "a call record, rated", "route_call",
        "page: latest calls", "calls of a customer", "totals by customer", "dashboard",
    )  # fmt: skip
    for millions in MILLIONS:
        history(round(millions * 1e6))


if __name__ == "__main__":
    main()
