"""Migrations 0027 and 0028, there and back: what is kept of calls of before is what counting them anew would give."""

from __future__ import annotations

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.calls.exchange import query

CALLS = """
    INSERT INTO calls (id, started_at, day, node, uniqueid, sequence, direction, customer_id, provider_id, gateway_id,
                       destination, disposition, duration, billsec, price, cost)
    SELECT n, at, date_trunc('day', at, 'America/Sao_Paulo'), 'pbx1', n::text, 1, 'outbound', gen_random_uuid(),
           gen_random_uuid(), gen_random_uuid(), 'D' || n % 3, 'BUSY', 1, n, n * 0.1, n * 0.01
    FROM generate_series(1, 60) n, LATERAL (SELECT '2026-03-01'::timestamptz + n * interval '11 hours') AS a (at)
    RETURNING id
"""
KEPT = "SELECT t::text FROM call_totals t ORDER BY 1"


def test_what_is_kept_of_calls_of_before(cluster: Postgres, empty_database: str) -> None:
    cluster.create_database("kept", template=empty_database)
    url = cluster.url("kept")
    query(url, CALLS)
    now = query(url, KEPT)

    migrate.downgrade(url, "0026")
    kinds = query(url, "SELECT DISTINCT dimension, period FROM call_totals")
    assert ("gateway", "day") in kinds
    assert ("destination", "week") not in kinds
    migrate.upgrade(url)

    assert query(url, KEPT) == now
    weeks = (
        "SELECT count(*) > 9 AND sum(calls) = 60 FROM call_totals WHERE dimension = 'destination' AND period = 'week'"
    )
    assert query(url, weeks) == [(True,)]
