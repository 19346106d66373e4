"""tariff_for() and provider_tariff_for(): which line counts for a number at a time."""

# ruff: noqa: S608 - the names in the statements are those of KINDS

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import ask, value

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PLAN, OTHER = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"

# table, who its lines belong to, the function that finds one, and what else a line needs
KINDS = {
    "tariffs": ("price_plans", "price_plan_id", "tariff_for", "price_per_minute"),
    "provider_tariffs": ("providers", "provider_id", "provider_tariff_for", "cost_per_minute"),
}

Lines = dict[tuple[str, int], int]  # Prefix and the day it counts from -> an amount to know the line by.

digits = st.text("12", max_size=6)  # Few digits, so that prefixes meet.
prefixes = st.text("12", min_size=1, max_size=4)
days = st.integers(0, 4)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, owner: Connection) -> Iterator[str]:
    """A price plan, or a provider with its deck; and another one that has a better answer to everything."""
    table = str(request.param)
    lists = KINDS[table][0]
    ask(owner, f"INSERT INTO {lists} (id, name) VALUES (%s, 'one'), (%s, 'other')", PLAN, OTHER)
    store(owner, table, {(digit * length, 0): 99 for digit in "12" for length in (1, 2, 3, 4)}, OTHER)
    yield table
    ask(owner, f"DELETE FROM {lists} WHERE id IN (%s, %s)", PLAN, OTHER)


def store(owner: Connection, table: str, lines: Lines, list_id: str = PLAN) -> None:
    _, list_column, _, amount_column = KINDS[table]
    ask(
        owner,
        f"""INSERT INTO {table} ({list_column}, prefix, valid_from, {amount_column})
            SELECT %s, line ->> 0, %s + (line ->> 1)::int * interval '1 day', (line ->> 2)::numeric
            FROM jsonb_array_elements(%s) AS line""",
        list_id,
        DAY,
        json.dumps([[prefix, day, amount] for (prefix, day), amount in lines.items()]),
    )


def found(owner: Connection, table: str, number: str | None, day: int = 0) -> Any:
    _, _, function, amount_column = KINDS[table]
    at = DAY + dt.timedelta(days=day)
    answer = ask(owner, f"SELECT {amount_column}::int FROM {function}(%s, %s, %s)", PLAN, number, at)
    assert len(answer) <= 1
    return answer[0][0] if answer else None


def expected(lines: Lines, number: str, day: int) -> int | None:
    """The same, as one would look it up on paper."""
    counting = [line for line in lines if number.startswith(line[0]) and line[1] <= day]
    return lines[max(counting, key=lambda line: (len(line[0]), line[1]))] if counting else None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.dictionaries(st.tuples(prefixes, days), st.integers(1, 90), max_size=12), number=digits, day=days)
def test_it_finds_what_one_would_find_on_paper(
    owner: Connection, kind: str, lines: Lines, number: str, day: int
) -> None:
    ask(owner, f"DELETE FROM {kind} WHERE {KINDS[kind][1]} = %s", PLAN)
    store(owner, kind, lines)
    assert found(owner, kind, number, day) == expected(lines, number, day)


def test_cases(owner: Connection, kind: str) -> None:
    store(
        owner, kind, {("55", 0): 1, ("5511", 0): 2, ("55119", 1): 3, ("5511", 2): 4, ("1" * 15, 0): 5, ("0800", 0): 6}
    )

    assert found(owner, kind, "551140001234") == 2
    assert found(owner, kind, "5511940001234") == 2, "the longer prefix does not count yet"
    assert found(owner, kind, "5511940001234", 1) == 3
    assert found(owner, kind, "551140001234", 2) == 4
    assert found(owner, kind, "5511940001234", 2) == 3, "a newer price of a shorter prefix is no better"
    assert found(owner, kind, "552140001234") == 1
    assert found(owner, kind, "5511") == 2, "a number may be its prefix"
    assert found(owner, kind, "551") == 1
    assert found(owner, kind, "1" * 20) == 5, "a number may be longer than any prefix"
    assert found(owner, kind, "08001234567") == 6
    assert found(owner, kind, "55", -1) is None, "nothing counts before it begins"
    for number in ("", "5", "44", "%", "_5", "+55", None):
        assert found(owner, kind, number) is None, number


def test_it_looks_prefixes_up_in_the_index(owner: Connection, kind: str) -> None:
    """However long the list is: lookups in the unique index, and no line read that is not asked for."""
    _, list_column, function, amount_column = KINDS[kind]
    ask(
        owner,
        f"INSERT INTO {kind} ({list_column}, prefix, {amount_column}, valid_from) "
        "SELECT %s, n::text, 1, %s FROM generate_series(10000, 24999) AS n",
        PLAN,
        DAY,
    )
    ask(owner, f"ANALYZE {kind}")
    question = f"EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM {function}(%s, '123456789012', now())"

    [plan] = value(owner, question, PLAN)
    scans = list(_scans(plan["Plan"]))

    assert [(scan["Node Type"], scan["Index Name"]) for scan in scans] == [
        ("Index Scan", f"uq_{kind}_{list_column}_prefix_valid_from")
    ]
    assert "prefix = " in scans[0]["Index Cond"]
    assert scans[0]["Actual Loops"] <= 15
    assert scans[0]["Actual Rows"] <= 1
    assert scans[0].get("Rows Removed by Filter", 0) == 0


def _scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a query plan that read a table."""
    if "Relation Name" in node:
        yield node
    for below in node.get("Plans", ()):
        yield from _scans(below)
