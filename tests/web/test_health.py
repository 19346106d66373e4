"""Whether the program lives, and whether it can serve: asked by whoever watches it, or sends it requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session

from tests.calls.exchange import settings
from tests.conftest import Counting
from webapp import create_app
from webapp.ext import db
from webapp.monitoring import operations

NOWHERE = "postgresql://nobody:hush-hush@127.0.0.1:9/nowhere"
WELL = "database: ok\nmigrations: ok\nagents: ok\n"


@pytest.fixture
def stranger(app: Flask, session: scoped_session[Session]) -> FlaskClient:
    """Somebody who is not signed in."""
    return app.test_client()


@contextmanager
def held(url: str, table: str) -> Iterator[None]:
    """While somebody changes a table."""
    engine = create_engine(url, connect_args={"options": "-c lock_timeout=5s"})
    with engine.connect() as somebody:
        somebody.execute(text(f"LOCK TABLE {table}"))
        yield
    engine.dispose()


def _write(statement: str) -> None:
    db.session.execute(text(statement))
    db.session.commit()


def test_it_works(stranger: FlaskClient, counting: Counting) -> None:
    _write("INSERT INTO nodes (name, seen_at) VALUES ('here', clock_timestamp()), ('new', NULL)")
    with counting() as statements:
        ready = stranger.get("/readyz")
    assert (ready.status_code, ready.text) == (200, WELL)
    assert ready.content_type == "text/plain; charset=utf-8"
    assert ready.headers["Cache-Control"] == "no-store"
    assert len(statements) == 3
    assert "statement_timeout" in statements[0]
    with counting() as statements:
        alive = stranger.get("/healthz")
    assert (alive.status_code, alive.json, statements) == (200, {"status": "ok"}, [])
    assert alive.headers["Cache-Control"] == "no-store"
    assert stranger.head("/readyz").status_code == 200
    assert stranger.post("/readyz").status_code in (400, 405)


@pytest.mark.parametrize(
    "node",
    [
        "('away', true, clock_timestamp() - interval '16 seconds')",
        "('new', true, NULL)",
        "('off', false, clock_timestamp())",
    ],
)
def test_no_agent_is_there(stranger: FlaskClient, node: str) -> None:
    without = stranger.get("/readyz")
    _write(f"INSERT INTO nodes (name, enabled, seen_at) VALUES {node}")  # noqa: S608 - one of the three above
    for ready in (without, stranger.get("/readyz")):
        assert ready.status_code == 503
        assert ready.text == "database: ok\nmigrations: ok\nagents: none has signed in for 15 seconds\n"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version_asterisk_admin SET version_num = '0001'",
        "DELETE FROM alembic_version_asterisk_admin",
        "ALTER TABLE alembic_version_asterisk_admin RENAME TO something_else",
    ],
)
def test_a_database_of_another_version(stranger: FlaskClient, change: str) -> None:
    _write(change)
    ready = stranger.get("/readyz")
    assert ready.status_code == 503
    first, second = ready.text.splitlines()
    assert first == "database: ok"
    assert second.startswith("migrations: ")
    assert second.endswith("asterisk-admin migrate")


def test_a_database_that_is_away() -> None:
    stranger = create_app(settings(NOWHERE)).test_client()
    ready = stranger.get("/readyz")
    assert (ready.status_code, ready.text) == (503, "database: does not answer\n")
    assert stranger.get("/healthz").status_code == 200


def test_a_database_that_is_busy(stranger: FlaskClient, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "PATIENCE", "50ms")
    with held(database_url, "nodes"):
        ready = stranger.get("/readyz")
    assert (ready.status_code, ready.text) == (503, "database: does not answer in time\n")
    assert stranger.get("/readyz").text.startswith("database: ok\n")
