"""Reports: the calls that were made, what they cost and what was earned by them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import tracemalloc
from decimal import Decimal

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, text

from tests.conftest import Counting
from tests.web import things
from tests.web.html import facts, rows
from webapp import xlsx
from webapp.calls import totals
from webapp.ext import db


def _shown(client: FlaskClient, **query: str) -> list[str]:
    """The numbers called."""
    answer = client.get("/reports/cdr", query_string={"start": "all", **query})
    assert answer.status_code == 200
    return [number for row in rows(answer.text) for number in row.split() if number.startswith("d")]


def test_a_call(client: FlaskClient) -> None:
    acme, gateway = things.office("acme"), things.gateway("GW1")
    things.call(
        customer_id=acme.id,
        gateway_id=gateway.id,
        src="100",
        dst="551140005678",
        cost=Decimal("0.05"),
        price=Decimal("0.125"),
    )
    page = client.get("/reports/cdr?start=all").text
    (row,) = rows(page)
    assert row == ("2025-12-31 21:00 Outbound Customer acme 100 551140005678 GW1 Answered 1:10 1:05 0.05 0.125 0.075")
    assert f'href="/customers/{acme.id}"' in page
    assert f'href="/gateways/{gateway.id}"' in page


def test_a_loss_says_so(client: FlaskClient) -> None:
    things.call(cost=Decimal("0.125"), price=Decimal("0.05"))
    page = client.get("/reports/cdr?start=all").text
    assert rows(page)[0].endswith("0.125 0.05 Loss -0.075")
    assert '<strong class="negative">' in page


def test_a_call_stays_when_whom_it_was_carried_for_is_gone(client: FlaskClient) -> None:
    acme, gateway = things.office("acme"), things.gateway("GW1")
    things.call(customer_id=acme.id, gateway_id=gateway.id, dst="d1")
    client.post(f"/customers/{acme.id}/delete")
    client.post(f"/gateways/{gateway.id}/delete")
    assert _shown(client) == ["d1"]


def test_the_latest_call_is_the_first(client: FlaskClient) -> None:
    for n in (2, 1, 3):
        things.call(things.START + dt.timedelta(days=n), dst=f"d{n}")
    assert _shown(client) == ["d3", "d2", "d1"]
    assert _shown(client, sort="started_at") == ["d1", "d2", "d3"]
    assert 'aria-sort="descending"' in client.get("/reports/cdr?start=all").text


def test_filters(client: FlaskClient) -> None:
    acme, padaria = things.office("acme"), things.trunk("padaria")
    things.call(customer_id=acme.id, direction="inbound", dst="d1")
    things.call(customer_id=padaria.id, disposition="NO ANSWER", dst="d2")
    assert _shown(client, customer_id="acme") == ["d1"]
    assert _shown(client, customer_id=str(padaria.id)) == ["d2"]
    assert _shown(client, direction="inbound") == ["d1"]
    assert _shown(client, disposition="NO ANSWER") == ["d2"]
    assert _shown(client, q="d2") == ["d2"]
    assert client.get("/reports/cdr?direction=up").status_code == 404


def test_days_are_those_of_the_operator(client: FlaskClient) -> None:
    """Midnight in São Paulo is three o'clock UTC."""
    day = dt.datetime(2026, 3, 2, 3, tzinfo=dt.UTC)
    for name, moment in {
        "d1": day - dt.timedelta(seconds=1),
        "d2": day,
        "d3": day + dt.timedelta(hours=23, minutes=59),
        "d4": day + dt.timedelta(days=1),
    }.items():
        things.call(moment, dst=name)
    assert _shown(client, start="2026-03-02") == ["d4", "d3", "d2"]
    assert _shown(client, end="2026-03-02") == ["d3", "d2", "d1"]
    assert _shown(client, start="2026-03-02", end="2026-03-02", sort="dst") == ["d2", "d3"]
    assert _shown(client, start="2026-03-03T03:00:00Z") == ["d4"]
    assert _shown(client, end="2026-03-02T03:00:00+00:00") == ["d1"]
    assert _shown(client, start="", end="2026-03-02") == ["d3", "d2", "d1"], "of the 31 days until then"
    assert 'type="date" name="start" value="2026-03-02"' in client.get("/reports/cdr?start=2026-03-02").text


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01", "2026-03-02T03:00:00", "\x00"])
def test_a_day_that_is_none(client: FlaskClient, day: str) -> None:
    for name in ("start", "end"):
        expected = 200 if day == "\x00" else 404
        assert client.get("/reports/cdr", query_string={name: day}).status_code == expected
        assert client.get("/reports/cdr.csv", query_string={name: day}).status_code == expected


def test_an_export_has_what_an_invoice_needs(viewer: FlaskClient) -> None:
    acme = things.office("acme")
    things.call(customer_id=acme.id, src="=1+1", dst="551140005678", cost=Decimal("0.2"), price=Decimal("0.1"))
    text = viewer.get("/reports/cdr.csv?customer_id=acme&start=2025-12-31").data.decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["customer"] == "acme"
    assert line["src"] == "'=1+1"
    assert line["billsec"] == "65"
    assert line["margin"] == "-0.1"
    assert line["started_at"] == "2026-01-01T00:00:00+00:00"


def test_before_the_first_call_the_page_says_what_it_is_for(viewer: FlaskClient) -> None:
    page = viewer.get("/reports/cdr").text
    assert "Calls appear here when they have ended" in page
    assert "/reports/new" not in page
    assert "export.csv" not in page


# ---- filters


def _noon(days_ago: int) -> dt.datetime:
    """Noon where the operator is, so many days ago."""
    today = dt.datetime.now(things.COMPANY).date()
    return dt.datetime.combine(today - dt.timedelta(days_ago), dt.time(12), things.COMPANY)


def test_the_last_31_days_are_meant_if_nobody_says_when(client: FlaskClient) -> None:
    for days in (0, 30, 31):
        things.call(_noon(days), dst=f"d{days}")
    assert _shown(client, start="") == ["d0", "d30"]
    assert _shown(client) == ["d0", "d30", "d31"]
    page = client.get("/reports/cdr").text
    assert f'name="start" value="{_noon(30).date()}"' in page
    assert facts(page)["Calls"] == "2"
    assert _shown(client, start="", end=str(_noon(31).date())) == ["d31"]


FOUND = [
    ({"provider_id": "{provider}"}, "d1"),
    ({"gateway_id": "{gateway}"}, "d1"),
    ({"did": "+55 11 4000-1001"}, "d2"),
    ({"did": "55114000"}, ""),
    ({"src": "5511"}, "d1"),
    ({"dst": "d"}, 404),
    ({"dst": "55 21"}, "d3"),
    ({"min_duration": "70"}, "d3 d2"),
    ({"min_duration": "71"}, "d3"),
    ({"min_duration": "-1"}, 404),
    ({"destination": "Brasil"}, "d2"),
    ({"destination": "Bras"}, ""),
    ({"cause": "503"}, "d1"),
    ({"cause": "BUSY"}, "d3"),
    ({"below_cost": "true"}, "d2"),
    ({"below_cost": "false"}, "d3 d1"),
    ({"below_cost": "perhaps"}, 404),
    ({"unrated": "true"}, "d3"),
    ({"gateway_id": "x"}, 404),
]


@pytest.mark.parametrize(("query", "expected"), FOUND, ids=str)
def test_filters_of_the_specification(client: FlaskClient, query: dict[str, str], expected: str | int) -> None:
    gateway = things.gateway()
    ids = {"gateway": gateway.id, "provider": gateway.provider_id}
    things.call(
        _noon(3),
        dst="1",
        uniqueid="d1",
        gateway_id=gateway.id,
        provider_id=gateway.provider_id,
        src="551140001234",
        sip_status=503,
        disposition="BUSY",
        duration=69,
    )
    things.call(_noon(2), dst="2", uniqueid="d2", did="551140001001", destination="Brasil", cost=Decimal("0.1"))
    things.call(_noon(1), dst="552133334444", uniqueid="d3", disposition="BUSY", unrated="no_tariff", duration=71)
    values = {name: value.format(**ids) for name, value in query.items()}

    answer = client.get("/reports/cdr.csv", query_string=values)
    if isinstance(expected, int):
        assert answer.status_code == client.get("/reports/cdr", query_string=values).status_code == expected
        return
    lines = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert " ".join(line["uniqueid"] for line in lines) == expected
    page = client.get("/reports/cdr", query_string=values).text
    assert facts(page)["Calls"] == str(len(expected.split())), "the totals are of the same calls"


# ---- totals of the list


def test_totals_say_what_the_calls_come_to(client: FlaskClient) -> None:
    acme = things.office("acme")
    for seconds, price in ((60, "1"), (90, "1.5"), (5, "0.1")):
        things.call(
            _noon(1),
            customer_id=acme.id,
            answered_at=_noon(1),
            billsec=seconds,
            pdd=800,
            price=Decimal(price),
            cost=Decimal("0.4"),
        )
    things.call(_noon(2), customer_id=acme.id, billsec=0, disposition="BUSY")
    things.call(_noon(2), price=Decimal(7))

    found = facts(client.get("/reports/cdr?customer_id=acme").text)
    assert found == {
        "Calls": "4",
        "Answered": "3",
        "ASR": "75.0 %",
        "ACD": "0:52",
        "PDD": "0.8 s",
        "Minutes": "2.6",
        "Cost": "1.20",
        "Price": "2.60",
        "Margin": "1.40",
        "Margin rate": "53.8 %",
    }


KEPT = [
    {},
    {"direction": "inbound"},
    {"customer_id": "{customer}"},
    {"customer_id": "acme", "direction": "outbound"},
    {"destination": "Brasil"},
    {"did": "551140001001"},
    {"cause": "BUSY"},
]
COUNTED = [
    {"customer_id": "{customer}", "destination": "Portugal"},
    {"disposition": "BUSY"},
    {"q": "5521"},
    {"did": "551140001001", "start": "{hour}"},
    {"start": "{minute}"},
    {"customer_id": "Customer a"},
]


@pytest.mark.parametrize(("query", "is_kept"), [*((q, True) for q in KEPT), *((q, False) for q in COUNTED)], ids=str)
def test_the_totals_are_those_of_the_calls_however_they_are_found(
    client: FlaskClient, counting: Counting, query: dict[str, str], is_kept: bool
) -> None:
    """What the database keeps tells of most; the rest is counted. Either way they fit the file of the same calls."""
    acme, other = things.office("acme"), things.trunk()
    for n in range(24):
        things.call(
            _noon(n % 3) + dt.timedelta(minutes=7 * n),
            customer_id=(acme.id, other.id, None)[n % 3],
            direction=("inbound", "outbound")[n % 2],
            destination=("", "Brasil", "Portugal")[n % 7 % 3],
            did=("", "551140001001")[n % 2],
            dst=("552133334444", "551130002000")[n % 4 // 2],
            disposition=("ANSWERED", "BUSY")[n % 5 // 4],
            price=Decimal(n),
        )
    values = {
        name: value.format(customer=acme.id, hour=_noon(1).isoformat(), minute=_noon(1).replace(minute=1).isoformat())
        for name, value in query.items()
    }
    text = client.get("/reports/cdr.csv", query_string=values).data.decode("utf-8-sig")
    prices = [Decimal(line["price"]) for line in csv.DictReader(io.StringIO(text))]

    with counting() as statements:
        found = facts(client.get("/reports/cdr", query_string=values).text)
    assert 0 < len(prices) <= 24
    assert found["Calls"] == str(len(prices))
    assert Decimal(found["Price"]) == sum(prices)
    assert any("FROM call_totals" in statement for statement in statements) is is_kept
    assert len(statements) <= 11


def test_what_takes_too_long_to_count_is_not_waited_for(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    things.call(_noon(1))
    monkeypatch.setattr(totals, "PATIENCE", "20ms")
    monkeypatch.setattr(totals, "counted_sums", lambda: [func.pg_sleep(1)])
    page = client.get("/reports/cdr?disposition=ANSWERED").text
    assert "Choose fewer days." in page
    assert len(rows(page)) == 1, "the list is there all the same"
    assert db.session.scalar(text("SHOW statement_timeout")) == "30s"


# ---- workbooks


def test_a_workbook_has_what_the_list_has(viewer: FlaskClient) -> None:
    acme = things.office("acme")
    things.call(_noon(1), customer_id=acme.id, src="=1+1", dst="551140005678", price=Decimal("0.125"))
    answer = viewer.get("/reports/cdr.xlsx?customer_id=acme")
    assert answer.content_type == xlsx.TYPE
    assert re.search(r'filename="calls-[0-9-]{10}\.xlsx"', answer.headers["Content-Disposition"])
    heads, line = openpyxl.load_workbook(io.BytesIO(answer.data)).active.iter_rows()
    found = {head.value: cell for head, cell in zip(heads, line, strict=True)}
    assert found["src"].value == "=1+1"
    assert found["src"].data_type == "s"
    assert found["dst"].value == "551140005678"
    assert found["price"].value == 0.125
    assert found["started_at"].value == _noon(1).replace(tzinfo=None), "where the operator is"


def test_a_workbook_of_many_rows_takes_no_memory() -> None:
    """And goes on in another sheet where one is full."""
    row = ["551140005678" * 5] * 10
    pieces, largest = [], 0
    tracemalloc.start()
    for piece in xlsx.workbook(["head"] * 10, (row for _ in range(3000)), things.COMPANY, most_rows=1001):
        pieces.append(len(piece))
        largest = max(largest, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert largest < 1_000_000
    text = b"".join(xlsx.workbook(["head"], ([str(n)] for n in range(2001)), things.COMPANY, most_rows=1001))
    sheets = openpyxl.load_workbook(io.BytesIO(text)).worksheets
    assert [sheet.max_row for sheet in sheets] == [1001, 1001, 2]
    assert [sheet["A2"].value for sheet in sheets] == ["0", "1000", "2000"]


def test_an_empty_workbook_has_its_heads() -> None:
    text = b"".join(xlsx.workbook(["a", "b"], [], things.COMPANY))
    [line] = openpyxl.load_workbook(io.BytesIO(text)).active.iter_rows(values_only=True)
    assert line == ("a", "b")
