"""Which line of a bill is for which call, and what differs."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import SignIn, ask, value

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
OURS = "5511987654321"
NORTE = str(uuid.uuid4())

_ids = itertools.count(1)


@pytest.fixture(autouse=True)
def _clean(owner: Connection) -> None:
    ask(owner, "DELETE FROM invoice_lines")
    ask(owner, "DELETE FROM invoice_checks")
    ask(owner, "DELETE FROM calls")


def at(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


def call(owner: Connection, started: float = 0, seconds: int = 60, **values: Any) -> int:
    """A call that the provider carried: answered after five seconds, unless it has no seconds."""
    id = next(_ids)
    line = {
        "id": id,
        "started_at": at(started),
        "day": NOON.replace(hour=0),
        "answered_at": at(started + 5) if seconds else None,
        "node": "n1",
        "uniqueid": str(id),
        "sequence": 1,
        "direction": "outbound",
        "provider_id": NORTE,
        "src": "551140001000",
        "dst": OURS,
        "disposition": "ANSWERED" if seconds else "NO ANSWER",
        "duration": seconds + 5,
        "billsec": seconds,
        "cost_billed_seconds": seconds,
        "cost": Decimal("0.05") if seconds else 0,
        **values,
    }
    names, marks = ", ".join(line), ", ".join(["%s"] * len(line))
    ask(owner, f"INSERT INTO calls ({names}) VALUES ({marks})", *line.values())  # noqa: S608 - our own names
    return id


Line = tuple[float, str, int, str | None]  # Start, number, seconds, amount.


def bill(owner: Connection, *lines: Line | tuple[float, str, int, str | None, str], **values: Any) -> str:
    """The id of a check of these lines, which is done."""
    id = str(uuid.uuid4())
    settled = {"tolerance_seconds": 60, "tolerance_duration": 1, "tolerance_amount": Decimal("0.01"), **values}
    ask(
        owner,
        """INSERT INTO invoice_checks (id, file_name, username, language, state, provider_id, time_zone,
               tolerance_seconds, tolerance_duration, tolerance_amount)
           VALUES (%s, 'bill.csv', 'olga', 'en', 'reading', %s, 'UTC', %s, %s, %s)""",
        *(id, NORTE, *settled.values()),
    )
    for position, (start, number, seconds, amount, *caller) in enumerate(lines, start=2):
        ask(
            owner,
            """INSERT INTO invoice_lines (check_id, position, started_at, number, seconds, amount, caller)
               VALUES (%s, %s, %s, %s, %s, %s, %s)""",
            *(id, position, at(start), number, seconds, amount, caller[0] if caller else None),
        )
    ask(owner, "SELECT check_invoice(%s)", id)
    return id


def found(owner: Connection, id: str) -> list[tuple[str, int | None]]:
    """The kind and the call of each line, in the order of the file."""
    lines = "SELECT kind, call_id::integer FROM invoice_lines WHERE check_id = %s ORDER BY position"
    return [(row[0], row[1]) for row in ask(owner, lines, id)]


def of_check(owner: Connection, id: str, column: str) -> Any:
    return value(owner, f"SELECT {column} FROM invoice_checks WHERE id = %s", id)  # noqa: S608 - our own names


def test_each_kind(owner: Connection) -> None:
    equal = call(owner, 0)
    longer = call(owner, 600)
    dearer = call(owner, 1200)
    missing = call(owner, 1800)
    silent = call(owner, 2400, seconds=0)
    id = bill(
        owner,
        (3, OURS, 60, "0.05"),
        (603, OURS, 90, "0.08"),
        (1203, OURS, 60, "0.09"),
        (2403, OURS, 30, "0.03"),
        (3000, OURS, 60, "0.05"),
    )
    assert found(owner, id) == [
        ("equal", equal),
        ("duration", longer),
        ("price", dearer),
        ("extra", silent),
        ("extra", None),
        ("missing", missing),
    ]
    sums = of_check(owner, id, "sums")
    assert sums["extra"] == {"lines": 2, "seconds": 90, "call_seconds": 0, "billed": "0.08000000", "cost": "0.00000000"}
    assert sums["missing"] == {
        "lines": 1,
        "seconds": 0,
        "call_seconds": 60,
        "billed": "0",
        "cost": "0.05000000",
    }
    assert of_check(owner, id, "differing") == 5
    assert (of_check(owner, id, "billed"), of_check(owner, id, "cost")) == (Decimal("0.30"), Decimal("0.20"))
    assert of_check(owner, id, "since") == at(3 - 60)
    assert of_check(owner, id, "until") == at(3000 + 60)


SPELLINGS = {
    "5511987654321": True,
    "+55 (11) 98765-4321": True,
    "11987654321": True,
    "011987654321": True,
    "01511987654321": True,
    "001415511987654321": True,
    "99905511987654321": True,
    "987654321": True,
    "sip:5511987654321@10.0.0.1": True,
    "5521987654321": False,
    "21987654321": False,
    "01521987654321": False,
    "5511987654322": False,
    "4321": False,
    "": False,
}


@pytest.mark.parametrize("written", SPELLINGS)
def test_numbers_in_every_spelling(owner: Connection, written: str) -> None:
    id = call(owner)
    expected = [("equal", id)] if SPELLINGS[written] else [("extra", None), ("missing", id)]
    assert found(owner, bill(owner, (0, written, 60, "0.05"))) == expected


def test_foreign_and_short_numbers(owner: Connection) -> None:
    abroad = call(owner, 0, dst="442012345678")
    short = call(owner, 60, dst="10315")
    lines = [(0.0, "00 15 44 20 1234-5678", 60, "0.05"), (60.0, "10315", 60, "0.05"), (60.0, "0315", 60, "0.05")]
    assert found(owner, bill(owner, *lines)) == [("equal", abroad), ("equal", short), ("extra", None)]
    # Only the country code of the company itself may be left out.
    assert found(owner, bill(owner, (0, "15 20 1234-5678", 60, "0.05")))[0] == ("extra", None)


def test_a_line_twice_is_billed_once_too_often(owner: Connection) -> None:
    id = call(owner)
    line: Line = (0, OURS, 60, "0.05")
    assert found(owner, bill(owner, line, line)) == [("equal", id), ("extra", None)]


def test_many_calls_at_the_same_second(owner: Connection) -> None:
    ids = [call(owner) for _ in range(30)]
    lines = found(owner, bill(owner, *[(0.0, OURS, 60, "0.05")] * 30))
    assert {kind for kind, _ in lines} == {"equal"}
    assert sorted(id for _, id in lines if id) == ids
    assert [kind for kind, _ in found(owner, bill(owner, *[(0.0, OURS, 60, "0.05")] * 29))].count("missing") == 1


def test_the_nearest_of_several(owner: Connection) -> None:
    """By the duration where it decides, else by the time."""
    first, second = call(owner, 0, 20), call(owner, 40, 55)
    assert found(owner, bill(owner, (20, OURS, 55, "0.05"), (21, OURS, 20, "0.05"))) == [
        ("equal", second),
        ("equal", first),
    ]
    first, second = call(owner, 7200, 30), call(owner, 7240, 30)
    assert found(owner, bill(owner, (7238, OURS, 30, "0.05"), (7201, OURS, 30, "0.05"))) == [
        ("equal", second),
        ("equal", first),
    ]


def test_who_was_not_reached_first(owner: Connection) -> None:
    """They list the try that nobody answered, too, and bill nothing for it."""
    tried, reached = call(owner, 0, seconds=0), call(owner, 20, 60)
    lines = [(0.0, OURS, 0, "0"), (20.0, OURS, 60, "0.05")]
    assert found(owner, bill(owner, *lines)) == [("equal", tried), ("equal", reached)]
    assert found(owner, bill(owner, lines[1])) == [("equal", reached)]


def test_the_caller_decides_between_calls(owner: Connection) -> None:
    first = call(owner, 0, src="551140001000")
    second = call(owner, 1, src="551140002000")
    assert found(owner, bill(owner, (0, OURS, 60, "0.05", "11 4000-2000"))) == [("equal", second), ("missing", first)]
    # Whom they call by another name is the same all the same.
    assert found(owner, bill(owner, (0, OURS, 60, "0.05", "0800123"), (1, OURS, 60, "0.05", "0800123"))) == [
        ("equal", first),
        ("equal", second),
    ]


@pytest.mark.parametrize("apart", [0, 59, -59, 64])
def test_a_start_is_from_dialling_to_the_answer(owner: Connection, apart: int) -> None:
    id = call(owner)
    assert found(owner, bill(owner, (apart, OURS, 60, "0.05"))) == [("equal", id)]


@pytest.mark.parametrize("apart", [66, -61])
def test_too_far_apart(owner: Connection, apart: int) -> None:
    call(owner)
    assert found(owner, bill(owner, (apart, OURS, 60, "0.05")))[0] == ("extra", None)


@pytest.mark.parametrize("shift", [3 * 3600, -3 * 3600, 5400, 137, -700])
def test_a_clock_that_is_wrong(owner: Connection, shift: int) -> None:
    starts = [0, 95, 310, 702, 1500, 2222]
    ids = [call(owner, start, dst=f"55119876543{n:02}") for n, start in enumerate(starts)]
    lines = [(start + shift + 2 * n, f"55119876543{n:02}", 60, "0.05") for n, start in enumerate(starts)]
    id = bill(owner, *lines, (90 + shift, "551130001000", 60, "0.05"))
    assert found(owner, id) == [*(("equal", each) for each in ids), ("extra", None)]
    assert abs(of_check(owner, id, "clock_ahead") - shift) <= (0 if shift % 900 == 0 else 10)


def test_no_clock_is_learned_if_a_third_says_otherwise(owner: Connection) -> None:
    for n in range(6):
        call(owner, n * 100, dst=f"55119876543{n:02}")
    right = [(n * 100.0, f"55119876543{n:02}", 60, "0.05") for n in range(2)]
    wrong = [(n * 100 + 3600.0, f"55119876543{n:02}", 60, "0.05") for n in range(2, 6)]
    id = bill(owner, *right, *wrong)
    assert of_check(owner, id, "clock_ahead") == 0
    assert [kind for kind, _ in found(owner, id)] == ["equal"] * 2 + ["extra"] * 4 + ["missing"] * 4


def test_what_is_billed_was_answered(owner: Connection) -> None:
    """However near the try is that was not, and however wrong the duration."""
    call(owner, 0, seconds=0)
    reached = call(owner, 20, 300)
    assert found(owner, bill(owner, (1, OURS, 90, "0.05"))) == [("duration", reached)]


def test_the_same_duration_goes_before_the_nearest(owner: Connection) -> None:
    same, nearest = call(owner, 50, 65), call(owner, 2, 70)
    assert found(owner, bill(owner, (1, OURS, 65, "0.05"))) == [("equal", same), ("missing", nearest)]


def test_a_call_that_rang_for_long(owner: Connection) -> None:
    """A line that begins when it was answered is not that of the call that began soon after."""
    long = call(owner, 0, answered_at=at(40))
    soon = call(owner, 50)
    assert found(owner, bill(owner, (38, OURS, 60, "0.05"))) == [("equal", long), ("missing", soon)]


def test_times_without_seconds(owner: Connection) -> None:
    ids = [call(owner, 100), call(owner, 179)]
    assert found(owner, bill(owner, (60, OURS, 60, "0.05"), (120, OURS, 60, "0.05"), tolerance_seconds=0)) == [
        ("equal", ids[0]),
        ("equal", ids[1]),
    ]


def test_durations_by_either_count(owner: Connection) -> None:
    """What was talked and what the deck makes of it are both right, and a second more or less is nobody's fault."""
    call(owner, 0, 40, cost_billed_seconds=60)
    for seconds, kind in ((40, "equal"), (60, "equal"), (41, "equal"), (50, "duration"), (38, "duration")):
        assert found(owner, bill(owner, (0, OURS, seconds, "0.05")))[0][0] == kind, seconds
    assert found(owner, bill(owner, (0, OURS, 41, "0.05"), tolerance_duration=0))[0][0] == "duration"


def test_amounts_within_the_tolerance(owner: Connection) -> None:
    call(owner)
    for amount, kind in (("0.06", "equal"), ("0.04", "equal"), ("0.0601", "price"), (None, "equal")):
        assert found(owner, bill(owner, (0, OURS, 60, amount)))[0][0] == kind, amount
    assert found(owner, bill(owner, (0, OURS, 60, "0.051"), tolerance_amount=0))[0][0] == "price"


def test_a_rounding_that_explains_the_durations(owner: Connection) -> None:
    for n, seconds in enumerate((32, 65, 131, 70)):
        call(
            owner,
            n * 300,
            seconds,
            cost_billed_seconds=-(-seconds // 6) * 6,
            cost_minimum_seconds=30,
            cost_increment_seconds=6,
        )
    lines = [(n * 300.0, OURS, seconds, None) for n, seconds in enumerate((60, 120, 180, 120))]
    id = bill(owner, *lines)
    assert (of_check(owner, id, "their_rounding"), of_check(owner, id, "our_rounding")) == ("60/60", "30/6")
    id = bill(owner, *lines[:2], (600, OURS, 150, None), (900, OURS, 99, None))
    assert of_check(owner, id, "their_rounding") == ""


def test_calls_of_others_are_left_alone(owner: Connection) -> None:
    call(owner, provider_id=str(uuid.uuid4()))
    call(owner, direction="inbound")
    assert found(owner, bill(owner, (0, OURS, 60, "0.05"))) == [("extra", None)]


def test_a_bill_without_a_line_that_makes_sense(owner: Connection) -> None:
    call(owner)
    assert found(owner, bill(owner)) == []


def test_it_can_be_asked_twice_in_a_transaction(sign_in: SignIn, owner: Connection) -> None:
    call(owner)
    id = bill(owner, (0, OURS, 60, "0.05"))
    other = sign_in()
    other.autocommit = False
    ask(other, "DELETE FROM invoice_lines WHERE kind = 'missing'")
    ask(other, "SELECT check_invoice(%s)", id)
    ask(other, "SELECT check_invoice(%s)", id)
    assert [kind for kind, _ in found(other, id)] == ["equal"]
    other.rollback()


def test_asterisk_knows_nothing_of_it(asterisk: Connection) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(asterisk, "SELECT public.check_invoice(%s)", str(uuid.uuid4()))
