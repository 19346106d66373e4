"""What somebody can do who has taken over an Asterisk, by the role it signs in with (see tests/schema/test_role.py)."""

from __future__ import annotations

from contextlib import suppress

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import SignIn, ask, value

ITS_OWN_CHECK = """
    CREATE FUNCTION pg_temp.spy() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN RAISE WARNING 'runs as %', current_user; RETURN true; END $$
"""


def _sent(connection: Connection) -> None:
    """What an Asterisk sends, which sets off the functions that run with the owner's rights."""
    ask(
        connection, "INSERT INTO call_requests (id, customer_id, dialed) VALUES ('q', gen_random_uuid()::varchar, '55')"
    )
    ask(
        connection,
        "INSERT INTO cdr (uniqueid, sequence, node, start, direction, billsec, duration) "
        "VALUES ('1', '1', 'pbx1', now()::varchar, 'outbound', '1', '1')",
    )


@pytest.mark.parametrize("kind", ["text", "uuid", "timestamptz", "record"])
@pytest.mark.parametrize("may_make_types", [False, True])
def test_no_type_of_its_own_is_taken_for_one_of_postgresqls(
    asterisk: Connection, owner: Connection, kind: str, may_make_types: bool
) -> None:
    """A domain of that name would run its check with the owner's rights. Two things are in the way, each by itself."""
    database = value(owner, "SELECT current_database()")
    if may_make_types:
        ask(owner, f'GRANT TEMPORARY ON DATABASE "{database}" TO asterisk')
    try:
        with suppress(psycopg2.errors.InsufficientPrivilege):
            ask(asterisk, "CREATE TEMP TABLE here (a integer)")  # From here on there is a schema pg_temp.
            ask(asterisk, ITS_OWN_CHECK)
            based_on = "varchar" if kind == "record" else f"pg_catalog.{kind}"
            ask(asterisk, f"CREATE DOMAIN pg_temp.{kind} AS {based_on} CHECK (pg_temp.spy())")
            assert may_make_types
    finally:
        ask(owner, f'REVOKE TEMPORARY ON DATABASE "{database}" FROM asterisk')
    del asterisk.notices[:]

    _sent(asterisk)

    assert [notice for notice in asterisk.notices if "runs as" in notice] == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE x (a integer)",
        "CREATE FUNCTION pg_temp.x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION asterisk.x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION file_fdw",
        "CREATE TRIGGER x BEFORE INSERT ON cdr FOR EACH ROW EXECUTE FUNCTION asterisk.answer_call_request()",
        "CREATE RULE x AS ON INSERT TO cdr DO NOTHING",
        "CREATE SERVER x FOREIGN DATA WRAPPER y",
        "CREATE PUBLICATION x",
        "CREATE ROLE x",
        "COPY canary TO '/tmp/x'",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/x')",
        "SELECT pg_ls_dir('/')",
        "SELECT pg_read_binary_file('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'asterisk_admin'",
        "SELECT pg_reload_conf()",
        "ALTER SYSTEM SET listen_addresses = '*'",
        "BEGIN; LOCK TABLE cdr IN ACCESS EXCLUSIVE MODE",
        "BEGIN; LOCK TABLE ps_endpoints IN ACCESS EXCLUSIVE MODE",
    ],
)
def test_it_may_not(asterisk: Connection, owner: Connection, statement: str) -> None:
    with pytest.raises(
        (
            psycopg2.errors.InsufficientPrivilege,
            psycopg2.errors.UndefinedObject,
            psycopg2.errors.UndefinedFile,
            psycopg2.errors.FeatureNotSupported,
        )
    ):
        ask(asterisk, statement)


def test_it_calls_no_function_of_ours_but_those_its_views_ask(owner: Connection) -> None:
    callable_ = ask(
        owner,
        "SELECT p.oid::regprocedure::text FROM pg_proc p "
        "WHERE p.pronamespace IN ('public'::regnamespace, 'asterisk'::regnamespace) "
        "AND has_function_privilege('asterisk', p.oid, 'EXECUTE') AND NOT EXISTS ("
        "SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') "
        "ORDER BY 1",
    )
    assert callable_ == [("asterisk.from_now(interval)",), ("registering_node(text)",)]


def test_functions_with_the_owners_rights_look_among_temporary_things_last(owner: Connection) -> None:
    definers = ask(owner, "SELECT proname, proconfig FROM pg_proc WHERE prosecdef")
    assert definers
    for name, config in definers:
        assert "search_path=pg_catalog, pg_temp" in config, name


def test_it_sees_no_query_of_others(asterisk: Connection, sign_in: SignIn) -> None:
    somebody = sign_in(application_name="somebody")
    ask(somebody, "SELECT 'a secret'")
    seen = ask(asterisk, "SELECT query FROM pg_stat_activity WHERE usename = 'asterisk_admin'")
    assert seen
    assert {query for (query,) in seen} == {"<insufficient privilege>"}


HOSTILE = [
    "'; DROP TABLE public.users; --",
    "00000000-0000-0000-0000-000000000000",
    "1e400",
    "-1",
    "infinity",
    "9" * 5000,
    "\u202e",
    "${SHELL(id)}",
    "a\r\nb",
    "(" * 5000,
    "_" * 5000,
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_it_asks_is_answered_and_whatever_it_records_is_taken(asterisk: Connection, hostile: str) -> None:
    """No error, which would cost a call record, and no answer with anything but what a dialplan takes."""
    columns = ("id", "endpoint", "customer_id", "dialed", "caller", "channels", "direction", "forwards")
    for column in columns:
        values = {"id": f"hostile-{column}"} | {column: hostile}
        ask(
            asterisk,
            f"INSERT INTO call_requests ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",  # noqa: S608 - names of ours
            *values.values(),
        )
    texts = ask(
        asterisk,
        "SELECT quote_ident(attname) FROM pg_attribute "
        "WHERE attrelid = 'cdr'::regclass AND attnum > 0 AND atttypid = 'text'::regtype",
    )
    ask(
        asterisk,
        f"INSERT INTO cdr ({', '.join(name for (name,) in texts)}) VALUES ({', '.join(['%s'] * len(texts))})",  # noqa: S608 - names of ours
        *[hostile] * len(texts),
    )
    answers = ask(asterisk, "SELECT verdict, legs, caller_id FROM call_answers")
    assert answers
    for verdict, legs, caller_id in answers:
        assert verdict == "refused"
        assert legs == ""
        assert caller_id == ""
