"""The private PostgreSQL: it starts, survives crashes, and ends with whoever started it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import create_engine, text

from deploy.embedded import process
from deploy.embedded.postgres import OWNER, Postgres

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("postgres"), fast=True)
    server.start()
    yield server
    server.stop()


def answer(server: Postgres, statement: str, database: str = "postgres") -> object:
    engine = create_engine(server.url(database))
    try:
        with engine.begin() as connection:
            return connection.scalar(text(statement))
    finally:
        engine.dispose()


def test_its_address_works(postgres: Postgres) -> None:
    assert postgres.is_running
    assert answer(postgres, "SELECT current_user") == OWNER


def test_it_lets_nobody_in_without_the_password(postgres: Postgres) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(host="127.0.0.1", port=postgres.port, user=OWNER, password="guess", dbname="postgres")


def test_the_owner_is_no_superuser(postgres: Postgres) -> None:
    assert answer(postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_text_is_sorted_as_in_brazil(postgres: Postgres) -> None:
    names = "SELECT string_agg(name, ' ' ORDER BY name) FROM unnest(ARRAY['Zé', 'érica', 'Ana', 'Álvaro']) name"
    assert answer(postgres, names) == "Álvaro Ana érica Zé"


def test_a_database_is_copied_and_dropped(postgres: Postgres) -> None:
    postgres.create_database("first")
    answer(postgres, "CREATE TABLE kept AS SELECT 7 AS number; SELECT 1", "first")
    postgres.create_database("copy", template="first")

    assert answer(postgres, "SELECT number FROM kept", "copy") == 7
    postgres.drop_database("copy")
    assert not postgres.has_database("copy")
    assert postgres.has_database("first")


def test_it_starts_again_after_a_crash(postgres: Postgres) -> None:
    postgres.create_database("survivor")

    postgres.kill()
    assert not postgres.is_running
    postgres.start()

    assert postgres.has_database("survivor")


def test_a_process_that_was_given_its_old_number_does_no_harm(postgres: Postgres, tmp_path: Path) -> None:
    stale = postgres.directory / "data" / "postmaster.pid"
    postgres.kill()
    stranger = process.start(
        ["sleep", "60"], log=tmp_path / "log", environment={"PATH": "/usr/bin"}, directory=Path("/")
    )
    try:
        lines = stale.read_text().splitlines()
        stale.write_text("\n".join([str(stranger.pid), *lines[1:]]))

        assert not postgres.is_running
        postgres.start()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_starting_and_stopping_twice_is_once(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    postgres.stop()
    assert not postgres.is_running

    postgres.start()
    other = Postgres(postgres.directory, postgres.port)
    assert other.is_running
    other.start()
    assert answer(other, "SELECT 1") == 1


def test_it_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; from deploy.embedded.postgres import Postgres;"
        "Postgres(pathlib.Path(sys.argv[1]), fast=True).start(); os._exit(9)"
    )
    server = Postgres(tmp_path)

    left = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=PROJECT, check=False)

    assert left.returncode == 9
    wait_until_ended(server)


def wait_until_ended(server: Postgres) -> None:
    deadline = time.monotonic() + 10
    while server.is_running:
        assert time.monotonic() < deadline, "PostgreSQL outlived the program that started it"
        time.sleep(0.05)
