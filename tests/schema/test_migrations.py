"""The way up, the way back, and what a migration must not do to calls in the meantime."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import connection as Connection
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.schema.asterisk_columns import COLUMNS
from tests.schema.conftest import SignIn, ask, value
from webapp import models
from webapp.asterisk.rows import TABLES
from webapp.ext import Base

Objects = list[tuple[str, ...]]

EVERYTHING = """
    SELECT 'relation', n.nspname, c.relname, c.relkind::text, coalesce(pg_get_viewdef(c.oid), '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'asterisk')
    UNION ALL
    SELECT 'column', a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace IN ('public'::regnamespace, to_regnamespace('asterisk')) AND a.attnum > 0
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''
    FROM pg_constraint WHERE connamespace IN ('public'::regnamespace, to_regnamespace('asterisk'))
    UNION ALL
    SELECT 'function', n.nspname, p.proname, md5(pg_get_functiondef(p.oid)), ''
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('public', 'asterisk') AND p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '' FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'privilege', table_schema, table_name, grantee, privilege_type FROM information_schema.table_privileges
    WHERE table_schema IN ('public', 'asterisk')
    ORDER BY 1, 2, 3, 4, 5
"""


@pytest.fixture
def empty_url(cluster: Postgres) -> Iterator[str]:
    """A database nobody has migrated yet."""
    cluster.create_database("unborn")
    yield cluster.url("unborn")
    cluster.drop_database("unborn")


def everything(url: str) -> Objects:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(EVERYTHING.replace("%", "%%"))]
    finally:
        engine.dispose()


def test_up_and_back_and_up_again(empty_url: str) -> None:
    untouched = everything(empty_url)

    migrate.upgrade(empty_url)
    migrated = everything(empty_url)
    assert len(migrated) > 500
    migrate.downgrade(empty_url, "base")
    left = [thing for thing in everything(empty_url) if "alembic_version_asterisk_admin" not in str(thing)]
    assert left == untouched
    migrate.upgrade(empty_url)
    assert everything(empty_url) == migrated


def test_migrating_twice_changes_nothing_and_keeps_what_is_stored(url: str, owner: Connection) -> None:
    ask(owner, "INSERT INTO providers (name) VALUES ('kept')")
    before = everything(url)

    migrate.upgrade(url)

    assert everything(url) == before
    assert value(owner, "SELECT count(*) FROM providers WHERE name = 'kept'") == 1
    assert value(owner, "SELECT count(*) FROM asterisk.canary") == 1


def test_a_migration_that_fails_leaves_nothing_half_done(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = everything(empty_url)
    monkeypatch.setattr(migrate, "REPEATABLE", (*migrate.REPEATABLE, "not-there.sql"))

    with pytest.raises(FileNotFoundError):
        migrate.upgrade(empty_url)

    assert everything(empty_url) == untouched


@pytest.mark.filterwarnings("ignore:Computed default on")  # It cannot compare them; the next test but one does.
def test_the_models_are_what_the_database_is(url: str) -> None:
    """All that alembic compares: tables, columns, types, defaults, indexes, unique constraints, foreign keys."""
    ours = {table.name for table in Base.metadata.sorted_tables}
    assert {kind.__tablename__ for kind in map(vars(models).get, models.__all__)} == ours  # type: ignore[union-attr]  # they are models

    def include(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in ours

    engine = create_engine(url)
    with engine.connect() as connection:
        options = {"include_name": include, "compare_type": True, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()

    assert differences == []


def test_checks_and_computed_columns_of_the_models_mean_the_same(owner: Connection, url: str) -> None:
    """Make the tables from the models, in a schema of their own, and compare what PostgreSQL made of both."""
    ask(owner, "CREATE SCHEMA modelled")
    engine = create_engine(url, connect_args={"options": "-c search_path=modelled,public"})
    try:
        Base.metadata.create_all(engine, checkfirst=False)
        assert _checks(owner, "modelled") == _checks(owner, "public")
        assert _computed(owner, "modelled") == _computed(owner, "public") != set()
    finally:
        engine.dispose()
        ask(owner, "DROP SCHEMA modelled CASCADE")


def _checks(owner: Connection, schema: str) -> set[tuple[str, ...]]:
    statement = """
        SELECT t.relname, c.conname, pg_get_constraintdef(c.oid)
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
        WHERE c.contype IN ('c', 'x') AND c.connamespace = %s::regnamespace AND t.relname <> 'peer_addresses'
    """
    return set(ask(owner, statement, schema))


def _computed(owner: Connection, schema: str) -> set[tuple[str, ...]]:
    statement = """
        SELECT t.relname, a.attname, pg_get_expr(d.adbin, d.adrelid), a.attnotnull
        FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
        JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attgenerated <> '' AND t.relnamespace = %s::regnamespace
    """
    return set(ask(owner, statement, schema))


# ---- Asterisk's tables


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_all_of_asterisks_own_columns(owner: Connection, table: str) -> None:
    """Asterisk inserts every column that it knows, and fails on one that is missing."""
    columns = _columns(owner, table)

    assert set(COLUMNS[table].split()) - set(columns) == set()
    assert set(columns) - set(COLUMNS[table].split()) <= (
        {"owner", "node"} if table == "ps_registrations" else {"owner"}
    )


def test_no_table_of_asterisks_own_is_missing(owner: Connection) -> None:
    tables = {row[0] for row in ask(owner, "SELECT tablename FROM pg_tables WHERE schemaname = 'asterisk'")}

    assert {name for name in tables if name.startswith("ps_") or name == "extensions"} == set(COLUMNS)


@pytest.mark.parametrize("kind", TABLES)
def test_a_row_names_real_columns(owner: Connection, kind: type) -> None:
    columns = _columns(owner, kind.TABLE)  # type: ignore[attr-defined]  # it is a Row

    assert {*kind.columns(), "owner"} <= set(columns)  # type: ignore[attr-defined]


def test_a_text_of_asterisks_is_never_too_long_for_its_column(owner: Connection) -> None:
    """A value that does not fit would lose the whole row: a registration, a call record."""
    limited = ask(
        owner,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'asterisk' "
        "AND (character_maximum_length IS NOT NULL OR data_type = 'USER-DEFINED')",
    )

    assert limited == []


def _columns(owner: Connection, table: str) -> list[str]:
    statement = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    return [row[0] for row in ask(owner, statement, f"asterisk.{table}")]


# ---- others are at work


def test_a_migration_gives_up_rather_than_let_calls_queue_behind_it(
    url: str, owner: Connection, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "300ms")
    somebody = sign_in()
    somebody.autocommit = False
    ask(somebody, "LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")

    with pytest.raises((OperationalError, psycopg2.OperationalError), match="lock timeout"):
        migrate.upgrade(url)

    somebody.rollback()
    migrate.upgrade(url)


def test_a_migration_does_not_wait_for_long() -> None:
    assert migrate.LOCK_TIMEOUT in ("1s", "2s", "3s", "4s")


def test_two_migrations_take_turns(
    url: str, owner: Connection, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "300ms")
    other = sign_in()
    other.autocommit = False
    ask(other, "SELECT pg_advisory_xact_lock(hashtext('asterisk-admin migrate'))")

    with pytest.raises(OperationalError, match="lock timeout"):
        migrate.upgrade(url)
