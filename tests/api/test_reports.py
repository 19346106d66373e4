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
    assert found(since="2026-01-03T00:00:00Z") == "432"
    assert found(until="2026-01-02T00:00:00Z") == "0"
    assert found(since="2026-01-03", until="2026-01-03") == "3", "days are the company's"
    first = viewer.get("/reports/cdr", limit=3).json
    assert found(limit=3, cursor=first["next_cursor"]) == "10"


def test_what_cannot_be_is_refused_at_its_name(viewer: Program) -> None:
    assert list(viewer.get("/reports/cdr", since="yesterday").json["errors"]) == ["since"]
    assert list(viewer.get("/reports/cdr", direction="up").json["errors"]) == ["direction"]
    assert viewer.get("/reports/cdr", cursor="x").status_code == 400
