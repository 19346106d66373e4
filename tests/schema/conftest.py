"""A database where role `asterisk` can sign in, and people who do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from deploy.embedded.postgres import Postgres
from schema import migrate

# The same as the call tests', for the role is the cluster's and an Asterisk may be signed in.
from tests.calls.exchange import DB_PASSWORD

SignIn = Callable[..., Connection]


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    """A database of the module's own. (What belongs to a role in a database is not copied, so it is migrated again.)"""
    cluster.drop_database("schema")
    cluster.create_database("schema", template=empty_database)
    migrate.upgrade(cluster.url("schema"))
    yield cluster.url("schema")
    cluster.drop_database("schema")


@pytest.fixture
def sign_in(url: str) -> Iterator[SignIn]:
    """Connections that end with the test: the owner's, each statement committed by itself unless told otherwise."""
    opened: list[Connection] = []

    def connect(**changes: Any) -> Connection:
        connection: Connection = psycopg2.connect(url.replace("+psycopg2", ""), **changes)
        connection.autocommit = True
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def owner(sign_in: SignIn) -> Connection:
    return sign_in()


@pytest.fixture
def asterisk(sign_in: SignIn, owner: Connection) -> Connection:
    """What Asterisk's own connection is: the role with its password, named after its node."""
    ask(owner, f"ALTER ROLE asterisk PASSWORD '{DB_PASSWORD}'")
    return sign_in(user="asterisk", password=DB_PASSWORD, application_name="pbx1")


def ask(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a statement answers; nothing for one that has no answer."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def value(connection: Connection, statement: str, *values: Any) -> Any:
    return ask(connection, statement, *values)[0][0]
