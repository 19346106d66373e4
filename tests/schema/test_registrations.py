"""Each node reads its own registrations, and is told when they move."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import SignIn, ask

NODES = ("n1", "n2", "n3")


@pytest.fixture
def stage(sign_in: SignIn) -> Iterator[Connection]:
    """Nothing of this stays."""
    connection = sign_in()
    connection.autocommit = False
    ask(connection, "INSERT INTO public.nodes (name) VALUES ('n2'), ('n1'), ('n3')")
    ask(
        connection,
        "INSERT INTO asterisk.ps_registrations (id, node) VALUES ('any', NULL), ('two', 'n2'), ('lost', 'n9')",
    )
    ask(connection, "DELETE FROM public.outbox")
    yield connection
    connection.rollback()


def registered(stage: Connection) -> dict[str, list[str]]:
    """Node -> what it sees."""
    found = {}
    for node in NODES:
        ask(stage, "SELECT set_config('application_name', %s, true)", node)
        found[node] = [row[0] for row in ask(stage, "SELECT id FROM asterisk.own_registrations ORDER BY id")]
    return found


def told(stage: Connection) -> list[str]:
    rows = ask(stage, "SELECT node, action FROM public.outbox ORDER BY node")
    assert {action for _, action in rows} <= {"reload_registrations"}
    ask(stage, "DELETE FROM public.outbox")
    return [node for node, _ in rows]


def test_each_is_seen_by_one_node(stage: Connection) -> None:
    assert registered(stage) == {"n1": ["any", "lost"], "n2": ["two"], "n3": []}


def test_a_node_that_is_disabled_gives_its_own_away_and_everybody_is_told(stage: Connection) -> None:
    ask(stage, "UPDATE public.nodes SET enabled = false WHERE name = 'n1'")
    assert registered(stage) == {"n1": [], "n2": ["any", "lost", "two"], "n3": []}
    assert told(stage) == ["n1", "n2", "n3"]
    ask(stage, "UPDATE public.nodes SET enabled = false WHERE name = 'n2'")
    assert registered(stage) == {"n1": [], "n2": [], "n3": ["any", "lost", "two"]}
    ask(stage, "UPDATE public.nodes SET enabled = false WHERE name = 'n3'")
    assert registered(stage) == {"n1": ["any", "lost"], "n2": ["two"], "n3": []}


def test_they_move_when_nodes_come_and_go(stage: Connection) -> None:
    ask(stage, "DELETE FROM public.nodes WHERE name = 'n2'")
    assert registered(stage)["n1"] == ["any", "lost", "two"]
    assert told(stage) == ["n1", "n3"]
    ask(stage, "INSERT INTO public.nodes (name) VALUES ('n0')")
    assert registered(stage)["n1"] == []
    assert told(stage) == ["n0", "n1", "n3"]


def test_a_sign_of_life_tells_nobody(stage: Connection) -> None:
    ask(stage, "UPDATE public.nodes SET seen_at = now(), asterisk_up = true")
    assert told(stage) == []


def test_without_registrations_nobody_is_told(stage: Connection) -> None:
    ask(stage, "DELETE FROM asterisk.ps_registrations")
    ask(stage, "UPDATE public.nodes SET enabled = false WHERE name = 'n1'")
    assert told(stage) == []


def test_a_program_that_is_no_node_sees_none(stage: Connection, asterisk: Connection) -> None:
    ask(stage, "SET LOCAL application_name = 'psql'")
    assert ask(stage, "SELECT * FROM asterisk.own_registrations") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(asterisk, "SELECT * FROM asterisk.ps_registrations")
