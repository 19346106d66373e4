"""Migration 0022: secrets that lay in the database as they are get encrypted, and what follows for Asterisk."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import psycopg2
import pytest
from alembic.util.exc import CommandError
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psycopg2.extensions import connection as Connection

from deploy.embedded.postgres import Postgres
from schema import migrate
from tests.calls.exchange import SECRET_KEY
from tests.schema.conftest import ask, value
from webapp.encryption import decrypt

PHONE, GATEWAY, APP = "hu;sh^3B-phone", "hu;sh-gateway", "JBSWY3DPEHPK3PXP"
STORED = """
    SELECT (SELECT secret FROM extensions), (SELECT array_agg(password ORDER BY name) FROM gateways),
           (SELECT array_agg(secret ORDER BY created_at) FROM second_factors)
"""
AUTH = "SELECT auth_type, password, md5_cred FROM asterisk.ps_auths"


def under(secret_key: str) -> Fernet:
    """How secrets of apps were encrypted."""
    derived = HKDF(SHA256(), length=32, salt=None, info=b"asterisk-admin second factor").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


@pytest.fixture
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    """A database of before, with a phone, two gateways of which one has a password, and two apps of which one was
    encrypted under a key that is no more."""
    cluster.create_database("secrets", template=empty_database)
    url = cluster.url("secrets")
    migrate.downgrade(url, "0021")
    with signed_in(url) as owner:
        ask(
            owner,
            """
            INSERT INTO nodes (name) VALUES ('pbx1');
            INSERT INTO customers (code, name, type) VALUES ('acme', 'Acme', 'extension');
            INSERT INTO extensions (customer_id, extension, secret) SELECT id, '100', %s FROM customers;
            INSERT INTO providers (name) VALUES ('Norte');
            INSERT INTO gateways (name, provider_id, ip_address, registration, username, password)
                SELECT 'A', id, '192.0.2.1', true, 'us', %s FROM providers;
            INSERT INTO gateways (name, provider_id, ip_address) SELECT 'B', id, '192.0.2.2' FROM providers;
            INSERT INTO users (username, password_hash) VALUES ('olga', 'x'), ('vera', 'x');
            INSERT INTO second_factors (user_id, secret, created_at)
                SELECT id, CASE username WHEN 'olga' THEN %s ELSE %s END,
                       now() + CASE username WHEN 'olga' THEN '0 s' ELSE '1 s' END::interval FROM users;
            INSERT INTO asterisk.ps_auths (id, auth_type, username, password, owner)
                SELECT 'acme-100', 'userpass', 'acme-100', 'hu^3Bsh^5E3B-phone', 'extension:' || id FROM extensions
            """,
            PHONE,
            GATEWAY,
            under(SECRET_KEY).encrypt(APP.encode()).decode(),
            under("another key, as long as it has to be").encrypt(APP.encode()).decode(),
        )
    yield url
    cluster.drop_database("secrets")


def signed_in(url: str) -> Connection:
    connection: Connection = psycopg2.connect(url.replace("+psycopg2", ""))
    return connection


def test_there_and_back(url: str) -> None:
    migrate.upgrade(url, SECRET_KEY)

    with signed_in(url) as owner:
        [(phone, gateways, apps)] = ask(owner, STORED)
        assert (decrypt(phone), decrypt(gateways[0]), gateways[1]) == (PHONE, GATEWAY, "")
        assert (decrypt(apps[0]), apps[1]) == (APP, ""), "the other one was no longer right before"
        digest = hashlib.md5(f"acme-100:asterisk:{PHONE}".encode()).hexdigest()  # noqa: S324 - SIP's own
        assert ask(owner, AUTH) == [("md5", None, digest)]
        assert ask(owner, "SELECT node, action FROM outbox") == [("pbx1", "start_afresh")]
        everything = value(owner, "SELECT query_to_xml('TABLE extensions', true, true, '')::text")
        assert PHONE not in everything

    migrate.downgrade(url, "0021", SECRET_KEY)

    with signed_in(url) as owner:
        [(phone, gateways, apps)] = ask(owner, STORED)
        assert (phone, gateways) == (PHONE, [GATEWAY, ""])
        assert under(SECRET_KEY).decrypt(apps[0]).decode() == APP
        assert ask(owner, AUTH) == [("userpass", "hu^3Bsh^5E3B-phone", None)]


def test_without_the_key_of_the_apps_nothing_is_done(url: str) -> None:
    with signed_in(url) as owner:
        before = ask(owner, STORED)

    with pytest.raises(CommandError, match="SECRET_KEY: set it"):
        migrate.upgrade(url)

    with signed_in(url) as owner:
        assert ask(owner, STORED) == before
        assert value(owner, "SELECT version_num FROM alembic_version_asterisk_admin") == "0021"
