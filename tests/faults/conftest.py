"""What the tests of faults share: a database of their own, in which a commit is a commit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import make_url, text

from deploy.embedded.postgres import Postgres
from tests.calls.conftest import _carrier as _carrier
from tests.calls.conftest import agent as agent
from tests.calls.conftest import asterisk as asterisk
from tests.calls.conftest import calls_app as calls_app
from tests.calls.conftest import calls_url as calls_url
from tests.calls.conftest import carrier as carrier
from tests.calls.exchange import settings
from tests.engine.tables import NAMES
from tests.faults.network import Cable
from webapp import create_app
from webapp.ext import db


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    """An empty database."""
    cluster.create_database("faults", template=empty_database)
    yield cluster.url("faults")
    cluster.drop_database("faults")


@pytest.fixture
def cable(cluster: Postgres) -> Iterator[Cable]:
    cable = Cable(cluster.port)
    yield cable
    cable.close()


@pytest.fixture
def at_a_distance(url: str, cable: Cable) -> str:
    """The database, at the other end of the cable."""
    return make_url(url).set(port=cable.port).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def faults_app(url: str) -> Iterator[Flask]:
    """The application, whose database is empty again afterwards."""
    app = create_app(settings(url))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def stored(faults_app: Flask) -> Iterator[None]:
    """In a context of the application; afterwards nothing is stored."""
    with faults_app.app_context():
        yield
        db.session.remove()
        empty()


def empty() -> None:
    """Take everything out that an operator or an agent put in."""
    with db.engine.begin() as connection:
        connection.execute(
            text(
                "TRUNCATE providers, customers, peer_addresses, audit_log, nodes, users, sign_in_tries, price_plans, "
                "imports CASCADE"
            )
        )
        for table in NAMES:
            connection.execute(text(f"DELETE FROM asterisk.{table} WHERE owner <> 'system'"))  # noqa: S608 - ours
        connection.execute(text("INSERT INTO settings DEFAULT VALUES ON CONFLICT DO NOTHING"))
