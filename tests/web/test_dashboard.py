"""The start page."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.web import things
from tests.web.html import rows
from tests.web.test_live import ago, call, contact, looked
from webapp.calls import totals
from webapp.dashboard import operations
from webapp.ext import db
from webapp.live.models import LiveRegistration


def test_it_works(client: FlaskClient) -> None:
    page = client.get("/").text
    assert _counts(page) == ["0"] * 6
    assert "A server appears here when its agent first starts." in page

    things.route("Brazil")
    things.extension(things.office("acme"))
    things.dids(count=3)
    assert _counts(client.get("/").text) == ["1", "1", "3", "2", "1", "1"]


def test_a_server_says_how_it_is(client: FlaskClient) -> None:
    db.session.execute(
        text(
            "INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('away', now() - interval '1 minute', true),"
            " ('busy', now(), true), ('down', now(), false), ('fine', now(), true), ('new', NULL, false)"
        )
    )
    db.session.execute(text("INSERT INTO outbox (node, action) VALUES ('busy', 'reload'), ('busy', 'reload')"))
    db.session.execute(text("INSERT INTO outbox (node, action, done_at) VALUES ('fine', 'reload', now())"))
    db.session.commit()
    shown = [" ".join(re.split(r" \d{4}-", row)[0].split()) for row in rows(client.get("/").text)]
    assert shown == [
        "away Agent away 0",
        "busy Catching up 2",
        "down Asterisk away 0",
        "fine Up to date 0",
        "new Agent away 0",
    ]


def _counts(page: str) -> list[str]:
    return re.findall(r'<span class="h2 num mb-0">(\d+)</span>', page)


def _figures(page: str) -> dict[str, str]:
    found = re.findall(r"<div><dt>(.*?)</dt><dd class=\"num\">(.*?)</dd></div>", page, re.DOTALL)
    return {label: " ".join(re.sub(r"<[^>]+>", " ", value).split()) for label, value in found}


def _alarms(page: str) -> list[str]:
    found = re.findall(r'<div class="alert alert-(?:warning|danger)">.*?</svg></span>\s*<div>(.*?)<a', page, re.DOTALL)
    return [" ".join(text.split()) for text in found]


def test_what_goes_on_now(client: FlaskClient) -> None:
    gateway, down = things.gateway("GW1"), things.gateway("GW2", "10.0.0.2")
    acme = things.office("acme")
    phone = things.extension(acme, "100")
    things.extension(acme, "101")
    looked()
    contact(gateway)
    contact(down, "unreachable")
    contact(phone, "unchecked")
    contact(phone, "unchecked", uri="sip:elsewhere")  # One phone at two places is one phone.
    call(70, 61, direction="inbound")
    call(5, direction="outbound")
    call(5, direction="outbound", node="pbx9")  # Nobody watches it.
    things.call(ago(20), uniqueid="a", sequence=1)
    things.call(ago(20), uniqueid="a", sequence=2)  # The same call at the next gateway.
    found = _figures(client.get("/").text)
    assert (found["Calls now"], found["In"], found["Out"]) == ("2", "1", "1")
    assert found["New calls per second"] == "0.0"
    assert found["Gateways that answer"] == "1 of 2"
    assert found["Phones registered"] == "1 of 2"
    for n in range(10):
        things.call(ago(20), uniqueid=f"b{n}")
    assert _figures(client.get("/").text)["New calls per second"] == "0.2"


def test_today_beside_yesterday_by_whole_hours(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """At half past two the hours until two are compared, and what came since is in the sums all the same."""
    now = dt.datetime.now(things.COMPANY).replace(hour=14, minute=30, second=0, microsecond=0)

    monkeypatch.setattr(operations, "_now", lambda: now)
    hour = dt.timedelta(hours=1)
    for at, price in ((now - 3 * hour, "0.30"), (now, "5"), (now - 27 * hour, "0.20"), (now - 24 * hour, "9")):
        things.call(at, answered_at=at, billsec=60, price=Decimal(price), cost=Decimal("0.10"))
    page = client.get("/").text
    found = _figures(page)
    assert found["Calls"] == "2 +0.0 %"
    assert found["Price"] == "5.30 +50.0 %"
    assert found["Margin"] == "5.10 +100.0 %"
    assert (found["ASR"], found["ACD"], found["Minutes"]) == ("100.0 %", "1:00", "2.0 +0.0 %")
    assert "until 14:00, compared with yesterday" in page


def test_right_after_midnight_there_is_nothing_to_compare(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    midnight = dt.datetime.now(things.COMPANY).replace(hour=0, minute=0, second=0, microsecond=0)
    monkeypatch.setattr(operations, "_now", lambda: midnight)
    assert operations.today().yesterday is None


def test_who_pays_most(client: FlaskClient) -> None:
    now = dt.datetime.now(things.COMPANY)
    for n in range(operations.TOP + 2):
        customer = things.trunk(f"c{n}", f"10.1.0.{n + 1}")
        things.call(now, customer_id=customer.id, answered_at=now, billsec=60, price=Decimal(n))
    shown = [row.split()[-1] for row in rows(client.get("/").text)]
    assert shown == ["6.00", "5.00", "4.00", "3.00", "2.00"]


def test_gateways_in_trouble_come_first(client: FlaskClient) -> None:
    fine, down = things.gateway("GW1", "10.0.0.1"), things.gateway("GW2", "10.0.0.2")
    things.gateway("GW3", "10.0.0.3", enabled=False)
    looked()
    contact(fine, rtt=12.3)
    contact(down, "unreachable")
    shown = [row for row in rows(client.get("/").text) if row.startswith("GW")]
    assert [row.split()[0] for row in shown] == ["GW2", "GW1"]
    assert shown[0].startswith("GW2 Does not answer since")
    assert shown[1] == "GW1 Answers in 12.3 ms"


def test_what_needs_somebody(client: FlaskClient) -> None:
    assert _alarms(client.get("/").text) == []
    down, off = things.gateway("GW1", "10.0.0.1"), things.gateway("GW2", "10.0.0.2", enabled=False)
    rejected = things.gateway("GW3", "10.0.0.3")
    looked()
    for gateway in (down, off):
        contact(gateway, "unreachable")
    contact(rejected)
    db.session.add(LiveRegistration(node="pbx1", name="g", thing_id=rejected.id, state="rejected", since=ago(60)))
    now = dt.datetime.now(things.COMPANY)
    things.call(now, answered_at=now, price=Decimal(1), cost=Decimal(2))
    things.call(now, answered_at=now, unrated="no_tariff")
    db.session.execute(
        text(
            "INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('away', now() - interval '1 minute', true),"
            " ('busy', now(), true), ('down', now(), false), ('fine', now(), true)"
        )
    )
    db.session.execute(
        text("INSERT INTO outbox (node, action, created_at) VALUES ('busy', 'reload', now() - interval '2 minutes')")
    )
    db.session.commit()
    assert _alarms(client.get("/").text) == [
        "Agent away: away",
        "Asterisk away: down",
        "Not told of changes for over a minute: busy",
        "Gateways that do not answer: GW1",
        "Not registered with: GW3",
        "1 calls are not rated.",
        "1 call of today was sold below cost.",
    ]
    kinds = [alarm.kind for alarm in operations.alarms()]
    assert kinds[0] == "node_away"
    assert kinds[-1] == "below_cost"


def test_nothing_is_compared_that_was_not_there(client: FlaskClient) -> None:
    """A first day has no yesterday, and no division by it."""
    now = dt.datetime.now(things.COMPANY)
    things.call(now, answered_at=now, price=Decimal(1))
    assert _figures(client.get("/").text)["Calls"] == "1"
    assert totals.sums({}, totals.period({}, days=1)) is not None
