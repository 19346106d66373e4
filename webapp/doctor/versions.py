"""Whether everything has the version that this program was made for."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schema import migrate
from webapp.doctor.findings import Finding, fault, listed, ok, warning
from webapp.doctor.place import Place

NEWEST_TRIED = 22  # Asterisk.
# From these on calls go on while Asterisk reads the addresses of trunks and gateways anew (its commit 9c28709fca).
UNHINDERED = {20: 18, 22: 8}


def python(_: Place) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036  # Who runs it by hand may do so with any.
        yield fault("Python", f"{version}, and this needs 3.11 or newer", "Install python3.11 and run deploy/install.")
    else:
        yield ok("Python", version)


def packages(_: Place) -> Iterator[Finding]:
    """Each of our packages in the version that setup.cfg names."""
    try:
        lines = metadata.requires("asterisk-admin") or []
    except metadata.PackageNotFoundError:
        yield warning(
            "Python packages",
            "this program runs without being installed, so nobody knows which versions it needs",
            "Install it: pip install --constraint constraints.txt .",
        )
        return
    needed = dict(line.split("==", 1) for line in lines if "extra ==" not in line)
    there = {name: _version(name) for name in needed}
    others = [f"{name} {there[name]} (needs {version})" for name, version in needed.items() if there[name] != version]
    if others:
        yield warning(
            "Python packages",
            listed(others),
            "Install what this version was tested with: pip install --constraint constraints.txt .",
        )
    else:
        yield ok("Python packages", f"{len(needed)}, all as setup.cfg names them")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def postgresql(place: Place) -> Iterator[Finding]:
    [(number, name)] = place.ask(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version')"
    )
    if number < 150000:
        yield fault("PostgreSQL", f"{name}, and this needs 15 or newer", "Upgrade it: pg_upgradecluster 14 main")
    else:
        yield ok("PostgreSQL", name.split()[0])


def asterisk(place: Place) -> Iterator[Finding]:
    if not place.node:
        return
    found = re.search(r"Asterisk (?:certified[/-])?((\d+)(?:\.(\d+))?[\d.]*)", place.said("core show version"))
    version, major, minor = (found[1].rstrip("."), int(found[2]), int(found[3] or 0)) if found else ("unknown", 0, 0)
    if major < 20:
        yield fault("Asterisk", f"{version}, and this needs 20 or 22", "Upgrade Asterisk to 22.")
    elif major not in (20, NEWEST_TRIED):
        yield warning(
            "Asterisk", f"{version}, with which nobody has tried this", "Use Asterisk 22 (or 20) for customers' calls."
        )
    elif minor < UNHINDERED[major]:
        yield warning(
            "Asterisk",
            f"{version}, in which calls wait while addresses of trunks are read anew",
            f"Upgrade it to {major}.{UNHINDERED[major]} or newer.",
        )
    else:
        yield ok("Asterisk", version)


def migrations(place: Place) -> Iterator[Finding]:
    newest = migrate.newest_revision()
    [(there,)] = place.ask("SELECT to_regclass('public.alembic_version_asterisk_admin') IS NOT NULL")
    revisions = [row[0] for row in place.ask("SELECT version_num FROM alembic_version_asterisk_admin")] if there else []
    if revisions == [newest]:
        yield ok("Migrations", f"at the newest, {newest}")
        return
    at = ", ".join(revisions) or "none"
    if revisions and revisions[0] > str(newest):
        yield fault(
            "Migrations",
            f"the database is at {at}, newer than this program ({newest})",
            "Run the program of the version that migrated it; another one does harm.",
        )
    else:
        yield fault("Migrations", f"the database is at {at}, this program needs {newest}", place.migrate)


def time_zones(place: Place) -> Iterator[Finding]:
    """Days of invoices and reports are the company's: Python and PostgreSQL must agree when one begins."""
    [(name,)] = place.ask("SELECT time_zone FROM settings")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        yield fault("Time zone", f"Python does not know {name}", "Install it: apt-get install tzdata")
        return
    today = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    days = [today + dt.timedelta(days=30 * month) for month in range(-12, 13)]
    rows = place.ask(
        "SELECT at, extract(epoch FROM at AT TIME ZONE :zone - at AT TIME ZONE 'UTC')::integer "
        "FROM unnest(CAST(:days AS timestamptz[])) AS at",
        zone=name,
        days=days,
    )
    differ = [at for at, seconds in rows if at.astimezone(zone).utcoffset() != dt.timedelta(seconds=seconds)]
    if differ:
        yield fault(
            "Time zone",
            f"Python and PostgreSQL do not agree on the clocks of {name} about {differ[0]:%Y-%m-%d}",
            "Bring the older one up to date on both machines: apt-get install --only-upgrade tzdata",
        )
    else:
        yield ok("Time zone", name)
