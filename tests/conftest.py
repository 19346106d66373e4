"""What the tests share: one PostgreSQL for the run, the application on it, and people who sign in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import bcrypt
import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from sqlalchemy import event, text
from sqlalchemy.orm import scoped_session

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.calls.exchange import ENCRYPTION_KEY, private_postgres, settings
from tests.calls.exchange import SECRET_KEY as SECRET_KEY
from webapp import create_app, encryption
from webapp.accounts import operations
from webapp.accounts.models import User
from webapp.asterisk.check import check
from webapp.ext import db

PASSWORD = "correct horse"

Counting = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """bcrypt is slow on purpose; here it would be most of the time."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(bcrypt, "gensalt", partial(bcrypt.gensalt, 4))
        monkeypatch.setattr(operations.NOBODY, "password_hash", bcrypt.hashpw(b"nobody", bcrypt.gensalt()).decode())
        yield


@pytest.fixture(scope="session", autouse=True)
def _keys() -> None:
    encryption.use(ENCRYPTION_KEY)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with private_postgres() as postgres:
        yield postgres


@pytest.fixture(scope="session")
def empty_database(cluster: Postgres) -> str:
    """The name of a migrated database that others are copied from."""
    cluster.create_database("migrated")
    migrate.upgrade(cluster.url("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def database_url(cluster: Postgres, empty_database: str) -> str:
    """Where the tests work that put nothing into the database for good."""
    cluster.create_database("pages", template=empty_database)
    return cluster.url("pages")


@pytest.fixture(scope="session")
def app(database_url: str) -> Flask:
    os.environ.pop("DATABASE_URL", None)
    app = create_app(settings(database_url))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    return app


@pytest.fixture
def session(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[scoped_session[Session]]:
    """What a test commits is a savepoint in a transaction that is rolled back.

    Before that the one invariant must hold: Asterisk's tables are exactly what the stored things make of them.
    """
    with app.app_context(), db.engine.connect() as connection:
        outer = connection.begin()
        monkeypatch.setitem(db.engines, None, connection)
        db.session.remove()
        db.session.configure(join_transaction_mode="create_savepoint")
        yield db.session
        db.session.commit()  # A savepoint left open would take back what requests did within it.
        db.session.remove()
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        assert check(db.session()) == []
        db.session.remove()
        outer.rollback()


@pytest.fixture
def other_key(session: scoped_session[Session]) -> Iterator[Callable[[], None]]:
    """Takes ENCRYPTION_KEY away: from then on there is another one than that under which secrets are stored."""
    yield lambda: encryption.use(Fernet.generate_key().decode())
    encryption.use(ENCRYPTION_KEY)


@pytest.fixture
def operator(session: scoped_session[Session]) -> User:
    """Who does the daily work."""
    return make_user("olga", "operator")


@pytest.fixture
def client(app: Flask, operator: User) -> FlaskClient:
    """A browser in which the operator is signed in."""
    return signed_in(app, operator.username)


@pytest.fixture
def counting(session: scoped_session[Session]) -> Counting:
    """The statements that reach the database: `with counting() as statements: ...`."""

    @contextmanager
    def count() -> Iterator[list[str]]:
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                statements.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        yield statements
        event.remove(db.engine, "before_cursor_execute", note)

    return count


def make_user(username: str, role: str) -> User:
    user = User(username=username, role=role, language="en")
    user.set_password(PASSWORD)
    db.session.add(user)
    db.session.commit()
    return user


def signed_in(app: Flask, username: str) -> FlaskClient:
    client = app.test_client()
    response = client.post("/login", data={"username": username, "password": PASSWORD})
    assert response.status_code == 302, response.text
    return client
