"""One transaction holds all of a save: the things, Asterisk's rows, the audit, the outbox. Or none of it."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask, g
from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import joinedload

from tests.conftest import Counting
from tests.engine.tables import asterisk_tables, audit, outbox, query, value
from tests.factories import make_customer, make_did, make_extension, make_gateway, make_node, make_provider, make_trunk
from webapp import store
from webapp.accounts.models import User
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider

SECRETS = ("hush-gateway", "hush-phone", "hush-anew", "hush-user")


def everything() -> tuple[object, ...]:
    """All that a save may write."""
    things = [value(f"SELECT count(*) FROM {name}") for name in ("customers", "gateways", "extensions", "dids")]  # noqa: S608 - fixed texts
    return asterisk_tables(), outbox(), audit(), things, query("SELECT * FROM peer_addresses ORDER BY address")


# ---- all or nothing


@pytest.mark.usefixtures("nodes")
def test_a_save_that_fails_at_its_end_leaves_nothing(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything()
    written = []

    def fail(*_: object) -> None:
        written.append(asterisk_tables())
        raise RuntimeError("the last step failed")

    monkeypatch.setattr(store, "_enqueue", fail)
    with pytest.raises(RuntimeError, match="the last step failed"):
        store.save(make_gateway("SP", provider_id=provider.id))

    assert written[0]["ps_endpoints"], "nothing was written, so there was nothing to undo"
    assert everything() == before


@pytest.mark.usefixtures("nodes")
def test_of_two_things_saved_together_a_bad_one_takes_the_good_one_along(provider: Provider) -> None:
    before = everything()
    good, bad = make_gateway("SP", provider_id=provider.id), make_trunk("acme", "192.0.2.10")

    with pytest.raises(store.Refused) as refusal:
        store.save(good, bad)

    assert refusal.value.constraint == "ex_peer_addresses_overlap"
    assert everything() == before


def test_after_a_refusal_the_next_save_works(provider: Provider) -> None:
    with pytest.raises(store.Refused, match="ck_customers_type"):
        store.save(make_customer(type="nonsense"))

    store.save(make_gateway("SP", provider_id=provider.id))

    assert value("SELECT count(*) FROM asterisk.ps_endpoints") == 1


def test_a_value_that_could_be_read_as_dialplan_stops_the_save(office: Customer) -> None:
    """It is validated long before; this is what happens if that fails."""
    before = everything()
    office.code = "office)"
    store_of_hostile_phone = make_extension("100", office)

    with pytest.raises(ValueError, match="not allowed in a dialplan argument"):
        store.save(office, store_of_hostile_phone)

    assert everything() == before


def test_a_version_counts_saves(office: Customer) -> None:
    assert office.version == 1
    office.name = "Firm"
    store.save(office)
    assert office.version == 2
    store.save(office)
    assert office.version == 2


def test_no_value_stands_in_the_text_of_an_error_for_that_goes_to_the_log(office: Customer) -> None:
    """The constraint on a number is the last line; the row that breaks it holds the secret."""
    with pytest.raises(DBAPIError) as error:
        db.session.execute(text("SELECT 1/0 WHERE 'x' <> :secret"), {"secret": "hush-phone"})

    db.session.rollback()
    assert "hush-phone" not in str(error.value)


# ---- the audit


def test_a_new_thing_is_recorded_with_all_its_values(provider: Provider) -> None:
    store.save(make_gateway("SP", provider_id=provider.id, username="us", password="hush-gateway"))

    action, kind, label, before, after = audit()[-1]
    assert (action, kind, label, before) == ("create", "gateways", "SP", {})
    assert after == {
        "name": "SP",
        "provider_id": str(provider.id),
        "enabled": True,
        "ip_address": "192.0.2.10",
        "port": 5060,
        "transport": "udp",
        "source_ips": [],
        "domain": "",
        "registration": False,
        "node": None,
        "username": "us",
        "password": "***",
        "srtp": False,
        "codecs": ["alaw", "ulaw"],
        "tech_prefix": "",
        "inbound_strip": 0,
        "inbound_prepend": "",
        "qualify_frequency": 60,
        "max_channels": 0,
        "caller_id_format": "e164",
    }


def test_a_change_is_recorded_with_what_changed(provider: Provider) -> None:
    gateway = make_gateway("SP", provider_id=provider.id, password="hush-gateway")
    store.save(gateway)
    db.session.refresh(gateway)

    gateway.name, gateway.codecs, gateway.password = "RJ", ["g729"], "hush-anew"
    store.save(gateway)

    assert audit()[-1] == (
        "update",
        "gateways",
        "RJ",
        {"name": "SP", "codecs": ["alaw", "ulaw"], "password": "***"},
        {"name": "RJ", "codecs": ["g729"], "password": "***"},
    )


def test_what_was_before_is_known_of_a_thing_that_was_just_saved(office: Customer) -> None:
    """After a commit SQLAlchemy knows no value until it is read again, and an assignment reads nothing."""
    office.name = "Firm"
    store.save(office)

    assert audit()[-1][3:] == ({"name": "Customer office"}, {"name": "Firm"})


def test_a_deleted_thing_is_recorded_as_it_was(provider: Provider) -> None:
    store.delete(provider)

    action, kind, label, before, after = audit()[-1]
    assert (action, kind, label, after) == ("delete", "providers", "provider", {})
    assert before == {"name": "provider", "type": "both", "cost_per_minute": "0.00000000"}


def test_what_goes_along_with_a_deleted_thing_is_recorded(provider: Provider) -> None:
    trunk, did = make_trunk("padaria"), make_did("551140001000", provider_id=provider.id)
    store.save(trunk, did)
    operations.allocate(did, AllocationSchema(customer_id=trunk.id))
    operations.deallocate(did)

    store.delete(did)

    gone = {entry[:3] for entry in audit() if entry[0] == "delete"}
    assert gone == {("delete", "dids", "551140001000"), ("delete", "customer_dids", "551140001000 → padaria")}


def test_an_allocation_is_recorded_and_its_end_with_its_time(provider: Provider) -> None:
    trunk, did = make_trunk("padaria"), make_did("551140001000", provider_id=provider.id)
    store.save(trunk, did)
    operations.allocate(did, AllocationSchema(customer_id=trunk.id))
    given = {entry[:3] for entry in audit()}
    operations.deallocate(did)

    assert ("create", "customer_dids", "551140001000 → padaria") in given
    assert ("update", "dids", "551140001000") in given
    [end] = [entry for entry in audit() if entry[:2] == ("update", "customer_dids")]
    assert end[3]["released_at"] is None
    assert dt.datetime.fromisoformat(end[4]["released_at"]).date() == dt.datetime.now(dt.UTC).date()


def test_no_secret_is_ever_recorded(provider: Provider, office: Customer) -> None:
    user = User(username="olga")
    user.set_password("hush-user")
    gateway = make_gateway("SP", provider_id=provider.id, registration=True, username="us", password="hush-gateway")
    phone = make_extension("100", office, secret="hush-phone")
    store.save(user, gateway, phone)
    hashes = [user.password_hash]
    for thing in (user, gateway, phone):
        db.session.refresh(thing)
    user.set_password("hush-anew")
    hashes.append(user.password_hash)
    gateway.password = phone.secret = "hush-anew"
    store.save(user, gateway, phone)
    for thing in (user, gateway, phone):
        store.delete(thing)

    recorded = value("SELECT string_agg(audit_log::text, ' ') FROM audit_log")

    assert recorded.count("***") >= 6
    for secret in (*SECRETS, *hashes):
        assert secret not in recorded


def test_an_entry_says_who_and_in_which_request(app: Flask, provider: Provider) -> None:
    with app.test_request_context():
        g.request_id = "the-request"
        store.save(make_provider("other"))
    store.save(make_provider("third"))

    rows = query("SELECT username, request_id FROM audit_log ORDER BY id DESC LIMIT 2")
    assert rows[1] == {"username": "anonymous", "request_id": "the-request"}
    assert rows[0]["username"].endswith(" (command)")
    assert rows[0]["request_id"] == ""


# ---- the outbox


@pytest.mark.usefixtures("nodes")
def test_every_enabled_node_is_owed_each_order_once(provider: Provider) -> None:
    receipt = store.save(
        make_gateway("SP", provider_id=provider.id),
        make_gateway("RJ", provider_id=provider.id, ip_address="192.0.2.20"),
    )

    orders = [(order.action, order.object) for order in receipt.orders]
    assert set(orders) == {
        ("refresh_endpoint", "gateway-SP"),
        ("refresh_endpoint", "gateway-RJ"),
        ("refresh_aor", "gateway-SP"),
        ("refresh_aor", "gateway-RJ"),
        ("qualify", "gateway-SP"),
        ("qualify", "gateway-RJ"),
        ("populate_identify", ""),
    }
    assert len(orders) == 7
    for node in ("pbx1", "pbx2"):
        assert [entry[1:] for entry in outbox() if entry[0] == node] == orders
    assert {entry[0] for entry in outbox()} == {"pbx1", "pbx2"}


def test_without_a_node_nothing_is_owed(provider: Provider) -> None:
    receipt = store.save(make_gateway("SP", provider_id=provider.id))

    assert receipt.orders
    assert outbox() == []


@pytest.mark.usefixtures("nodes")
def test_a_dialplan_row_owes_nothing(provider: Provider) -> None:
    trunk, did = make_trunk("padaria", qualify_frequency=0), make_did("551140001000", provider_id=provider.id)
    store.save(trunk, did)
    before = outbox()

    receipt = operations.allocate(did, AllocationSchema(customer_id=trunk.id))

    assert [change.table for change in receipt.changes] == ["extensions"]
    assert receipt.orders == []
    assert outbox() == before


def test_an_order_knows_the_request_it_comes_from(app: Flask, provider: Provider) -> None:
    db.session.add(make_node())
    gateway = make_gateway("SP", provider_id=provider.id)
    db.session.commit()

    with app.test_request_context():
        g.request_id = "the-request"
        store.save(gateway)

    assert {row["request_id"] for row in query("SELECT request_id FROM outbox")} == {"the-request"}


# ---- ranges of numbers


def test_a_range_is_there_at_once_and_recorded_once(provider: Provider) -> None:
    wanted = DidRangeSchema(number="551140001000", count=100, provider_id=provider.id, status="reserved")

    assert operations.create_range(wanted) == 100

    assert query("SELECT min(number), max(number), count(*) FROM dids WHERE status = 'reserved'") == [
        {"min": "551140001000", "max": "551140001099", "count": 100}
    ]
    action, kind, label, _, after = audit()[-1]
    assert (action, kind, label) == ("create", "dids", "551140001000 - 551140001099")
    assert after["count"] == 100


def test_a_range_that_overlaps_is_refused_whole(provider: Provider) -> None:
    operations.create_range(DidRangeSchema(number="551140001050", provider_id=provider.id))
    before = everything()

    with pytest.raises(store.Refused) as refusal:
        operations.create_range(DidRangeSchema(number="551140001000", count=100, provider_id=provider.id))

    assert refusal.value.constraint == "uq_dids_number"
    assert everything() == before


def test_a_range_of_a_provider_that_is_gone_is_refused_whole(provider: Provider) -> None:
    store.delete(provider)

    with pytest.raises(store.Refused, match="fk_dids_provider_id_providers"):
        operations.create_range(DidRangeSchema(number="551140001000", count=100, provider_id=provider.id))

    assert value("SELECT count(*) FROM dids") == 0


def test_ten_thousand_numbers_take_few_statements(provider: Provider, counting: Counting) -> None:
    wanted = DidRangeSchema(number="551140000000", count=10_000, provider_id=provider.id)

    with counting() as statements:
        operations.create_range(wanted)

    assert db.session.scalar(select(func.count()).select_from(Did)) == 10_000
    assert len(statements) < 30


def test_more_than_ten_thousand_are_refused_before_anything_is_done(provider: Provider) -> None:
    with pytest.raises(ValidationError):
        DidRangeSchema(number="551140000000", count=10_001, provider_id=provider.id)


def test_a_gateway_that_is_read_again_has_what_was_saved(provider: Provider) -> None:
    """PostgreSQL keeps texts as they are, accents and all."""
    store.save(make_gateway("SP", provider_id=provider.id, username="us", password="hush-gateway;^"))
    phone = make_extension("100", make_customer_stored(), name="Conceição", secret="hush-phone;^")
    store.save(phone)
    db.session.expire_all()

    assert db.session.scalars(select(Gateway)).one().password == "hush-gateway;^"
    assert value("SELECT callerid FROM asterisk.ps_endpoints WHERE id = 'office-100'") == '"Conceição" <100>'
    assert phone.secret == "hush-phone;^"
    assert value("SELECT password FROM asterisk.ps_auths WHERE id = 'gateway-SP'") == "hush-gateway^3B^5E"


def make_customer_stored() -> Customer:
    customer = make_customer("office")
    store.save(customer)
    return customer


# ---- many things at once


def make_phones(office: Customer, count: int) -> list[Extension]:
    store.save(*(make_extension(str(1000 + n), office) for n in range(count)))
    query = select(Extension).options(joinedload(Extension.customer)).order_by(Extension.extension)
    return list(db.session.scalars(query))


def test_hundreds_of_phones_are_changed_in_few_statements(office: Customer, counting: Counting) -> None:
    phones = make_phones(office, 300)

    with counting() as statements:
        store.change(phones, enabled=False)

    assert value("SELECT count(*) FROM public.extensions WHERE NOT enabled AND version = 2") == 300
    assert value("SELECT count(*) FROM audit_log WHERE action = 'update' AND kind = 'extensions'") == 300
    assert audit()[-1][3:] == ({"enabled": True}, {"enabled": False})
    assert len(statements) < 40, len(statements)


def test_hundreds_of_phones_are_deleted_in_few_statements(office: Customer, counting: Counting) -> None:
    phones = make_phones(office, 300)

    with counting() as statements:
        store.delete(*phones)

    assert value("SELECT count(*) FROM public.extensions") == 0
    assert value("SELECT count(*) FROM asterisk.ps_endpoints") == 0
    assert value("SELECT count(*) FROM audit_log WHERE action = 'delete' AND kind = 'extensions'") == 300
    assert len(statements) < 40, len(statements)


def test_what_is_as_it_should_be_is_left_alone(office: Customer) -> None:
    first, second = make_phones(office, 2)
    store.change([first], enabled=False)
    before = len(audit())

    store.change([first, second], enabled=False)

    assert query("SELECT version FROM public.extensions") == [{"version": 2}, {"version": 2}]
    assert len(audit()) == before + 1


def test_one_that_is_in_use_keeps_all_of_them(office: Customer, provider: Provider) -> None:
    free, taken = make_phones(office, 2)
    did = make_did("551140001000", provider_id=provider.id)
    store.save(did)
    operations.allocate(did, AllocationSchema(customer_id=office.id, destination=taken.extension))
    before = everything()

    with pytest.raises(store.InUse, match="551140001000"):
        store.delete(free, taken)

    assert everything() == before
    assert [(thing, count) for thing, _, count in store.dependents([free, taken])] == [(taken, 1)]


def test_a_change_of_many_that_the_database_refuses_is_none(office: Customer) -> None:
    phones = make_phones(office, 2)
    before = everything()

    with pytest.raises(store.Refused, match="uq_extensions_customer_id_extension"):
        store.change(phones, extension="500")

    assert everything() == before
