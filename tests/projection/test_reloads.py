"""What each node must be told, for every kind of change."""

from __future__ import annotations

from typing import Any

import pytest

from webapp.agent.outbox import ACTIONS
from webapp.asterisk.reloads import Order, cures, orders
from webapp.asterisk.rows import TABLES, Stored
from webapp.asterisk.sync import Change
from webapp.asterisk.used import CONTACTS, Finding
from webapp.nodes.operations import START_AFRESH

GATEWAY, PHONE = "gateway:1", "extension:1"

Row = dict[str, Stored] | None

OLD: Row = {"id": "x", "qualify_frequency": 0}
NEW: Row = {"id": "x", "qualify_frequency": 0, "changed": "yes"}
CHECKED: Row = {"id": "x", "qualify_frequency": 60}


def change(table: str, before: Row, after: Row, owner: str = GATEWAY, name: str = "x") -> Change:
    key: tuple[Stored, ...] = ("phones", name, 1) if table == "extensions" else (name,)
    return Change(table, owner, key, before, after)


@pytest.mark.parametrize(
    ("table", "before", "after", "owner", "expected"),
    [
        ("ps_endpoints", None, NEW, GATEWAY, ["refresh_endpoint x"]),
        ("ps_endpoints", OLD, NEW, GATEWAY, ["refresh_endpoint x"]),
        ("ps_endpoints", OLD, None, GATEWAY, ["expire_endpoint x"]),
        ("ps_auths", None, NEW, PHONE, ["refresh_auth x"]),
        ("ps_auths", OLD, NEW, PHONE, ["refresh_auth x"]),
        ("ps_auths", OLD, None, PHONE, ["expire_auth x"]),
        ("ps_auths", None, NEW, GATEWAY, ["refresh_auth x"]),
        ("ps_auths", OLD, NEW, GATEWAY, ["refresh_auth x"]),
        ("ps_auths", OLD, None, GATEWAY, []),  # It is needed once more, to unregister with.
        ("ps_aors", None, NEW, GATEWAY, ["refresh_aor x"]),
        ("ps_aors", OLD, NEW, GATEWAY, ["refresh_aor x"]),
        ("ps_aors", OLD, None, GATEWAY, ["expire_aor x"]),
        ("ps_aors", OLD, None, PHONE, ["expire_aor x", "forget_contacts "]),  # It may be registered.
        ("ps_aors", None, CHECKED, GATEWAY, ["refresh_aor x", "qualify x"]),
        ("ps_aors", OLD, CHECKED, GATEWAY, ["refresh_aor x", "qualify x"]),
        ("ps_aors", CHECKED, NEW, GATEWAY, ["refresh_aor x", "qualify x"]),
        ("ps_aors", CHECKED, None, GATEWAY, ["expire_aor x", "reload_qualify "]),
        ("ps_endpoint_id_ips", None, NEW, GATEWAY, ["populate_identify "]),
        ("ps_endpoint_id_ips", OLD, NEW, GATEWAY, ["populate_identify "]),
        ("ps_endpoint_id_ips", OLD, None, GATEWAY, ["populate_identify "]),
        ("ps_registrations", None, NEW, GATEWAY, ["reload_registrations "]),
        ("ps_registrations", OLD, NEW, GATEWAY, ["reload_registrations "]),
        ("ps_registrations", OLD, None, GATEWAY, ["reload_registrations "]),
        ("extensions", None, NEW, PHONE, []),  # Looked up at every call.
        ("extensions", OLD, NEW, PHONE, []),
        ("extensions", OLD, None, PHONE, []),
    ],
)
def test_orders(table: str, before: Row, after: Row, owner: str, expected: list[str]) -> None:
    found = orders([change(table, before, after, owner)])

    assert [f"{order.action} {order.object}" for order in found] == expected


def test_no_change_no_orders() -> None:
    assert orders([]) == []


def test_what_is_the_same_for_many_changes_is_ordered_once_in_the_order_of_the_changes() -> None:
    changes = [
        change("ps_endpoints", None, NEW, name="a"),
        change("ps_endpoint_id_ips", None, NEW, name="a"),
        change("ps_endpoints", None, NEW, name="b"),
        change("ps_endpoint_id_ips", OLD, None, name="b"),
    ]

    assert orders(changes) == [
        Order("refresh_endpoint", "a"),
        Order("populate_identify"),
        Order("refresh_endpoint", "b"),
    ]


def test_a_renamed_endpoint_is_forgotten_under_its_old_name_and_read_under_its_new_one() -> None:
    renamed = [change("ps_endpoints", OLD, None, name="old"), change("ps_endpoints", None, NEW, name="new")]

    assert orders(renamed) == [Order("expire_endpoint", "old"), Order("refresh_endpoint", "new")]


def test_the_agent_knows_every_order() -> None:
    changes = [
        change(kind.TABLE, before, after, owner)
        for kind in TABLES
        for before, after in [(None, CHECKED), (CHECKED, NEW), (CHECKED, None)]
        for owner in (GATEWAY, PHONE)
    ]

    # To start afresh is what a node is owed that was out of service, or that has what has no name.
    assert {order.action for each in changes for order in orders([each])} == ACTIONS.keys() - {START_AFRESH}


@pytest.mark.parametrize(
    ("table", "key", "what", "expected"),
    [
        ("ps_endpoints", "x", "different", "refresh_endpoint x"),
        ("ps_endpoints", "x", "missing", "refresh_endpoint x"),
        ("ps_endpoints", "x", "left_over", "expire_endpoint x"),
        ("ps_auths", "x", "different", "refresh_auth x"),
        ("ps_aors", "x", "left_over", "expire_aor x"),
        ("ps_aors", "a-name-that-a-cache-shows…", "left_over", "start_afresh "),
        ("ps_endpoint_id_ips", "x", "missing", "populate_identify "),
        ("ps_registrations", "x", "left_over", "reload_registrations "),
        (CONTACTS, "x;@1", "left_over", "forget_contacts "),
    ],
)
def test_cures(table: str, key: str, what: Any, expected: str) -> None:
    [order] = cures([Finding(table, key, "", what), Finding(table, key, "", what)])

    assert f"{order.action} {order.object}" == expected
    assert order.action in ACTIONS
