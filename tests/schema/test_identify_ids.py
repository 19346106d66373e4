"""Migration 0026: identifies of before get the ids that the projection gives them, and the nodes read them anew."""

from __future__ import annotations

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.calls.exchange import query
from webapp.asterisk.projection.sip import identify_id

IDS = "SELECT id, endpoint FROM asterisk.ps_endpoint_id_ips WHERE id <> 'canary' ORDER BY endpoint"


def test_ours_are_renamed_and_back(cluster: Postgres, empty_database: str) -> None:
    cluster.create_database("identifies", template=empty_database)
    url = cluster.url("identifies")
    query(
        url,
        """
        INSERT INTO nodes (name) VALUES ('pbx1');
        INSERT INTO asterisk.ps_endpoint_id_ips (id, endpoint, match, owner) VALUES
            ('x', 'gateway-GW1', '192.0.2.1', 'gateway:1'), ('by-hand', 'theirs', '192.0.2.2', NULL)
        RETURNING id
        """,
    )
    migrate.downgrade(url, "0025")
    assert query(url, IDS) == [("gateway-GW1", "gateway-GW1"), ("by-hand", "theirs")]

    migrate.upgrade(url)

    assert query(url, IDS) == [(identify_id("gateway-GW1"), "gateway-GW1"), ("by-hand", "theirs")]
    assert query(url, "SELECT 1 FROM asterisk.ps_endpoint_id_ips WHERE id = 'canary'")
    assert ("pbx1", "populate_identify") in query(url, "SELECT node, action FROM outbox")
