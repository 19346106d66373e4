"""Calls rated again, and CDRs tried again: what is different changes, all else stays, and the totals follow."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import SignIn, ask, value
from tests.schema.test_landing import calls, counted_anew, land, totals
from tests.schema.test_rating import CUSTOMER, PLAN, carrier, deck, tariff

__all__ = ["carrier"]

DAY = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def prices(carrier: None, owner: Connection) -> Iterator[None]:
    tariff(owner, "55", "1", description="Brasil", minimum_seconds=30, increment_seconds=6)
    deck(owner, "5521", "0.5")
    yield
    assert totals(owner) == counted_anew(owner)
    ask(owner, "DELETE FROM reratings")


def rerate(owner: Connection, state: str = "applying", most: int = 1000, **values: Any) -> str:
    """Rate calls again to the end; the id of the rerating."""
    line = {"id": str(uuid4()), "username": "olga", "state": state, "since": DAY, "until": DAY + dt.timedelta(1)}
    line |= values
    line["reached_at"] = line["since"]
    names, marks = ", ".join(line), ", ".join(["%s"] * len(line))
    ask(owner, f"INSERT INTO reratings ({names}) VALUES ({marks})", *line.values())  # noqa: S608 - our own names
    while value(owner, "SELECT rerate_on(%s, %s)", line["id"], most):
        pass
    return str(line["id"])


def sums(owner: Connection, id: str) -> list[tuple[Any, ...]]:
    return ask(
        owner,
        "SELECT customer_id, calls, price_before, price_after, cost_before, cost_after FROM rerating_customers "
        "WHERE rerating_id = %s ORDER BY customer_id",
        id,
    )


def prices_of(owner: Connection) -> list[Decimal]:
    return [row[0] for row in ask(owner, "SELECT price FROM calls ORDER BY id")]


def some_calls(asterisk: Connection, count: int = 1, **values: str | None) -> None:
    for n in range(count):
        land(asterisk, uniqueid=f"pbx1-{uuid4()}", start=f"2026-03-10 12:00:{n % 60:02}", **values)


@pytest.mark.parametrize("direction", ["outbound", "inbound", "onnet", "internal", ""])
@pytest.mark.parametrize("answer", ["2026-03-10 12:00:05", None])
@pytest.mark.parametrize("number", ["552133334444", "190", "442012345678", ""])
def test_what_has_not_changed_would_be_rated_the_same(
    owner: Connection, asterisk: Connection, direction: str, answer: str | None, number: str
) -> None:
    some_calls(asterisk, 1, direction=direction, answer=answer, number=number, did="551140001000")
    some_calls(asterisk, 1, direction=direction, answer=answer, number=number, customer_id=None, provider_id=None)

    assert len(calls(owner)) == 2
    assert ask(owner, "SELECT * FROM calls c WHERE rerated(c) IS DISTINCT FROM c") == []
    assert sums(owner, rerate(owner)) == []


def test_a_tariff_set_right(owner: Connection, asterisk: Connection) -> None:
    some_calls(asterisk, 3)
    before = calls(owner)
    ask(owner, "UPDATE tariffs SET price_per_minute = 2, description = 'Brazil'")
    id = rerate(owner)

    assert prices_of(owner) == [Decimal("2.2")] * 3
    assert sums(owner, id) == [(CUSTOMER, 3, Decimal("3.3"), Decimal("6.6"), Decimal("1.65"), Decimal("1.65"))]
    changed = [{name for name in now if now[name] != was[name]} for was, now in zip(before, calls(owner), strict=True)]
    assert changed == [{"price", "price_per_minute", "destination"}] * 3
    assert value(owner, "SELECT state FROM reratings") == "applied"


def test_to_compare_changes_nothing(owner: Connection, asterisk: Connection) -> None:
    some_calls(asterisk, 30)
    before = calls(owner)
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")
    id = rerate(owner, "comparing")

    assert calls(owner) == before
    assert sums(owner, id) == [(CUSTOMER, 30, Decimal(33), Decimal(66), Decimal("16.5"), Decimal("16.5"))]
    [(state, seen, sample)] = ask(owner, "SELECT state, calls, sample FROM reratings")
    assert (state, seen, len(sample)) == ("compared", 30, 20)
    assert [each["id"] for each in sample] == [call["id"] for call in before[:20]]
    assert (sample[0]["before"]["price"], sample[0]["after"]["price"]) == ("1.10000000", "2.20000000")


def test_calls_that_cost_more_by_now_are_found_as_well(owner: Connection, asterisk: Connection) -> None:
    some_calls(asterisk)
    ask(owner, "UPDATE provider_tariffs SET cost_per_minute = 5")

    assert sums(owner, rerate(owner))[0][4:] == (Decimal("0.55"), Decimal("5.5"))


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        ({}, [1, 2, 3, 4]),
        ({"customer_id": CUSTOMER}, [1, 2, 3]),
        ({"customer_id": NOBODY}, []),
        ({"price_plan_id": PLAN}, [1, 2, 3]),
        ({"direction": "onnet"}, [2]),
        ({"since": DAY + dt.timedelta(hours=12, seconds=1)}, [2, 3, 4]),
        ({"until": DAY + dt.timedelta(hours=12, seconds=2)}, [1, 2]),
        ({"only_unrated": True}, [3, 4]),
    ],
)
def test_which_calls_are_meant(
    owner: Connection, asterisk: Connection, wanted: dict[str, Any], changed: list[int]
) -> None:
    ask(owner, "UPDATE price_plans SET onnet_charged = true WHERE id = %s", PLAN)
    land(asterisk, start="2026-03-10 12:00:00", sequence="1")
    land(asterisk, start="2026-03-10 12:00:01", sequence="2", direction="onnet")
    land(asterisk, start="2026-03-10 12:00:02", sequence="3", number="442012345678")
    land(asterisk, start="2026-03-10 12:00:03", sequence="4", customer_id=None)
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")
    ask(owner, "UPDATE provider_tariffs SET cost_per_minute = 2")
    tariff(owner, "44", "1")
    before = {call["sequence"]: call for call in calls(owner)}
    rerate(owner, **wanted)

    assert [call["sequence"] for call in calls(owner) if call != before[call["sequence"]]] == changed


def test_a_customer_gets_the_plan_it_should_have_had(owner: Connection, asterisk: Connection) -> None:
    ask(owner, "UPDATE customers SET price_plan_id = NULL")
    some_calls(asterisk)
    assert [call["unrated"] for call in calls(owner)] == ["no_price_plan"]
    ask(owner, "UPDATE customers SET price_plan_id = %s", PLAN)
    rerate(owner, only_unrated=True)

    assert [(call["unrated"], call["price"]) for call in calls(owner)] == [("", 1.1)]


@pytest.mark.parametrize("most", [1, 2, 7])
def test_by_a_few_at_a_time_it_is_the_same(owner: Connection, asterisk: Connection, most: int) -> None:
    some_calls(asterisk, 45)
    some_calls(asterisk, 3, customer_id=None, number="552133335555")
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")
    ask(owner, "UPDATE provider_tariffs SET cost_per_minute = 1")
    id = rerate(owner, most=most)

    assert [row[:2] for row in sums(owner, id)] == [(NOBODY, 3), (CUSTOMER, 45)]
    assert set(prices_of(owner)) == {Decimal("2.2"), Decimal(0)}
    assert value(owner, "SELECT calls FROM reratings") == 48


def test_rare_ones_among_many(owner: Connection, asterisk: Connection) -> None:
    """More are passed than are meant; the last is found all the same."""
    some_calls(asterisk, 50, customer_id=None)
    land(asterisk, start="2026-03-10 13:00:00")
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")

    assert sums(owner, rerate(owner, most=1, customer_id=CUSTOMER))[0][1] == 1


def test_it_goes_on_where_it_was_left(owner: Connection, asterisk: Connection) -> None:
    """As after a crash: what is done is done, and nothing is counted twice."""
    some_calls(asterisk, 9)
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")
    id = rerate(owner, state="compared")
    ask(owner, "UPDATE reratings SET state = 'applying'")
    for expected in (2, 4):
        ask(owner, "SELECT rerate_on(%s, 2)", id)
        assert prices_of(owner).count(Decimal("2.2")) == expected

    while value(owner, "SELECT rerate_on(%s, 4)", id):
        pass
    assert sums(owner, id)[0][1] == 9
    assert prices_of(owner) == [Decimal("2.2")] * 9
    assert value(owner, "SELECT rerate_on(%s)", id) is None


def test_two_workers_do_no_more_than_one(owner: Connection, asterisk: Connection, sign_in: SignIn) -> None:
    some_calls(asterisk, 60)
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")
    id = rerate(owner, state="compared")
    ask(owner, "UPDATE reratings SET state = 'applying'")

    def work(connection: Connection) -> None:
        while value(connection, "SELECT rerate_on(%s, 3)", id):
            pass

    threads = [threading.Thread(target=work, args=(sign_in(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sums(owner, id) == [(CUSTOMER, 60, Decimal(66), Decimal(132), Decimal(33), Decimal(33))]


def test_calls_that_end_meanwhile_do_not_wait(owner: Connection, asterisk: Connection, sign_in: SignIn) -> None:
    """Asterisk gives up after a second, and the record would be rated later only."""
    some_calls(asterisk, 60)
    ask(owner, "UPDATE tariffs SET price_per_minute = 2")
    worker = sign_in()
    thread = threading.Thread(target=rerate, args=(worker,), kwargs={"most": 5})
    thread.start()
    while thread.is_alive():
        land(asterisk, uniqueid=f"pbx1-{uuid4()}", start="2026-03-10 12:01:00")
    thread.join()

    assert ask(owner, "SELECT * FROM unrated_cdrs") == []


# ---- CDRs tried again


def ids(owner: Connection) -> list[int]:
    return [row[0] for row in ask(owner, "SELECT cdr_id FROM unrated_cdrs ORDER BY 1")]


def test_a_cdr_that_found_the_totals_locked(owner: Connection, asterisk: Connection, sign_in: SignIn) -> None:
    """It is kept with the reason, and becomes the call it is when it is tried again."""
    land(asterisk)
    holder = sign_in()
    holder.autocommit = False
    ask(holder, "SELECT * FROM call_totals FOR UPDATE")
    land(asterisk, sequence="2")
    holder.rollback()

    assert ask(owner, "SELECT code, tries FROM unrated_cdrs") == [("55P03", 0)]
    assert len(calls(owner)) == 1
    assert value(owner, "SELECT reland_what_may_pass()") == 1
    assert ids(owner) == []
    assert [call["price"] for call in calls(owner)] == [1.1, 1.1]


def test_in_whatever_time_zone_it_is_tried(owner: Connection, asterisk: Connection) -> None:
    land(asterisk)
    ask(owner, "DELETE FROM calls")
    ask(owner, "INSERT INTO unrated_cdrs (cdr_id, reason) SELECT id, 'x' FROM asterisk.cdr")
    ask(owner, "SET timezone = 'Asia/Tokyo'")

    assert value(owner, "SELECT reland(ARRAY(SELECT cdr_id FROM unrated_cdrs))") == 1
    assert value(owner, "SELECT started_at FROM calls") == dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def test_what_still_makes_no_sense_stays(owner: Connection, asterisk: Connection) -> None:
    land(asterisk, start="garbage")
    land(asterisk, start=None, sequence="2")
    assert [row[0] for row in ask(owner, "SELECT code FROM unrated_cdrs ORDER BY cdr_id")] == ["22007", "23502"]

    assert value(owner, "SELECT reland(%s)", ids(owner)) == 0
    assert value(owner, "SELECT reland_what_may_pass()") == 0  # There is nothing that may.
    assert ask(owner, "SELECT tries FROM unrated_cdrs") == [(1,), (1,)]


def test_one_that_is_a_call_already_is_settled(owner: Connection, asterisk: Connection) -> None:
    land(asterisk)
    ask(owner, "INSERT INTO unrated_cdrs (cdr_id, reason) SELECT id, 'x' FROM asterisk.cdr")

    ask(owner, "SELECT reland(%s)", ids(owner))

    assert ids(owner) == []
    assert len(calls(owner)) == 1


def test_one_whose_record_is_gone_is_let_go(owner: Connection) -> None:
    ask(owner, "INSERT INTO unrated_cdrs (cdr_id, reason) VALUES (987654321, 'x')")

    ask(owner, "SELECT reland(%s)", ids(owner))

    assert ids(owner) == []


def test_two_who_try_the_same_share_it(owner: Connection, asterisk: Connection, sign_in: SignIn) -> None:
    land(asterisk)
    ask(owner, "DELETE FROM calls")
    ask(owner, "INSERT INTO unrated_cdrs (cdr_id, reason) SELECT id, 'x' FROM asterisk.cdr")
    first = sign_in()
    first.autocommit = False
    assert value(first, "SELECT reland(%s)", ids(owner)) == 1

    assert value(owner, "SELECT reland(%s)", ids(owner)) == 0

    first.commit()
    assert len(calls(owner)) == 1


def test_a_pause_grows_with_each_try(owner: Connection, asterisk: Connection) -> None:
    land(asterisk, start="garbage")
    ask(owner, "UPDATE unrated_cdrs SET code = '55P03', tries = 3, tried_at = now() - interval '5 minutes'")
    ask(owner, "SELECT reland_what_may_pass()")
    assert ask(owner, "SELECT tries FROM unrated_cdrs") == [(3,)]

    ask(owner, "UPDATE unrated_cdrs SET tried_at = now() - interval '7 minutes'")
    ask(owner, "SELECT reland_what_may_pass()")
    assert ask(owner, "SELECT tries, code FROM unrated_cdrs") == [(4, "22007")]


def test_asterisk_may_do_none_of_this(asterisk: Connection) -> None:
    for statement in ("SELECT public.reland('{1}')", "SELECT public.rerate_on(NULL)", "SELECT * FROM public.reratings"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(asterisk, statement)
