"""The disk of the database is full: what cannot be stored is refused in plain words, and nothing acknowledged is lost.

A cluster of its own, on a file system of its own in memory, which is filled up.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.agent.test_journal import line
from tests.api.conftest import Program
from tests.calls.exchange import query, settings, until
from tests.conftest import make_user, signed_in
from tests.web.conftest import Browser
from webapp import create_app
from webapp.agent import database, journal
from webapp.asterisk.check import check
from webapp.ext import db
from webapp.providers.models import Provider

MEGABYTES = 200


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with TemporaryDirectory(prefix="aa-full-", ignore_cleanup_errors=True) as directory:
        disk = Path(directory)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=755", "tmpfs", directory],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"no small file system could be mounted, which takes root: {mounted.stderr.strip()}")
        yield disk
        subprocess.run(["umount", "--lazy", directory], check=True)


@pytest.fixture
def small(small_disk: Path) -> Iterator[Postgres]:
    postgres = Postgres(small_disk / "cluster", fast=True)
    postgres.start()
    postgres.create_database("full")
    migrate.upgrade(postgres.url("full"))
    yield postgres
    postgres.stop("immediate")


@pytest.fixture
def small_app(small: Postgres) -> Iterator[Flask]:
    app = create_app(settings(small.url("full")))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    app.test_client_class = Browser
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def fill_up(disk: Path) -> Path:
    """Take all the room there is."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        free = shutil.disk_usage(disk).free
        try:
            for _ in range(free // 65536 + 1):
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass
    filler.chmod(0o644)
    return filler


def test_until_there_is_room_again(small: Postgres, small_disk: Path, small_app: Flask, tmp_path: Path) -> None:
    make_user("olga", "operator")
    browser, program = signed_in(small_app, "olga"), Program(small_app, "olga")
    engine = database.engine(small.url("full"), "pbx1")
    database.sign_in(engine, "pbx1", asterisk_up=True, detail="")
    acknowledged = {"before"}
    assert browser.post("/providers/new", data={"name": "before", "type": "both"}).status_code == 302

    filler = fill_up(small_disk)
    refused = []
    for number in range(5000):  # There is some room left in what PostgreSQL has already.
        name = f"provider-{number}-" + "x" * 60
        answer = browser.post("/providers/new", data={"name": name, "type": "both"})
        if answer.status_code == 302:
            acknowledged.add(name)
        else:
            refused.append(answer)
            if len(refused) == 3:
                break
    assert {answer.status_code for answer in refused} <= {503, 507}
    assert any("The disk of the database is full" in answer.text for answer in refused), refused[-1].text
    assert all("Nothing was saved" in answer.text for answer in refused)
    told = program.post("/providers/", {"name": "y" * 60})
    assert told.status_code in (503, 507), told.text
    assert "Nothing was saved" in told.json["error"]

    # Asterisk cannot store its records: they are in its journal, of which the agent stores nothing yet, and lives.
    records = tmp_path / "journal.csv"
    records.write_bytes(b"".join(line(n, lastdata="x" * 500) for n in range(2000)))
    with pytest.raises(OperationalError, match=r"No space left|could not"):
        reconcile_for_ever(engine, records)

    filler.unlink()
    until(lambda: _recovered(small), "the database to be back", 60)
    assert browser.post("/providers/new", data={"name": "after", "type": "both"}).status_code == 302
    journal.reconcile(engine, "pbx1", records)
    in_file = {row.split(b",")[0].strip(b'"').decode() for row in records.read_bytes().splitlines()}
    stored = [uniqueid for (uniqueid,) in query(small.url("full"), "SELECT uniqueid FROM asterisk.cdr")]
    assert sorted(stored) == sorted(in_file), "every record once"
    names = set(db.session.scalars(text("SELECT name FROM providers")))
    assert names == acknowledged | {"after"}
    assert len(names) == db.session.query(Provider).count()
    assert check(db.session()) == []
    engine.dispose()


def reconcile_for_ever(engine: Engine, records: Path) -> None:
    """There are more and more of them."""
    for begin in count(10_000, 2000):
        journal.reconcile(engine, "pbx1", records)
        records.write_bytes(records.read_bytes() + b"".join(line(begin + n) for n in range(2000)))


def _recovered(small: Postgres) -> bool:
    small.start()  # As a supervisor does, if it has ended.
    try:
        return bool(query(small.url("full"), "SELECT 1"))
    except OperationalError:
        return False
