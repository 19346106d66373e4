"""What is not rated, rating again, and whether every call is in the books: the pages."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, error_at, rows
from webapp import store
from webapp.accounts.models import AuditEntry
from webapp.calls.models import Call, CallTotal, UnratedCdr
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.reratings import operations
from webapp.reratings.models import Rerating
from webapp.tariffs.models import PricePlan, Tariff


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""
    monkeypatch.setattr(operations, "_work", operations.perform)


@pytest.fixture
def acme(client: FlaskClient) -> Customer:
    """A customer with a plan that has a tariff for Brazil."""
    plan = things.price_plan("Retail")
    things.tariff(plan, "55", "1")
    return things.office("acme", price_plan_id=plan.id)


def cdr(**values: Any) -> int:
    """A call record as Asterisk stores it; its id."""
    cdr = {
        "node": "pbx1",
        "uniqueid": "pbx1-1.1",
        "sequence": "1",
        "start": "2026-03-10 12:00:00",
        "answer": "2026-03-10 12:00:05",
        "end": "2026-03-10 12:01:05",
        "duration": "65",
        "billsec": "60",
        "disposition": "ANSWERED",
        "direction": "outbound",
        "number": "552133334444",
        **values,
    }
    names, marks = ", ".join(f'"{name}"' for name in cdr), ", ".join(f":{name}" for name in cdr)
    id = db.session.scalar(text(f"INSERT INTO asterisk.cdr ({names}) VALUES ({marks}) RETURNING id"), cdr)  # noqa: S608 - our own names
    db.session.commit()
    return int(id or 0)


def change_price(price: str) -> None:
    tariff = things.one(Tariff)
    tariff.price_per_minute = Decimal(price)
    store.save(tariff)


def audited() -> list[tuple[str, str | None]]:
    """Action and price after of what was rated again."""
    entries = db.session.scalars(db.select(AuditEntry).where(AuditEntry.kind == "reratings").order_by(AuditEntry.id))
    return [(entry.action, entry.after.get("price_after")) for entry in entries]


def price() -> Decimal:
    return things.one(Call).price


PERIOD = {"since": "2026-03-01", "until": "2026-04-01"}


# ---- rating again


def test_calls_are_compared_and_then_changed(client: FlaskClient, acme: Customer) -> None:
    cdr(customer_id=str(acme.id))
    change_price("2")

    shown = client.post("/reports/reratings/new", data=PERIOD, follow_redirects=True)
    assert rows(shown.text)[0].split()[:3] == ["Customer", "acme", "1"]
    assert "+R$1.00" in shown.text
    assert price() == 1

    path = shown.request.path
    shown = client.post(f"{path}/apply", follow_redirects=True)
    assert "Applied" in shown.text
    assert price() == 2
    assert audited() == [("rerate", "2.00000000"), ("rerated", "2.00000000")]
    assert db.session.scalar(db.select(CallTotal.price).where(CallTotal.dimension == "customer").limit(1)) == 2

    again = client.post(f"{path}/apply", follow_redirects=True)
    assert alert(again.text) == "Nothing was done: somebody else is at it, or was before you."
    assert len(audited()) == 2


def test_where_nothing_is_different_there_is_nothing_to_apply(client: FlaskClient, acme: Customer) -> None:
    cdr(customer_id=str(acme.id))

    shown = client.post("/reports/reratings/new", data=PERIOD, follow_redirects=True).text

    assert "All of them cost what they should." in shown
    assert "/apply" not in shown


def test_the_form_begins_with_what_leads_to_it_and_tells_what_is_wrong(client: FlaskClient, acme: Customer) -> None:
    assert f'selected value="{acme.id}"' in client.get(f"/reports/reratings/new?customer_id={acme.id}").text

    for values, field in [
        ({}, "since"),
        ({"since": "2026-03-01", "until": "2026-02-01"}, "until"),
        ({"since": "2099-01-01"}, "since"),
        ({**PERIOD, "direction": "up"}, "direction"),
    ]:
        answer = client.post("/reports/reratings/new", data=values)
        assert answer.status_code == 422
        assert error_at(answer.text, field), values
    assert things.count(Rerating) == 0


def test_one_that_was_interrupted_goes_on(client: FlaskClient, acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    cdr(customer_id=str(acme.id))
    change_price("2")
    shown = client.post("/reports/reratings/new", data=PERIOD, follow_redirects=True)
    with monkeypatch.context() as patch:
        patch.setattr(operations, "_work", lambda id: None)  # It dies at once.
        client.post(f"{shown.request.path}/apply")
        assert "hx-get" in client.get(shown.request.path).text
        client.post(f"{shown.request.path}/apply")  # It may still be alive.
    assert price() == 1

    db.session.execute(text("UPDATE reratings SET heartbeat = now() - interval '1 minute'"))
    db.session.commit()
    assert "It stopped half way." in client.get(shown.request.path).text
    client.post(f"{shown.request.path}/apply")

    assert price() == 2
    assert audited() == [("rerate", "2.00000000"), ("rerated", "2.00000000")]


def test_a_lock_stops_it_only_when_it_stays(
    client: FlaskClient, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    cdr(customer_id=str(acme.id))
    change_price("2")
    real, failures = operations._some_calls, [3]

    def fails(id: UUID) -> bool:
        if failures[0]:
            failures[0] -= 1
            raise OperationalError("", {}, Exception("canceling statement due to lock timeout"))
        return real(id)

    monkeypatch.setattr(operations, "_some_calls", fails)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    shown = client.post("/reports/reratings/new", data=PERIOD, follow_redirects=True)
    assert "To be applied" in shown.text

    failures[0] = 5
    shown = client.post(f"{shown.request.path}/apply", follow_redirects=True)
    assert "canceling statement due to lock timeout" in shown.text
    client.post(f"{shown.request.path}/apply")
    assert price() == 2


def test_a_viewer_looks_and_changes_nothing(client: FlaskClient, viewer: FlaskClient, acme: Customer) -> None:
    cdr(customer_id=str(acme.id))
    change_price("2")
    path = client.post("/reports/reratings/new", data=PERIOD, follow_redirects=True).request.path

    assert "/apply" not in viewer.get(path).text
    assert viewer.post(f"{path}/apply").status_code == 403
    assert viewer.post("/reports/unrated/rate").status_code == 403
    assert "Rate all again" not in viewer.get("/reports/unrated/").text


def test_the_list_and_its_queries(client: FlaskClient, acme: Customer, counting: Counting) -> None:
    for _ in range(3):
        client.post("/reports/reratings/new", data={**PERIOD, "customer_id": str(acme.id)})
    with counting() as statements:
        shown = client.get("/reports/reratings/")
    assert len(rows(shown.text)) == 3
    assert "Customer acme" in rows(shown.text)[0]
    assert len(statements) < 8


# ---- what is not rated


def test_calls_without_a_price_say_what_is_missing(client: FlaskClient, acme: Customer) -> None:
    poor = things.office("poor")
    for n in range(3):
        cdr(customer_id=str(acme.id), number="442012345678", uniqueid=f"pbx1-{n}.1")
    cdr(customer_id=str(poor.id), uniqueid="pbx1-9.1")

    first, second = rows(client.get("/reports/unrated/").text)
    assert first.startswith("Customer acme The plan has no tariff for these numbers.")
    assert "Retail 442012345678 3 2026-03-10 09:00" in first
    assert second.startswith("Customer poor The customer has no price plan. Choose one for it. 552133334444 1")
    assert "4 calls are not rated." in client.get("/").text


def test_when_the_cause_is_gone_all_are_rated(client: FlaskClient, acme: Customer) -> None:
    cdr(customer_id=str(acme.id), number="442012345678")
    things.tariff(things.one(PricePlan), "44", "3")

    shown = client.post("/reports/unrated/rate", follow_redirects=True)

    assert "Rating what was not rated" in shown.text
    assert price() == 3
    assert "Every call has its price" in client.get("/reports/unrated/").text
    assert "calls are not rated" not in client.get("/").text
    assert audited() == [("rerate", None), ("rerated", "3.00000000")]


def test_there_is_nothing_to_rate(client: FlaskClient) -> None:
    shown = client.post("/reports/unrated/rate", follow_redirects=True)
    assert alert(shown.text) == "Everything is rated."
    assert things.count(Rerating) == 0


def test_a_record_that_is_no_call(client: FlaskClient, acme: Customer) -> None:
    id = cdr(start="<script>alert(1)</script>", customer_id=str(acme.id), src="x" * 3000)
    page = client.get("/reports/unrated/").text
    assert "A time in it is none." in page
    assert "<script>alert" not in page

    shown = client.get(f"/reports/unrated/{id}").text
    assert "invalid input syntax" in shown
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown
    for other in (id + 1, 10**30):
        assert client.get(f"/reports/unrated/{other}").status_code == 404


def test_a_record_is_tried_again(client: FlaskClient, acme: Customer) -> None:
    id = cdr(start="garbage", customer_id=str(acme.id))
    client.post("/reports/unrated/rate")
    assert things.one(UnratedCdr).tries == 1

    db.session.execute(text("UPDATE asterisk.cdr SET start = '2026-03-10 12:00:00' WHERE id = :id"), {"id": id})
    db.session.commit()
    client.post("/reports/unrated/rate")

    assert things.count(UnratedCdr) == 0
    assert price() == 1


def test_many_records_take_no_more_queries(client: FlaskClient, acme: Customer, counting: Counting) -> None:
    for n in range(60):
        cdr(start="garbage", uniqueid=str(n))
    with counting() as statements:
        page = client.get("/reports/unrated/")
    assert len(rows(page.text.partition("Call records that are no calls")[2])) == 50
    assert len(statements) < 9
    with counting() as statements:
        client.post("/reports/unrated/rate")
    assert things.count(UnratedCdr, tries=1) == 60


# ---- completeness


def days(client: FlaskClient) -> list[str]:
    return rows(client.get("/reports/completeness/").text)


def journal(calls: int, ago: int = 0, **values: int) -> None:
    """What a journal says of a day so many days ago."""
    names, marks = "".join(f", {name}" for name in values), "".join(f", :{name}" for name in values)
    db.session.execute(
        text(
            f"INSERT INTO journal_days (day, node, calls{names}) SELECT date_trunc('day', now(), time_zone)"  # noqa: S608 - our own names
            f" - :ago * interval '1 day', 'pbx1', :calls{marks} FROM settings"
        ),
        {"calls": calls, "ago": ago, **values},
    )
    db.session.commit()


def calls(count: int, customer: Customer, ago: int = 1, **values: Any) -> None:
    """Calls of so many days ago, at noon where the company is."""
    noon = f"{dt.datetime.now(dt.UTC) - dt.timedelta(hours=3) - dt.timedelta(days=ago):%Y-%m-%d} 15:00:00"
    for n in range(count):
        stamped = {"start": noon, "answer": noon, "uniqueid": f"pbx1-{ago}{n}.1", "customer_id": str(customer.id)}
        cdr(**{**stamped, **values})


@pytest.mark.parametrize(
    ("seen", "more", "state"),
    [
        (2, {}, "Complete 2 2 2 – – –"),
        (2, {"recovered": 1}, "Complete 2 2 2 – 1 –"),
        (3, {}, "1 missing 3 2 2 – – –"),
        (1, {}, "1 not in the journal 1 2 2 – – –"),
        (2, {"unreadable": 1}, "Unreadable in part 2 2 2 – – 1"),
    ],
)
def test_a_day(client: FlaskClient, acme: Customer, seen: int, more: dict[str, int], state: str) -> None:
    calls(2, acme)
    journal(seen, 1, **more)

    [day] = days(client)
    assert day.split(" ", 2)[1:] == ["pbx1", state]


def test_a_day_whose_calls_are_not_all_rated(client: FlaskClient, acme: Customer) -> None:
    calls(2, acme, number="442012345678")
    calls(1, acme, uniqueid="pbx1-77.1", billsec="garbage")
    journal(3, 1)

    [day] = days(client)
    assert day.split(" ", 2)[2] == "Some are not rated 3 3 0 3 – –"


def test_a_node_whose_journal_nobody_reads(client: FlaskClient, acme: Customer) -> None:
    calls(1, acme)

    assert days(client)[0].split(" ", 2)[2] == "Nobody reads the journal – 1 1 – – –"


def test_only_what_is_new_enough(client: FlaskClient, acme: Customer, counting: Counting) -> None:
    calls(1, acme, 40)
    journal(1, 40)
    for ago in range(3):
        journal(5, ago)
    with counting() as statements:
        assert len(days(client)) == 3
    assert len(statements) < 9
