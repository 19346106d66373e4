"""A carrier of some size in a database of its own, its rows for Asterisk included, and an exchange that reads them.

Nothing here sends a packet beyond the loopback interface: gateways and trunks have addresses of 127.240.0.0/14.
"""

from __future__ import annotations

import io
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import structlog
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy.embedded.asterisk import Asterisk, unpacked_root
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import free_port
from tests.calls.exchange import (
    AMI_SECRET,
    DB_PASSWORD,
    VAR,
    AgentProcess,
    prepare_database,
    production_postgres,
    query,
    settings,
    until,
)
from webapp import create_app
from webapp.asterisk import conf
from webapp.asterisk.load import load
from webapp.asterisk.projection import PROJECTIONS, owner, project
from webapp.asterisk.rows import TABLES, Row
from webapp.encryption import encrypt
from webapp.ext import db

NODE = "pbx1"
PROVIDER = "127.241.0.1"  # The address of the first gateway, from which calls come in.
CUSTOMER = 600  # The trunk whose calls go out, somewhere in the middle of them all.
CHUNK = 5000


@dataclass(frozen=True)
class Size:
    trunks: int = 1200
    phones: int = 5000
    dids: int = 100_000  # All of them with trunks.
    routes: int = 1000
    tariffs: int = 300_000

    def __str__(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in vars(self).items())


def trunk_address(number: int) -> str:
    """The address of a trunk, counted from 1."""
    return f"127.240.{number // 250}.{number % 250 + 1}"


# Straight into the tables. All parties answer at the same port, so that one program can play them all. Ten of the
# routes fit every number, and some eleven the area of each.
FILL = """
INSERT INTO nodes (name) VALUES ('pbx1');
INSERT INTO providers (name, cost_per_minute) SELECT 'Provider ' || n, 0.01 * n FROM generate_series(1, 20) n;
INSERT INTO gateways (name, provider_id, ip_address, port, qualify_frequency)
    SELECT 'GW-' || n, id, '127.241.0.' || n, %(port)s, 0
    FROM (SELECT row_number() OVER (ORDER BY name), id FROM providers) AS p (n, id);
INSERT INTO routes (name, pattern, gateway_id, priority)
    SELECT 'Route ' || n, CASE WHEN n <= 10 THEN '55.' ELSE '55' || 10 + n %% 90 || 'X.' END,
        (SELECT id FROM gateways WHERE name = 'GW-' || 1 + n %% 20), n + 9
    FROM generate_series(1, %(routes)s) n;
INSERT INTO price_plans (name) VALUES ('Retail');
INSERT INTO tariffs (price_plan_id, prefix, description, price_per_minute, valid_from)
    SELECT (SELECT id FROM price_plans), prefix, 'Destination ' || n %% 3000, 0.1, '2020-01-01'
    FROM (SELECT n, (5500000 + n)::text FROM generate_series(0, %(tariffs)s - 1) n) AS t (n, prefix);
INSERT INTO tariffs (price_plan_id, prefix, description, price_per_minute, valid_from)
    SELECT (SELECT id FROM price_plans), '55', 'Brazil', 0.1, '2020-01-01';
INSERT INTO provider_tariffs (provider_id, prefix, cost_per_minute, valid_from)
    SELECT p.id, (5500000 + n * 15)::text, 0.05, '2020-01-01'
    FROM generate_series(0, %(tariffs)s / 15 - 1) n, (SELECT id FROM providers ORDER BY name LIMIT 3) p;
INSERT INTO customers (code, name, type, trunk_ip, trunk_port, qualify_frequency, price_plan_id)
    SELECT 'c' || n, 'Customer ' || n, 'trunk', ARRAY['127.240.' || n / 250 || '.' || n %% 250 + 1], %(port)s, 0,
        (SELECT id FROM price_plans)
    FROM generate_series(1, %(trunks)s) n;
INSERT INTO customers (code, name, type, price_plan_id)
    SELECT 'o' || n, 'Office ' || n, 'extension', (SELECT id FROM price_plans)
    FROM generate_series(1, (%(phones)s + 9) / 10) n;
INSERT INTO extensions (customer_id, extension, name, secret)
    SELECT c.id, 100 + n %% 10, 'Phone ' || n, %(secret)s
    FROM generate_series(0, %(phones)s - 1) n JOIN customers c ON c.code = 'o' || 1 + n / 10;
WITH p AS (SELECT array_agg(id ORDER BY name) AS ids FROM providers),
     g AS (SELECT array_agg(id ORDER BY name) AS ids FROM gateways)
INSERT INTO dids (number, provider_id, gateway_id, status)
    SELECT (551140000000 + n)::text, p.ids[1 + n %% 20], g.ids[1 + n %% 20], 'allocated'
    FROM generate_series(0, %(dids)s - 1) n, p, g;
WITH c AS (SELECT array_agg(id ORDER BY code) AS ids, array_agg(code ORDER BY code) AS codes FROM customers
           WHERE type = 'trunk')
INSERT INTO customer_dids (did_id, customer_id, customer_code)
    SELECT d.id, c.ids[1 + d.n %% %(trunks)s], c.codes[1 + d.n %% %(trunks)s]
    FROM (SELECT id, row_number() OVER (ORDER BY number) AS n FROM dids) d, c;
-- Where the call records of a rival go: nothing is made of them.
CREATE TABLE asterisk.bare_cdr (LIKE asterisk.cdr INCLUDING ALL);
GRANT INSERT ON asterisk.bare_cdr TO asterisk;
"""


@dataclass(frozen=True)
class Carrier:
    """The database of a carrier, and where its gateways and trunks answer."""

    cluster: Postgres
    name: str
    url: str
    app: Flask
    folder: Path
    port: int
    size: Size


@contextmanager
def carrier(size: Size, extra: str = "", **values: object) -> Iterator[Carrier]:
    """Made through the projection, and written with COPY. `extra` statements, with `values`, make more things."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # What is saved here is no news.
    with production_postgres() as cluster, tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        cluster.create_database("bench")
        url = prepare_database(cluster, "bench")
        app = create_app(settings(url))
        app.logger.disabled = True
        made = Carrier(cluster, "bench", url, app, Path(folder), free_port(socket.SOCK_DGRAM), size)
        fill(made, extra, values)
        yield made
        with app.app_context():
            db.engine.dispose()


# The days whose routing decisions are kept, as there would be by now.
DAYS = """
DO $$
DECLARE
    day date;
BEGIN
    FOR day IN
        SELECT (now() AT TIME ZONE 'UTC')::date - n FROM settings, generate_series(1, call_requests_days) AS n
    LOOP
        EXECUTE format('CREATE TABLE asterisk.%I PARTITION OF asterisk.call_requests FOR VALUES FROM (%L) TO (%L)',
                       'call_requests_' || to_char(day, 'YYYYMMDD'), day || ' 00:00+00', day + 1 || ' 00:00+00');
    END LOOP;
END $$
"""


def fill(made: Carrier, extra: str, values: Mapping[str, object]) -> None:
    secret = encrypt("the-secret-of-each-phone")
    connection = psycopg2.connect(made.url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            cursor.execute(FILL + extra, {**vars(made.size), "port": made.port, "secret": secret, **values})
            cursor.execute(DAYS)
        with made.app.app_context():
            project_all(connection)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    finally:
        connection.close()


def project_all(connection: psycopg2.extensions.connection) -> None:
    """The rows of everything, as a save would write them one by one."""
    for kind in PROJECTIONS:
        ids = list(db.session.scalars(select(kind.id)))
        for start in range(0, len(ids), CHUNK):
            texts = {table.TABLE: io.StringIO() for table in TABLES}
            with Session(db.engine) as reader:
                for thing in load(reader, kind, ids[start : start + CHUNK]):
                    for row in project(thing):
                        texts[row.TABLE].write(line(row, owner(thing)))
            with connection, connection.cursor() as cursor:
                for table in TABLES:
                    texts[table.TABLE].seek(0)
                    columns = ", ".join((*table.columns(), "owner"))
                    copy = f"COPY asterisk.{table.TABLE} ({columns}) FROM STDIN"
                    cursor.copy_expert(copy, texts[table.TABLE])
    db.session.remove()


def line(row: Row, whose: str) -> str:
    """A row as COPY reads it."""
    values = (*row.stored().values(), whose)
    return "\t".join(r"\N" if v is None else str(v).replace("\\", r"\\") for v in values) + "\n"


@contextmanager
def asterisk(made: Carrier, source: Path = conf.SOURCE) -> Iterator[Asterisk]:
    """An Asterisk that has just been started: it reads the carrier's database, and is configured from `source`."""
    with tempfile.TemporaryDirectory(prefix="aa-ast-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        exchange = Asterisk(Path(directory) / "asterisk", unpacked_root(VAR), values(made), source)
        exchange.start()
        try:
            yield exchange
        finally:
            exchange.stop()


def values(made: Carrier) -> dict[str, str]:
    return {
        "NODE": NODE,
        "SIP_BIND": "127.0.0.1",
        "SIP_PORT": str(free_port()),
        "RTP_START": "10000",
        "RTP_END": "20998",
        "AMI_PORT": str(free_port()),
        "AMI_SECRET": AMI_SECRET,
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(made.cluster.port),
        "DB_NAME": made.name,
        "DB_PASSWORD": DB_PASSWORD,
    }


@contextmanager
def agent(made: Carrier, exchange: Asterisk) -> Iterator[AgentProcess]:
    """The agent beside it, just started."""
    running = AgentProcess(made.url, exchange, made.folder / f"agent-{exchange.values['AMI_PORT']}.log")
    running.start()
    try:
        yield running
    finally:
        running.stop()


def warm(agent: AgentProcess) -> None:
    """Wait until everything is in Asterisk's caches."""
    until(lambda: "caches begun afresh" in agent.log.read_text(), f"the caches to be warm: {agent.log}", 600)


def owed(made: Carrier) -> int:
    """How much the agent has yet to do."""
    return int(query(made.url, "SELECT count(*) FROM outbox WHERE done_at IS NULL")[0][0])


def called_numbers(made: Carrier) -> list[str]:
    """Our numbers, in no order."""
    dice = random.Random(1)
    return [str(551140000000 + dice.randrange(made.size.dids)) for _ in range(20_000)]


def dialled_numbers() -> list[str]:
    """Numbers of others, in areas for which there are routes."""
    dice = random.Random(2)
    return [f"55{dice.randrange(12, 99)}{dice.randrange(10**8, 10**9)}" for _ in range(20_000)]


def from_environment(name: str, otherwise: float) -> float:
    return float(os.environ.get(name) or otherwise)
