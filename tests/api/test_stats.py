"""The numbers of the dashboard over REST."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tests.api.conftest import Program
from tests.conftest import Counting
from tests.web import things


def test_it_counts(api: Program, viewer: Program, nobody: Program, counting: Counting) -> None:
    assert nobody.get("/dashboard/stats").status_code == 401
    provider = api.post("/providers/", {"name": "Norte"}).json["id"]
    api.post("/dids/", {"number": "551140001000", "count": 3, "provider_id": provider})
    api.post("/dids/", {"number": "551140002000", "provider_id": provider, "status": "blocked"})
    office = api.post("/customers/", {"code": "office", "name": "Office", "type": "extension"}).json["id"]
    api.post("/extensions/", {"customer_id": office, "extension": "100", "secret": "hush-phone"})
    api.post("/gateways/", {"name": "GW1", "provider_id": provider, "ip_address": "192.0.2.10"})
    now = dt.datetime.now(things.COMPANY)
    things.call(now, answered_at=now, billsec=90, cost=Decimal("0.1"), price=Decimal("0.25"))
    things.call(now, disposition="BUSY", billsec=0)
    things.call(now - dt.timedelta(days=1), answered_at=now, billsec=60, cost=Decimal(5), price=Decimal(5))

    viewer.get("/providers/")  # The first request of a minute lets old counts go besides.
    with counting() as statements:
        answer = viewer.get("/dashboard/stats")
    assert len(statements) <= 14, statements
    assert answer.json == {
        "customers": 1,
        "extensions": 1,
        "providers": 1,
        "gateways": 1,
        "routes": 0,
        "dids": {"available": 3, "reserved": 0, "allocated": 0, "quarantine": 0, "blocked": 1},
        "calls_today": {
            "count": 2,
            "answered": 1,
            "asr": "50.0",
            "acd": 90,
            "minutes": "1.5",
            "cost": "0.10000000",
            "price": "0.25000000",
            "margin": "0.15000000",
        },
        "calls_now": {"count": 0, "answered": 0, "inbound": 0, "outbound": 0},
        "calls_per_second": "0.0",
        "gateways_answering": 0,
        "gateways_down": 0,
        "phones_registered": 0,
        "alarms": [],
    }


def test_nothing_is_nothing(api: Program) -> None:
    assert api.get("/dashboard/stats").json["calls_today"] == {
        "count": 0,
        "answered": 0,
        "asr": None,
        "acd": None,
        "minutes": "0.0",
        "cost": "0",
        "price": "0",
        "margin": "0",
    }
