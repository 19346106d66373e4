"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.orm import Session, scoped_session

from deploy.embedded.postgres import Postgres
from tests.calls.exchange import settings
from tests.engine.tables import Tables, asterisk_tables, execute
from tests.factories import make_customer, make_node, make_provider
from webapp import create_app, store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.providers.models import Provider


@pytest.fixture
def provider(session: scoped_session[Session]) -> Provider:
    provider = make_provider()
    store.save(provider)
    return provider


@pytest.fixture
def office(session: scoped_session[Session]) -> Customer:
    """A customer with phones, though without any yet."""
    office = make_customer("office")
    store.save(office)
    return office


@pytest.fixture
def nodes(session: scoped_session[Session]) -> None:
    """Two nodes, and one that is out of service."""
    db.session.add_all([make_node("pbx1"), make_node("pbx2"), make_node("old", enabled=False)])
    db.session.commit()


@pytest.fixture
def hand_made(session: scoped_session[Session]) -> Tables:
    """Somebody wrote rows of his own into every table: some without an owner, as one does, some as the system's."""
    for owner in ("NULL", "'system'"):
        key = "by-hand" if owner == "NULL" else "by-us"
        for table, columns in {
            "ps_endpoints": "id, context",
            "ps_aors": "id, contact",
            "ps_auths": "id, username",
            "ps_endpoint_id_ips": "id, match",
            "ps_registrations": "id, endpoint",
        }.items():
            execute(f"INSERT INTO asterisk.{table} ({columns}, owner) VALUES ('{key}', 'x', {owner})")  # noqa: S608 - fixed texts
        execute(
            "INSERT INTO asterisk.extensions (context, exten, priority, app, appdata, owner) "  # noqa: S608 - fixed texts
            f"VALUES ('from-trunk', '{key}', 1, 'NoOp', '', {owner})"
        )
    return asterisk_tables()


@pytest.fixture(scope="module")
def real_app(cluster: Postgres, empty_database: str) -> Iterator[Flask]:
    """The application on a database of its own, where a commit is a commit."""
    cluster.create_database("engine", template=empty_database)
    app = create_app(settings(cluster.url("engine")))
    yield app
    with app.app_context():
        db.engine.dispose()
    cluster.drop_database("engine")
