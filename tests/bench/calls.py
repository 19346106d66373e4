"""What calls take: to be rated as their records come in, to be routed, and to be reported among ten million others.

python -m tests.bench.calls [number of calls] runs these measurements alone; ten million take some ten minutes to make.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import structlog
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection

from tests.bench.carrier import DAYS
from tests.calls.exchange import prepare_database, production_postgres, settings
from tests.conftest import make_user, signed_in
from webapp import create_app

CALLS = 10_000_000
Figures = tuple[str, list[float]]  # What was measured, and microseconds.

# Straight into the tables: 20 gateways, 1 000 routes, 500 customers of one plan of 300 000 tariffs, a deck of 20 000.
CARRIER = """
INSERT INTO providers (name, cost_per_minute) SELECT 'Provider ' || n, 0.01 * n FROM generate_series(1, 20) n;
INSERT INTO gateways (name, provider_id, ip_address)
    SELECT 'GW-' || row_number() OVER (), id, '192.0.2.' || row_number() OVER () FROM providers;
INSERT INTO routes (name, pattern, gateway_id, priority)
    SELECT 'Route ' || n, CASE WHEN n % 20 = 0 THEN '55.' ELSE '55' || 10 + n % 90 || 'X.' END,
        (SELECT id FROM gateways WHERE name = 'GW-' || 1 + n % 20), n
    FROM generate_series(1, 1000) n;
INSERT INTO price_plans (name) VALUES ('Retail');
INSERT INTO tariffs (price_plan_id, prefix, description, price_per_minute, valid_from)
    SELECT (SELECT id FROM price_plans), (5500000 + n)::text, 'Destination ' || n % 3000, 0.1, '2020-01-01'
    FROM generate_series(0, 299999) n;
INSERT INTO provider_tariffs (provider_id, prefix, cost_per_minute, valid_from)
    SELECT p.id, (5500000 + n * 15)::text, 0.05, '2020-01-01'
    FROM generate_series(0, 19999) n, (SELECT id FROM providers ORDER BY name LIMIT 3) p;
INSERT INTO customers (code, name, type, trunk_ip, price_plan_id)
    SELECT 'c' || n, 'Customer ' || n, 'trunk', ARRAY[host('10.0.0.0'::inet + n)], (SELECT id FROM price_plans)
    FROM generate_series(1, 500) n;
ANALYZE;
"""

# A year of calls, the customers unlike: the first has a hundred times the calls of the last.
YEAR = """
WITH c AS (SELECT array_agg(id ORDER BY code) AS ids FROM customers),
     g AS (SELECT array_agg(id ORDER BY name) AS ids, array_agg(provider_id ORDER BY name) AS providers FROM gateways),
     n AS (SELECT n, now() - n * (interval '1 year' / %(count)s) AS started, hashint8(n) & 2147483647 AS dice
           FROM generate_series(%(first)s::bigint, %(last)s) n)
INSERT INTO calls (id, started_at, day, answered_at, ended_at, node, uniqueid, sequence, linkedid, direction,
    customer_id, provider_id, gateway_id, src, dst, disposition, cause, sip_status, pdd, duration, billsec,
    price_plan_id, prefix, destination, price_per_minute, billed_seconds, price, cost_source, cost_per_minute,
    cost_billed_seconds, cost)
SELECT n, started, date_trunc('day', started, 'America/Sao_Paulo'),
    CASE WHEN answered THEN started + interval '5 s' END, started + interval '65 s', 'pbx1', 'pbx1-' || n, 1,
    'pbx1-' || n, 'outbound', c.ids[1 + (dice %% 500) * (dice / 500 %% 500) / 500], g.providers[1 + dice %% 20],
    g.ids[1 + dice %% 20], '551140001234', (5500000 + dice %% 300000)::text || '1234',
    CASE WHEN answered THEN 'ANSWERED' ELSE 'BUSY' END, CASE WHEN answered THEN 16 ELSE 17 END,
    CASE WHEN NOT answered THEN 486 END, 800 + dice %% 900, 60, CASE WHEN answered THEN dice %% 300 ELSE 0 END,
    (SELECT id FROM price_plans), (5500000 + dice %% 300000)::text, 'Destination ' || dice %% 3000, 0.1,
    CASE WHEN answered THEN dice %% 300 ELSE 0 END, CASE WHEN answered THEN dice %% 300 * 0.1 / 60 ELSE 0 END, 'deck',
    0.05, CASE WHEN answered THEN dice %% 300 ELSE 0 END, CASE WHEN answered THEN dice %% 300 * 0.05 / 60 ELSE 0 END
FROM n, c, g, LATERAL (SELECT dice %% 5 > 1 AS answered) a
"""

CDR = """INSERT INTO asterisk.{} (node, start, answer, "end", duration, billsec, disposition, uniqueid, linkedid,
    sequence, direction, customer_id, provider_id, gateway_id, number, src, dst, dcontext, channel,
    dstchannel, lastapp, lastdata, clid, accountcode, request, pdd)
VALUES ('pbx1', %s, %s, %s, '61.2', '60.3', 'ANSWERED', %s, %s, %s, 'outbound', %s, %s, %s, %s, '551140001234', 's',
    'verdict-route', 'PJSIP/trunk-acme-00000001', 'PJSIP/gateway-g1-00000002', 'Dial', 'PJSIP/5511@gateway-g1,60',
    '"x" <551140001234>', 'c1', %s, '120')"""


@contextmanager
def carrier(count: int) -> Iterator[tuple[str, Connection]]:
    """A database with so many calls of the last year in it."""
    with production_postgres() as cluster:
        cluster.create_database("calls")
        url = prepare_database(cluster, "calls")
        connection = psycopg2.connect(url.replace("+psycopg2", ""))
        connection.autocommit = True
        with connection.cursor() as cursor:
            # As Asterisk's role has it. The rest is what one would give a database that is to take so much at once.
            cursor.execute("SET synchronous_commit = off; SET work_mem = '512MB'; SET maintenance_work_mem = '1GB'")
            cursor.execute(CARRIER)
            cursor.execute("ALTER TABLE calls DISABLE TRIGGER count_new_call")
            _months(cursor)
            cursor.execute(DAYS)
            cursor.execute("SELECT keep_partitions()")  # As an agent does: those of today and later.
            for first in range(1, count + 1, 500_000):
                last = min(first + 499_999, count)
                cursor.execute(YEAR, {"first": first, "last": last, "count": count})
            cursor.execute("SELECT count_anew()")
            cursor.execute("ALTER TABLE calls ENABLE TRIGGER count_new_call")
            cursor.execute("ALTER SEQUENCE asterisk.cdr_id_seq RESTART 100000000")
            cursor.execute("VACUUM ANALYZE")
        yield url, connection
        connection.close()


def _months(cursor: Any) -> None:
    """A partition for each month of the year behind us, as there would be by now."""
    cursor.execute(
        """
        SELECT format('CREATE TABLE public.calls_%s PARTITION OF public.calls FOR VALUES FROM (%L) TO (%L)',
                      to_char(month, 'YYYYMM'), month, month + interval '1 month')
        FROM generate_series(date_trunc('month', now() - interval '1 year'), now(), interval '1 month') AS month
        """
    )
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


def landing(connection: Connection, rounds: int = 12, each: int = 500) -> Iterator[Figures]:
    """One CDR after the other on one connection: into a table as it is, and rated and counted; by turns."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE asterisk.bare (LIKE asterisk.cdr INCLUDING ALL)")
        cursor.execute("SELECT id FROM customers")
        customers = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT id, provider_id FROM gateways")
        gateways = cursor.fetchall()
        found: dict[str, list[float]] = {"bare": [], "cdr": []}
        for turn in range(rounds):
            for table, figures in found.items():
                records = list(_records(customers, gateways, f"{turn}", each))
                statement = CDR.format(table)
                began = time.perf_counter()
                for record in records:
                    cursor.execute(statement, record)
                figures.append((time.perf_counter() - began) * 1e6 / each)
        yield "rival: a CDR into a table as it is", found["bare"]
        yield "a CDR that is rated and counted", found["cdr"]


def _records(customers: Sequence[str], gateways: Sequence[tuple[str, str]], name: str, count: int) -> Iterator[Any]:
    dice = random.Random(name)
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    for n in range(count):
        gateway, provider = dice.choice(gateways)
        uniqueid = f"pbx1-{name}.{n}"
        number = f"{5500000 + dice.randrange(300_000)}1234"
        yield now, now, now, uniqueid, uniqueid, n, dice.choice(customers), provider, gateway, number, uniqueid


def routing(connection: Connection, count: int = 2000) -> Iterator[Figures]:
    """What a call waits for, among a thousand routes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM customers LIMIT 50")
        customers = [row[0] for row in cursor.fetchall()]
        dice = random.Random(1)
        figures = []
        for _ in range(count):
            question = (dice.choice(customers), f"55{dice.randrange(10, 99)}9{dice.randrange(10**7):08}")
            figures.append(_timed(lambda: cursor.execute("SELECT * FROM route_call(%s, %s)", question)))  # noqa: B023 - called at once
        yield "route_call", figures[100:]


ASK = """INSERT INTO asterisk.call_requests (id, endpoint, customer_id, dialed, caller, channels, forwards)
    VALUES (%s, 'trunk-c1', %s, %s, '551140001234', '1', '0')"""
READ = "SELECT * FROM asterisk.call_answers WHERE id = %s"


def asking(connection: Connection, count: int = 2000) -> Iterator[Figures]:
    """What the dialplan asks before a call goes out, beside the function that answers alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM customers LIMIT 50")
        customers = [row[0] for row in cursor.fetchall()]
        dice = random.Random(1)
        asked, read = [], []
        for n in range(count):
            id, number = f"pbx1-{n}", f"55{dice.randrange(10, 99)}9{dice.randrange(10**7):08}"
            question = (id, dice.choice(customers), number)
            asked.append(_timed(lambda: cursor.execute(ASK, question)))  # noqa: B023 - called at once
            read.append(_timed(lambda: cursor.execute(READ, [id])))  # noqa: B023 - called at once
        yield "a question of the dialplan, with route_call in it", asked[100:]
        yield "its answer", read[100:]


def pages(client: FlaskClient, connection: Connection, rounds: int = 40) -> Iterator[Figures]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT id FROM customers WHERE code = 'c1'), (SELECT id FROM gateways WHERE name = 'GW-1')"
        )
        ids = dict(zip(("customer", "gateway"), cursor.fetchone() or (), strict=True))
    for name, template in ADDRESSES.items():
        address = template.format(**ids)
        assert client.get(address).status_code == 200, address
        yield name, [_timed(lambda: client.get(address).data) for _ in range(rounds)]  # noqa: B023 - called at once


def export(client: FlaskClient, connection: Connection, days: int = 37) -> Iterator[Figures]:
    """Some days of calls as a CSV file, of ten million a year a million; beside it the same rows as they are."""
    start = time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * 86400))
    sizes: list[int] = []
    _read(client, f"/reports/cdr.csv?start={time.strftime('%Y-%m-%d')}", sizes)  # So that everything is imported.
    before, sizes = _peak(), []
    figures = [_timed(lambda: _read(client, f"/reports/cdr.csv?start={start}", sizes)) for _ in range(3)]
    yield f"export of {sizes[-1]} calls", figures
    yield "growth of memory at its peak, KB", [_peak() - before]
    with connection.cursor() as cursor, open(os.devnull, "wb") as nowhere:
        statement = cursor.mogrify("COPY (SELECT * FROM calls WHERE started_at >= %s) TO STDOUT (FORMAT csv)", [start])
        yield "rival: COPY TO of them", [_timed(lambda: cursor.copy_expert(statement, nowhere)) for _ in range(3)]


def _read(client: FlaskClient, address: str, sizes: list[int]) -> None:
    """Read a file to its end without keeping it; how many lines it has comes to `sizes`."""
    answer = client.get(address, buffered=False)
    assert answer.status_code == 200
    sizes.append(sum(piece.count(b"\n") for piece in answer.iter_encoded()) - 1)
    answer.close()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1e6


def main(count: int = CALLS) -> None:
    head = f"Microseconds, with {count:_} calls".replace("_", " ")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # What is asked here is no news.
    print(f"{head:<58}{'median':>12}{'p95':>12}{'p99':>12}{'n':>7}")
    began = time.monotonic()
    with carrier(count) as (url, connection):
        print(f"(made in {time.monotonic() - began:.0f} s)", flush=True)
        app = create_app(settings(url))
        app.config.update(WTF_CSRF_ENABLED=False)
        with app.app_context():
            make_user("olga", "operator")
        client = signed_in(app, "olga")
        for source in (
            landing(connection),
            routing(connection),
            asking(connection),
            pages(client, connection),
            export(client, connection),
        ):
            for name, figures in source:
                q = statistics.quantiles(figures * 2, n=100, method="inclusive")  # One alone has none.
                print(f"{name:<58}{q[49]:>12.0f}{q[94]:>12.0f}{q[98]:>12.0f}{len(figures):>7}", flush=True)


ADDRESSES = {
    # Calls of the last month, and what they come to.
    "calls, the latest": "/reports/cdr",
    "calls of the largest customer": "/reports/cdr?customer_id=c1",
    "calls of a customer": "/reports/cdr?customer_id=c200",
    "calls of a customer that were answered": "/reports/cdr?customer_id=c1&disposition=ANSWERED",
    "calls of a customer to Brazil, 30 s and more": "/reports/cdr?customer_id=c1&dst=55&min_duration=30",
    "calls of a customer below cost": "/reports/cdr?customer_id=c1&below_cost=true",
    "calls by a gateway": "/reports/cdr?gateway_id={gateway}",
    # Totals, of everybody and of one.
    "overview": "/reports/",
    **{
        f"totals by {by}": f"/reports/totals?by={by}"
        for by in ("customer", "destination", "provider", "gateway", "day", "hour", "cause", "did")
    },
    "days of a customer": "/reports/totals?by=day&customer_id=c1",
    "destinations of a customer": "/reports/totals?by=destination&customer_id=c1",
    "gateways of a customer": "/reports/totals?by=gateway&customer_id=c1",
    "use of the DIDs": "/reports/dids",
    "completeness": "/reports/completeness/",
    "dashboard": "/",
    "page of a customer": "/customers/{customer}",
    "page of a gateway": "/gateways/{gateway}",
}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS)
