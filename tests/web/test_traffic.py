"""The report of our numbers: who has them, how they are used, and which are not."""

from __future__ import annotations

import csv
import datetime as dt
import io

import openpyxl
import pytest
from flask.testing import FlaskClient

from tests.conftest import Counting
from tests.web import things
from tests.web.html import rows

TODAY = dt.datetime.now(things.COMPANY).replace(hour=0, minute=0, second=0, microsecond=0)


def _numbers() -> None:
    """1000 was called yesterday and long ago, 1001 forty days ago, 1002 never."""
    first, second, _ = things.dids("551140001000", 3)
    acme = things.trunk("acme")
    things.allocate(first, acme)
    for days, number in ((1, first.number), (1, first.number), (90, first.number), (40, second.number)):
        at = TODAY - dt.timedelta(days=days)
        things.call(at, did=number, direction="inbound", answered_at=at, billsec=90, customer_id=acme.id)
    things.call(TODAY, dst="551140001002")


def _file(client: FlaskClient, **query: str) -> list[dict[str, str]]:
    text = client.get("/reports/dids.csv", query_string=query).data.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_how_numbers_are_used(client: FlaskClient) -> None:
    _numbers()
    yesterday, before = ((TODAY - dt.timedelta(days=days)).strftime("%Y-%m-%d %H:%M") for days in (1, 40))
    page = client.get("/reports/dids").text
    assert rows(page) == [
        f"+55 11 4000-1000 Provider of 551140001000 Allocated Customer acme 2 2 3.0 {yesterday}",
        f"+55 11 4000-1001 Provider of 551140001000 Available 0 0 0.0 {before}",
        "+55 11 4000-1002 Provider of 551140001000 Available 0 0 0.0 Never",
    ]
    assert "/reports/new" not in page
    start = (TODAY - dt.timedelta(days=60)).date().isoformat()
    assert [line["calls"] for line in _file(client, start=start)] == ["2", "1", "0"]
    assert [line["calls"] for line in _file(client, start=start, end=start)] == ["0", "0", "0"]


def test_which_are_not_used(client: FlaskClient) -> None:
    _numbers()
    for days, numbers in {"2": "12", "41": "2", "0": "012", "3650": "2"}.items():
        found = rows(client.get(f"/reports/dids?unused={days}").text)
        assert "".join(row[15] for row in found) == numbers, days
        assert "".join(line["number"][-1] for line in _file(client, unused=days)) == numbers
    assert [line["number"][-1] for line in _file(client, status="allocated")] == ["0"]
    assert [line["number"][-1] for line in _file(client, customer_id="acme")] == ["0"]


def test_the_files(viewer: FlaskClient) -> None:
    _numbers()
    (first, *_) = _file(viewer)
    assert (first["customer"], first["calls"], first["minutes"]) == ("acme", "2", "3")
    assert first["last_call_at"] == (TODAY - dt.timedelta(days=1)).astimezone(dt.UTC).isoformat()
    book = openpyxl.load_workbook(io.BytesIO(viewer.get("/reports/dids.xlsx").data))
    assert book.active.max_row == 4


def test_what_it_costs_does_not_depend_on_how_many_there_are(client: FlaskClient, counting: Counting) -> None:
    _numbers()
    client.get("/reports/dids")
    with counting() as statements:
        client.get("/reports/dids")
    things.dids("551140002000", 30)
    with counting() as more:
        client.get("/reports/dids")
    assert len(more) == len(statements) <= 9


@pytest.mark.parametrize("query", ["unused=x", "unused=99999", "start=x", "start=2026-01-01T00:00:00Z", "status=x"])
def test_what_cannot_be(client: FlaskClient, query: str) -> None:
    for file in ("", ".csv", ".xlsx"):
        assert client.get(f"/reports/dids{file}?{query}").status_code == 404
