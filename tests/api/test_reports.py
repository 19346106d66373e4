"""/api/v1/reports/cdr: the calls, by the filters of the page."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tests.api.conftest import Program
from tests.web import things


def test_calls(viewer: Program) -> None:
    acme = things.office("acme")
    call = things.call(customer_id=acme.id, dst="551140005678", cost=Decimal("0.05"), price=Decimal("0.125"))
    answer = viewer.get("/reports/cdr")
    assert answer.status_code == 200
    assert answer.json["next_cursor"] is None
    (item,) = answer.json["items"]
    assert item["id"] == call.id
    assert item["customer_id"] == str(acme.id)
    assert item["margin"] == "0.07500000"
    assert item["started_at"] == "2026-01-01T00:00:00Z"


def test_calls_by_pages_and_filters(viewer: Program) -> None:
    acme = things.office("acme")
    for n in range(5):
        values = {"customer_id": acme.id} if n else {}
        things.call(
            things.START + dt.timedelta(days=n), direction="inbound" if n % 2 else "outbound", dst=str(n), **values
        )

    def found(**query: str | int) -> str:
        answer = viewer.get("/reports/cdr", **query)
        assert answer.status_code == 200, answer.json
        return "".join(item["dst"] for item in answer.json["items"])

    assert found() == "43210"
    assert found(sort="started_at") == "01234"
    assert found(customer_id="acme") == "4321"
    assert found(direction="inbound") == "31"
    assert found(start="2026-01-03T00:00:00Z") == "432"
    assert found(end="2026-01-02T00:00:00Z") == "0"
    assert found(start="2026-01-03", end="2026-01-03") == "3", "days are the company's"
    first = viewer.get("/reports/cdr", limit=3).json
    assert found(limit=3, cursor=first["next_cursor"]) == "10"


def test_what_cannot_be_is_refused_at_its_name(viewer: Program) -> None:
    assert list(viewer.get("/reports/cdr", start="yesterday").json["errors"]) == ["start"]
    assert list(viewer.get("/reports/cdr", direction="up").json["errors"]) == ["direction"]
    assert viewer.get("/reports/cdr", cursor="x").status_code == 400


def test_totals_come_with_the_first_page(viewer: Program) -> None:
    now = dt.datetime.now(dt.UTC)
    for n in range(3):
        things.call(now, answered_at=now if n else None, billsec=60 * n, price=Decimal(n), cost=Decimal("0.5"))
    things.call(now - dt.timedelta(days=40))
    first = viewer.get("/reports/cdr", limit=2).json
    found = first["totals"]
    assert {name: found[name] for name in ("calls", "answered", "asr", "acd", "minutes", "margin_rate")} == {
        "calls": 3,
        "answered": 2,
        "asr": "66.7",
        "acd": 90,
        "minutes": "3.0",
        "margin_rate": "50.0",
    }
    assert Decimal(found["margin"]) == Decimal("1.5")
    days = dt.datetime.fromisoformat(found["end"]) - dt.datetime.fromisoformat(found["start"])
    assert days == dt.timedelta(days=31)
    assert viewer.get("/reports/cdr", cursor=first["next_cursor"]).json["totals"] is None


def test_a_value_that_means_nothing_is_refused_in_the_totals_too(viewer: Program) -> None:
    for name in ("direction", "customer_id", "destination", "cause", "did", "min_duration", "below_cost"):
        assert list(viewer.get("/reports/cdr", **{name: "\x00"}).json["errors"]) == [name]


def test_a_call_explained(viewer: Program, api: Program) -> None:
    call = things.call(
        answered_at=things.START,
        prefix="55",
        price_per_minute=Decimal("0.08"),
        minimum_seconds=30,
        increment_seconds=6,
        billed_seconds=66,
        price=Decimal("0.088"),
    )
    answer = viewer.get(f"/calls/{call.id}")
    assert answer.status_code == 200
    assert answer.json["price_steps"][0] == "65 s were talked. Charged: 30 s + 6 × 6 s = 66 s."
    assert answer.json["legs"][0]["id"] == call.id
    assert answer.json["asked"] is None
    assert answer.json["cdr"] is None
    assert viewer.get(f"/calls/{call.id + 1}").status_code == 404
    assert viewer.get(f"/calls/{2**63}").status_code == 422


# ---- totals


def test_totals_by_customer(viewer: Program) -> None:
    acme = things.office("acme")
    now = dt.datetime.now(dt.UTC)
    things.call(now, customer_id=acme.id, answered_at=now, price=Decimal(2), cost=Decimal("0.5"))
    things.call(now - dt.timedelta(days=31), customer_id=acme.id, price=Decimal(1))
    things.call(now)
    answer = viewer.get("/reports/totals", by="customer")
    assert answer.status_code == 200
    (item,) = answer.json["items"]
    assert (item["thing"], item["name"], item["calls"], item["asr"]) == (str(acme.id), "Customer acme", 1, "100.0")
    assert Decimal(item["margin"]) == Decimal("1.5")
    assert item["before"]["calls"] == answer.json["before"]["calls"] == 1
    assert answer.json["without"]["calls"] == 1
    assert answer.json["total"]["calls"] == 2
    assert answer.json["others"] is None


def test_the_rest_of_the_lines(viewer: Program) -> None:
    for n in range(3):
        things.call(dt.datetime.now(dt.UTC), destination=f"D{n}", price=Decimal(n))
    found = viewer.get("/reports/totals", by="destination", limit=1, sort="-price").json
    assert [item["name"] for item in found["items"]] == ["D2"]
    assert found["others"]["calls"] == 2


def test_totals_that_cannot_be(viewer: Program) -> None:
    for name, value in {"by": "x", "sort": "x", "limit": 0, "start": "x", "cause": "\x00", "disposition": "x"}.items():
        answer = viewer.get("/reports/totals", **{name: value})
        assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    answer = viewer.get("/reports/totals", by="hour", start="2026-01-01")
    assert answer.json["errors"] == {"start": ["Choose at most 31 days."]}


# ---- our numbers


def test_how_numbers_are_used(viewer: Program) -> None:
    dids = things.dids("551140001000", 3)
    now = dt.datetime.now(dt.UTC)
    things.call(now, did=dids[0].number, answered_at=now, billsec=90)
    things.call(now - dt.timedelta(days=90), did=dids[1].number)
    answer = viewer.get("/reports/dids", limit=2)
    assert answer.status_code == 200
    first, second = answer.json["items"]
    assert (first["number"], first["calls"], first["minutes"]) == (dids[0].number, 1, "1.5")
    assert (second["calls"], second["last_call_at"][:4]) == (0, str((now - dt.timedelta(days=90)).year))
    (third,) = viewer.get("/reports/dids", limit=2, cursor=answer.json["next_cursor"]).json["items"]
    assert (third["number"], third["last_call_at"]) == (dids[2].number, None)
    unused = viewer.get("/reports/dids", unused=30).json["items"]
    assert [item["number"] for item in unused] == [dids[1].number, dids[2].number]
    for name, value in {"unused": "x", "start": "x", "end": "2026-01-01T00:00:00Z"}.items():
        assert list(viewer.get("/reports/dids", **{name: value}).json["errors"]) == [name]
