"""Whatever happens to Asterisk's tables, check() finds it and repair() heals it."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy.orm import Session, scoped_session

from tests.conftest import Counting
from tests.engine.tables import NAMES, Tables, asterisk_tables, audit, execute, outbox, query, value
from tests.factories import make_customer, make_did, make_extension, make_gateway, make_trunk
from webapp import store
from webapp.asterisk.check import check
from webapp.dids import operations
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.providers.models import Provider


@pytest.fixture
def carrier(provider: Provider) -> None:
    """One of each thing that has rows, and so rows in every table."""
    gateway = make_gateway("SP", provider_id=provider.id, registration=True, username="us", password="pass")
    trunk, office = make_trunk("padaria"), make_customer("office")
    did = make_did("551140001000", provider_id=provider.id)
    store.save(gateway, trunk, office, did)
    store.save(make_extension("100", office))
    operations.allocate(did, AllocationSchema(customer_id=trunk.id))


def healed() -> None:
    """Repair what is wrong, and see that it stays right."""
    assert store.repair().changes
    assert check(db.session()) == []
    assert store.repair().changes == []


@pytest.mark.usefixtures("carrier")
def test_what_is_right_is_left_alone() -> None:
    assert all(asterisk_tables()[name] for name in NAMES), "a table without rows proves nothing"
    assert check(db.session()) == []
    assert store.repair() == store.Receipt()


@pytest.mark.parametrize("table", NAMES)
@pytest.mark.usefixtures("carrier")
def test_a_row_that_somebody_deleted(table: str) -> None:
    before = _but_for_ids(asterisk_tables())
    count = value(f"SELECT count(*) FROM asterisk.{table} WHERE owner IS DISTINCT FROM 'system'")  # noqa: S608 - fixed texts
    execute(f"DELETE FROM asterisk.{table} WHERE owner IS DISTINCT FROM 'system'")  # noqa: S608 - fixed texts

    changes = check(db.session())

    assert len(changes) == count
    assert {(change.table, change.before) for change in changes} == {(table, None)}
    healed()
    assert _but_for_ids(asterisk_tables()) == before


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("ps_endpoints", "context"),
        ("ps_endpoints", "callerid"),
        ("ps_aors", "contact"),
        ("ps_auths", "password"),
        ("ps_endpoint_id_ips", "match"),
        ("ps_registrations", "server_uri"),
        ("extensions", "appdata"),
    ],
)
@pytest.mark.parametrize("to", ["'tampered'", "''", "NULL"])
@pytest.mark.usefixtures("carrier")
def test_a_row_that_somebody_changed(table: str, column: str, to: str) -> None:
    if (table, to) == ("extensions", "NULL"):
        return  # The table itself does not allow it.
    before = asterisk_tables()
    execute(f"UPDATE asterisk.{table} SET {column} = {to} WHERE owner <> 'system'")  # noqa: S608 - fixed texts

    changes = check(db.session())

    assert changes
    assert all(change.table == table and change.before and change.after for change in changes)
    healed()
    assert asterisk_tables() == before


@pytest.mark.parametrize("owner", ["gateway:00000000-0000-0000-0000-000000000000", "nonsense", ""])
@pytest.mark.usefixtures("carrier")
def test_a_row_whose_owner_is_nobody(owner: str) -> None:
    before = asterisk_tables()
    execute("INSERT INTO asterisk.ps_aors (id, contact, owner) VALUES ('x', 'sip:x', :owner)", owner=owner)
    execute(
        "INSERT INTO asterisk.extensions (context, exten, priority, app, appdata, owner) "
        "VALUES ('from-trunk', '0', 1, 'System', 'rm', :owner)",
        owner=owner,
    )

    changes = check(db.session())

    assert {(change.table, change.owner, change.after) for change in changes} == {
        ("ps_aors", owner, None),
        ("extensions", owner, None),
    }
    healed()
    assert asterisk_tables() == before


@pytest.mark.usefixtures("carrier")
def test_a_row_more_of_an_owner_that_is_somebody() -> None:
    before = asterisk_tables()
    execute("INSERT INTO asterisk.ps_aors (id, owner) SELECT 'x', owner FROM asterisk.ps_aors WHERE id = 'gateway-SP'")

    [change] = check(db.session())

    assert (change.key, change.after) == (("x",), None)
    healed()
    assert asterisk_tables() == before


@pytest.mark.parametrize("other", ["nonsense", "the phone's"])
@pytest.mark.usefixtures("carrier")
def test_a_row_with_the_wrong_owner(other: str) -> None:
    if other == "the phone's":
        other = value("SELECT owner FROM asterisk.ps_endpoints WHERE id = 'office-100'")
    before = asterisk_tables()
    execute("UPDATE asterisk.ps_aors SET owner = :other WHERE id = 'gateway-SP'", other=other)

    changes = check(db.session())

    assert {(change.owner == other, change.before is None) for change in changes} == {(True, False), (False, True)}
    healed()
    assert asterisk_tables() == before


@pytest.mark.parametrize("owner", [None, "system"])
@pytest.mark.usefixtures("carrier")
def test_a_row_that_lost_its_owner_cannot_be_told_from_a_hand_made_one_so_repair_refuses(owner: str | None) -> None:
    mine = value("SELECT owner FROM asterisk.ps_aors WHERE id = 'gateway-SP'")
    execute("UPDATE asterisk.ps_aors SET owner = :owner WHERE id = 'gateway-SP'", owner=owner)

    [change] = check(db.session())
    assert (change.key, change.before) == (("gateway-SP",), None)
    try:
        with pytest.raises(store.Refused, match="pk_ps_aors"):
            store.repair()
    finally:
        db.session.rollback()
        execute("UPDATE asterisk.ps_aors SET owner = :mine WHERE id = 'gateway-SP'", mine=mine)


@pytest.mark.usefixtures("carrier", "nodes")
def test_a_repair_is_told_to_the_nodes() -> None:
    execute("DELETE FROM outbox")  # The nodes that came just now register.
    execute("UPDATE asterisk.ps_endpoints SET context = 'tampered' WHERE id = 'gateway-SP'")

    store.repair()

    assert outbox() == [
        ("pbx1", "refresh_endpoint", "gateway-SP"),
        ("pbx2", "refresh_endpoint", "gateway-SP"),
    ]


@pytest.mark.usefixtures("carrier")
def test_a_repair_is_in_the_audit_log() -> None:
    entries = len(audit())
    execute("UPDATE asterisk.ps_endpoints SET context = 'tampered' WHERE id = 'gateway-SP'")
    execute("DELETE FROM asterisk.ps_aors WHERE id = 'gateway-SP'")

    store.repair()
    store.repair()  # Nothing was wrong then, so there is nothing to tell.

    assert audit()[entries:] == [("repair", "asterisk", "Asterisk", {}, {"rows": 2})]


@pytest.mark.usefixtures("carrier")
def test_a_wrong_owner_is_repaired_without_leaving_the_object_out_of_the_cache() -> None:
    """Both orders name one object; whoever carries out the expiry last leaves the first call to the database."""
    for attempt in range(12):  # The order of a set is a matter of luck.
        execute("UPDATE asterisk.ps_endpoints SET owner = :owner WHERE id = 'gateway-SP'", owner=f"nonsense {attempt}")

        orders = [order.action for order in store.repair().orders]

        assert orders in (["refresh_endpoint"], ["expire_endpoint", "refresh_endpoint"])


def test_a_check_takes_as_many_questions_for_many_things_as_for_few(provider: Provider, counting: Counting) -> None:
    def questions() -> int:
        db.session.expunge_all()
        with counting() as statements:
            assert check(db.session()) == []
        return len(statements)

    provider_id = provider.id
    _customers_with_a_phone_and_a_number(provider_id, 1, 2)
    few = questions()
    _customers_with_a_phone_and_a_number(provider_id, 3, 12)

    assert questions() == few


def _customers_with_a_phone_and_a_number(provider_id: uuid.UUID, first: int, last: int) -> None:
    for n in range(first, last + 1):
        customer, did = make_customer(f"office{n}"), make_did(f"5511400010{n:02}", provider_id=provider_id)
        store.save(customer, did)
        store.save(make_extension("100", customer))
        operations.allocate(did, AllocationSchema(customer_id=customer.id, destination="100"))


def test_our_own_rows_and_what_is_left_of_nothing(session: scoped_session[Session]) -> None:
    """An empty database has the canary's identify, and that is right."""
    assert query("SELECT id, owner FROM asterisk.ps_endpoint_id_ips") == [{"id": "canary", "owner": "system"}]
    assert check(db.session()) == []


def _but_for_ids(tables: Tables) -> Tables:
    """Dialplan rows are numbered anew when they are written anew, and come in another order."""
    rows = [{name: value for name, value in row.items() if name != "id"} for row in tables["extensions"]]
    return {**tables, "extensions": sorted(rows, key=str)}
