"""Pages of long lists, each beside its rival in the same run: OFFSET and a count of everything, as most lists have it.

python -m tests.bench.lists runs these measurements alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from tests.calls.exchange import prepare_database, production_postgres, settings
from tests.conftest import make_user, signed_in
from webapp import create_app, paging
from webapp.dids.lists import DIDS
from webapp.ext import db

ROUNDS = 20

# Written straight into the tables: 5 000 customers, and 100 000 numbers of which they have 30 000.
FILL = """
INSERT INTO providers (name) SELECT 'Provider ' || n FROM generate_series(1, 20) n;
INSERT INTO gateways (name, provider_id, ip_address)
    SELECT 'GW-' || row_number() OVER (), id, '192.0.2.' || row_number() OVER () FROM providers;
INSERT INTO customers (code, name, type, trunk_ip)
    SELECT 'c' || n, 'Customer ' || md5(n::text), 'trunk', ARRAY[host('10.0.0.0'::inet + n)]
    FROM generate_series(1, 5000) n;
WITH p AS (SELECT array_agg(id) AS ids FROM providers), g AS (SELECT array_agg(id) AS ids FROM gateways)
INSERT INTO dids (number, provider_id, gateway_id, status, description)
    SELECT (551140000000 + n)::text, p.ids[1 + n % 20], g.ids[1 + n % 20],
        CASE WHEN n % 10 < 3 THEN 'allocated' ELSE 'available' END,
        CASE WHEN n % 4 = 0 THEN 'Lot ' || n % 97 ELSE '' END
    FROM generate_series(0, 99999) n, p, g;
WITH c AS (SELECT array_agg(id ORDER BY code) AS ids, array_agg(code ORDER BY code) AS codes FROM customers)
INSERT INTO customer_dids (did_id, customer_id, customer_code)
    SELECT d.id, c.ids[1 + d.n % 5000], c.codes[1 + d.n % 5000]
    FROM (SELECT id, row_number() OVER () AS n FROM dids WHERE status = 'allocated') d, c;
ANALYZE;
"""

PAGES = {
    "customers": "/customers/",
    "customers, by name": "/customers/?sort=name",
    "customers, searched in vain": "/customers/?q=zzzz",
    "DIDs": "/dids/",
    "DIDs, somewhere in the middle": "/dids/?after=551140050000",
    "DIDs, by status downwards": "/dids/?sort=-status",
    "DIDs, by provider": "/dids/?sort=provider",
    "DIDs, by provider downwards": "/dids/?sort=-provider",
    "DIDs, by customer": "/dids/?sort=customer",
    "DIDs, by customer downwards": "/dids/?sort=-customer",
    "DIDs, by description downwards": "/dids/?sort=-description",
    "DIDs, available": "/dids/?status=available",
    "DIDs, in quarantine (none)": "/dids/?status=quarantine",
    "DIDs, of a customer": "/dids/?customer_id=c4999",
    "DIDs, searched by number": "/dids/?q=40050000",
    "DIDs, searched by description": "/dids/?q=lot+96",
    "DIDs, searched by customer": "/dids/?q=c4999",
    "DIDs, searched in vain": "/dids/?q=zzzz",
}


@contextmanager
def long_lists() -> Iterator[tuple[Flask, FlaskClient]]:
    with production_postgres() as cluster:
        cluster.create_database("lists")
        app = create_app(settings(prepare_database(cluster, "lists")))
        app.config.update(WTF_CSRF_ENABLED=False)
        with app.app_context():
            db.session.execute(text(FILL))
            make_user("olga", "operator")
        with app.app_context():
            yield app, signed_in(app, "olga")
            db.session.remove()
            db.engine.dispose()


def pages(client: FlaskClient) -> Iterator[tuple[str, list[float]]]:
    """Milliseconds of each page, as the browser would wait for it."""
    for name, path in PAGES.items():
        assert client.get(path).status_code == 200
        yield name, [_timed(lambda: client.get(path)) for _ in range(ROUNDS)]  # noqa: B023 - called at once


def rival() -> Iterator[tuple[str, list[float]]]:
    """OFFSET and count, of the same list: only its two queries, without the page."""
    everything = select(func.count()).select_from(DIDS.query.subquery())
    for offset in (0, 50_000, 99_950):
        query = DIDS.things.order_by(*DIDS.order).offset(offset).limit(paging.PAGE)

        def page() -> None:
            db.session.scalar(everything)
            db.session.scalars(query).all()  # noqa: B023 - called at once
            db.session.expunge_all()

        yield f"rival: DIDs from {offset} on, OFFSET and count", [_timed(page) for _ in range(ROUNDS)]


def export(client: FlaskClient) -> tuple[str, list[float]]:
    return "DIDs as CSV, all of them", [_timed(lambda: client.get("/dids/export.csv").data) for _ in range(3)]


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    print(f"{'Milliseconds, with 100 000 DIDs and 5 000 customers':<64}{'median':>10}{'most':>10}{'n':>6}")
    with long_lists() as (_, client):
        for name, figures in (*pages(client), *rival(), export(client)):
            print(f"{name:<64}{statistics.median(figures):>10.1f}{max(figures):>10.1f}{len(figures):>6}", flush=True)


if __name__ == "__main__":
    main()
