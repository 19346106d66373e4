"""Whether the database is as this version made it, and fit for calls."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import cache

from schema import migrate
from webapp.agent.journal import FIELDS
from webapp.asterisk import conf
from webapp.asterisk.rows import TABLES
from webapp.doctor.findings import Finding, counted, fault, listed, ok, warning
from webapp.doctor.place import Place
from webapp.ext import Base

SLOW_MS = 20.0  # Every call waits for a few answers.
CLOCK_SECONDS = 2.0

_FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION (\w+\.\w+)\((.*?)AS \$\$(.*?)\$\$", re.DOTALL)
_TRIGGER = re.compile(r"CREATE OR REPLACE TRIGGER (\w+)\s.*?\sON (\w+\.\w+)", re.DOTALL)
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+\.\w+)")


def answers(place: Place) -> Iterator[Finding]:
    """It answers, and soon."""
    if "the database" in place.troubles:
        yield fault(
            "Connection",
            place.troubles["the database"],
            "Look whether it runs (systemctl status postgresql) and whether DATABASE_URL is right.",
        )
        return
    times = []
    for _ in range(3):
        began = time.perf_counter()
        place.ask("SELECT 1")
        times.append((time.perf_counter() - began) * 1000)
    if min(times) > SLOW_MS:
        yield warning(
            "Connection",
            f"an answer takes {min(times):.0f} ms, and every call waits for a few",
            "Put the database (or a replica) nearer to Asterisk, and see whether it is overloaded.",
        )
    else:
        yield ok("Connection", f"answers in {min(times):.1f} ms")


@cache
def _sql() -> str:
    return "\n".join((migrate.SQL / name).read_text() for name in migrate.REPEATABLE)


def functions(place: Place) -> Iterator[Finding]:
    """Those that route and rate calls are what this version's files say."""
    rows = place.ask(
        "SELECT n.nspname || '.' || p.proname, p.prosrc, p.prosecdef, coalesce(p.proconfig, '{}') "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang "
        "WHERE n.nspname IN ('public', 'asterisk') AND l.lanname IN ('sql', 'plpgsql') "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    )
    there = {(name, body, definer, bool(settings)) for name, body, definer, settings in rows}
    wanted = {
        (name, body, "SECURITY DEFINER" in head, bool(re.search(r"\bSET \w+", head)))
        for name, head, body in _FUNCTION.findall(_sql())
    }
    missing = sorted({each[0] for each in wanted} - {each[0] for each in there})
    changed = sorted({each[0] for each in wanted - there} - set(missing))
    if missing:
        yield fault("Functions", f"missing: {listed(missing)}", place.migrate)
    if changed:
        yield fault("Functions", f"not those of this version: {listed(changed)}", place.migrate)
    if not missing and not changed:
        yield ok("Functions", f"{len(wanted)}, all of this version")


def triggers_and_views(place: Place) -> Iterator[Finding]:
    """A trigger that is switched off leaves calls without an answer or a price."""
    rows = place.ask(
        "SELECT t.tgname, t.tgrelid::regclass::text, t.tgenabled IN ('O', 'A'), n.nspname "
        "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE NOT t.tgisinternal AND n.nspname IN ('public', 'asterisk')"
    )
    on = {f"{name} on {schema}.{table.rpartition('.')[2]}": enabled for name, table, enabled, schema in rows}
    wanted = sorted({f"{name} on {table}" for name, table in _TRIGGER.findall(_sql())})
    views = {row[0] for row in place.ask("SELECT schemaname || '.' || viewname FROM pg_views")}
    missing = [name for name in wanted if name not in on] + sorted(set(_VIEW.findall(_sql())) - views)
    off = [name for name in wanted if on.get(name) is False]
    if missing:
        yield fault("Triggers", f"missing: {listed(missing)}", place.migrate)
    for name in off:
        trigger, _, table = name.partition(" on ")
        yield fault(
            "Triggers",
            f"switched off: {name}",
            place.psql(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}"),
        )
    if not missing and not off:
        yield ok("Triggers", f"{len(wanted)}, all on")


def columns(place: Place) -> Iterator[Finding]:
    """Those that we write, that Asterisk inserts, and that the dialplan asks with."""
    rows = place.ask(
        "SELECT n.nspname || '.' || c.relname, a.attname FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('public', 'asterisk') AND c.relkind IN ('r', 'p', 'v') "
        "AND a.attnum > 0 AND NOT a.attisdropped"
    )
    there = {(table, name) for table, name in rows}
    wanted = {
        (f"public.{table.name}", column.name) for table in Base.metadata.sorted_tables for column in table.columns
    }
    wanted |= {(f"asterisk.{kind.TABLE}", name) for kind in TABLES for name in (*kind.columns(), "owner")}
    wanted |= {("asterisk.cdr", name) for name in (*FIELDS, "node")}
    asked = re.findall(r"REALTIME_STORE\(call_requests,([\w,]+)\)", (conf.SOURCE / "extensions.conf").read_text())
    wanted |= {("asterisk.call_requests", name) for names in asked for name in names.split(",")}
    missing = sorted(f"{table}.{name}" for table, name in wanted - there)
    if missing:
        yield fault(
            "Columns",
            f"missing: {listed(missing, 5)}",
            "Restore what was dropped from a backup; if the database was never migrated, run: asterisk-admin migrate",
        )
    else:
        yield ok("Columns", f"{len(wanted)}, for Asterisk and for us")


def partitions(place: Place) -> Iterator[Finding]:
    """Those of this month and the next are there, and those of today and tomorrow."""
    rows = place.ask(
        "SELECT name FROM (VALUES "
        "('public.calls_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')), "
        "('public.calls_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYYMM')), "
        "('asterisk.call_requests_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')), "
        "('asterisk.call_requests_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 day', 'YYYYMMDD'))"
        ") AS wanted (name) WHERE to_regclass(name) IS NULL ORDER BY name"
    )
    missing = [row[0] for row in rows]
    if missing:
        yield warning(
            "Partitions",
            f"missing: {listed(missing)}; their rows go to the default partition, and nothing is lost",
            "Start an agent, which makes them every hour (systemctl start asterisk-admin-agent). "
            + place.psql("SELECT public.keep_partitions()"),
        )
    else:
        yield ok("Partitions", "of this month and the next, of today and tomorrow")


def clock(place: Place) -> Iterator[Finding]:
    """The database's, against this machine's."""
    before = time.time()
    [(theirs,)] = place.ask("SELECT extract(epoch FROM clock_timestamp())::float8")
    after = time.time()
    # Nobody knows at which moment in between it looked.
    apart = 0.0 if before <= theirs <= after else min(theirs - before, theirs - after, key=abs)
    if abs(apart) > CLOCK_SECONDS:
        yield fault(
            "Clock of the database",
            f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine",
            "Have both machines follow a time server: apt-get install chrony",
        )
    else:
        yield ok("Clock of the database", "as this machine's")


def durability(place: Place) -> Iterator[Finding]:
    """What is committed outlives a power cut. (Databases to try things with may do without.)"""
    rows = place.ask(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'autovacuum') AND setting = 'off'"
    )
    if off := [row[0] for row in rows]:
        say = fault if place.in_production else warning
        yield say(
            "Durability",
            f"switched off: {', '.join(off)}; a power cut may cost the whole database",
            f"Switch it on in postgresql.conf ({off[0]} = on) and run: systemctl reload postgresql",
        )
    else:
        yield ok("Durability", "fsync, full_page_writes and autovacuum are on")


def encoding(place: Place) -> Iterator[Finding]:
    [(name,)] = place.ask("SHOW server_encoding")
    if name != "UTF8":
        yield fault(
            "Encoding",
            f"{name}: names with accents are lost",
            "Make the database anew with ENCODING 'UTF8' and restore.",
        )
    else:
        yield ok("Encoding", name)


def connections_and_leftovers(place: Place) -> Iterator[Finding]:
    """Connections left, transactions that never end, and what keeps old rows and logs for ever."""
    [(used, most)] = place.ask(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
        "current_setting('max_connections')::integer"
    )
    if used > most * 0.8:
        yield warning(
            "Connections",
            f"{used} of {most} are taken",
            "Raise max_connections in postgresql.conf and run: systemctl restart postgresql",
        )
    else:
        yield ok("Connections", f"{used} of {most}")
    [(idle,)] = place.ask(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND xact_start < now() - interval '10 minutes' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    [(prepared,)] = place.ask("SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '10 minutes'")
    if idle or prepared:
        yield warning(
            "Transactions",
            f"{counted(idle + prepared, 'has', 'have')} been open for more than 10 minutes: tables grow meanwhile",
            place.psql("SELECT pid, application_name, xact_start FROM pg_stat_activity ORDER BY xact_start"),
        )
    slots = [row[0] for row in place.ask("SELECT slot_name FROM pg_replication_slots WHERE NOT active")]
    if slots:
        yield warning(
            "Replication",
            f"nobody reads from {listed(slots)}, for which the log is kept until the disk is full",
            "Start that replica, or drop its slot. " + place.psql(f"SELECT pg_drop_replication_slot('{slots[0]}')"),
        )
    [(age,)] = place.ask("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
    if age > 1_000_000_000:
        yield warning(
            "Vacuum",
            f"{age:,} transactions have not been tidied up; at 2 100 000 000 the database stops",
            "Do it at night. " + place.psql("VACUUM (FREEZE)"),
        )
    broken = [row[0] for row in place.ask("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")]
    if broken:
        yield warning("Indexes", f"unfinished: {listed(broken)}", place.psql(f"REINDEX INDEX {broken[0]}"))
