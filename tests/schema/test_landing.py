"""From a CDR to a call and to the totals: nothing is lost, nothing counts twice, whatever a CDR holds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from tests.schema.conftest import ask, value
from tests.schema.test_rating import CUSTOMER, GATEWAY, PROVIDER, carrier, deck, tariff

__all__ = ["carrier"]

CDR: dict[str, str | None] = {
    "start": "2026-03-10 12:00:00",
    "answer": "2026-03-10 12:00:05",
    "end": "2026-03-10 12:01:06",
    "duration": "65.2",
    "billsec": "60.1",
    "disposition": "ANSWERED",
    "uniqueid": "pbx1-1.1",
    "linkedid": "pbx1-1.1",
    "sequence": "1",
    "direction": "outbound",
    "customer_id": CUSTOMER,
    "provider_id": PROVIDER,
    "gateway_id": GATEWAY,
    "src": "551140001000",
    "dst": "s",
    "number": "552133334444",
    "request": "pbx1-1.1-1",
    "dcontext": "verdict-route",
    "pdd": "850",
    "cause": None,
}
# Each total and how it is counted anew from the calls.
TOTALS = """
    SELECT dimension, period, starts_at, thing, direction, sum(calls), sum(answered), sum(short), sum(seconds),
           sum(billed_seconds), sum(pdd_calls), sum(pdd), sum(cost), sum(price)
    FROM {source} GROUP BY 1, 2, 3, 4, 5 HAVING sum(calls) <> 0
    ORDER BY 1, 2, 3, thing COLLATE "C", direction COLLATE "C"
"""


@pytest.fixture(autouse=True)
def prices(carrier: None, owner: Connection) -> Iterator[None]:
    tariff(owner, "55", "1", description="Brasil", minimum_seconds=30, increment_seconds=6)
    deck(owner, "5521", "0.5", minimum_seconds=30, increment_seconds=6)
    yield
    assert totals(owner) == counted_anew(owner)


def land(asterisk: Connection, **values: str | None) -> None:
    """A CDR as Asterisk stores it: with the rights of its role."""
    cdr = CDR | values
    names, marks = ", ".join(f'"{name}"' for name in cdr), ", ".join(["%s"] * len(cdr))
    ask(asterisk, f"INSERT INTO cdr ({names}) VALUES ({marks})", *cdr.values())  # noqa: S608 - our own names


def calls(owner: Connection) -> list[dict[str, Any]]:
    return [row[0] for row in ask(owner, "SELECT to_jsonb(c) FROM calls c ORDER BY id")]


def totals(owner: Connection) -> list[tuple[Any, ...]]:
    return ask(owner, TOTALS.format(source="call_totals"))


def counted_anew(owner: Connection) -> list[tuple[Any, ...]]:
    return ask(owner, TOTALS.format(source="(SELECT t.* FROM calls c, LATERAL totals_of(c) t) AS anew"))


def test_a_call_is_priced_as_it_comes_in(owner: Connection, asterisk: Connection) -> None:
    land(asterisk)

    [call] = calls(owner)
    # 60.1 seconds are 61 that have begun, and 30 + 6 x 6 = 66 are charged.
    assert (call["billsec"], call["billed_seconds"], call["price"], call["cost"]) == (61, 66, 1.1, 0.55)
    assert (call["destination"], call["prefix"], call["cost_source"]) == ("Brasil", "55", "deck")
    assert (call["started_at"], call["answered_at"]) == ("2026-03-10T12:00:00+00:00", "2026-03-10T12:00:05+00:00")
    assert (call["node"], call["pdd"], call["dst"], call["unrated"]) == ("pbx1", 850, "552133334444", "")
    assert not ask(owner, "SELECT * FROM unrated_cdrs")


def test_the_totals_say_what_was_earned(owner: Connection, asterisk: Connection) -> None:
    land(asterisk)
    land(asterisk, sequence="2", answer=None, billsec="0", disposition="BUSY", pdd=None)

    found = {(row[0], row[1], row[3]): row[5:] for row in totals(owner)}
    assert found["customer", "hour", CUSTOMER] == (2, 1, 0, 61, 66, 1, 850, Decimal("0.55"), Decimal("1.1"))
    assert found["gateway", "hour", f"{PROVIDER} {GATEWAY}"][:2] == (2, 1)
    assert found["destination", "day", "Brasil"][:2] == (2, 1)
    assert found["cause", "day", "BUSY"][:2] == (1, 0)


def test_a_day_begins_at_the_companys_midnight(owner: Connection, asterisk: Connection) -> None:
    land(asterisk, start="2026-03-10 02:59:59")
    land(asterisk, start="2026-03-10 03:00:00", sequence="2")

    days = ask(owner, "SELECT starts_at::text FROM call_totals WHERE dimension = 'customer' AND period = 'day'")
    assert len(days) == 2


def test_the_same_leg_counts_once(owner: Connection, asterisk: Connection) -> None:
    """cdr_pgsql may send a record again whose answer it lost; the journal holds it, too."""
    for _ in range(3):
        land(asterisk)

    assert len(calls(owner)) == 1
    assert value(owner, "SELECT count(*) FROM asterisk.cdr") == 3


def test_legs_that_failed_are_told_how_they_ended(owner: Connection, asterisk: Connection) -> None:
    """What ended a leg comes with the next one; what ended the last with a record that is no call."""
    failed = {"answer": None, "billsec": "0", "disposition": "CONGESTION", "pdd": None}
    land(asterisk, **failed)
    land(asterisk, **failed, sequence="3", previous_cause="34", previous_status="SIP 503 Service Unavailable")
    land(asterisk, **failed, sequence="5", dcontext="hang-up", previous_cause="17", previous_status="SIP 486 Busy Here")

    assert [(call["cause"], call["sip_status"]) for call in calls(owner)] == [(34, 503), (17, 486)]
    causes = ask(owner, "SELECT thing, calls FROM call_totals WHERE dimension = 'cause' AND calls <> 0 ORDER BY 1")
    assert causes == [("486", 1), ("503", 1)]


def test_a_refused_call_has_the_cause_that_the_dialplan_gave(owner: Connection, asterisk: Connection) -> None:
    failed = {"answer": None, "billsec": "0", "disposition": "FAILED", "pdd": None}
    statuses = {
        "1": 404,
        "3": 404,
        "17": 486,
        "20": 480,
        "21": 403,
        "34": 503,
        "42": 503,
        "99": None,
        "": None,
        None: None,
    }
    for n, cause in enumerate(statuses):
        land(asterisk, **failed, sequence=str(n), dcontext="refuse", cause=cause)

    found = [(call["cause"], call["sip_status"]) for call in calls(owner)]
    assert found == [(int(cause) if cause else None, status) for cause, status in statuses.items()]
    causes = ask(owner, "SELECT thing, calls FROM call_totals WHERE dimension = 'cause' AND calls <> 0 ORDER BY 1")
    assert causes == [("403", 1), ("404", 2), ("480", 1), ("486", 1), ("503", 2), ("FAILED", 3)]


def test_how_a_call_ended_counts_more_than_a_cause(owner: Connection, asterisk: Connection) -> None:
    """None of these was refused, whatever their records say."""
    land(asterisk, cause="21")
    land(asterisk, sequence="2", answer=None, billsec="0", disposition="NO ANSWER", userfield="cancelled", cause="21")

    assert [(call["cause"], call["sip_status"]) for call in calls(owner)] == [(16, None), (16, 487)]


GARBAGE = [
    "'; DROP TABLE calls; --",
    "\ud7ff€😀",
    "",
    "9" * 3000,
    "-1",
    "NaN",
    "1e400",
    "2026-02-30 25:61:61",
    "infinity",
]


@pytest.mark.parametrize("field", sorted(CDR))
def test_garbage_in_a_field_stops_nothing(owner: Connection, asterisk: Connection, field: str) -> None:
    for n, garbage in enumerate(GARBAGE):
        land(asterisk, uniqueid="before", sequence=str(n))
        land(asterisk, **{"uniqueid": f"garbage {n}", field: garbage})
        land(asterisk, uniqueid="after", sequence=str(n))

    assert value(owner, "SELECT count(*) FROM asterisk.cdr") == 3 * len(GARBAGE)
    assert value(owner, "SELECT count(*) FROM calls WHERE uniqueid IN ('before', 'after')") == 2 * len(GARBAGE)
    listed = ask(owner, "SELECT cdr_id, reason FROM unrated_cdrs")
    kept = {row[0] for row in ask(owner, "SELECT id FROM calls UNION SELECT cdr_id FROM unrated_cdrs")}
    assert kept == {row[0] for row in ask(owner, "SELECT id FROM asterisk.cdr")}
    assert all(reason for _, reason in listed)


def test_garbage_in_every_field(owner: Connection, asterisk: Connection) -> None:
    for number, garbage in enumerate(GARBAGE):
        land(asterisk, uniqueid="before", sequence=str(number))
        land(asterisk, **dict.fromkeys(CDR, garbage))
    land(asterisk, **dict.fromkeys(CDR))

    assert value(owner, "SELECT count(*) FROM calls WHERE uniqueid = 'before'") == len(GARBAGE)
    assert value(owner, "SELECT count(*) FROM asterisk.cdr") == 2 * len(GARBAGE) + 1
    assert value(owner, "SELECT count(*) FROM unrated_cdrs") >= len(GARBAGE)


changes = st.lists(
    st.tuples(
        st.sampled_from(["land", "rate", "delete"]),
        st.integers(0, 5),  # Which hour, or which call.
        st.sampled_from([None, "0", "1.5", "31", "61"]),
        st.sampled_from(["outbound", "inbound", "onnet"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=changes)
def test_totals_are_what_the_calls_come_to(
    owner: Connection, asterisk: Connection, changes: list[tuple[str, int, str | None, str]]
) -> None:
    ask(owner, "TRUNCATE calls, call_totals")
    for number, (what, n, seconds, direction) in enumerate(changes):
        if what == "land":
            answer = None if seconds is None else f"2026-03-10 {n:02}:00:01"
            land(
                asterisk,
                start=f"2026-03-10 {n:02}:00:00",
                answer=answer,
                billsec=seconds or "0",
                sequence=str(number),
                direction=direction,
                gateway_id=GATEWAY if direction == "outbound" else None,
            )
        elif what == "rate":
            ask(
                owner,
                "UPDATE calls SET price = price + 0.1, destination = 'Other', sip_status = 486 WHERE sequence <= %s",
                n,
            )
        else:
            ask(owner, "DELETE FROM calls WHERE sequence = %s", n)

        assert totals(owner) == counted_anew(owner)
