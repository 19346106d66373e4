"""What stands in the way of a call out, and which of the ways out is the best: prices, limits, destination lists."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from tests.schema.test_route_call import Carrier, ask, legs, refused
from webapp import store
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.ext import db
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

RIO = "552133331234"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Sold(Carrier):
    """The same carrier, with a route to everywhere by both gateways, and prices for its trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.route("by the dear one", "X.", self.dear)
        self.route("by the cheap one", "X.", self.cheap)
        self.plan = PricePlan(name="Retail")
        store.save(self.plan)
        self.tariff("55", "0.10")

    def tariff(self, prefix: str, price: str, **values: Any) -> None:
        values = {"valid_from": LONG_AGO, **values}
        store.save(Tariff(price_plan_id=self.plan.id, prefix=prefix, price_per_minute=Decimal(price), **values))

    def limit(self, **values: Any) -> Customer:
        """The trunk customer, who has the plan, with these limits."""
        for name, value in {"price_plan_id": self.plan.id, **values}.items():
            setattr(self.trunk, name, value)
        store.save(self.trunk)
        return self.trunk

    def prefixes(self, name: str, *prefixes: str) -> DestinationList:
        made = DestinationList(name=name, prefixes=list(prefixes))
        store.save(made)
        return made

    def spent(self, price: str, day: str = "now()", direction: str = "outbound") -> None:
        """A call of the trunk's, on the company's day that a moment belongs to."""
        statement = f"""
            INSERT INTO public.calls (
                id, started_at, day, node, uniqueid, sequence, direction, customer_id, disposition, duration, billsec,
                price)
            SELECT floor(random() * 1e9), {day}, date_trunc('day', {day}, time_zone), 'n', random()::text, 1,
                   :direction, :id, 'ANSWERED', 60, 60, :price FROM settings
        """  # noqa: S608 - our own words
        db.session.execute(text(statement), {"direction": direction, "id": self.trunk.id, "price": price})
        db.session.commit()

    def began(self, count: int, verdict: str = "route", ago: str = "0 s") -> None:
        """Calls that the trunk began."""
        statement = """
            INSERT INTO asterisk.call_requests (id, customer_id, requested_at)
            SELECT 'before', :id, now() - CAST(:ago AS interval) FROM generate_series(1, :count)
        """
        db.session.execute(text(statement), {"id": str(self.trunk.id), "ago": ago, "count": count})
        db.session.execute(text("UPDATE asterisk.call_requests SET verdict = :verdict"), {"verdict": verdict})
        db.session.commit()


@pytest.fixture
def carrier(session: scoped_session[Session]) -> Sold:
    return Sold()


def gateways(answer: dict[str, Any]) -> list[str]:
    return [endpoint.removeprefix("gateway-") for endpoint, _ in legs(answer)]


def ask_with(customer: Customer, dialled: str, channels: int) -> dict[str, Any]:
    statement = text("SELECT * FROM public.route_call(:id, :dialled, '', '', :channels)")
    values = {"id": customer.id, "dialled": dialled, "channels": channels}
    answer = dict(db.session.execute(statement, values).mappings().one())
    assert None not in answer.values()
    return answer


def deck(provider_id: Any, prefix: str, cost: str, **values: Any) -> None:
    values = {"valid_from": LONG_AGO, **values}
    store.save(ProviderTariff(provider_id=provider_id, prefix=prefix, cost_per_minute=Decimal(cost), **values))


# ---- prices


def test_a_plan_without_a_tariff_for_the_number(carrier: Sold) -> None:
    customer = carrier.limit()

    assert ask(customer, RIO)["verdict"] == "route"
    assert ask(customer, "442071234567") == refused("no_tariff", 3)
    carrier.tariff("44", "1", valid_from=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    assert ask(customer, "442071234567") == refused("no_tariff", 3)
    carrier.tariff("44", "1")
    assert ask(customer, "442071234567")["verdict"] == "route"


def test_without_a_plan_it_goes_through(carrier: Sold) -> None:
    customer = carrier.limit(price_plan_id=None, max_price_per_minute=Decimal(0), refuse_below_cost=True, daily_limit=0)

    assert ask(customer, "442071234567")["verdict"] == "route"


def test_our_own_numbers_need_a_tariff_only_where_they_are_charged(carrier: Sold) -> None:
    customer = carrier.limit()
    own = carrier.number("442071230000", carrier.office, "100").number

    assert ask(customer, own)["verdict"] == "did"
    carrier.plan.onnet_charged = True
    store.save(carrier.plan)
    assert ask(customer, own) == refused("no_tariff", 3)


def test_the_highest_price_per_minute(carrier: Sold) -> None:
    carrier.tariff("5521", "0.11")
    customer = carrier.limit(max_price_per_minute=Decimal("0.10"))

    assert ask(customer, "551133331234")["verdict"] == "route"
    assert ask(customer, RIO) == refused("too_dear", 21)


def test_ways_of_one_priority_go_by_what_the_number_costs_there(carrier: Sold) -> None:
    """Not by what the providers charge elsewhere: the cheap one has a dear line, and the dear one a cheap line."""
    customer = carrier.limit()
    assert gateways(ask(customer, RIO)) == ["cheap", "dear"]

    deck(carrier.cheap.provider_id, "552", "0.09")
    deck(carrier.cheap.provider_id, "55219", "0.001")
    assert gateways(ask(customer, RIO)) == ["dear", "cheap"]
    deck(carrier.dear.provider_id, "5521", "0.10")
    assert gateways(ask(customer, RIO)) == ["cheap", "dear"]
    deck(carrier.cheap.provider_id, "5521", "0.11", valid_from=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    assert gateways(ask(customer, RIO)) == ["cheap", "dear"]


def test_below_cost(carrier: Sold) -> None:
    customer = carrier.limit(refuse_below_cost=True)
    assert gateways(ask(customer, RIO)) == ["cheap", "dear"]

    deck(carrier.cheap.provider_id, "5521", "0.10000001")
    assert gateways(ask(customer, RIO)) == ["dear"]
    deck(carrier.dear.provider_id, "5521", "0.2")
    assert ask(customer, RIO) == refused("below_cost", 34)
    assert ask(carrier.limit(refuse_below_cost=False), RIO)["verdict"] == "route"
    assert ask(customer, "*55") == refused("no_tariff", 3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    price=st.decimals("0", "0.2", places=3),
    costs=st.tuples(*[st.none() | st.decimals("0", "0.2", places=3)] * 2),
    own_cost=st.sampled_from([Decimal(0), Decimal("0.07")]),
)
def test_a_way_is_taken_if_rate_call_says_that_it_costs_no_more(
    carrier: Sold, price: Decimal, costs: tuple[Decimal | None, ...], own_cost: Decimal
) -> None:
    """Whatever comes first or last, by what the rating makes of a call by that provider."""
    db.session.execute(text("DELETE FROM provider_tariffs"))
    db.session.execute(
        text("UPDATE tariffs SET price_per_minute = :p, cost_per_minute = :c"), {"p": price, "c": own_cost}
    )
    db.session.execute(
        text("UPDATE customers SET price_plan_id = :id, refuse_below_cost = true"), {"id": carrier.plan.id}
    )
    known = {}
    for gateway, cost in zip((carrier.dear, carrier.cheap), costs, strict=True):
        if cost is not None:
            statement = """
                INSERT INTO provider_tariffs (provider_id, prefix, cost_per_minute, valid_from)
                VALUES (:id, '55', :c, :at)
            """
            db.session.execute(text(statement), {"id": gateway.provider_id, "c": cost, "at": LONG_AGO})
        statement = "SELECT cost_per_minute FROM rate_call('outbound', :id, :number, now(), NULL, :provider)"
        values = {"id": carrier.trunk.id, "number": RIO, "provider": gateway.provider_id}
        known[gateway.name] = db.session.scalar(text(statement), values)

    answer = ask(carrier.trunk, RIO)

    wanted = [name for name in ("cheap", "dear") if known[name] <= price]
    if wanted:
        assert sorted(gateways(answer)) == sorted(wanted)
        assert [known[name] for name in gateways(answer)] == sorted(known[name] for name in wanted)
    else:
        assert answer == refused("below_cost", 34)


# ---- destination lists


def test_blocked_and_allowed(carrier: Sold) -> None:
    rio, brazil = carrier.prefixes("Rio", "5521", "5522"), carrier.prefixes("Brazil", "55")
    mobile = carrier.prefixes("Rio's mobiles", "55219")
    carrier.tariff("44", "1")

    customer = carrier.limit(blocked_list_id=rio.id)
    assert ask(customer, RIO) == refused("blocked", 21)
    assert ask(customer, "551133331234")["verdict"] == "route"
    customer = carrier.limit(blocked_list_id=None, allowed_list_id=brazil.id)
    assert ask(customer, RIO)["verdict"] == "route"
    assert ask(customer, "442071234567") == refused("blocked", 21)
    customer = carrier.limit(blocked_list_id=rio.id)
    assert ask(customer, RIO) == refused("blocked", 21)
    assert ask(customer, "551133331234")["verdict"] == "route"
    customer = carrier.limit(allowed_list_id=mobile.id)
    assert ask(customer, "5521987651234")["verdict"] == "route"
    assert ask(customer, RIO) == refused("blocked", 21)
    assert ask(carrier.limit(allowed_list_id=rio.id), RIO) == refused("blocked", 21)


def test_lists_count_for_our_own_numbers_too_and_not_for_phones(carrier: Sold) -> None:
    blocked = carrier.prefixes("All", *"123456789")
    carrier.office.blocked_list_id = blocked.id
    store.save(carrier.office)

    assert ask(carrier.office, "551140001001") == refused("blocked", 21)
    assert ask(carrier.office, "101")["verdict"] == "internal"


def test_lists_go_by_the_number_that_is_meant(carrier: Sold) -> None:
    customer = carrier.limit(blocked_list_id=carrier.prefixes("Rio", "5521").id, number_rules="brazil")

    assert ask(customer, "0152133331234") == refused("blocked", 21)


DIGITS = st.text("12", min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocked=st.none() | st.sets(DIGITS, min_size=1), allowed=st.none() | st.sets(DIGITS, min_size=1), number=DIGITS)
def test_the_longer_prefix_counts(
    carrier: Sold, blocked: set[str] | None, allowed: set[str] | None, number: str
) -> None:
    insert = "INSERT INTO destination_lists (name, prefixes) VALUES (random()::text, :prefixes) RETURNING id"
    ids = {
        name: str(db.session.scalar(text(insert), {"prefixes": sorted(prefixes)}))
        for name, prefixes in (("blocked_list_id", blocked), ("allowed_list_id", allowed))
        if prefixes
    }
    statement = "SELECT is_blocked(jsonb_populate_record(NULL::customers, CAST(:lists AS jsonb)), :number)"
    answer = db.session.scalar(text(statement), {"lists": json.dumps(ids), "number": number})

    def longest(prefixes: set[str] | None) -> int:
        return max((len(prefix) for prefix in prefixes or () if number.startswith(prefix)), default=0)

    if longest(blocked) and longest(allowed):
        assert answer is (longest(blocked) >= longest(allowed))
    else:
        assert answer is bool(longest(blocked) or (allowed and not longest(allowed)))


# ---- how many, how often, how much


def test_calls_at_once(carrier: Sold) -> None:
    customer = carrier.limit(max_channels=2)

    assert ask_with(customer, RIO, 2)["verdict"] == "route"
    assert ask_with(customer, RIO, 3) == refused("channels", 34)
    assert ask_with(customer, "551140001000", 3) == refused("channels", 34)
    assert ask_with(carrier.limit(max_channels=0), RIO, 1000)["verdict"] == "route"


def test_new_calls_per_second(carrier: Sold) -> None:
    customer = carrier.limit(calls_per_second=3)

    carrier.began(2)
    assert ask(customer, RIO)["verdict"] == "route"
    carrier.began(1, "did")
    assert ask(customer, RIO) == refused("calls_per_second", 42)
    assert ask(carrier.neighbour, RIO)["verdict"] == "route"
    carrier.began(1, "refused")
    assert ask(customer, RIO)["verdict"] == "route"


def test_those_of_a_second_ago_do_not_count(carrier: Sold) -> None:
    carrier.began(9, ago="1.1 s")

    assert ask(carrier.limit(calls_per_second=1), RIO)["verdict"] == "route"


def test_the_limit_of_a_day(carrier: Sold) -> None:
    customer = carrier.limit(daily_limit=Decimal(10))
    carrier.tariff("0800", "0")

    carrier.spent("9.99")
    carrier.spent("50", "now() - interval '1 day'")
    carrier.spent("50", direction="inbound")
    assert ask(customer, RIO)["verdict"] == "route"
    carrier.spent("0.01", direction="onnet")
    assert ask(customer, RIO) == refused("daily_limit", 21)
    assert ask(customer, "08001234567")["verdict"] == "route", "it is free"
    assert ask(carrier.limit(daily_limit=None), RIO)["verdict"] == "route"


def test_nothing_stands_in_the_way_of_an_emergency(carrier: Sold) -> None:
    for gateway in (carrier.dear, carrier.cheap):
        gateway.max_channels = 1
    store.save(carrier.dear, carrier.cheap)
    carrier.began(5)
    carrier.spent("100")
    customer = carrier.limit(
        enabled=False,
        max_channels=1,
        calls_per_second=1,
        max_price_per_minute=Decimal(0),
        daily_limit=Decimal(0),
        refuse_below_cost=True,
        blocked_list_id=carrier.prefixes("All", *"0123456789").id,
        allowed_list_id=carrier.prefixes("None", "999999").id,
    )

    answer = ask_with(customer, "190", 5)

    assert (answer["verdict"], answer["max_seconds"]) == ("route", 0)
    assert all(leg.endswith(":0") for leg in answer["legs"].split("&"))


def test_a_call_is_cut_off_when_the_settings_say(carrier: Sold) -> None:
    db.session.execute(text("UPDATE settings SET max_call_seconds = 600"))

    assert ask(carrier.limit(), RIO)["max_seconds"] == 600


# ---- what a gateway is sent


@pytest.mark.parametrize(
    ("format", "own", "abroad"),
    [
        ("e164", "551140001998", "442071234567"),
        ("plus", "+551140001998", "+442071234567"),
        ("national", "1140001998", "442071234567"),
        ("long_distance", "01140001998", "442071234567"),
    ],
)
def test_the_callers_number_as_a_gateway_wants_it(carrier: Sold, format: str, own: str, abroad: str) -> None:
    carrier.cheap.caller_id_format = format
    carrier.cheap.max_channels = 30
    store.save(carrier.cheap)
    customer = carrier.limit(allowed_caller_ids=["442071234567"])

    for caller, shown in (("", own), ("442071234567", abroad), ("442071234568", own)):
        answer = ask(customer, RIO, caller)
        cheap, dear = answer["legs"].split("&")
        assert cheap.split(":")[-2:] == [shown, "30"]
        assert dear.split(":")[-2:] == [answer["caller_id"], "0"]


def test_a_provider_is_not_needed_twice(carrier: Sold) -> None:
    """Two routes of one provider, one of them with a tech prefix of its own, are two ways."""
    carrier.route("by the cheap one, too", "55.", carrier.cheap, priority=200)

    assert gateways(ask(carrier.limit(), RIO)) == ["cheap", "dear", "cheap"]
    assert db.session.query(Provider).count() == 2
