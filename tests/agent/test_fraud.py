"""An agent looks by the armed rules: once a minute, one agent at a time, whatever becomes of one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from deploy.embedded.postgres import Postgres
from tests.agent.test_outbox import read, write
from tests.calls.exchange import until
from webapp.agent import database, fraud

CALL = """
    INSERT INTO calls (id, started_at, day, answered_at, ended_at, node, uniqueid, sequence, direction, customer_id,
                       dst, disposition, duration, billsec, price)
    SELECT n, began, began, began, now() - interval '1 minute', 'n', n::text, 1, 'outbound', c.id, '5352345678',
           'ANSWERED', 60, 60, 5
    FROM customers c, generate_series(1, 3) AS n, (SELECT now() - interval '2 minutes') AS b (began)
"""
RULE = "INSERT INTO fraud_rules (name, kind, max_calls, action, state) VALUES ('{}', 'spending', 2, 'block_all', '{}')"


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("fraud", template=empty_database)
    yield cluster.url("fraud")
    cluster.drop_database("fraud")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The agent's, and a customer who called Cuba three times."""
    engine = database.engine(url, "pbx1")
    write(engine, "DELETE FROM fraud_rules")
    write(engine, "TRUNCATE fraud_cases, fraud_looks, alerts, audit_log, calls")
    write(engine, "DELETE FROM customers")
    write(engine, "UPDATE alert_settings SET emails = '{noc@example.com}', webhook_url = 'https://example.com/'")
    write(engine, "INSERT INTO customers (code, name, type) VALUES ('acme', 'Acme', 'extension')")
    write(engine, CALL)
    yield engine
    engine.dispose()


def due(engine: Engine) -> None:
    """A minute passes."""
    write(engine, "UPDATE fraud_looks SET looked_at = looked_at - interval '1 minute'")


def test_a_hit_opens_a_case_tells_of_it_and_is_in_the_audit_log(engine: Engine) -> None:
    write(engine, RULE.format("Dear", "armed"))
    write(engine, RULE.format("Not yet", "draft"))
    fraud.look_by_rules(engine)
    assert read(engine, "SELECT rule_name, action, calls, seconds, amount FROM fraud_cases") == [
        ("Dear", "block_all", 3, 180, 15)
    ]
    assert read(engine, "SELECT verdict, reason FROM customers c, route_call(c.id, '551140001234')") == [
        ("refused", "fraud")
    ]
    alerts = read(engine, "SELECT channel, kind, about->>'customer', about->>'calls', tries FROM alerts ORDER BY 1")
    assert alerts == [("email", "fraud", "Acme", "3", 0), ("webhook", "fraud", "Acme", "3", 0)]
    assert read(engine, "SELECT username, action, kind, label FROM audit_log") == [
        ("agent", "create", "fraud_cases", "Dear")
    ]
    assert read(engine, "SELECT r.name, l.error FROM fraud_looks l JOIN fraud_rules r ON r.id = l.rule_id") == [
        ("Dear", "")
    ]

    due(engine)
    fraud.look_by_rules(engine)
    assert read(engine, "SELECT count(*) FROM fraud_cases") == [(1,)], "it is open, and told of once"
    assert read(engine, "SELECT count(*) FROM alerts") == [(2,)]


def test_nobody_is_told_where_nobody_is_settled(engine: Engine) -> None:
    write(engine, "UPDATE alert_settings SET emails = '{}', webhook_url = ''")
    write(engine, RULE.format("Dear", "armed"))
    fraud.look_by_rules(engine)
    assert read(engine, "SELECT count(*) FROM fraud_cases") == [(1,)]
    assert read(engine, "SELECT count(*) FROM alerts") == [(0,)]


def test_a_rule_is_looked_by_once_a_minute_by_whichever_agent(engine: Engine, url: str) -> None:
    write(engine, RULE.format("Dear", "armed"))
    fraud.look_by_rules(engine)
    write(engine, "DELETE FROM fraud_cases")
    other = database.engine(url, "pbx2")
    fraud.look_by_rules(other)
    assert read(engine, "SELECT count(*) FROM fraud_cases") == [(0,)], "it was looked by just now"
    due(engine)
    fraud.look_by_rules(other)
    assert read(engine, "SELECT count(*) FROM fraud_cases") == [(1,)]
    other.dispose()


LOCKS = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def test_while_one_agent_looks_the_others_do_not(engine: Engine, url: str) -> None:
    write(engine, RULE.format("Dear", "armed"))
    other = database.engine(url, "pbx2")
    with other.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtext('asterisk-admin fraud'))"))
        fraud.look_by_rules(engine)
        assert read(engine, "SELECT count(*) FROM fraud_looks") == [(0,)]
    other.dispose()  # It dies, and the lock with it, as soon as PostgreSQL has seen that.
    until(lambda: read(engine, LOCKS) == [(0,)], "the lock to go")
    fraud.look_by_rules(engine)
    assert read(engine, "SELECT count(*) FROM fraud_cases") == [(1,)]


def test_a_rule_that_fails_stops_no_other_and_says_so(engine: Engine) -> None:
    write(engine, RULE.format("A broken one", "armed"))
    write(engine, RULE.format("B", "armed"))
    write(
        engine,
        "CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.rule_name = 'A broken one' THEN RAISE 'it breaks'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER break BEFORE INSERT ON fraud_cases FOR EACH ROW EXECUTE FUNCTION break()",
    )
    try:
        fraud.look_by_rules(engine)
    finally:
        write(engine, "DROP FUNCTION break() CASCADE")
    looks = read(engine, "SELECT r.name, l.error FROM fraud_looks l JOIN fraud_rules r ON r.id = l.rule_id ORDER BY 1")
    assert looks == [("A broken one", "it breaks"), ("B", "")]
    assert read(engine, "SELECT rule_name FROM fraud_cases") == [("B",)]
    assert read(engine, "SELECT count(*) FROM alerts") == [(2,)]

    due(engine)
    fraud.look_by_rules(engine)
    assert read(engine, "SELECT count(*) FROM fraud_cases") == [(2,)]
    assert read(engine, "SELECT DISTINCT error FROM fraud_looks") == [("",)]
