"""Reports: the calls that were made, what they cost and what was earned by them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import rows


def _shown(client: FlaskClient, **query: str) -> list[str]:
    """The numbers called."""
    answer = client.get("/reports/", query_string=query)
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
    page = client.get("/reports/").text
    (row,) = rows(page)
    assert row == ("2025-12-31 21:00 Outbound Customer acme 100 551140005678 GW1 Answered 1:10 1:05 0.05 0.125 0.075")
    assert f'href="/customers/{acme.id}"' in page
    assert f'href="/gateways/{gateway.id}"' in page


def test_a_loss_says_so(client: FlaskClient) -> None:
    things.call(cost=Decimal("0.125"), price=Decimal("0.05"))
    page = client.get("/reports/").text
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
    assert 'aria-sort="descending"' in client.get("/reports/").text


def test_filters(client: FlaskClient) -> None:
    acme, padaria = things.office("acme"), things.trunk("padaria")
    things.call(customer_id=acme.id, direction="inbound", dst="d1")
    things.call(customer_id=padaria.id, disposition="NO ANSWER", dst="d2")
    assert _shown(client, customer_id="acme") == ["d1"]
    assert _shown(client, customer_id=str(padaria.id)) == ["d2"]
    assert _shown(client, direction="inbound") == ["d1"]
    assert _shown(client, disposition="NO ANSWER") == ["d2"]
    assert _shown(client, q="d2") == ["d2"]
    assert client.get("/reports/?direction=up").status_code == 404


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
    assert _shown(client, since="2026-03-02") == ["d4", "d3", "d2"]
    assert _shown(client, until="2026-03-02") == ["d3", "d2", "d1"]
    assert _shown(client, since="2026-03-02", until="2026-03-02", sort="dst") == ["d2", "d3"]
    assert _shown(client, since="2026-03-03T03:00:00Z") == ["d4"]
    assert _shown(client, until="2026-03-02T03:00:00+00:00") == ["d1"]
    assert 'type="date" name="since" value="2026-03-02"' in client.get("/reports/?since=2026-03-02").text


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01", "2026-03-02T03:00:00", "\x00"])
def test_a_day_that_is_none(client: FlaskClient, day: str) -> None:
    for name in ("since", "until"):
        expected = 200 if day == "\x00" else 404
        assert client.get("/reports/", query_string={name: day}).status_code == expected
        assert client.get("/reports/export.csv", query_string={name: day}).status_code == expected


def test_an_export_has_what_an_invoice_needs(viewer: FlaskClient) -> None:
    acme = things.office("acme")
    things.call(customer_id=acme.id, src="=1+1", dst="551140005678", cost=Decimal("0.2"), price=Decimal("0.1"))
    text = viewer.get("/reports/export.csv?customer_id=acme").data.decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["customer"] == "acme"
    assert line["src"] == "'=1+1"
    assert line["billsec"] == "65"
    assert line["margin"] == "-0.1"
    assert line["started_at"] == "2026-01-01T00:00:00+00:00"


def test_before_the_first_call_the_page_says_what_it_is_for(viewer: FlaskClient) -> None:
    page = viewer.get("/reports/").text
    assert "Calls appear here when they have ended" in page
    assert "/reports/new" not in page
    assert "export.csv" not in page
