"""Limits, as real calls meet them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.calls.conftest import DESK, Carrier
from tests.calls.exchange import query, until
from webapp import store
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.ext import Managed, db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway

Change = Callable[..., None]


@pytest.fixture
def change(carrier: Carrier) -> Iterator[Change]:
    """Give a thing other values for as long as the test lasts."""
    before: list[tuple[Managed, dict[str, Any]]] = []

    def change(thing: Managed, **values: Any) -> None:
        before.append((thing, {name: getattr(thing, name) for name in values}))
        _set(thing, values)

    yield change
    for thing, values in reversed(before):
        _set(thing, values)
    carrier.settled()


def _set(thing: Managed, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(thing, name, value)
    store.save(thing)


def customer(carrier: Carrier, code: str) -> Customer:
    return db.session.get_one(Customer, carrier.ids[code])


def gateway(carrier: Carrier, name: str) -> Gateway:
    return db.session.get_one(Gateway, carrier.ids[name])


def tell(carrier: Carrier, *statements: str) -> None:
    """Do something in the database for good."""
    engine = create_engine(carrier.url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def reasons(carrier: Carrier, number: str) -> list[str]:
    statement = "SELECT reason FROM asterisk.call_requests WHERE dialed = :number ORDER BY requested_at"
    return [row.reason for row in query(carrier.url, statement, number=number)]


def test_a_customer_has_no_more_calls_at_once_than_it_may(carrier: Carrier, change: Change) -> None:
    """In and out together; afterwards there is room again."""
    change(customer(carrier, "acme"), max_channels=2)
    carrier.did("551140000701", "acme")
    carrier.settled()
    with carrier.first.answer(expect_calls=2), carrier.acme.answer():
        out, into = carrier.acme.start_call("552155550001"), carrier.first.start_call("551140000701")
        with out, into:
            out.wait_for(200)
            into.wait_for(200)
            result = carrier.acme.call("552155550002", expect=503)
            assert result.cause == 34
            assert carrier.second.call("01140000701", expect=486).cause == 17
        until(lambda: query(carrier.url, "SELECT 1 FROM calls WHERE dst = '552155550001'"), "the call to end")
        carrier.acme.call("552155550003")
    assert reasons(carrier, "552155550002") == ["channels"]
    full = "SELECT reason, direction, customer_id FROM calls WHERE dst = '551140000701' AND reason <> ''"
    assert query(carrier.url, full) == [("channels", "inbound", carrier.ids["acme"])]


def test_calls_between_the_phones_of_a_customer_do_not_count(carrier: Carrier, change: Change) -> None:
    change(customer(carrier, "office"), max_channels=1)
    store.save(Extension(customer_id=carrier.ids["office"], extension="177", secret="rings-inside"))
    phone = carrier.stranger
    assert phone.register("office-177", "rings-inside") == 200
    with phone.answer(), carrier.first.answer(), carrier.desk.start_call("177", auth=DESK) as inside:
        inside.wait_for(200)
        carrier.desk.call("552155550004", auth=DESK)
    phone.unregister("office-177", "rings-inside")


def test_a_full_gateway_is_passed_over(carrier: Carrier, change: Change) -> None:
    """Calls that come in by it count, too."""
    change(gateway(carrier, "first"), max_channels=1)
    carrier.did("551140000702", "beta")
    with carrier.beta.answer(), carrier.first.answer() as first, carrier.second.answer() as second:
        with carrier.first.start_call("551140000702") as into:
            into.wait_for(200)
            carrier.acme.call("552155550005")
            assert (len(first.invites), len(second.invites)) == (0, 1)
        until(lambda: query(carrier.url, "SELECT 1 FROM calls WHERE dst = '551140000702'"), "the call to end")
        carrier.acme.call("552155550006")
        assert len(first.invites) == 1


def test_when_all_gateways_are_full_it_is_told_as_503(carrier: Carrier, change: Change) -> None:
    change(gateway(carrier, "first"), max_channels=1)
    with carrier.first.answer() as first, carrier.acme.start_call("551155550007") as out:
        out.wait_for(200)
        carrier.beta.call("551155550008", expect=503)
        assert len(first.invites) == 1


def test_a_blocked_destination(carrier: Carrier, change: Change) -> None:
    blocked = DestinationList(name="Blocked", prefixes=["552155550"])
    store.save(blocked)
    change(customer(carrier, "acme"), blocked_list_id=blocked.id)

    assert carrier.acme.call("552155550009", expect=403).cause == 21

    assert reasons(carrier, "552155550009") == ["blocked"]


def test_too_many_new_calls_in_a_second(carrier: Carrier, change: Change) -> None:
    change(customer(carrier, "acme"), calls_per_second=1)
    tell(
        carrier,
        "INSERT INTO asterisk.call_requests (id, customer_id, requested_at) "  # noqa: S608 - our own id
        f"VALUES ('before', '{carrier.ids['acme']}', now() + interval '5 s')",
        "UPDATE asterisk.call_requests SET verdict = 'route' WHERE id = 'before'",
    )

    assert carrier.acme.call("552155550010", expect=503).cause == 42

    assert reasons(carrier, "552155550010") == ["calls_per_second"]
    tell(carrier, "DELETE FROM asterisk.call_requests WHERE id = 'before'")


@pytest.mark.parametrize(
    ("format", "shown"),
    [("plus", "+551140000710"), ("national", "1140000710"), ("long_distance", "01140000710"), ("e164", "551140000710")],
)
def test_the_caller_is_shown_as_the_gateway_wants_it_and_kept_as_it_is(
    carrier: Carrier, change: Change, format: str, shown: str
) -> None:
    change(customer(carrier, "beta"), caller_id="551140000710")
    change(gateway(carrier, "second"), caller_id_format=format)
    number = f"5521555501{len(shown)}"

    with carrier.first.refuse(503) as first, carrier.second.answer() as second:
        carrier.beta.call(number)

        assert first.caller_number == "551140000710"
        assert second.caller_number == shown
    assert {cdr.src for cdr in carrier.cdrs(number, 2)} == {"551140000710"}


def test_the_longest_call_ends_so_long_after_the_answer(carrier: Carrier) -> None:
    """Ringing does not count. (Nobody may settle less than a minute, so the database is told here.)"""
    rule = "CONSTRAINT ck_settings_max_call_seconds"
    tell(carrier, f"ALTER TABLE settings DROP {rule}", "UPDATE settings SET max_call_seconds = 2")
    try:
        with carrier.first.answer(ring_for=1.5):
            result = carrier.acme.call("552155550020", hold=20)
    finally:
        check = "CHECK (max_call_seconds BETWEEN 60 AND 86400)"
        tell(carrier, "UPDATE settings SET max_call_seconds = 14400", f"ALTER TABLE settings ADD {rule} {check}")

    assert result.other_side_hung_up
    [call] = carrier.ended("552155550020", 1)
    assert (call.billsec, call.disposition) in {(2, "ANSWERED"), (3, "ANSWERED")}
