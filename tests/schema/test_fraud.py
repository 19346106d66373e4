"""What the rules against toll fraud see: live and in the past alike, held against what is counted here by hand."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from tests.schema.test_limits import Sold
from tests.schema.test_route_call import ask, refused
from webapp import store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules.models import FraudRule

NOON = dt.datetime(2026, 3, 10, 15, tzinfo=dt.UTC)  # 12:00 where the company is.
CUBA, LONDON, RIO = "5352345678", "442071234567", "552133331234"
MINUTE = dt.timedelta(minutes=1)

_INSERT = text("""
    INSERT INTO public.calls (id, started_at, day, answered_at, ended_at, node, uniqueid, sequence, direction,
                              customer_id, dst, disposition, reason, duration, billsec, price)
    VALUES (:id, :start, :start, :answer, :end, 'n', :uniqueid, :sequence, :direction, :customer_id, :dst, 'X', :reason,
            :seconds, :seconds, :price)
""")
_ids = itertools.count(1)


class House:
    """Two customers who call, and rules."""

    def __init__(self) -> None:
        self.acme = Customer(code="acme", name="Acme", type="extension")
        self.beta = Customer(code="beta", name="Beta", type="extension")
        store.save(self.acme, self.beta)

    def call(
        self, start: dt.datetime, seconds: float | None = 60, dst: str = CUBA, price: str = "0", **values: Any
    ) -> None:
        """A leg that began then, was answered at once and talked so long; None: not answered."""
        row = {
            "id": next(_ids),
            "start": start,
            "answer": None if seconds is None else start,
            "end": start + dt.timedelta(seconds=seconds or 0),
            "uniqueid": str(uuid.uuid4()),
            "sequence": 1,
            "direction": "outbound",
            "customer_id": self.acme.id,
            "dst": dst,
            "reason": "",
            "seconds": seconds or 0,
            "price": price,
        }
        db.session.execute(_INSERT, row | values)

    def goes_on(self, customer: Customer, since: dt.timedelta, dst: str = CUBA) -> None:
        db.session.execute(
            text("""
                INSERT INTO public.live_channels
                    (node, uniqueid, direction, customer_id, dst, state, started_at, answered_at)
                VALUES ('n', 'live', 'outbound', :id, :dst, 'answered', now() - :since, now() - :since);
                INSERT INTO public.live_nodes VALUES ('n', now())
            """),
            {"id": customer.id, "dst": dst, "since": since},
        )

    def rule(self, kind: str = "spending", **values: Any) -> FraudRule:
        values = {"window_minutes": 15, "state": "armed", **values}
        rule = FraudRule(name=f"rule {next(_ids)}", kind=kind, **values)
        store.save(rule)
        return rule

    def hits(self, rule: FraudRule, at: dt.datetime | None = None, live: bool = False) -> dict[str, tuple[Any, ...]]:
        """Code of the customer -> calls, seconds, amount."""
        rows = db.session.execute(
            text("""
                SELECT c.code, h.calls, h.seconds, h.amount
                FROM public.fraud_rules r, public.fraud_hits(r, coalesce(:at, now()), :live) AS h
                JOIN public.customers c ON c.id = h.customer_id WHERE r.id = :id
            """),
            {"id": rule.id, "at": at, "live": live},
        )
        return {code: tuple(figures) for code, *figures in rows}

    def backtest(self, rule: FraudRule, since: dt.datetime, until: dt.datetime) -> list[Any]:
        return list(
            db.session.execute(
                text("SELECT h.* FROM fraud_rules r, fraud_backtest(r, :since, :until) AS h WHERE r.id = :id"),
                {"id": rule.id, "since": since, "until": until},
            )
        )

    def opened(self, rule: FraudRule) -> int:
        count = len(db.session.execute(text("SELECT id FROM open_fraud_cases(:id)"), {"id": rule.id}).all())
        db.session.commit()
        return count


@pytest.fixture
def house(session: scoped_session[Session]) -> House:
    return House()


@pytest.mark.parametrize(
    ("number", "country"),
    [
        (RIO, "55"), (CUBA, "53"), (LONDON, "44"), ("12125551234", "1"), ("18765551234", "1876"), ("74951234567", "7"),
        ("35312345678", "353"), ("3901234567", "39"), ("2901234", "290"), ("27115551234", "27"), ("88165012345", "881"),
        ("85221234567", "852"), ("9715012345", "971"), ("4212345678", "421"), ("5999123456", "599"), ("6764567", "676"),
    ],
)  # fmt: skip
def test_a_country_is_told_by_its_code(house: House, number: str, country: str) -> None:
    assert db.session.scalar(text("SELECT public.calling_country(:n)"), {"n": number}) == country


@pytest.mark.parametrize(
    ("number", "abroad"),
    [(RIO, False), (CUBA, True), ("12125551234", True), ("08001234567", False), ("190", False), ("40041234", False),
     ("30031234", False), ("302101234567", True), ("40211234567", True), ("2901234", True), ("*100", False)],
)  # fmt: skip
def test_what_is_abroad(house: House, number: str, abroad: bool) -> None:
    assert db.session.scalar(text("SELECT public.is_international(:n, '55')"), {"n": number}) is abroad


def test_money_within_the_window(house: House) -> None:
    rule = house.rule(max_amount=Decimal(50))
    house.call(NOON - 10 * MINUTE, 60, price="30")
    house.call(NOON - 2 * MINUTE, 60, price="20")
    assert house.hits(rule, NOON) == {}, "50 is not more than 50"

    house.call(NOON - 30 * MINUTE, 60, price="100")  # Before the window.
    house.call(NOON - 5 * MINUTE, 60, dst=RIO, price="100")  # At home.
    house.call(NOON - 5 * MINUTE, 60, price="100", direction="inbound")
    house.call(NOON + MINUTE, 60, price="100")  # Not yet.
    house.call(NOON - 5 * MINUTE, 60, price="40", customer_id=house.beta.id)
    assert house.hits(rule, NOON) == {}

    house.call(NOON - 3 * MINUTE, 60, price="0.01")
    assert house.hits(rule, NOON) == {"acme": (3, 180, Decimal("50.01"))}


def test_a_long_call_weighs_in_each_window_by_its_part(house: House) -> None:
    """It is not found only when it has ended, and not counted twice."""
    rule = house.rule(max_amount=Decimal(29))
    house.call(NOON - 60 * MINUTE, 7200, price="240")  # Two hours, 2 a minute; one is over at noon.
    assert house.hits(rule, NOON) == {"acme": (0, 900, Decimal(30))}
    assert house.hits(rule, NOON - 46 * MINUTE) == {}, "it has come to 28 only"
    assert house.hits(rule, NOON + 75 * MINUTE) == {}, "it has ended"


def test_legs_of_a_call_are_one_and_refused_calls_none(house: House) -> None:
    rule = house.rule(max_calls=1)
    house.call(NOON - 5 * MINUTE, None, uniqueid="one", sequence=1)
    house.call(NOON - 5 * MINUTE, 30, uniqueid="one", sequence=2)
    house.call(NOON - 4 * MINUTE, None, reason="fraud")
    house.call(NOON - 4 * MINUTE, None, reason="no_route")
    house.call(NOON - 4 * MINUTE, 10, dst="190")
    assert house.hits(rule, NOON) == {}
    house.call(NOON - 4 * MINUTE, None, reason="cancelled")
    assert house.hits(rule, NOON) == {"acme": (2, 30, Decimal(0))}


def test_a_rule_for_one_customer_and_for_some_prefixes(house: House) -> None:
    of_beta = house.rule(max_calls=0, customer_id=house.beta.id)
    to_london = house.rule(max_calls=0, destinations="prefixes", prefixes=["4420", "351"])
    at_home = house.rule(max_calls=1, destinations="all")
    house.call(NOON - MINUTE)
    house.call(NOON - MINUTE, customer_id=house.beta.id)
    house.call(NOON - MINUTE, dst=LONDON)
    assert house.hits(of_beta, NOON).keys() == {"beta"}
    assert house.hits(to_london, NOON) == {"acme": (1, 60, Decimal(0))}
    assert house.hits(at_home, NOON).keys() == {"acme"}


def test_short_calls(house: House) -> None:
    rule = house.rule("burst", max_calls=1, short_seconds=6)
    for seconds in (6, 7, 600, None):
        house.call(NOON - 5 * MINUTE, seconds)
    assert house.hits(rule, NOON) == {}
    house.call(NOON - 5 * MINUTE, 1)
    assert house.hits(rule, NOON) == {"acme": (2, 7, Decimal(0))}


@pytest.mark.parametrize(
    ("night", "local", "is_night"),
    [(("22:00", "06:00"), 22, True), (("22:00", "06:00"), 5, True), (("22:00", "06:00"), 6, False),
     (("22:00", "06:00"), 21, False), (("01:00", "05:00"), 1, True), (("01:00", "05:00"), 5, False),
     (("01:00", "05:00"), 23, False)],
)  # fmt: skip
def test_calls_at_night_where_the_company_is(house: House, night: tuple[str, str], local: int, is_night: bool) -> None:
    rule = house.rule("night", max_calls=0, night_from=night[0], night_until=night[1])
    start = dt.datetime(2026, 3, 10, local, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    house.call(start)
    assert (house.hits(rule, start + MINUTE) != {}) is is_night


def test_a_country_never_called_before(house: House) -> None:
    rule = house.rule("destination", max_calls=1, known_days=90)
    house.call(NOON - dt.timedelta(days=10), dst="447700900123")  # Britain is known.
    house.call(NOON - dt.timedelta(days=10), None)  # Cuba is not: nobody answered.
    house.call(NOON - dt.timedelta(days=91), dst="351211234567")  # Portugal was, long ago.
    for dst in (LONDON, LONDON, CUBA, "351211234567"):
        house.call(NOON - 5 * MINUTE, dst=dst)
    house.call(NOON - 5 * MINUTE, dst=CUBA, customer_id=house.beta.id)
    assert house.hits(rule, NOON) == {"acme": (2, 120, Decimal(0))}, "Cuba and Portugal"
    assert house.hits(rule, NOON + 20 * MINUTE) == {}

    # From then on the countries are known.
    for dst in (CUBA, "351211234567"):
        house.call(NOON + 60 * MINUTE, dst=dst)
        house.call(NOON + 60 * MINUTE, customer_id=house.beta.id)  # Who called Cuba once before, too.
    assert house.hits(rule, NOON + 61 * MINUTE) == {}
    [found] = house.backtest(rule, NOON - dt.timedelta(days=1), NOON + dt.timedelta(days=1))
    assert (found.customer_id, found.at) == (house.acme.id, NOON - 5 * MINUTE)


TALK = st.tuples(st.integers(0, 179), st.integers(0, 59), st.integers(0, 2400), st.integers(0, 500), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talks=st.lists(TALK, max_size=12), window=st.integers(1, 90), limit=st.integers(0, 300))
def test_past_and_present_agree_with_a_count_by_hand(
    house: House, talks: list[tuple[int, int, int, int, bool]], window: int, limit: int
) -> None:
    """Every minute of the past is as it would have been then, and as whoever counts second by second finds it."""
    db.session.execute(text("DELETE FROM public.calls; DELETE FROM public.fraud_rules"))
    for minute, second, seconds, cents, answered in talks:
        start = NOON + minute * MINUTE + dt.timedelta(seconds=second)
        price = str(Decimal(cents if answered else 0) / 10)
        house.call(start, seconds if answered else None, price=price)
    rule = house.rule(max_amount=Decimal(limit), window_minutes=window)

    def by_hand(at: dt.datetime) -> Decimal:
        since, total = at - window * MINUTE, Decimal(0)
        for minute, second, seconds, cents, answered in talks:
            start = NOON + minute * MINUTE + dt.timedelta(seconds=second)
            end = start + dt.timedelta(seconds=max(seconds, 1))
            inside = (min(end, at) - max(start, since)).total_seconds()
            if answered and inside > 0:
                total += Decimal(cents) / 10 * Decimal(inside) / max(seconds, 1)
        return round(total, 6)

    until = NOON + 240 * MINUTE
    over = [at for n in range(1, 241) if by_hand(at := NOON + n * MINUTE) > limit]
    found = [row.at for row in house.backtest(rule, NOON, until)]
    assert found == over[:1]
    for at in [*over[:1], NOON + 100 * MINUTE]:
        hits = house.hits(rule, at)
        assert bool(hits) == (by_hand(at) > limit)
        if hits:
            assert abs(hits["acme"][2] - by_hand(at)) < Decimal("0.00001")


def test_the_past_says_what_would_have_been_stopped(house: House) -> None:
    rule = house.rule(max_amount=Decimal(50), action="block_international")
    known = "442079990000"
    house.call(NOON - dt.timedelta(days=3), dst=known, price="1")
    house.call(NOON, 60, price="60")
    house.call(NOON + 10 * MINUTE, 60, price="7")
    house.call(NOON + 11 * MINUTE, None)
    house.call(NOON + 12 * MINUTE, 60, dst=known, price="2")
    house.call(NOON + 13 * MINUTE, 60, dst=RIO, price="3")
    [row] = house.backtest(rule, NOON - dt.timedelta(hours=1), NOON + dt.timedelta(hours=1))
    assert (row.at, row.stopped_calls, row.stopped_amount, row.known_calls) == (NOON + MINUTE, 2, Decimal(9), 1)
    rule.action = "block_all"
    store.save(rule)
    [row] = house.backtest(rule, NOON - dt.timedelta(hours=1), NOON + dt.timedelta(hours=1))
    assert (row.stopped_calls, row.stopped_amount) == (3, Decimal(12))
    rule.action = "alert"
    store.save(rule)
    [row] = house.backtest(rule, NOON - dt.timedelta(hours=1), NOON + dt.timedelta(hours=1))
    assert (row.stopped_calls, row.stopped_amount) == (0, Decimal(0))


class Stopped(Sold):
    """A carrier whose trunk customer is in trouble."""

    def case(self, action: str, **values: Any) -> FraudCase:
        case = FraudCase(
            rule_name="r", customer_id=self.trunk.id, action=action, calls=1, seconds=1, amount=1, evidence=[], **values
        )
        store.save(case)
        return case


@pytest.fixture
def carrier(session: scoped_session[Session]) -> Stopped:
    carrier = Stopped()
    carrier.tariff("53", "5")
    carrier.limit()
    return carrier


def test_what_a_case_stops(carrier: Stopped) -> None:
    case = carrier.case("block_international")
    assert ask(carrier.trunk, CUBA) == refused("fraud", 21)
    assert ask(carrier.trunk, RIO)["verdict"] == "route"
    assert ask(carrier.trunk, "190")["verdict"] == "route"

    carrier.case("block_all")
    assert ask(carrier.trunk, RIO) == refused("fraud", 21)
    assert ask(carrier.trunk, "190")["verdict"] == "route", "an emergency"
    assert ask(carrier.office, RIO)["reason"] != "fraud", "another customer"

    for each in (case, *db.session.query(FraudCase).filter(FraudCase.released_at.is_(None))):
        each.released_at = dt.datetime.now(dt.UTC)
        store.save(each)
    assert ask(carrier.trunk, CUBA)["verdict"] == "route"


def test_an_alert_stops_nothing(carrier: Stopped) -> None:
    carrier.case("alert")
    assert ask(carrier.trunk, CUBA)["verdict"] == "route"


def test_a_case_is_opened_once_and_what_was_released_is_not_counted_again(house: House) -> None:
    now = db.session.execute(text("SELECT now()")).scalar_one()
    rule = house.rule(max_calls=1)
    for n in (3, 4):
        house.call(now - n * MINUTE, 10, price="1")
    assert [house.opened(rule), house.opened(rule)] == [1, 0]
    case = db.session.query(FraudCase).one()
    assert (case.rule_name, case.calls, case.seconds, case.amount) == (rule.name, 2, 20, Decimal(2))
    assert [call["number"] for call in case.evidence] == [CUBA, CUBA]

    case.released_at = now
    store.save(case)
    assert house.opened(rule) == 0, "what was seen is settled"
    case.released_at = now - 10 * MINUTE
    store.save(case)
    assert house.opened(rule) == 1, "what came after is not"


def test_nobody_is_stopped_again_for_some_hours(house: House) -> None:
    now = db.session.execute(text("SELECT now()")).scalar_one()
    rule = house.rule(max_calls=0)
    house.call(now - MINUTE)
    case = FraudCase(
        rule_name="r", customer_id=house.acme.id, action="alert", calls=1, seconds=1, amount=1, evidence=[],
        released_at=now - 60 * MINUTE, exempt_until=now + 60 * MINUTE,
    )  # fmt: skip
    store.save(case)
    assert house.opened(rule) == 0
    case.exempt_until = now - 30 * MINUTE
    store.save(case)
    assert house.opened(rule) == 1


def test_a_draft_opens_nothing(house: House) -> None:
    rule = house.rule(max_calls=0, state="draft")
    house.call(db.session.execute(text("SELECT now()")).scalar_one() - MINUTE)
    assert house.opened(rule) == 0


def test_a_call_that_goes_on_counts_as_far_as_it_has_come(session: scoped_session[Session]) -> None:
    carrier, house = Sold(), House()
    carrier.tariff("53", "6")
    customer = carrier.limit()
    rule = house.rule(max_amount=Decimal(89))
    house.goes_on(customer, dt.timedelta(minutes=30))  # 180 by now, of which 90 in the window.
    hits = house.hits(rule, live=True)
    assert hits == {customer.code: (0, 900, Decimal(90))}
    assert house.hits(rule) == {}, "the past knows none that go on"

    now = db.session.execute(text("SELECT now()")).scalar_one()
    house.call(now - 30 * MINUTE, 1800, uniqueid="live", customer_id=customer.id, price="180")
    assert house.hits(rule, live=True) == hits, "its record has come: it is counted once"
