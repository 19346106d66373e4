"""Several people and programs save at the same time, each in a transaction of his own that is really committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from tests.engine.tables import asterisk_tables, audit, outbox, query
from tests.factories import make_customer, make_did, make_extension, make_node, make_provider, make_trunk
from webapp import store
from webapp.asterisk.check import check
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway

ROUNDS = 50


@pytest.fixture
def no_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that is taken back can be given away again at once."""
    monkeypatch.setattr(operations, "quarantine_days", lambda: 0)


@pytest.fixture
def carrier(real_app: Flask) -> Iterator[None]:
    """A customer with a phone and a number, a trunk and a node; afterwards the database is empty again."""
    with real_app.app_context():
        office, trunk, provider = make_customer("office"), make_trunk("padaria"), make_provider()
        did = make_did("551140001000", provider_id=provider.id)
        db.session.add(make_node())
        store.save(office, trunk, provider)
        store.save(make_extension("100", office), did)
        operations.allocate(did, AllocationSchema(customer_id=office.id, destination="100"))
        yield
        db.session.rollback()
        assert check(db.session()) == []
        db.session.execute(text("TRUNCATE providers, customers, peer_addresses, audit_log, nodes CASCADE"))
        db.session.execute(text("INSERT INTO settings DEFAULT VALUES"))  # They name a customer, and went with them.
        store.repair()


@contextmanager
def somebody_else(app: Flask) -> Iterator[None]:
    """Another request: a session of its own."""
    with app.app_context():
        yield


def the(kind: type[Any], **values: Any) -> Any:
    return db.session.scalars(select(kind).filter_by(**values)).one()


def state() -> tuple[object, ...]:
    return asterisk_tables(), outbox(), audit(), query("SELECT * FROM customer_dids ORDER BY id")


# ---- two editors of one thing


@pytest.mark.usefixtures("carrier")
def test_the_second_of_two_editors_is_told_and_changes_nothing(real_app: Flask) -> None:
    office = the(Customer, code="office")
    with somebody_else(real_app):
        first = the(Customer, code="office")
        first.code = "firm"
        store.save(first)
        before = state()

    office.name = "Company"
    with pytest.raises(store.Stale):
        store.save(office)

    assert query("SELECT code, name FROM customers WHERE type = 'extension'") == [
        {"code": "firm", "name": "Customer office"}
    ]
    assert state() == before


@pytest.mark.usefixtures("carrier")
def test_editing_what_somebody_deleted_meanwhile(real_app: Flask) -> None:
    trunk = the(Customer, code="padaria")
    with somebody_else(real_app):
        store.delete(the(Customer, code="padaria"))

    trunk.name = "Bakery"
    with pytest.raises(store.Stale):
        store.save(trunk)


@pytest.mark.usefixtures("carrier")
def test_deleting_what_somebody_changed_meanwhile(real_app: Flask) -> None:
    trunk = the(Customer, code="padaria")
    with somebody_else(real_app):
        other = the(Customer, code="padaria")
        other.name = "Bakery"
        store.save(other)

    with pytest.raises(store.Stale):
        store.delete(trunk)

    assert query("SELECT name FROM customers WHERE code = 'padaria'") == [{"name": "Bakery"}]


@pytest.mark.usefixtures("carrier")
def test_changing_many_things_of_which_somebody_changed_one_meanwhile(real_app: Flask) -> None:
    customers = list(db.session.scalars(select(Customer)))
    assert len(customers) == 2
    with somebody_else(real_app):
        other = the(Customer, code="padaria")
        other.name = "Bakery"
        store.save(other)
        before = state()

    with pytest.raises(store.Stale):
        store.change(customers, enabled=False)

    assert query("SELECT DISTINCT enabled FROM customers") == [{"enabled": True}]
    assert state() == before


@pytest.mark.usefixtures("carrier", "no_quarantine")
def test_two_give_one_number_away(real_app: Flask) -> None:
    did = the(Did, number="551140001000")
    assert did.current.customer.code == "office"
    trunk = the(Customer, code="padaria")
    with somebody_else(real_app):
        operations.deallocate(the(Did, number="551140001000"))

    with pytest.raises(store.Stale):
        operations.allocate(did, AllocationSchema(customer_id=trunk.id))

    assert query("SELECT status FROM dids") == [{"status": "available"}]
    assert query("SELECT count(*) FROM customer_dids WHERE released_at IS NULL") == [{"count": 0}]


@pytest.mark.usefixtures("carrier")
def test_two_give_one_number_to_different_customers(real_app: Flask) -> None:
    """It stays allocated all the time, so its status tells nobody."""
    store.save(make_trunk("third", "198.51.100.3"))
    did, third = the(Did, number="551140001000"), the(Customer, code="third")
    assert did.current.customer.code == "office"
    with somebody_else(real_app):
        trunk = the(Customer, code="padaria")
        operations.allocate(the(Did, number="551140001000"), AllocationSchema(customer_id=trunk.id))
        before = state()

    with pytest.raises(store.Stale):
        operations.allocate(did, AllocationSchema(customer_id=third.id))

    assert state() == before


@pytest.mark.usefixtures("carrier")
def test_deleting_a_customer_whom_somebody_gives_a_number_meanwhile(
    real_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing depended on it when that was asked, so the database has the last word."""
    monkeypatch.setattr(store, "_refuse_if_in_use", lambda thing: None)
    trunk = the(Customer, code="padaria")
    assert trunk.allocations == []
    with somebody_else(real_app):
        operations.allocate(the(Did, number="551140001000"), AllocationSchema(customer_id=trunk.id))
        before = state()

    with pytest.raises(store.Refused, match="ck_customer_dids_current_has_customer"):
        store.delete(trunk)

    assert state() == before


@pytest.mark.filterwarnings("ignore:Multiple rows returned")  # It is what the constraint is there for.
@pytest.mark.usefixtures("carrier")
def test_a_rule_that_is_checked_at_the_commit_is_a_refusal_too() -> None:
    did, trunk = the(Did, number="551140001000"), the(Customer, code="padaria")
    before = state()
    second = Allocation(did=did, customer=trunk, customer_code=trunk.code)

    with pytest.raises(store.Refused, match="uq_customer_dids_current"):
        store.save(second)

    assert state() == before


# ---- saves that depend on each other


def both(app: Flask, *deeds: Callable[[], None]) -> None:
    """Do these at the same time, each in a thread and a session of its own; what fails in one fails here."""
    start = threading.Barrier(len(deeds))
    failures: list[BaseException] = []

    def run(deed: Callable[[], None]) -> None:
        try:
            with app.app_context():
                start.wait(10)
                deed()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


@pytest.mark.usefixtures("carrier")
def test_a_customer_is_renamed_while_its_phone_is_edited(real_app: Flask) -> None:
    """The phone's rows hold the customer's code: the later of two saves must know what the earlier one wrote."""

    def rename(code: str) -> None:
        customer = the(Customer, type="extension")
        customer.code = code
        store.save(customer)

    def edit(number: str) -> None:
        phone = the(Extension)
        assert phone.customer.code
        phone.extension = number
        store.save(phone)

    for n in range(ROUNDS):
        both(real_app, lambda n=n: rename(f"code-{n}"), lambda n=n: edit(str(100 + n)))  # type: ignore[misc]  # the default binds n
        db.session.rollback()
        assert check(db.session()) == [], f"round {n}"
        db.session.rollback()

    last = f"code-{ROUNDS - 1}-{100 + ROUNDS - 1}"
    assert [row["id"] for row in query("SELECT id FROM asterisk.ps_endpoints WHERE id LIKE 'code%'")] == [last]
    assert last in query("SELECT appdata FROM asterisk.extensions WHERE context = 'from-trunk'")[0]["appdata"]


@pytest.mark.usefixtures("carrier", "no_quarantine")
def test_a_customer_is_disabled_while_it_is_given_a_number(real_app: Flask) -> None:
    def toggle() -> None:
        customer = the(Customer, code="padaria")
        customer.enabled = not customer.enabled
        store.save(customer)

    def give() -> None:
        did = the(Did, number="551140001000")
        if did.current:
            operations.deallocate(did)
        else:
            operations.allocate(did, AllocationSchema(customer_id=the(Customer, code="padaria").id))

    for n in range(20):
        both(real_app, toggle, give)
        db.session.rollback()
        assert check(db.session()) == [], f"round {n}"
        db.session.rollback()


@pytest.mark.usefixtures("carrier")
def test_two_claim_one_address_at_the_same_time(real_app: Flask) -> None:
    """One of them has it, and the other is told why not, whichever it is."""
    outcomes: list[str] = []
    provider_id = query("SELECT id FROM providers")[0]["id"]

    def claim(thing: Any) -> None:
        try:
            store.save(thing)
            outcomes.append("saved")
        except store.Refused as refusal:
            outcomes.append(refusal.constraint)

    for n in range(5):
        gateway = Gateway(name=f"GW{n}", provider_id=provider_id, ip_address=f"203.0.113.{n}")
        trunk = make_trunk(f"trunk{n}", f"203.0.113.{n}")
        both(real_app, lambda thing=gateway: claim(thing), lambda thing=trunk: claim(thing))  # type: ignore[misc]  # the default binds it

    assert sorted(outcomes) == ["ex_peer_addresses_overlap"] * 5 + ["saved"] * 5
