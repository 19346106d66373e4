"""What calls come to, line by line: by customer, destination, provider, gateway, day, hour, end and DID."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import random
import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting
from tests.web import things
from tests.web.html import facts, rows
from webapp.calls import totals
from webapp.ext import db
from webapp.reports import charts
from webapp.reports.operations import BY, COLUMNS

NOW = dt.datetime.now(things.COMPANY)


def _at(days_ago: int, hour: int = 12) -> dt.datetime:
    return dt.datetime.combine(NOW.date() - dt.timedelta(days_ago), dt.time(hour), things.COMPANY)


def _calls(count: int = 40) -> dict[str, Any]:
    """Calls of the last two months of all kinds, and whom they were of."""
    gateways = [things.gateway(), things.gateway("GW2", "10.0.0.2")]
    customers = [things.office("acme"), things.trunk()]
    for n in range(count):
        gateway = gateways[n % 2]
        answered = n % 5 % 2 == 1
        things.call(
            _at(n * 4 // 3, n % 24),
            answered_at=_at(n * 4 // 3, n % 24) if answered else None,
            customer_id=[*(c.id for c in customers), None][n % 3],
            gateway_id=gateway.id if n % 4 else None,
            provider_id=gateway.provider_id if n % 4 else None,
            direction=("outbound", "inbound")[n % 5 == 0],
            destination=("Brasil", "Portugal", "", "São Paulo, fixo & móvel")[n % 7 % 4],
            did="551140001001" if n % 5 == 0 else "",
            disposition="ANSWERED" if answered else "CONGESTION",
            sip_status=None if answered else 503,
            billsec=n if answered else 0,
            billed_seconds=60 if answered else 0,
            pdd=100 * n if n % 2 else None,
            price=Decimal(n) / 8 if answered else 0,
            cost=Decimal(40 - n) / 16 if answered else 0,
        )
    return {"customer": customers[0].id, "gateway": gateways[0].id, "provider": gateways[0].provider_id}


def _file(client: FlaskClient, **query: str) -> list[dict[str, str]]:
    answer = client.get("/reports/totals.csv", query_string=query)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def _counted(client: FlaskClient, link: str) -> tuple[int, Decimal, Decimal]:
    """Calls, cost and price of the report of calls that a link leads to, counted from its file."""
    answer = client.get(link.replace("/reports/cdr?", "/reports/cdr.csv?"))
    assert answer.status_code == 200, link
    lines = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    cost, price = (sum((Decimal(line[name]) for line in lines), Decimal()) for name in ("cost", "price"))
    return len(lines), cost, price


FILTERS: list[dict[str, str]] = [
    {},
    {"direction": "inbound"},
    {"start": "{earlier}", "end": "{yesterday}"},
    {"customer_id": "{customer}"},
    {"gateway_id": "{gateway}"},
    {"provider_id": "{provider}"},
    {"destination": "Brasil"},
    {"disposition": "ANSWERED", "customer_id": "{customer}"},
    {"below_cost": "true"},
]


@pytest.mark.parametrize("by", BY)
def test_each_line_is_what_its_calls_come_to(client: FlaskClient, by: str) -> None:
    """However it is found: the link of a line leads to calls that come to the same, and so do the totals."""
    ids = _calls()
    for query in FILTERS:
        days = {"earlier": _at(20).date(), "yesterday": _at(1).date()}
        values = {name: value.format(**ids, **days) for name, value in query.items()}
        page = client.get("/reports/totals", query_string={**values, "by": by}).text
        lines = _file(client, **values, by=by)
        filled = [n for n, line in enumerate(lines) if int(line["calls"])]
        assert filled or by in ("hour", "did")
        links = re.findall(r'<a href="(/reports/cdr\?[^"]+)"\s+aria-label="Calls of', page)
        assert len(links) == (len(lines) if filled else 0)
        for n in filled[:3]:
            figures = int(lines[n]["calls"]), Decimal(lines[n]["cost"]), Decimal(lines[n]["price"])
            assert figures == _counted(client, links[n].replace("&amp;", "&")), links[n]

        none = [row for row in rows(page) if row.startswith("Of none of them")]
        every = sum(int(line["calls"]) for line in lines) + sum(int(row.split()[4]) for row in none)
        assert facts(page)["Calls"].split()[0] == str(every) or not filled


@pytest.mark.parametrize("by", BY)
def test_what_a_report_costs_does_not_depend_on_what_there_is(client: FlaskClient, counting: Counting, by: str) -> None:
    def cost() -> int:
        with counting() as statements:
            assert client.get("/reports/totals", query_string={"by": by}).status_code == 200
        assert not any("FROM calls" in statement for statement in statements), "the totals tell of it"
        return len(statements)

    things.call(_at(0))
    before = cost()
    _calls(12)
    assert before <= cost() <= 12


def test_the_lines_of_customers(client: FlaskClient) -> None:
    acme = things.office("acme")
    for days, seconds, price in ((1, 60, "2"), (2, 120, "4"), (40, 60, "3")):
        things.call(
            _at(days),
            answered_at=_at(days),
            customer_id=acme.id,
            billsec=seconds,
            price=Decimal(price),
            cost=Decimal(1),
        )
    things.call(_at(1), customer_id=acme.id, billsec=0)
    things.call(_at(1), billsec=0)
    page = client.get("/reports/totals").text
    assert rows(page) == [
        "Customer acme 3 +200.0 % 2 66.7 % 1:30 – 0 3.0 0.0 2.00 6.00 4.00 +100.0 % 66.7 %",
        "Of none of them 1 0 0.0 % – – 0 0.0 0.0 0.00 0.00 0.00 –",
        "All calls 4 2 50.0 % 1:30 – 0 3.0 0.0 2.00 6.00 4.00 66.7 %",
    ]
    assert f'href="/customers/{acme.id}"' in page
    assert facts(page)["Price"] == "6.00 +100.0 %"


def test_the_first_lines_and_the_rest(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        things.call(_at(1), destination=f"D{n}", price=Decimal(n))
    monkeypatch.setattr("webapp.reports.operations.report.__defaults__", ("", 2))
    page = client.get("/reports/totals?by=destination").text
    assert [row.split()[:3] for row in rows(page)] == [
        ["D4", "1", "0"],
        ["D3", "1", "0"],
        ["3", "others", "3"],
        ["All", "calls", "5"],
    ]
    assert len(_file(client, by="destination")) == 5, "a file has all of them"


def test_sorting(client: FlaskClient) -> None:
    for name, count, cost in (("b", 1, 3), ("a", 2, 1), ("c", 3, 2)):
        for _ in range(count):
            things.call(_at(1), answered_at=_at(1) if name != "c" else None, destination=name, cost=Decimal(cost))

    def names(sort: str) -> str:
        return "".join(line["name"] for line in _file(client, by="destination", sort=sort))

    assert names("name") == "abc"
    assert names("-name") == "cba"
    assert names("-calls") == "cab"
    assert names("margin") == "cba"
    assert names("acd") == names("-acd") == "abc", "what has no average comes last"
    for column in ("answered", "asr", "pdd", "short", "minutes", "billed_minutes", "cost", "price", "margin_rate"):
        assert sorted(names(column)) == sorted(names(f"-{column}")) == ["a", "b", "c"]
    page = client.get("/reports/totals?by=destination&sort=-cost").text
    assert re.search(r'aria-sort="descending">\s*<a class="sort" href="[^"]*sort=cost">Cost', page)
    assert client.get("/reports/totals?sort=nothing").status_code == 404


@pytest.mark.parametrize("column", COLUMNS)
def test_what_is_sorted_by_is_what_is_shown(client: FlaskClient, column: str) -> None:
    """PostgreSQL sorts, and what a line shows is worked out here. Every column has an order of its own."""
    dice = random.Random(1)
    for _ in range(120):
        answered = dice.random() < 0.6
        things.call(
            _at(dice.randrange(20)),
            answered_at=_at(1) if answered else None,
            destination=f"D{dice.randrange(30)}",
            billsec=dice.choice([3, dice.randrange(600)]) if answered else 0,
            billed_seconds=dice.randrange(600) if answered else 0,
            pdd=dice.choice([None, dice.randrange(5000)]),
            price=Decimal(dice.randrange(1000)) / 8 if answered else 0,
            cost=Decimal(dice.randrange(1000)) / 16 if answered else 0,
        )
    upwards, downwards = (_file(client, by="destination", sort=sign + column) for sign in ("", "-"))
    shown = [Decimal(line[column]) for line in upwards if line[column]]
    assert len(set(shown)) > 3
    assert shown == sorted(shown)
    assert [Decimal(line[column]) for line in downwards if line[column]] == shown[::-1]


@pytest.mark.parametrize("has_later_calls", [False, True])
def test_weeks_and_days_tell_of_any_period(client: FlaskClient, has_later_calls: bool) -> None:
    """Destinations have totals by the week, of which a period may cut off some days."""
    smallest = Decimal("0.00000001")  # A bit for each day.
    for days in range(-3 if has_later_calls else 0, 40):
        things.call(_at(days), destination="ab"[days % 2], price=2 ** (days + 3) * smallest)
    for start, end in itertools.product(range(0, 40, 3), range(-1, 40)):
        if start >= end:
            period = {"start": _at(start).date().isoformat(), "end": _at(end).date().isoformat()}
            every = range(end, start + 1) if has_later_calls else range(max(end, 0), start + 1)
            due = {name: smallest * sum(2 ** (days + 3) for days in every if "ab"[days % 2] == name) for name in "ab"}
            found = {line["name"]: Decimal(line["price"]) for line in _file(client, by="destination", **period)}
            assert found == {name: price for name, price in due.items() if price}, period


def test_days_without_calls_have_lines(client: FlaskClient) -> None:
    things.call(_at(0), price=Decimal(1))
    things.call(_at(2), cost=Decimal(1))
    page = client.get("/reports/totals", query_string={"by": "day", "start": _at(3).date()}).text
    assert [row.split()[1] for row in rows(page)[:4]] == ["0", "1", "0", "1"]
    assert page.count("<rect") == 4
    assert page.count('<rect class="loss"') == 1


def test_hours_are_those_of_two_days(client: FlaskClient) -> None:
    things.call(_at(1, 0))
    lines = _file(client, by="hour")
    assert len(lines) == 24 + dt.datetime.now(things.COMPANY).hour + 1, "those that have begun"
    assert (lines[0]["name"], lines[0]["calls"]) == (f"{_at(1).date()} 00:00", "1")


def test_half_an_hour_is_no_hindrance(client: FlaskClient) -> None:
    """In India days begin in the middle of an hour elsewhere."""
    db.session.execute(text("UPDATE settings SET time_zone = 'Asia/Kolkata'"))
    db.session.commit()
    gateway = things.gateway()
    started = dt.datetime.fromisoformat("2026-03-01T23:45:00+05:30")
    things.call(started, day=started.replace(hour=0, minute=0), gateway_id=gateway.id, provider_id=gateway.provider_id)
    for by in ("gateway", "day", "hour", "destination"):
        assert sum(int(line["calls"]) for line in _file(client, by=by, start="2026-03-01", end="2026-03-01")) == (
            by != "destination"
        )
        assert not any(int(line["calls"]) for line in _file(client, by=by, start="2026-03-02", end="2026-03-02"))


def test_what_there_are_too_many_of(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Choose at most 31 days." in client.get("/reports/totals?by=hour&start=2026-01-01&end=2026-03-01").text
    assert client.get("/reports/totals?by=day&start=2020-01-01").status_code == 422
    monkeypatch.setattr(totals, "patiently", lambda _: None)
    assert "Choose fewer days." in client.get("/reports/totals?disposition=BUSY").text


@pytest.mark.parametrize(
    "query", ["by=x", "start=x", "direction=x", "disposition=x", "sort=calls%00x", "min_duration=x"]
)
def test_what_cannot_be(client: FlaskClient, query: str) -> None:
    for file in ("", ".csv", ".xlsx"):
        assert client.get(f"/reports/totals{file}?{query}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-03-02&end=2026-03-01",
        "start=1970-01-01&end=1970-01-01",
        "end=9000-12-31",
        "did=%D9%A1",
    ],
)
def test_days_that_nobody_means(client: FlaskClient, query: str) -> None:
    things.call(_at(1))
    for by in BY:
        answer = client.get(f"/reports/totals?by={by}&{query}")
        if "did" in query:
            assert answer.status_code == 404
        elif "end=9000" not in query:
            assert "There are none like that in these days." in answer.text
        assert answer.status_code in (200, 404, 422)
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"):
        assert client.get(f"/reports/cdr?start={moment}").status_code == 404


def test_hostile_names(client: FlaskClient) -> None:
    things.call(_at(1), destination="<script>alert(1)</script>")
    things.call(_at(1), destination="=HYPERLINK(1)")
    page = client.get("/reports/totals?by=destination").text
    assert "<script>alert" not in page
    assert {line["name"] for line in _file(client, by="destination")} == {"<script>alert(1)</script>", "'=HYPERLINK(1)"}
    link = re.search(r'href="(/reports/cdr\?[^"]*HYPERLINK[^"]*)"', page)
    assert link
    assert parse_qs(urlsplit(link[1].replace("&amp;", "&")).query)["destination"] == ["=HYPERLINK(1)"]


def test_a_workbook(client: FlaskClient) -> None:
    _calls(4)
    book = openpyxl.load_workbook(io.BytesIO(client.get("/reports/totals.xlsx?by=day").data))
    assert book.active.max_row == 32


def test_the_first_page(viewer: FlaskClient, counting: Counting) -> None:
    assert "Calls appear here when they have ended" in viewer.get("/reports/").text
    _calls(12)
    with counting() as statements:
        page = viewer.get("/reports/").text
    assert len(statements) <= 25
    assert page.count('<svg class="bars"') == 2
    for by in BY:
        assert f'href="/reports/totals?by={by}"' in page
    assert "Customer acme" in page


# ---- charts


def test_bars() -> None:
    drawn = charts.chart([("a", 10), ("b", Decimal("-5.5")), ("c", 0)])
    assert [figure.value for figure in drawn.figures] == [-10, -5, 0, 5, 10]
    assert [bar.loss for bar in drawn.bars] == [False, True, False]
    up, down, none = drawn.bars
    assert up.y + up.height == pytest.approx(drawn.zero)
    assert down.y == drawn.zero
    assert none.height == 0
    assert all(0 <= bar.y <= charts.HEIGHT and bar.x + bar.width <= charts.WIDTH for bar in drawn.bars)


@pytest.mark.parametrize("values", [[], [0], [0, 0], [10**9], [Decimal("0.00001")], [-1], list(range(744))], ids=str)
def test_a_chart_of_anything(values: list[Any]) -> None:
    drawn = charts.chart([(str(n), value) for n, value in enumerate(values)])
    assert len(drawn.bars) == len(values)
    assert len(drawn.words) <= charts.LABELS
    assert 2 <= len(drawn.figures) <= 7
    assert all(bar.width > 0 for bar in drawn.bars)
