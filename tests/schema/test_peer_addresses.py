"""Whose calls come from an address is never a matter of luck."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import SignIn, ask, value


@pytest.fixture
def books(sign_in: SignIn) -> Iterator[Connection]:
    """One transaction, which is undone."""
    connection = sign_in()
    connection.autocommit = False
    yield connection
    connection.rollback()


def provider(books: Connection) -> str:
    return str(value(books, "INSERT INTO providers (name) VALUES (%s) RETURNING id", uuid.uuid4().hex))


def gateway(books: Connection, provider_id: str, address: str, *sources: str) -> str:
    statement = "INSERT INTO gateways (name, provider_id, ip_address, source_ips) VALUES (%s, %s, %s, %s) RETURNING id"
    return str(value(books, statement, uuid.uuid4().hex, provider_id, address, list(sources)))


def trunk(books: Connection, *addresses: str, kind: str = "trunk") -> str:
    statement = "INSERT INTO customers (code, name, type, trunk_ip) VALUES (%s, '', %s, %s) RETURNING id"
    return str(value(books, statement, uuid.uuid4().hex, kind, list(addresses)))


def claims(books: Connection) -> dict[str, set[str]]:
    """Owner -> its addresses."""
    rows = ask(books, "SELECT owner, array_agg(address::text) FROM peer_addresses GROUP BY owner")
    return {owner: set(addresses) for owner, addresses in rows}


@contextmanager
def is_refused(books: Connection) -> Iterator[None]:
    ask(books, "SAVEPOINT before")
    with pytest.raises(psycopg2.errors.ExclusionViolation) as refusal:
        yield
    assert refusal.value.diag.constraint_name == "ex_peer_addresses_overlap"
    ask(books, "ROLLBACK TO SAVEPOINT before")


def test_addresses_are_claimed_each_once(books: Connection) -> None:
    of_gateway = gateway(books, provider(books), "192.0.2.1", "192.0.2.1", "192.0.2.2", "198.51.100.0/24")
    of_trunk = trunk(books, "203.0.113.1", "2001:db8::1", "2001:0db8::1")

    assert claims(books) == {
        f"gateway:{of_gateway}": {"192.0.2.1/32", "192.0.2.2/32", "198.51.100.0/24"},
        f"customer:{of_trunk}": {"203.0.113.1/32", "2001:db8::1/128"},
    }


def test_one_address_is_not_two_customers(books: Connection) -> None:
    trunk(books, "203.0.113.1")

    with is_refused(books):
        trunk(books, "203.0.113.9", "203.0.113.1")
    trunk(books, "203.0.113.9")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("203.0.113.0/24", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.0/24", "203.0.113.128/25"),
        ("203.0.113.128/25", "203.0.0.0/16"),
        ("2001:db8::/32", "2001:db8:1::1"),
        ("2001:db8::1", "2001:0DB8:0::1"),
    ],
)
def test_a_network_and_what_is_in_it_are_not_two_peoples(books: Connection, one: str, other: str) -> None:
    trunk(books, one)

    with is_refused(books):
        trunk(books, other)
    with is_refused(books):
        gateway(books, provider(books), "192.0.2.1", other)


def test_neighbouring_networks_are_two_peoples(books: Connection) -> None:
    trunk(books, "203.0.113.0/25")
    trunk(books, "203.0.113.128/25")
    gateway(books, provider(books), "203.0.114.0")


def test_a_gateway_and_a_customer_do_not_share(books: Connection) -> None:
    gateway(books, provider(books), "192.0.2.1")

    with is_refused(books):
        trunk(books, "192.0.2.1")


def test_gateways_of_one_provider_share(books: Connection) -> None:
    one = provider(books)
    gateway(books, one, "192.0.2.1")
    gateway(books, one, "192.0.2.1", "192.0.2.0/24")

    with is_refused(books):
        gateway(books, provider(books), "192.0.2.1")
    with is_refused(books):
        gateway(books, provider(books), "192.0.2.77")


def test_a_gateway_that_shares_does_not_go_to_another_provider(books: Connection) -> None:
    one, other = provider(books), provider(books)
    first = gateway(books, one, "192.0.2.1")
    gateway(books, one, "192.0.2.1")

    with is_refused(books):
        ask(books, "UPDATE gateways SET provider_id = %s WHERE id = %s", other, first)


def test_addresses_are_its_own_whatever_their_order(books: Connection) -> None:
    peer = trunk(books, "203.0.113.1", "203.0.113.0/24")

    ask(books, "UPDATE customers SET trunk_ip = '{203.0.113.0/24,203.0.113.1,203.0.113.2}' WHERE id = %s", peer)

    assert claims(books)[f"customer:{peer}"] == {"203.0.113.0/24", "203.0.113.1/32", "203.0.113.2/32"}


def test_an_address_is_free_once_it_is_given_up(books: Connection) -> None:
    peer = trunk(books, "203.0.113.1")

    ask(books, "UPDATE customers SET trunk_ip = '{203.0.113.2}' WHERE id = %s", peer)

    trunk(books, "203.0.113.1")
    with is_refused(books):
        trunk(books, "203.0.113.2")


def test_an_address_is_free_once_its_holder_is_gone(books: Connection) -> None:
    peer, line = trunk(books, "203.0.113.1"), gateway(books, provider(books), "192.0.2.1")

    ask(books, "DELETE FROM customers WHERE id = %s", peer)
    ask(books, "DELETE FROM gateways WHERE id = %s", line)

    assert claims(books) == {}


def test_a_customer_with_phones_claims_nothing(books: Connection) -> None:
    peer = trunk(books, "203.0.113.1")
    office = trunk(books, "203.0.113.1", kind="extension")

    with is_refused(books):
        ask(books, "UPDATE customers SET type = 'trunk' WHERE id = %s", office)
    ask(books, "UPDATE customers SET type = 'extension' WHERE id = %s", peer)
    assert claims(books) == {}
    ask(books, "UPDATE customers SET type = 'trunk' WHERE id = %s", office)
    assert claims(books) == {f"customer:{office}": {"203.0.113.1/32"}}


def test_a_disabled_gateway_keeps_its_address(books: Connection) -> None:
    """It can be enabled again without anybody in its place."""
    line = gateway(books, provider(books), "192.0.2.1")

    ask(books, "UPDATE gateways SET enabled = false WHERE id = %s", line)

    with is_refused(books):
        trunk(books, "192.0.2.1")


def test_two_change_places_only_one_after_the_other(books: Connection) -> None:
    """The rule holds after every statement, so somebody has to step aside in between."""
    one, other = trunk(books, "203.0.113.1"), trunk(books, "203.0.113.2")

    with is_refused(books):
        ask(books, "UPDATE customers SET trunk_ip = '{203.0.113.2}' WHERE id = %s", one)
    ask(books, "UPDATE customers SET trunk_ip = '{203.0.113.3}' WHERE id = %s", one)
    ask(books, "UPDATE customers SET trunk_ip = '{203.0.113.1}' WHERE id = %s", other)
    ask(books, "UPDATE customers SET trunk_ip = '{203.0.113.2}' WHERE id = %s", one)

    assert claims(books) == {f"customer:{one}": {"203.0.113.2/32"}, f"customer:{other}": {"203.0.113.1/32"}}


def test_of_two_transactions_the_second_waits_and_is_refused(sign_in: SignIn, owner: Connection) -> None:
    first, second = sign_in(), sign_in(options="-c lock_timeout=100ms")
    first.autocommit = second.autocommit = False
    trunk(first, "203.0.113.1")

    with pytest.raises(psycopg2.errors.LockNotAvailable):
        trunk(second, "203.0.113.1")

    second.rollback()
    first.rollback()
    trunk(second, "203.0.113.1")
    second.rollback()
    assert claims(owner) == {}
