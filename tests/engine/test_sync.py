"""A save writes the difference and nothing else, to rows that are its own."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, scoped_session

from tests.conftest import Counting
from tests.engine.tables import Tables, asterisk_tables, audit, execute, outbox, query, rows_of
from tests.factories import make_customer, make_did, make_extension, make_gateway, make_trunk
from webapp import store
from webapp.asterisk.projection import owner
from webapp.asterisk.projection.sip import identify_id
from webapp.asterisk.rows import Aor
from webapp.asterisk.sync import sync
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.providers.models import Provider


def given_to(customer: Customer, provider: Provider, number: str, destination: str | None = None) -> Did:
    did = make_did(number, provider_id=provider.id)
    store.save(did)
    operations.allocate(did, AllocationSchema(customer_id=customer.id, destination=destination))
    return did


def no_rows_but(tables: Tables) -> None:
    assert asterisk_tables() == tables


# ---- only the difference


def test_a_new_gateway_has_its_rows_and_the_receipt_says_which(provider: Provider) -> None:
    gateway = make_gateway("SP", provider_id=provider.id)

    receipt = store.save(gateway)

    assert rows_of(owner(gateway)) == {
        "ps_endpoints": ["gateway-SP"],
        "ps_aors": ["gateway-SP"],
        "ps_endpoint_id_ips": [identify_id("gateway-SP")],
    }
    assert {(change.table, change.key, change.before) for change in receipt.changes} == {
        ("ps_endpoints", ("gateway-SP",), None),
        ("ps_aors", ("gateway-SP",), None),
        ("ps_endpoint_id_ips", (identify_id("gateway-SP"),), None),
    }


@pytest.mark.usefixtures("nodes")
def test_a_save_that_changes_nothing_writes_nothing_and_owes_nothing(provider: Provider) -> None:
    gateway = make_gateway("SP", provider_id=provider.id)
    store.save(gateway)
    db.session.expire_all()
    before = (asterisk_tables(), outbox(), audit(), gateway.version, gateway.updated_at)

    gateway.name = gateway.name + ""
    gateway.codecs = list(gateway.codecs)
    receipt = store.save(gateway)

    assert (receipt.changes, receipt.orders) == ([], [])
    assert (asterisk_tables(), outbox(), audit(), gateway.version, gateway.updated_at) == before


@pytest.mark.usefixtures("nodes")
def test_what_asterisk_does_not_read_writes_no_row_and_owes_nothing(provider: Provider) -> None:
    gateway = make_gateway("SP", provider_id=provider.id)
    store.save(gateway)
    before = (asterisk_tables(), outbox())

    gateway.tech_prefix = "77"
    receipt = store.save(gateway)

    assert (receipt.changes, receipt.orders) == ([], [])
    assert (asterisk_tables(), outbox()) == before
    assert query("SELECT tech_prefix FROM gateways") == [{"tech_prefix": "77"}]


def test_one_changed_column_is_one_changed_row(provider: Provider, counting: Counting) -> None:
    gateway = make_gateway("SP", provider_id=provider.id)
    other = make_gateway("RJ", provider_id=provider.id, ip_address="192.0.2.20")
    store.save(gateway, other)
    untouched = asterisk_tables(f"t.owner = '{owner(other)}'")
    db.session.expire_all()

    gateway.codecs = ["g729"]
    with counting() as statements:
        [change] = store.save(gateway).changes

    assert (change.table, change.owner, change.key) == ("ps_endpoints", owner(gateway), ("gateway-SP",))
    assert change.before is not None
    assert change.after is not None
    assert {name for name in change.after if change.after[name] != change.before[name]} == {"allow"}
    assert query("SELECT allow FROM asterisk.ps_endpoints WHERE id = 'gateway-SP'") == [{"allow": "!all,g729"}]
    assert asterisk_tables(f"t.owner = '{owner(other)}'") == untouched
    written = [text for text in statements if "asterisk." in text and not text.startswith("SELECT")]
    assert len(written) == 1
    assert written[0].startswith("UPDATE asterisk.ps_endpoints SET")


def test_columns_we_do_not_manage_stay_as_somebody_set_them(provider: Provider) -> None:
    gateway = make_gateway("SP", provider_id=provider.id)
    store.save(gateway)
    execute("UPDATE asterisk.ps_endpoints SET language = 'pt_BR' WHERE id = 'gateway-SP'")

    gateway.codecs = ["g729"]
    store.save(gateway)

    assert query("SELECT allow, language FROM asterisk.ps_endpoints WHERE id = 'gateway-SP'") == [
        {"allow": "!all,g729", "language": "pt_BR"}
    ]


# ---- renames


def test_a_renamed_gateway_leaves_nothing_behind(provider: Provider) -> None:
    gateway = make_gateway("SP", provider_id=provider.id, registration=True, username="us", password="pass")
    store.save(gateway)

    gateway.name = "RJ"
    store.save(gateway)

    assert rows_of(owner(gateway)) == {
        "ps_endpoints": ["gateway-RJ"],
        "ps_aors": ["gateway-RJ"],
        "ps_auths": ["gateway-RJ"],
        "ps_endpoint_id_ips": [identify_id("gateway-RJ")],
        "ps_registrations": ["gateway-RJ"],
    }
    assert "gateway-SP" not in str(asterisk_tables())


def test_a_name_goes_from_one_gateway_to_another_in_one_transaction(session: scoped_session[Session]) -> None:
    """The row of the old owner goes before the row of the new one comes, though both have the same key."""
    sync(db.session(), {"gateway:1": [Aor(id="x", contact="sip:old")], "gateway:2": [Aor(id="y")]})

    changes = sync(db.session(), {"gateway:1": [], "gateway:2": [Aor(id="x", contact="sip:new")]})

    assert len(changes) == 3
    assert query("SELECT id, contact, owner FROM asterisk.ps_aors") == [
        {"id": "x", "contact": "sip:new", "owner": "gateway:2"}
    ]
    sync(db.session(), {"gateway:1": [], "gateway:2": []})
    db.session.commit()


def test_a_customers_new_code_reaches_its_trunk_and_its_dids(provider: Provider) -> None:
    trunk = make_trunk("padaria")
    store.save(trunk)
    did = given_to(trunk, provider, "551140001000")

    trunk.code = "bakery"
    store.save(trunk)

    assert rows_of(owner(trunk))["ps_endpoints"] == ["trunk-bakery"]
    [row] = asterisk_tables(f"t.owner = '{owner(did)}'")["extensions"]
    assert row["appdata"] == f"to-trunk,s,1(trunk-bakery,{trunk.id},551140001000)"
    assert "padaria" not in str(asterisk_tables())


def test_a_customers_new_code_reaches_its_phones_and_their_dids(provider: Provider, office: Customer) -> None:
    phone, other = make_extension("100", office), make_extension("101", office)
    neighbour = make_customer("neighbour")
    next_door = make_extension("100", neighbour)
    store.save(phone, other, neighbour)
    store.save(next_door)
    did = given_to(office, provider, "551140001000", "100")
    untouched = asterisk_tables(f"t.owner = '{owner(next_door)}'")

    office.code = "firm"
    store.save(office)

    assert rows_of(owner(phone)) == {
        "ps_endpoints": ["firm-100"],
        "ps_aors": ["firm-100"],
        "ps_auths": ["firm-100"],
        "extensions": ["firm-100"],
    }
    assert rows_of(owner(other))["ps_endpoints"] == ["firm-101"]
    [row] = asterisk_tables(f"t.owner = '{owner(did)}'")["extensions"]
    assert row["appdata"] == f"to-phone,s,1(firm-100,{office.id},551140001000)"
    assert "office" not in str(asterisk_tables())
    assert asterisk_tables(f"t.owner = '{owner(next_door)}'") == untouched


def test_an_extensions_new_number_reaches_its_dids(provider: Provider, office: Customer) -> None:
    phone = make_extension("100", office)
    store.save(phone)
    did = given_to(office, provider, "551140001000", "100")

    phone.extension = "200"
    store.save(phone)

    assert rows_of(owner(phone))["ps_endpoints"] == ["office-200"]
    assert rows_of(owner(did)) == {"extensions": ["551140001000"]}
    assert "office-100" not in str(asterisk_tables())


def test_a_did_follows_when_only_its_allocation_changes(provider: Provider, office: Customer) -> None:
    first, second = make_extension("100", office), make_extension("101", office)
    store.save(first, second)
    did = given_to(office, provider, "551140001000", "100")
    assert did.current

    did.current.extension = second
    store.save(did.current)

    [row] = asterisk_tables(f"t.owner = '{owner(did)}'")["extensions"]
    assert row["appdata"] == f"to-phone,s,1(office-101,{office.id},551140001000)"


def test_a_rename_takes_as_many_questions_for_many_phones_as_for_few(
    provider: Provider, office: Customer, counting: Counting
) -> None:
    store.save(*(make_extension(str(100 + n), office) for n in range(3)))
    given_to(office, provider, "551140001000", "100")
    few = _statements_of_a_rename("office", "few", counting)
    store.save(*(make_extension(str(200 + n), office) for n in range(40)))
    for n in range(5):
        given_to(office, provider, f"55114000200{n}", f"20{n}")

    assert _statements_of_a_rename("few", "many", counting) == few


def _statements_of_a_rename(old: str, new: str, counting: Counting) -> int:
    db.session.expire_all()
    customer = db.session.scalars(select(Customer).filter_by(code=old)).one()
    with counting() as statements:
        customer.code = new
        store.save(customer)
    return len(statements)


def test_disabling_a_customer_suspends_its_dids_and_enabling_it_brings_them_back(
    provider: Provider, office: Customer
) -> None:
    store.save(make_extension("100", office))
    did = given_to(office, provider, "551140001000", "100")
    before = asterisk_tables()

    office.enabled = False
    store.save(office)
    [row] = asterisk_tables(f"t.owner = '{owner(did)}'")["extensions"]
    assert row["appdata"].startswith("refuse-suspended,")

    office.enabled = True
    store.save(office)
    assert asterisk_tables() == before


# ---- deletes


def test_a_delete_removes_exactly_its_rows(provider: Provider, hand_made: Tables) -> None:
    gateway = make_gateway("SP", provider_id=provider.id, registration=True, username="us", password="pass")
    other = make_gateway("RJ", provider_id=provider.id, ip_address="192.0.2.20")
    store.save(other)
    before = asterisk_tables()
    store.save(gateway)

    receipt = store.delete(gateway)

    assert asterisk_tables() == before
    assert {(change.table, change.after) for change in receipt.changes} == {
        ("ps_endpoints", None),
        ("ps_aors", None),
        ("ps_auths", None),
        ("ps_endpoint_id_ips", None),
        ("ps_registrations", None),
    }


def test_what_something_depends_on_stays_and_the_refusal_names_it(provider: Provider, office: Customer) -> None:
    store.save(*(make_extension(str(100 + n), office) for n in range(5)))
    before = asterisk_tables()

    with pytest.raises(store.InUse) as refusal:
        store.delete(office)

    assert (refusal.value.kind, refusal.value.count) == ("extensions", 5)
    assert list(refusal.value.names) == ["office-100", "office-101", "office-102"]
    assert asterisk_tables() == before
    store.save(make_gateway("SP", provider_id=provider.id))
    db.session.expire_all()
    with pytest.raises(store.InUse, match="1 gateways: SP"):
        store.delete(provider)


def test_deleting_a_did_takes_its_history_and_its_rows_along(provider: Provider) -> None:
    trunk = make_trunk()
    store.save(trunk)
    did = given_to(trunk, provider, "551140001000")
    operations.deallocate(did)

    store.delete(did)

    assert rows_of(owner(did)) == {}
    assert query("SELECT * FROM customer_dids") == []


# ---- rows somebody made by hand


def test_rows_without_an_owner_survive_everything(provider: Provider, hand_made: Tables) -> None:
    gateway = make_gateway("SP", provider_id=provider.id, registration=True, username="us", password="pass")
    trunk, office = make_trunk("padaria"), make_customer("office")
    phone = make_extension("100", office)
    store.save(gateway, trunk, office)
    store.save(phone)
    did = given_to(office, provider, "551140001000", "100")
    gateway.name, trunk.code, office.code, phone.extension = "RJ", "bakery", "firm", "200"
    store.save(gateway, trunk, office, phone)
    execute("DELETE FROM asterisk.ps_aors WHERE owner LIKE 'extension:%'")
    assert store.repair().changes
    operations.deallocate(did)
    for thing in (did, phone, office, trunk, gateway):
        store.delete(thing)

    no_rows_but(hand_made)
    assert store.repair().changes == []
    no_rows_but(hand_made)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO asterisk.ps_endpoints (id) VALUES ('gateway-SP')", "pk_ps_endpoints"),
        (
            f"INSERT INTO asterisk.ps_endpoint_id_ips (id) VALUES ('{identify_id('gateway-SP')}')",  # noqa: S608
            "pk_ps_endpoint_id_ips",
        ),
        ("INSERT INTO asterisk.ps_aors (id, owner) VALUES ('gateway-SP', 'system')", "pk_ps_aors"),
    ],
)
@pytest.mark.usefixtures("nodes")
def test_a_hand_made_row_of_the_same_name_is_a_refusal_and_nothing_is_half_written(
    provider: Provider, statement: str, constraint: str
) -> None:
    execute(statement)
    before = (asterisk_tables(), outbox(), audit())

    with pytest.raises(store.Refused) as refusal:
        store.save(make_gateway("SP", provider_id=provider.id))

    assert refusal.value.constraint == constraint
    assert (asterisk_tables(), outbox(), audit()) == before
    assert query("SELECT name FROM gateways") == []
    assert query("SELECT * FROM peer_addresses") == []


def test_a_hand_made_dialplan_row_of_the_same_number_is_a_refusal(provider: Provider) -> None:
    trunk, did = make_trunk(), make_did("551140001000", provider_id=provider.id)
    store.save(trunk, did)
    execute(
        "INSERT INTO asterisk.extensions (context, exten, priority, app, appdata) "
        "VALUES ('from-trunk', '551140001000', 1, 'NoOp', '')"
    )

    with pytest.raises(store.Refused, match="uq_asterisk_extensions_step"):
        operations.allocate(did, AllocationSchema(customer_id=trunk.id))

    assert query("SELECT status FROM dids") == [{"status": "available"}]
    assert query("SELECT * FROM customer_dids") == []


# ---- what one thing's change must not do to another


def test_a_customer_whose_trunk_has_dids_cannot_become_one_with_phones(provider: Provider) -> None:
    """Its DIDs would go on naming an endpoint that is gone."""
    trunk = make_trunk("padaria")
    store.save(trunk)
    given_to(trunk, provider, "551140001000")

    trunk.type = "extension"
    with pytest.raises(store.Refused):
        store.save(trunk)


def test_a_phone_that_a_did_rings_cannot_go_to_another_customer(provider: Provider, office: Customer) -> None:
    """The number would ring there, and be the first customer's all the same."""
    neighbour, phone = make_customer("neighbour"), make_extension("100", office)
    store.save(neighbour, phone)
    given_to(office, provider, "551140001000", "100")

    phone.customer_id = neighbour.id
    with pytest.raises(store.Refused):
        store.save(phone)


def test_a_phone_goes_to_another_customer_with_all_its_rows(session: scoped_session[Session], office: Customer) -> None:
    neighbour, phone = make_customer("neighbour"), make_extension("100", office)
    store.save(neighbour, phone)

    phone.customer_id = neighbour.id
    store.save(phone)

    assert rows_of(owner(phone))["ps_endpoints"] == ["neighbour-100"]
    assert "office-100" not in str(asterisk_tables())
