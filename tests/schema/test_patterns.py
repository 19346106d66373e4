"""A dialling pattern means in PostgreSQL what it means in Asterisk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection
from pydantic import TypeAdapter, ValidationError

from tests.schema.conftest import SignIn, value
from webapp.validation import Pattern

CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}


def matches(pattern: str, number: str) -> bool:
    """Asterisk's way, sign by sign (_extension_match_core in main/pbx.c), for digits, * # and +."""
    while pattern:
        sign, rest = pattern[0], pattern[1:]
        if sign == "!":
            return True
        if sign == ".":
            return len(number) >= 1
        if sign == "[":
            inside, _, rest = rest.partition("]")
            allowed = "".join(_members(inside))
        else:
            allowed = CLASSES.get(sign, sign)
        if not number or number[0] not in allowed:
            return False
        pattern, number = rest, number[1:]
    return not number


def _members(inside: str) -> Iterator[str]:
    """The signs of a set: single ones, and ranges from one to another."""
    while inside:
        if len(inside) > 2 and inside[1] == "-":
            yield from map(chr, range(ord(inside[0]), ord(inside[2]) + 1))
            inside = inside[3:]
        else:
            yield inside[0]
            inside = inside[1:]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("190", ["190"], ["19", "1900", "191", "", "x190"]),
        ("19X", ["190", "199"], ["19", "1900", "19*", "19X"]),
        ("Z", ["1", "9"], ["0", "", "11"]),
        ("N", ["2", "9"], ["0", "1", ""]),
        ("55.", ["551", "5511999999999"], ["55", "5", "155", "54"]),
        ("55!", ["55", "551"], ["5", "155"]),
        (".", ["1", "*", "123"], [""]),
        ("!", ["", "1", "123"], []),
        ("[2-5]X", ["20", "59"], ["10", "60", "2", "-0"]),
        ("[25]X", ["20", "59"], ["30"]),
        ("0[1-37]", ["01", "02", "03", "07"], ["04", "0-", "0"]),
        ("[*#]1", ["*1", "#1"], ["11", "1"]),
        ("*21*X.", ["*21*12"], ["*21*1", "21*12", "**21*12"]),
        ("#", ["#"], ["1", ""]),
        ("+55X", ["+551"], ["551", "++551"]),
        ("55119XXXXXXXX", ["5511912345678"], ["551191234567", "55119123456789", "5511812345678"]),
        ("00ZX.", ["001123"], ["000123", "0011"]),
    ],
)
def test_patterns(sign_in: SignIn, pattern: str, matching: list[str], others: list[str]) -> None:
    owner = sign_in()

    assert [number for number in matching if not _matches(owner, pattern, number)] == []
    assert [number for number in others if _matches(owner, pattern, number)] == []
    assert all(matches(pattern, number) for number in matching), "the matcher of the tests is wrong"
    assert not any(matches(pattern, number) for number in others), "the matcher of the tests is wrong"


def _matches(owner: Connection, pattern: str, number: str) -> bool:
    return bool(value(owner, "SELECT %s ~ public.pattern_regex(%s)", number, pattern))


# What an operator may type, and what the schema then makes of it or refuses.
_signs = st.sampled_from([*"0123456789XZN*#+", "[2-5]", "[13]", "[0-9*#]", "[1-37-9]", "[#-9]", "[*-]", "[--9]"])
_set = st.text("0123456789*#-", min_size=1, max_size=5).map(lambda inside: f"[{inside}]")
_typed = st.builds(
    lambda signs, end: "".join(signs) + end,
    st.lists(st.one_of(_signs, _set), max_size=6),
    st.sampled_from(["", ".", "!"]),
)
_numbers = st.text("0123456789*#+", max_size=8)
_pattern: TypeAdapter[str] = TypeAdapter(Pattern)

_settings: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
}


@settings(max_examples=400, **_settings)
@given(_typed, st.lists(_numbers, min_size=1, max_size=8))
@example("[5-*]", ["5"])
@example("[1-3-5]", ["2"])
@example("[*-5]1", ["11"])
@example("[-]", ["1"])
@example("[1--]", ["1"])
@example("[#-5]", ["1"])
def test_whatever_is_accepted_means_the_same_to_both(owner: Connection, typed: str, numbers: list[str]) -> None:
    """One pattern that PostgreSQL could not read would stop every call of every customer: all are looked at."""
    try:
        pattern = _pattern.validate_python(typed)
    except ValidationError:
        assume(False)

    for number in numbers:
        assert _matches(owner, pattern, number) == matches(pattern, number), (pattern, number)


@st.composite
def _plain(draw: st.DrawFn) -> tuple[str, str]:
    """A pattern, and a number that was made to match it but for a change now and then."""
    pattern, number = "", ""
    for sign in draw(st.lists(st.sampled_from([*"0123456789XZN", "[2-5]", "[13]"]), min_size=1, max_size=10)):
        allowed = "".join(_members(sign[1:-1])) if sign.startswith("[") else CLASSES.get(sign, sign)
        pattern += sign
        number += draw(st.sampled_from(allowed)) if draw(st.integers(0, 9)) else draw(st.sampled_from("0123456789"))
    end = draw(st.sampled_from(["", "", ".", "!"]))
    return pattern + end, number + draw(st.text("0123456789", max_size=2))


@settings(max_examples=400, **_settings)
@given(_plain())
def test_numbers_that_nearly_match(owner: Connection, case: tuple[str, str]) -> None:
    pattern, number = case

    assert _matches(owner, pattern, number) == matches(pattern, number)


def test_the_expression_is_kept_with_the_route(owner: Connection) -> None:
    """Otherwise each call would make it anew from every pattern."""
    generated = value(
        owner, "SELECT attgenerated FROM pg_attribute WHERE attrelid = 'routes'::regclass AND attname = 'regex'"
    )
    assert generated == "s"
