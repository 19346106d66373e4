"""What the doctor finds in a real database: nothing in a healthy one, and each thing that was broken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from webapp.accounts.models import User
from webapp.doctor import checkup, machine, nodes, people, rights, versions
from webapp.doctor import database as doctor_database
from webapp.doctor.checkup import CHECKS, Check
from webapp.doctor.findings import Finding, ok
from webapp.doctor.place import Place

SUBJECTS = ("Versions", "Database", "Rights in the database", "Nodes and books")


def test_a_healthy_one_has_no_fault(place: Place) -> None:
    found = [each for subject in SUBJECTS for check in CHECKS[subject] for each in checkup._alone(check, place)]
    found += checkup._alone(people.administrators, place)

    # The tests' cluster works without fsync.
    assert [each for each in found if each.state != "ok" and each.what != "Durability"] == []
    assert {each.what for each in found} > {
        "Functions",
        "Triggers",
        "Columns",
        "Partitions",
        "Its grants",
        "Its limits",
    }


BROKEN = [
    (versions.migrations, "fault", "needs", "UPDATE alembic_version_asterisk_admin SET version_num = '0003'"),
    (
        versions.migrations,
        "fault",
        "newer than this program",
        "UPDATE alembic_version_asterisk_admin SET version_num = '9999'",
    ),
    (versions.migrations, "fault", "is at none", "DROP TABLE alembic_version_asterisk_admin"),
    (
        doctor_database.functions,
        "fault",
        "not those of this version: public.billed_seconds",
        "CREATE OR REPLACE FUNCTION public.billed_seconds(seconds integer, minimum integer, increment integer) "
        "RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT seconds'",
    ),
    (doctor_database.functions, "fault", "public.take_in_cdr", "ALTER FUNCTION public.take_in_cdr() SECURITY INVOKER"),
    (doctor_database.functions, "fault", "public.take_in_cdr", "ALTER FUNCTION public.take_in_cdr() RESET ALL"),
    (
        doctor_database.functions,
        "fault",
        "missing: public.release_quarantine",
        "DROP FUNCTION public.release_quarantine()",
    ),
    (
        doctor_database.triggers_and_views,
        "fault",
        "switched off: take_in_cdr on asterisk.cdr",
        "ALTER TABLE asterisk.cdr DISABLE TRIGGER take_in_cdr",
    ),
    (
        doctor_database.triggers_and_views,
        "fault",
        "missing: answer_call_request",
        "DROP TRIGGER answer_call_request ON asterisk.call_requests",
    ),
    (
        doctor_database.triggers_and_views,
        "fault",
        "missing: asterisk.own_registrations",
        "DROP VIEW asterisk.own_registrations",
    ),
    (
        doctor_database.columns,
        "fault",
        "missing: asterisk.ps_endpoints.set_var",
        "ALTER TABLE asterisk.ps_endpoints DROP COLUMN set_var",
    ),
    (
        doctor_database.columns,
        "fault",
        "missing: asterisk.cdr.cause",
        "ALTER TABLE asterisk.cdr DROP COLUMN cause CASCADE",
    ),
    (doctor_database.columns, "fault", "public.users.theme", "ALTER TABLE users DROP COLUMN theme"),
    (
        doctor_database.columns,
        "fault",
        "asterisk.call_requests.forwards",
        "ALTER TABLE asterisk.call_requests DROP COLUMN forwards CASCADE",
    ),
    (
        doctor_database.partitions,
        "warning",
        "public.calls_",
        "DO $$ BEGIN EXECUTE format('DROP TABLE public.calls_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')); END $$",
    ),
    (rights.role_asterisk, "fault", "may do more", "ALTER ROLE asterisk CREATEDB"),
    (rights.role_asterisk, "fault", "may not sign in", "ALTER ROLE asterisk NOLOGIN"),
    (
        rights.role_asterisk,
        "fault",
        "tables belong to it",
        "GRANT asterisk TO CURRENT_USER; GRANT CREATE ON SCHEMA public TO asterisk; "
        "ALTER TABLE public.payments OWNER TO asterisk",
    ),
    (
        rights.role_asterisk,
        "fault",
        "it has the rights of others_of_test, too",
        "CREATE ROLE others_of_test; GRANT others_of_test TO asterisk",
    ),
    (
        rights.grants,
        "fault",
        "missing: SELECT on asterisk.ps_auths",
        "REVOKE SELECT ON asterisk.ps_auths FROM asterisk",
    ),
    (
        rights.grants,
        "fault",
        "missing: INSERT (dialed) on asterisk.call_requests",
        "REVOKE INSERT (dialed) ON asterisk.call_requests FROM asterisk",
    ),
    (rights.grants, "fault", "more than it needs: SELECT on public.users", "GRANT SELECT ON public.users TO asterisk"),
    (
        rights.grants,
        "fault",
        "more than it needs: UPDATE (price) on public.calls",
        "GRANT UPDATE (price) ON public.calls TO PUBLIC",
    ),
    (
        rights.grants,
        "fault",
        "missing: EXECUTE on function public.registering_node(text)",
        "REVOKE EXECUTE ON FUNCTION public.registering_node(text) FROM asterisk",
    ),
    (
        rights.grants,
        "fault",
        "more than it needs: EXECUTE on function public.billed_seconds(integer, integer, integer)",
        "GRANT EXECUTE ON FUNCTION public.billed_seconds(integer, integer, integer) TO PUBLIC",
    ),
    (
        rights.grants,
        "fault",
        "more than it needs: EXECUTE on function public.somebodys()",
        "CREATE FUNCTION public.somebodys() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    ),
    (rights.grants, "fault", "more than it needs: USAGE on schema public", "GRANT USAGE ON SCHEMA public TO PUBLIC"),
    (rights.owner, "fault", "everybody may make tables", "GRANT CREATE ON SCHEMA public TO PUBLIC"),
    (
        rights.time_limits,
        "fault",
        "lock_timeout = 1s",
        "DO $$ BEGIN "
        "EXECUTE format('ALTER ROLE asterisk IN DATABASE %I RESET lock_timeout', current_database()); END $$",
    ),
    (nodes.nodes_in_service, "fault", "does not sign in since", "UPDATE nodes SET seen_at = now() - interval '1 hour'"),
    (nodes.nodes_in_service, "fault", "does not sign in and never has", "UPDATE nodes SET seen_at = NULL"),
    (
        nodes.nodes_in_service,
        "fault",
        "its Asterisk is away: cannot connect",
        "UPDATE nodes SET asterisk_up = false, detail = 'cannot connect'",
    ),
    (nodes.nodes_in_service, "fault", "no Asterisk server is in service", "UPDATE nodes SET enabled = false"),
    (
        nodes.nodes_in_service,
        "fault",
        "it does not know what was saved 3",
        "INSERT INTO outbox (node, action, created_at) VALUES ('pbx1', 'x', now() - interval '300 seconds')",
    ),
    (
        nodes.last_proof,
        "fault",
        "3 differ",
        "INSERT INTO sync_checks (node, scope, asked_by, finished_at, differences) VALUES ('', '', 'ana', now(), 3), "
        "('pbx1', '', 'ana', now(), 0)",
    ),
    (
        nodes.call_records,
        "fault",
        "pbx1",
        "INSERT INTO journal_days (day, node, calls) "
        "SELECT date_trunc('day', now(), time_zone), 'pbx1', 5 FROM settings",
    ),
    (
        nodes.call_records,
        "warning",
        "1",
        "INSERT INTO asterisk.cdr (node, uniqueid, sequence, start, duration, billsec, direction) "
        "VALUES ('pbx1', '2', '1', 'x', '1', '0', 'inbound')",
    ),
    (
        nodes.clocks,
        "fault",
        "ahead of",
        "INSERT INTO asterisk.cdr (node, uniqueid, sequence, \"end\") VALUES ('pbx1', '2', '1', "
        "to_char((now() + interval '1 minute') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'))",
    ),
    (
        people.administrators,
        "fault",
        "there is none",
        "ALTER TABLE users DISABLE TRIGGER keep_an_admin_deleted; DELETE FROM users",
    ),
]


@pytest.mark.parametrize(
    ("check", "state", "words", "statement"),
    BROKEN,
    ids=[f"{check.__name__}: {words}" for check, _, words, _ in BROKEN],
)
def test_what_is_broken_is_found(
    place: Place, database: Connection, check: Check, state: str, words: str, statement: str
) -> None:
    assert {each.state for each in checkup._alone(check, place)} <= {"ok"}

    database.exec_driver_sql(statement.replace("%", "%%"))

    [found] = [each for each in checkup._alone(check, place) if each.state != "ok"]
    assert (found.state, words in found.found) == (state, True), found
    assert found.to_do


def test_a_password_that_everybody_tries(place: Place, database: Connection) -> None:
    user = User(username="ana")
    user.set_password("password")
    database.execute(text("UPDATE users SET password_hash = :hash"), {"hash": user.password_hash})

    [found] = checkup._alone(people.administrators, place)

    assert (found.state, found.found) == ("fault", "anybody guesses the password of ana")


def test_a_check_that_the_database_refuses_stops_no_other(place: Place, database: Connection) -> None:
    database.exec_driver_sql("DROP TABLE sync_checks")

    [found] = checkup._alone(nodes.last_proof, place)

    assert found.state == "unknown"
    assert found.found.startswith('the database says: relation "sync_checks" does not exist')
    assert [each.state for each in checkup._alone(nodes.nodes_in_service, place)] == ["ok"]


def test_a_clock_that_is_wrong(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 90)

    [found] = checkup._alone(doctor_database.clock, place)

    assert found.state == "fault"
    assert "ahead of this machine" in found.found


def test_a_database_that_is_slow(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_database, "SLOW_MS", -1)

    assert [each.state for each in checkup._alone(doctor_database.answers, place)] == ["warning"]


def test_the_demonstration_has_no_place_among_customers(place: Place, database: Connection, tmp_path: Path) -> None:
    place.settings_folder = tmp_path
    assert [each.state for each in checkup._alone(people.demonstration, place)] == ["ok"]

    database.exec_driver_sql("INSERT INTO customers (code, name, type) VALUES ('demo', 'Demo', 'extension')")

    assert [each.state for each in checkup._alone(people.demonstration, place)] == ["warning"]


def test_a_mistake_of_the_doctors_own_is_said(place: Place) -> None:
    def broken_check(_: Place) -> Iterator[Finding]:
        yield ok("This", "well")
        raise KeyError("a secret")

    first, second = checkup._alone(broken_check, place)

    assert first.state == "ok"
    assert second.state == "unknown"
    assert "KeyError in test_database.py" in second.found
    assert "secret" not in second.found


def test_postgresql_is_open_to_other_servers_only_if_there_are_any(
    place: Place, database: Connection, tmp_path: Path
) -> None:
    assert place.web_settings
    port = make_url(place.web_settings.database_url).port
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(f"sl\n 0: 00000000:{port:04X} 00000000:0000 0A\n")
    place.proc = tmp_path
    assert [each.state for each in checkup._alone(machine.closed_ports, place)] == ["warning"]

    database.exec_driver_sql("INSERT INTO nodes (name) VALUES ('pbx2')")

    assert [each.state for each in checkup._alone(machine.closed_ports, place)] == ["ok"]
