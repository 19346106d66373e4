"""What Asterisk may do with the database, asked with its own name and password."""

from __future__ import annotations

import time

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import SignIn, ask, value
from webapp.asterisk.conf import SOURCE

READABLE = {
    "call_answers",
    "canary",
    "sign_of_life",
    "extensions",
    "own_registrations",
    "ps_aors",
    "ps_auths",
    "ps_domain_aliases",
    "ps_endpoint_id_ips",
    "ps_endpoints",
}
QUESTION = {"id", "endpoint", "customer_id", "dialed", "caller", "channels", "direction", "forwards"}


def families() -> dict[str, str]:
    """Family -> table, of extconfig.conf."""
    lines = (SOURCE / "extconfig.conf").read_text().splitlines()
    entries = [line.split("=>") for line in lines if "=>" in line and not line.startswith(";")]
    return {family.strip(): target.split(",")[2].strip() for family, target in entries}


def test_it_reads_exactly_what_it_must(asterisk: Connection) -> None:
    """Whole tables or single columns, in whatever schema."""
    readable = ask(
        asterisk,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f') "
        "AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) "
        "AND has_any_column_privilege(oid, 'SELECT')",
    )

    assert {row[0] for row in readable} == READABLE


@pytest.mark.parametrize("privilege", ["UPDATE", "REFERENCES"])
def test_it_may_change_no_column_of_any_table(asterisk: Connection, privilege: str) -> None:
    assert _with_privilege(asterisk, f"has_any_column_privilege(oid, '{privilege}')") == set()


@pytest.mark.parametrize("privilege", ["DELETE", "TRUNCATE", "TRIGGER"])
def test_it_may_delete_from_no_table(asterisk: Connection, privilege: str) -> None:
    assert _with_privilege(asterisk, f"has_table_privilege(oid, '{privilege}')") == set()


def test_it_inserts_call_records_and_questions_and_nothing_else(asterisk: Connection) -> None:
    assert _with_privilege(asterisk, "has_table_privilege(oid, 'INSERT')") == {"cdr"}
    assert _with_privilege(asterisk, "has_any_column_privilege(oid, 'INSERT')") == {"cdr", "call_requests"}
    allowed = ask(
        asterisk,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'call_requests'::regclass AND attnum > 0 "
        "AND has_column_privilege(attrelid, attnum, 'INSERT')",
    )
    assert {row[0] for row in allowed} == QUESTION


def _with_privilege(connection: Connection, condition: str) -> set[str]:
    found = ask(
        connection,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f') "  # noqa: S608 - fixed texts
        f"AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND {condition}",
    )
    return {row[0] for row in found}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.customers",
        "SELECT * FROM public.users",
        "SELECT * FROM public.audit_log",
        "SELECT public.route_call(NULL, '')",
        "SELECT public.keep_partitions()",
        "SELECT * FROM cdr",
        "SELECT * FROM call_requests",
        "SELECT * FROM ps_registrations",
        "SELECT * FROM public.nodes",
        "INSERT INTO own_registrations (id) VALUES ('x')",
        "SELECT * FROM call_requests_default",
        "INSERT INTO call_requests (id, verdict) VALUES ('x', 'route')",
        "INSERT INTO call_requests (id, legs) VALUES ('x', 'gateway-x:1:1:911')",
        "INSERT INTO call_requests (id, requested_at) VALUES ('x', '2001-01-01')",
        "INSERT INTO call_requests_default (id) VALUES ('x')",
        "INSERT INTO ps_endpoints (id) VALUES ('x')",
        "INSERT INTO extensions (context, exten, priority, app, appdata) VALUES ('from-trunk', '1', 1, 'System', 'rm')",
        "UPDATE ps_endpoints SET context = 'from-internal'",
        "UPDATE ps_auths SET password = 'x'",
        "UPDATE cdr SET billsec = '0'",
        "DELETE FROM cdr",
        "DELETE FROM canary",
        "TRUNCATE cdr",
        "DROP TABLE cdr",
        "CREATE TABLE asterisk.x (id integer)",
        "CREATE TABLE public.x (id integer)",
        "CREATE SCHEMA x",
        "ALTER TABLE cdr ADD COLUMN x text",
        "SELECT nextval('public.audit_log_id_seq')",
        "SELECT setval('cdr_id_seq', 1)",
        "COPY cdr TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE asterisk_admin",
        "ALTER ROLE asterisk SUPERUSER",
    ],
)
def test_it_may_not(asterisk: Connection, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(asterisk, statement)


def test_its_settings_are_there_when_it_signs_in(asterisk: Connection) -> None:
    settings = ("statement_timeout", "lock_timeout", "search_path", "TimeZone", "synchronous_commit")

    assert {name: value(asterisk, f"SHOW {name}") for name in settings} == {
        "statement_timeout": "2s",
        "lock_timeout": "1s",
        "search_path": "asterisk",
        "TimeZone": "UTC",
        "synchronous_commit": "off",
    }


def test_it_is_nobody_special(owner: Connection) -> None:
    [rights] = ask(
        owner,
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles "
        "WHERE rolname = 'asterisk'",
    )
    assert not any(rights)
    assert ask(owner, "SELECT * FROM pg_auth_members WHERE member = 'asterisk'::regrole") == []


def test_the_functions_it_sets_off_run_with_a_pinned_search_path(owner: Connection) -> None:
    """They run with the owner's rights, so nothing of the caller's own must come before ours: pg_temp comes last."""
    definers = ask(owner, "SELECT proname, proconfig FROM pg_proc WHERE prosecdef")

    assert {name for name, _ in definers} == {"answer_call_request", "registering_node", "take_in_cdr"}
    assert all("search_path=pg_catalog, pg_temp" in config for _, config in definers)


def test_a_lock_makes_its_query_fail_rather_than_hang(asterisk: Connection, sign_in: SignIn) -> None:
    somebody = sign_in()
    somebody.autocommit = False
    ask(somebody, "LOCK TABLE asterisk.ps_endpoints IN ACCESS EXCLUSIVE MODE")
    began = time.monotonic()

    with pytest.raises(psycopg2.errors.LockNotAvailable):
        ask(asterisk, "SELECT * FROM asterisk.ps_endpoints WHERE id = 'x'")

    assert 0.9 < time.monotonic() - began < 4
    somebody.rollback()
    assert ask(asterisk, "SELECT * FROM asterisk.ps_endpoints WHERE id = 'x'") == []


def test_a_query_that_goes_on_for_ever_is_ended(asterisk: Connection) -> None:
    began = time.monotonic()

    with pytest.raises(psycopg2.errors.QueryCanceled):
        ask(asterisk, "SELECT pg_sleep(5)")

    assert 1.9 < time.monotonic() - began < 5


def test_every_family_of_extconfig_is_a_table_that_it_can_use(asterisk: Connection) -> None:
    tables = families()
    assert {"ps_endpoints", "extensions", "call_requests", "call_answers", "canary"} <= set(tables)

    for family, table in tables.items():
        if family == "call_requests":  # It is written, and read back through call_answers.
            ask(asterisk, f"INSERT INTO {table} (id) VALUES ('extconfig')")  # noqa: S608 - fixed text
        else:
            ask(asterisk, f"SELECT * FROM {table} LIMIT 1")  # noqa: S608 - fixed text


def test_it_reads_what_res_config_pgsql_asks_for(asterisk: Connection) -> None:
    """The very statements (res_config_pgsql.c), some of which name a column as no other program would."""
    ask(asterisk, "SELECT * FROM asterisk.ps_endpoints WHERE id = 'x' LIMIT 1")
    ask(asterisk, "SELECT * FROM asterisk.ps_endpoint_id_ips WHERE id LIKE '%%' ESCAPE '\\' ORDER BY id")
    ask(
        asterisk,
        "SELECT * FROM asterisk.extensions WHERE exten = '1' AND priority = '1' AND context = 'from-trunk' LIMIT 1",
    )
    ask(
        asterisk,
        "INSERT INTO asterisk.call_requests (id, endpoint, customer_id, dialed, caller) VALUES ('q','','','','')",
    )
    assert ask(asterisk, "SELECT * FROM asterisk.call_answers WHERE id = 'q' LIMIT 1")
    assert value(asterisk, "SELECT id FROM asterisk.canary WHERE id = '1' LIMIT 1") == 1


def test_cdr_pgsql_can_see_the_columns_of_its_table(asterisk: Connection) -> None:
    """It asks for them when it loads (cdr_pgsql.c), and drops every record if it sees none."""
    columns = ask(
        asterisk,
        "SELECT a.attname, t.typname, a.attlen, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.atttypmod "
        "FROM (((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "AND c.relname = 'cdr' AND n.nspname = current_schema()) "
        "INNER JOIN pg_catalog.pg_attribute a ON NOT a.attisdropped AND a.attnum > 0 AND a.attrelid = c.oid) "
        "INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid) "
        "LEFT OUTER JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum "
        "ORDER BY n.nspname, a.attnum",
    )

    assert {"uniqueid", "gateway_id", "sequence"} <= {column[0] for column in columns}
    required = [name for name, _, _, not_null, default, _ in columns if not_null and default is None]
    assert required == []
