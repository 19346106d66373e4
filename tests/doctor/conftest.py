"""A database as an installation has it, where each test breaks what it likes: all of it is undone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.calls.exchange import settings
from webapp import create_app
from webapp.doctor.place import Place
from webapp.ext import db


@pytest.fixture(scope="package")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    """(What belongs to a role in a database is not copied, so it is migrated again.)"""
    cluster.create_database("doctor", template=empty_database)
    migrate.upgrade(cluster.url("doctor"))
    yield cluster.url("doctor")
    cluster.drop_database("doctor")


@pytest.fixture(scope="package")
def doctor_app(url: str) -> Iterator[Flask]:
    app = create_app(settings(url))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def database(doctor_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The transaction in which the doctor looks, too."""
    with doctor_app.app_context(), db.engine.connect() as connection:
        outer = connection.begin()
        connection.execute(text("SELECT public.keep_partitions()"))
        connection.execute(text("INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('pbx1', now(), true)"))
        connection.execute(
            text("INSERT INTO users (username, password_hash, role) VALUES ('ana', :hash, 'admin')"), HASH
        )
        monkeypatch.setitem(db.engines, None, connection)
        db.session.remove()
        db.session.configure(join_transaction_mode="create_savepoint")
        yield connection
        db.session.remove()
        outer.rollback()


HASH = {"hash": "$2b$04$abcdefghijklmnopqrstuuO6h1c3y8iCVq1Xe5cYq6r3m0yqvYz9m"}  # Of no password that anybody knows.


@pytest.fixture
def place(database: Connection, url: str) -> Place:
    """An installation without an Asterisk."""
    return Place(web=True, web_settings=settings(url))
