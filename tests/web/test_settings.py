"""The company's settings: their page, who may change them, and what they change."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import select

from tests.conftest import Counting, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, filled_in
from webapp import store
from webapp.accounts.models import AuditEntry
from webapp.destination_lists.models import DestinationList
from webapp.ext import db
from webapp.pages import amount
from webapp.settings import operations
from webapp.settings.models import THE_ONE, CompanySettings
from webapp.settings.schemas import SettingsSchema
from webapp.typed import when

FIRST = {
    "company_name": "",
    "currency": "BRL",
    "price_places": "4",
    "time_zone": "America/Sao_Paulo",
    "country_code": "55",
    "area_code": "11",
    "emergency_numbers": "112, 180, 188, 190, 191, 192, 193, 194, 197, 198, 199, 911",
    "max_call_seconds": "14400",
    "prepaid_call_seconds": "3600",
    "default_max_channels": "10",
    "default_calls_per_second": "5",
    "default_max_price_per_minute": "3",
    "default_daily_limit": "200",
    "default_blocked_list_id": "",
    "default_allowed_list_id": "",
    "quarantine_days": "30",
    "call_requests_days": "90",
    "conference_customer_id": "",
}


@pytest.fixture
def admin(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser in which an administrator is signed in."""
    browser = signed_in(app, make_user("ada", "admin").username)
    db.session.commit()
    return browser


def _settle(**values: object) -> None:
    settings = db.session.get_one(CompanySettings, THE_ONE)
    for name, value in values.items():
        setattr(settings, name, value)
    store.save(settings)
    db.session.expunge_all()
    db.session.commit()


def test_it_works(admin: FlaskClient) -> None:
    page = admin.get("/settings/").text
    assert "America/Sao_Paulo" in page
    assert 'href="/settings/edit"' in page
    risky = str(things.one(DestinationList, name=things.RISKY).id)
    assert filled_in(admin.get("/settings/edit").text) == FIRST | {"version": "1", "default_blocked_list_id": risky}

    changed = FIRST | {
        "version": "1",
        "company_name": "Norte Telecom",
        "currency": "eur",
        "time_zone": "Europe/Lisbon",
        "country_code": "351",
        "area_code": "21",
        "emergency_numbers": "112 117",
        "quarantine_days": "0",
        "call_requests_days": "365",
    }
    page = admin.post("/settings/edit", data=changed, follow_redirects=True).text
    assert alert(page) == "Settings saved."
    assert "<title>Settings · Norte Telecom</title>" in page
    assert filled_in(admin.get("/settings/edit").text) == changed | {
        "version": "2",
        "currency": "EUR",
        "emergency_numbers": "112, 117",
    }
    entry = db.session.scalars(select(AuditEntry).filter_by(kind="settings")).one()
    assert (entry.username, entry.action, entry.label) == ("ada", "update", "Norte Telecom")
    assert entry.before["time_zone"] == "America/Sao_Paulo"
    assert entry.after["emergency_numbers"] == ["112", "117"]


def test_the_row_holds_at_first_what_is_settled_at_first(app: Flask, client: FlaskClient) -> None:
    """What counts while the database is away is what counts with a new one, but for what new customers begin with."""
    begins = {
        "default_max_channels": 10,
        "default_calls_per_second": 5,
        "default_max_price_per_minute": Decimal(3),
        "default_daily_limit": Decimal(200),
        "default_blocked_list_id": things.one(DestinationList, name=things.RISKY).id,
    }
    with app.app_context():
        assert operations.current() == SettingsSchema().model_copy(update=begins)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("company_name", "x" * 41, "Use 40 characters at the most."),
        ("company_name", "a\x00b", "Line breaks and control characters are not allowed."),
        ("currency", "real", "Write the three letters of a currency, such as BRL."),
        ("currency", "XYZ", "Write the three letters of a currency, such as BRL."),
        ("time_zone", "São Paulo", "Choose a time zone such as America/Sao_Paulo."),
        ("time_zone", "../../etc/passwd", "Choose a time zone such as America/Sao_Paulo."),
        ("country_code", "055", "Use 1 to 3 digits."),
        ("country_code", "+55", "Use 1 to 3 digits."),
        ("area_code", "1a", "Use digits only, 5 at the most."),
        ("emergency_numbers", "190, x", "Use 2 to 8 digits for each."),
        ("emergency_numbers", "1", "Use 2 to 8 digits for each."),
        ("emergency_numbers", " ".join(str(n) for n in range(100, 151)), "Give 50 at the most."),
        ("quarantine_days", "-1", "Use 0 or more."),
        ("quarantine_days", "366", "Use 365 or less."),
        ("call_requests_days", "0", "Use 1 or more."),
        ("call_requests_days", "many", "Use a whole number."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(admin: FlaskClient, field: str, value: str, message: str) -> None:
    response = admin.post("/settings/edit", data=FIRST | {"version": "1", field: value})
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert things.one(CompanySettings).version == 1


def test_an_operator_sees_them_and_does_not_change_them(client: FlaskClient) -> None:
    page = client.get("/settings/")
    assert page.status_code == 200
    assert 'href="/settings/edit"' not in page.text
    assert client.get("/settings/edit").status_code == 403
    assert client.post("/settings/edit", data=FIRST).status_code == 403


def test_two_at_once(admin: FlaskClient) -> None:
    _settle(company_name="Norte")
    response = admin.post("/settings/edit", data=FIRST | {"version": "1"})
    assert response.status_code == 422
    assert "Somebody else changed this in the meantime." in response.text


def test_the_name_of_the_company_is_escaped(client: FlaskClient) -> None:
    _settle(company_name="<script>alert(1)</script>")
    for path in ("/", "/settings/", "/nowhere"):
        page = client.get(path).text
        assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in client.get("/").text


def test_times_and_amounts_are_the_companys(app: Flask, client: FlaskClient) -> None:
    noon = dt.datetime(2026, 1, 15, 12, 0, tzinfo=dt.UTC)
    shown = []
    for values in ({}, {"time_zone": "Asia/Tokyo", "currency": "EUR"}):
        _settle(**values)
        with app.app_context(), app.test_request_context(), force_locale("pt_BR"):
            shown.append((when(noon), amount(Decimal("1234.5"))))
    assert shown == [("15/01/2026 09:00", "R$\xa01.234,50"), ("15/01/2026 21:00", "€\xa01.234,50")]


def test_a_page_asks_for_the_settings_once(client: FlaskClient, counting: Counting) -> None:
    with counting() as statements:
        client.get("/")
    assert sum("FROM settings" in statement for statement in statements) == 1


def test_an_error_page_asks_for_nothing(client: FlaskClient, counting: Counting) -> None:
    with counting() as statements:
        assert client.get("/nowhere").status_code == 404
    assert not any("settings" in statement for statement in statements)
