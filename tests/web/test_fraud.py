"""Rules against toll fraud on their pages: tested, armed, and their cases released."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from sqlalchemy import select, text
from sqlalchemy.orm import scoped_session
from sqlalchemy.orm.attributes import set_committed_value

from tests.conftest import Counting, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, rows
from webapp import store
from webapp.accounts.models import AuditEntry
from webapp.alerts.models import Alert, AlertSettings
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.fraud_cases import operations as cases
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules import operations
from webapp.fraud_rules.models import FraudRule, FraudTest

SEEDED = [
    "Exterior à noite",
    "Muitas chamadas curtas",
    "Muito dinheiro em chamadas para o exterior",
    "País nunca chamado antes",
]
TYPED = {"name": "Dear", "kind": "spending", "max_amount": "10", "destinations": "international"}


def called(customer: Customer, ago: dt.timedelta, price: str = "6", dst: str = "5352345678") -> None:
    start = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - ago  # Whole minutes, as a test counts.
    things.call(
        start, customer_id=customer.id, dst=dst, price=Decimal(price), answered_at=start,
        ended_at=start + dt.timedelta(seconds=60), billsec=60,
    )  # fmt: skip


@pytest.fixture
def acme(client: FlaskClient) -> Customer:
    return things.office("acme")


@pytest.fixture
def admin(app: Flask, session: scoped_session[Session]) -> FlaskClient:
    make_user("ada", "admin")
    return signed_in(app, "ada")


def test_rules_to_begin_with_are_there_as_drafts(client: FlaskClient) -> None:
    page = client.get("/fraud/rules/").text
    assert [re.split(r" (All|New|Short|Night)", row)[0] for row in rows(page)] == SEEDED
    assert all(row.endswith("Draft") for row in rows(page))


def test_a_rule_is_made_changed_and_deleted(client: FlaskClient, acme: Customer) -> None:
    answer = client.post("/fraud/rules/new", data=TYPED | {"customer_id": str(acme.id)})
    rule = things.one(FraudRule, name="Dear")
    assert answer.location == f"/fraud/rules/{rule.id}"
    assert (rule.max_amount, rule.state, rule.customer_id) == (Decimal(10), "draft", acme.id)
    page = client.get(answer.location).text
    assert "It is a draft: test it on past calls, then arm it." in page
    assert "Customer acme" in page

    answer = client.post(f"/fraud/rules/{rule.id}/edit", data=TYPED | {"max_calls": "7", "version": str(rule.version)})
    assert answer.status_code == 302
    assert things.one(FraudRule, name="Dear").max_calls == 7
    assert client.post(f"/fraud/rules/{rule.id}/delete").status_code == 302
    assert things.count(FraudRule) == 4


def test_what_a_rule_needs(client: FlaskClient) -> None:
    page = client.post("/fraud/rules/new", data=TYPED | {"max_amount": ""}).text
    assert error_at(page, "max_calls") == "Give at least one limit: calls, minutes or money."
    page = client.post("/fraud/rules/new", data=TYPED | {"destinations": "prefixes"}).text
    assert error_at(page, "prefixes") == "Give at least one."


def test_a_rule_is_tested_before_it_is_armed(client: FlaskClient, acme: Customer) -> None:
    rule = things.fraud_rule("Dear", action="block_international")
    path = f"/fraud/rules/{rule.id}"
    called(acme, dt.timedelta(days=1), dst="442079990000", price="1")
    for minutes in (120, 119, 100, 90):
        called(acme, dt.timedelta(minutes=minutes))
    called(acme, dt.timedelta(minutes=80), dst="442079990000", price="1")

    assert "Arm without a test" in client.get(path).text
    page = client.post(f"{path}/armed", data={"armed": "yes"}, follow_redirects=True).text
    assert alert(page) == "Test it on past calls first, as it is now."

    page = client.post(f"{path}/test", data={"days": "7"}, follow_redirects=True).text
    assert "It would have hit 1 customer." in page
    assert "3 answered calls would have been refused, which came to R$13.00." in page
    assert "1 of them went to a number the customer had called in the month before" in page
    assert re.search(r"Customer acme .* \+5352345678 2 R\$12.00 3 1 R\$13.00$", rows(page)[0])

    page = client.post(f"{path}/armed", data={"armed": "yes"}, follow_redirects=True).text
    assert alert(page) == "Dear is armed."
    assert things.one(FraudRule, name="Dear").state == "armed"


def test_a_change_makes_a_draft_of_it_and_the_test_old(client: FlaskClient) -> None:
    rule = things.fraud_rule("Dear")
    path = f"/fraud/rules/{rule.id}"
    client.post(f"{path}/test", data={"days": "30"})
    assert things.one(FraudTest, rule_id=rule.id).days == 30
    client.post(f"{path}/armed", data={"armed": "yes"})
    page = client.get(f"{path}/edit").text
    assert "When you save, it becomes a draft" in page

    version = str(things.one(FraudRule, name="Dear").version)
    client.post(f"{path}/edit", data=TYPED | {"max_amount": "20", "version": version})
    assert things.one(FraudRule, name="Dear").state == "draft"
    assert "The rule was changed since it was tested." in client.get(path).text
    client.post(f"{path}/armed", data={"armed": "yes"})
    assert things.one(FraudRule, name="Dear").state == "draft"
    client.post(f"{path}/armed", data={"armed": "yes", "anyway": "yes"})
    assert things.one(FraudRule, name="Dear").state == "armed"
    client.post(f"{path}/armed", data={"armed": "no"})
    assert things.one(FraudRule, name="Dear").state == "draft"


def test_a_test_that_takes_too_long_says_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = things.fraud_rule("Dear")
    monkeypatch.setattr(operations, "_BACKTEST", text("SELECT pg_sleep(60), :id, :since, :until"))
    monkeypatch.setattr(operations, "LONGEST_SECONDS", 1)
    page = client.post(f"/fraud/rules/{rule.id}/test", data={"days": "7"}, follow_redirects=True).text
    assert alert(page).startswith("There are too many calls to look through in 1 seconds.")
    assert things.count(FraudTest) == 0


def test_an_armed_rule_that_fails_is_seen(client: FlaskClient) -> None:
    rule = things.fraud_rule("Dear")
    client.post(f"/fraud/rules/{rule.id}/armed", data={"armed": "yes", "anyway": "yes"})
    db.session.execute(text("INSERT INTO fraud_looks VALUES (:id, now(), 12, 'canceling statement')"), {"id": rule.id})
    db.session.commit()
    page = client.get(f"/fraud/rules/{rule.id}").text
    assert "The rule fails, so it protects nobody now." in page
    assert "canceling statement" in page
    assert rows(client.get("/fraud/rules/?state=armed").text)[0].endswith("Fails")


def test_one_click_releases(client: FlaskClient, acme: Customer) -> None:
    case = things.fraud_case(acme)
    page = client.get(f"/customers/{acme.id}").text
    assert "Calls of this customer to other countries are stopped." in page
    page = client.get(f"/fraud/cases/{case.id}").text
    assert "+442071234567" in page

    answer = client.post(f"/fraud/cases/{case.id}/release", data={}, follow_redirects=True)
    assert alert(answer.text) == "Released."
    released = things.one(FraudCase, id=case.id)
    assert (released.released_by, released.exempt_until) == ("olga", None)
    assert released.released_at is not None
    assert "are stopped" not in client.get(f"/customers/{acme.id}").text
    entry = db.session.scalars(
        select(AuditEntry).where(AuditEntry.kind == "fraud_cases").order_by(AuditEntry.id.desc())
    )
    assert entry.first().username == "olga"  # type: ignore[union-attr]  # there is one


def test_who_clicks_second_is_told(client: FlaskClient, acme: Customer) -> None:
    case = things.fraud_case(acme)
    client.post(f"/fraud/cases/{case.id}/release")
    first = things.one(FraudCase, id=case.id).released_at
    page = client.post(f"/fraud/cases/{case.id}/release", follow_redirects=True).text
    assert "olga has released it already." in page
    assert things.one(FraudCase, id=case.id).released_at == first


def test_two_at_the_very_same_time_release_it_once(client: FlaskClient, acme: Customer) -> None:
    case = things.fraud_case(acme)
    mine = db.session.get_one(FraudCase, case.id)
    version = mine.version
    db.session.execute(
        text("UPDATE fraud_cases SET released_at = now(), released_by = 'rui', version = version + 1 WHERE id = :id"),
        {"id": case.id},
    )
    db.session.commit()
    set_committed_value(mine, "released_at", None)  # As it was read before.
    set_committed_value(mine, "version", version)
    cases.release([mine])
    assert things.one(FraudCase, id=case.id).released_by == "rui"


def test_released_for_some_hours(client: FlaskClient, acme: Customer) -> None:
    case = things.fraud_case(acme)
    page = client.post(f"/fraud/cases/{case.id}/release", data={"exempt_hours": "721"}, follow_redirects=True).text
    assert "Use 720 or less." in page
    client.post(f"/fraud/cases/{case.id}/release", data={"exempt_hours": "12"})
    released = things.one(FraudCase, id=case.id)
    assert released.exempt_until is not None
    assert released.released_at is not None
    assert released.exempt_until - released.released_at == dt.timedelta(hours=12)


def test_the_customers_page_releases_all_of_its_cases(client: FlaskClient, acme: Customer) -> None:
    things.fraud_case(acme)
    things.fraud_case(acme, "block_all", rule_name="Short")
    other = things.fraud_case(things.office("beta"))
    page = client.get(f"/customers/{acme.id}").text
    assert "All calls out of this customer are stopped." in page
    answer = client.post(f"/fraud/customers/{acme.id}/release", follow_redirects=True)
    assert alert(answer.text) == "Customer acme (acme) may call again."
    assert [case.id for case in db.session.scalars(select(FraudCase).where(FraudCase.released_at.is_(None)))] == [
        other.id
    ]


def test_a_viewer_sees_and_releases_nothing(app: Flask, acme: Customer) -> None:
    case = things.fraud_case(acme)
    make_user("vera", "viewer")
    viewer = signed_in(app, "vera")
    for path in (f"/customers/{acme.id}", f"/fraud/cases/{case.id}"):
        page = viewer.get(path).text
        assert "stopped" in page or "Stop calls abroad" in page
        assert "/release" not in page
    assert viewer.post(f"/fraud/cases/{case.id}/release").status_code == 403
    assert viewer.get("/fraud/alerts/").status_code == 403


def test_the_simulator_says_why(client: FlaskClient, acme: Customer) -> None:
    things.route("All", pattern="X.")
    things.fraud_case(acme, "block_all")
    page = client.get("/simulator/", query_string={"customer_id": str(acme.id), "number": "551140001234"}).text
    assert "The customer’s calls are stopped, because a rule against fraud hit." in page


def test_the_dashboard_and_metrics_tell_of_open_cases(client: FlaskClient, acme: Customer) -> None:
    assert "A rule against fraud hit" not in client.get("/").text
    case = things.fraud_case(acme)
    assert alert(client.get("/").text).startswith("A rule against fraud hit: Customer acme")
    assert "asterisk_admin_fraud_cases_open 1" in client.get("/metrics").text
    client.post(f"/fraud/cases/{case.id}/release")
    assert "A rule against fraud hit" not in client.get("/").text
    assert "asterisk_admin_fraud_cases_open 0" in client.get("/metrics").text


def test_lists_take_a_fixed_number_of_queries(client: FlaskClient, counting: Counting) -> None:
    def queries(path: str) -> int:
        with counting() as statements:
            assert client.get(path).status_code == 200
        return len(statements)

    before = {path: queries(path) for path in ("/fraud/", "/fraud/rules/")}
    for n in range(5):
        customer = things.office(f"c{n}")
        rule = things.fraud_rule(f"r{n}", customer_id=customer.id)
        things.fraud_case(customer, rule_id=rule.id)
        db.session.execute(text("INSERT INTO fraud_looks VALUES (:id, now(), 12, '')"), {"id": rule.id})
        db.session.commit()
    for path, count in before.items():
        assert queries(path) <= count + 1
    assert client.get("/fraud/export.csv").status_code == 200
    assert "Muito dinheiro em chamadas para o exterior" in client.get("/fraud/rules/export.csv").text


def test_a_case_outlives_its_rule_but_not_its_customer(client: FlaskClient, acme: Customer) -> None:
    rule = things.fraud_rule("Dear")
    case = things.fraud_case(acme, rule_id=rule.id)
    client.post(f"/fraud/rules/{rule.id}/delete")
    assert things.one(FraudCase, id=case.id).rule_id is None
    assert client.get(f"/fraud/cases/{case.id}").status_code == 200
    client.post(f"/customers/{acme.id}/delete")
    assert things.count(FraudCase) == 0


# ---- alerts


def test_whom_to_tell(admin: FlaskClient) -> None:
    assert "Nobody is told when a rule hits." in admin.get("/fraud/alerts/").text
    typed = {"emails": "noc@example.com\nboss@example.com", "webhook_url": "https://example.com/in", "language": "en"}
    answer = admin.post("/fraud/alerts/edit", data=typed | {"version": "1"})
    assert answer.location == "/fraud/alerts/"
    settings = things.one(AlertSettings)
    assert (settings.emails, settings.webhook_url) == (
        ["noc@example.com", "boss@example.com"],
        "https://example.com/in",
    )
    assert "https://example.com/in" in admin.get("/fraud/alerts/").text
    [entry] = db.session.scalars(select(AuditEntry).where(AuditEntry.kind == "alert_settings")).all()
    assert entry.after["webhook_url"] == "https://example.com/in"


def test_a_test_alert(admin: FlaskClient) -> None:
    page = admin.post("/fraud/alerts/test", follow_redirects=True).text
    assert alert(page) == "Say first whom to tell."
    settings = db.session.get_one(AlertSettings, uuid.UUID(int=1))
    settings.emails, settings.webhook_url = ["noc@example.com"], "https://example.com/"
    store.save(settings)
    page = admin.post("/fraud/alerts/test", follow_redirects=True).text
    assert [row.split(" Test ")[1] for row in rows(page)] == ["Webhook On its way", "E-mail On its way"]
    db.session.execute(text("UPDATE alerts SET tries = 1, error = '550 <b>no</b>' WHERE channel = 'email'"))
    db.session.execute(text("UPDATE alerts SET sent_at = now() WHERE channel = 'webhook'"))
    db.session.commit()
    page = admin.get("/fraud/alerts/").text
    assert "550 &lt;b&gt;no&lt;/b&gt;" in page
    assert "Sent" in rows(page)[0]
    assert things.count(Alert) == 2
