"""Numbers and moments: what a page shows is understood as the same value, and what is unclear is refused."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale, format_decimal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web import things
from tests.web.html import error_at, filled_in, hint_at
from webapp import pages, typed
from webapp.forms import form_for
from webapp.providers.models import Provider
from webapp.validation import Schema

LANGUAGES = st.sampled_from(["pt_BR", "en"])
ZONES = st.sampled_from(["America/Sao_Paulo", "America/New_York", "Europe/Lisbon", "Australia/Lord_Howe", "UTC"])
MOMENTS = st.integers(0, 4 * 10**15).map(
    lambda n: dt.datetime(1970, 2, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=n)
)


@contextmanager
def reader(app: Flask, language: str, zone: str = "America/Sao_Paulo") -> Iterator[None]:
    """Somebody who reads this language and lives in this time zone."""
    with pytest.MonkeyPatch.context() as patch, app.test_request_context(), force_locale(language):
        patch.setattr(typed, "zone", lambda: ZoneInfo(zone))
        yield


# ---- numbers


@settings(max_examples=60)
@given(LANGUAGES, st.decimals(-(10**9), 10**9, places=8))
def test_an_amount_is_understood_as_it_is_shown(app: Flask, language: str, amount: Decimal) -> None:
    with reader(app, language):
        assert Decimal(typed.number(typed.shown_number(amount))) == amount
        assert Decimal(typed.number(pages.money(amount))) == amount


@settings(max_examples=60)
@given(LANGUAGES, st.decimals(0, 10**6, places=3))
def test_an_amount_is_shown_alike_however_many_zeros_it_has(app: Flask, language: str, amount: Decimal) -> None:
    with reader(app, language):
        assert typed.shown_number(amount) == typed.shown_number(amount.quantize(Decimal("0.00000000")))
        assert not typed.shown_number(amount).endswith(("0", ",", ".")) or amount == int(amount)


@settings(max_examples=60)
@given(LANGUAGES, st.integers(-(10**12), 10**12))
def test_a_whole_number_is_understood_as_it_is_shown(app: Flask, language: str, number: int) -> None:
    with reader(app, language):
        assert int(typed.whole_number(typed.shown_number(number))) == number
        assert int(typed.whole_number(format_decimal(number))) == number


@settings(max_examples=60)
@given(LANGUAGES, st.text(max_size=12) | st.text("0123456789.,-+ e", max_size=12))
def test_no_text_breaks_it(app: Flask, language: str, text: str) -> None:
    with reader(app, language):
        for understand in (typed.number, typed.whole_number, typed.moment):
            with suppress(typed.Unclear):
                assert isinstance(understand(text), str)


@pytest.mark.parametrize(
    ("portuguese", "english", "meant"),
    [
        ("1.234,56", "1,234.56", "1234.56"),
        ("1234,56", "1234.56", "1234.56"),
        ("0,05", "0.05", "0.05"),
        ("0.05", "0,05", "0.05"),  # The other mark, where it cannot be that of a group.
        ("0.045", "0,045", "0.045"),
        ("12.3456", "12,3456", "12.3456"),
        ("1,234", "1.234", "1.234"),
        ("1.234,0", "1,234.0", "1234.0"),
        ("1.234.567", "1,234,567", "1234567"),
        ("-1.234,5", "-1,234.5", "-1234.5"),
        (",5", ".5", ".5"),
        ("7", "7", "7"),
        # No numbers: they stay as they are, and the schema says so.
        ("1,234.56", "1.234,56", None),
        ("12.34,5", "12,34.5", None),
        ("1.23.456", "1,23,456", None),
        ("1,2,3", "1.2.3", None),
        ("R$ 5", "$5", None),
        ("cheap", "cheap", None),
    ],
)
def test_what_is_meant(app: Flask, portuguese: str, english: str, meant: str | None) -> None:
    for language, text in (("pt_BR", portuguese), ("en", english)):
        with reader(app, language):
            assert typed.number(text) == (meant or text)


@pytest.mark.parametrize(("language", "text"), [("pt_BR", "1.234"), ("en", "1,234"), ("pt_BR", "-999.000")])
def test_what_may_be_a_thousand_times_too_much_is_asked_for(app: Flask, language: str, text: str) -> None:
    with reader(app, language), pytest.raises(typed.Unclear):
        typed.number(text)


def test_whole_numbers(app: Flask) -> None:
    with reader(app, "pt_BR"):
        assert typed.whole_number("5.060") == "5060"
        for text in ("5,060", "5,5", "5.06", "50.60", "1.234,0"):
            with pytest.raises(typed.Unclear):
                typed.whole_number(text)
    with reader(app, "en"):
        assert typed.whole_number("5,060") == "5060"
        with pytest.raises(typed.Unclear):
            typed.whole_number("5.060")


# ---- moments


@settings(max_examples=60)
@given(LANGUAGES, ZONES, MOMENTS)
def test_a_moment_is_understood_as_it_is_shown(app: Flask, language: str, zone: str, moment: dt.datetime) -> None:
    with reader(app, language, zone):
        assert dt.datetime.fromisoformat(typed.moment(typed.shown_moment(moment))) == moment
        to_the_minute = moment.replace(second=0, microsecond=0)
        again = dt.datetime.fromisoformat(typed.moment(typed.when(to_the_minute)))
        assert to_the_minute - again in (dt.timedelta(0), dt.timedelta(hours=1), dt.timedelta(minutes=30))  # Or twice.


@pytest.mark.parametrize(
    ("language", "text", "meant"),
    [
        ("pt_BR", "31/12/2026 14:30", "2026-12-31T14:30:00-03:00"),
        ("pt_BR", "1/2/2026 7:05:09", "2026-02-01T07:05:09-03:00"),
        ("pt_BR", "31/12/2026", "2026-12-31T00:00:00-03:00"),
        ("pt_BR", "2026-12-31T14:30", "2026-12-31T14:30:00-03:00"),
        ("en", "2026-12-31 14:30", "2026-12-31T14:30:00-03:00"),
        ("en", "2026-12-31T14:30:00Z", "2026-12-31T14:30:00+00:00"),
        ("en", "2026-12-31 14:30 -0500", "2026-12-31T14:30:00-05:00"),
        ("en", "2018-11-04", "2018-11-04T01:00:00-02:00"),  # That day began at one o'clock.
        ("en", "2018-02-17 23:30", "2018-02-17T23:30:00-02:00"),  # The first of two.
        ("en", "2018-02-17 23:30 -03:00", "2018-02-17T23:30:00-03:00"),
    ],
)
def test_a_moment_that_is_typed(app: Flask, language: str, text: str, meant: str) -> None:
    with reader(app, language):
        assert typed.moment(text) == meant


@pytest.mark.parametrize(
    "text", ["31/12/2026", "12/31/2026", "tomorrow", "2026-02-30", "2026-1-1 25:00", "0000-01-01", "1", "٢٠٢٦-01-01"]
)
def test_what_is_no_moment(app: Flask, text: str) -> None:
    with reader(app, "en"), pytest.raises(typed.Unclear, match="Write date and time like this: "):
        typed.moment(text)


def test_a_time_that_the_clocks_leave_out(app: Flask) -> None:
    with reader(app, "en"), pytest.raises(typed.Unclear, match="This time does not exist"):
        typed.moment("2018-11-04 00:30")


# ---- in forms


class Rate(Schema):
    price: Decimal
    seconds: int
    since: dt.datetime


RateForm = form_for(Rate)


@pytest.mark.parametrize(
    ("language", "price", "seconds", "since"),
    [("pt_BR", "1.234,56", "3.600", "31/12/2026 14:30"), ("en", "1,234.56", "3,600", "2026-12-31 14:30")],
)
def test_a_form_speaks_the_language(app: Flask, language: str, price: str, seconds: str, since: str) -> None:
    data = {"price": price, "seconds": seconds, "since": since}
    with app.test_request_context(method="POST", data=data), force_locale(language):
        form = RateForm()
        assert form.validate(), form.errors
        assert form.valid.price == Decimal("1234.56")
        assert form.valid.seconds == 3600
        assert form.valid.since.isoformat() == "2026-12-31T14:30:00-03:00"
        shown = form.price(), form.since()
        assert price in shown[0]
        assert since in shown[1]
        assert 'inputmode="decimal"' in shown[0]
        assert since in form.since.notes[-1]


def test_a_stored_amount_is_shown_in_the_language_and_with_as_few_decimals_as_it_needs(client: FlaskClient) -> None:
    provider = things.provider(cost_per_minute=Decimal("0.05"))
    path = things.edit_path(provider)
    values = filled_in(client.get(path).text)
    assert values["cost_per_minute"] == "0.05"

    client.post("/language", data={"language": "pt_BR"})
    values = filled_in(client.get(path).text)
    assert values["cost_per_minute"] == "0,05"
    client.post(path, data=values | {"name": "Untouched"})
    assert things.one(Provider, name="Untouched").cost_per_minute == Decimal("0.05")
    client.post(path, data=values | {"version": "2", "cost_per_minute": "1.234,5"})
    assert things.one(Provider).cost_per_minute == Decimal("1234.5")


def test_what_is_unclear_is_asked_at_its_field(client: FlaskClient) -> None:
    data = {"name": "", "type": "both", "cost_per_minute": "1,234"}
    page = client.post("/providers/new", data=data).text
    assert error_at(page, "cost_per_minute") == "“1,234” can be read in two ways. Write 1234 or 1.234."
    assert error_at(page, "name") == "This field is required."
    assert filled_in(page)["cost_per_minute"] == "1,234"
    assert hint_at(page, "cost_per_minute")
    assert things.count(Provider) == 0


def test_fields_say_what_is_typed_into_them(client: FlaskClient) -> None:
    """The right keyboard on a phone, and where to stop."""
    inputs: dict[str, str] = {}
    for path in ("/customers/new", "/gateways/new", "/extensions/new", "/dids/new", "/routes/new"):
        inputs |= {
            f"{path} {name}": tag
            for tag, name in re.findall(r'(<input[^>]* name="(\w+)"[^>]*>)', client.get(path).text)
        }
    for field, attributes in {
        "/customers/new code": 'maxlength="20"',
        "/customers/new name": 'maxlength="80"',
        "/customers/new caller_id": 'inputmode="tel" maxlength="30"',
        "/gateways/new name": 'maxlength="40"',
        "/gateways/new port": 'inputmode="numeric"',
        "/gateways/new inbound_prepend": 'inputmode="numeric" maxlength="15"',
        "/gateways/new domain": 'maxlength="253"',
        "/extensions/new extension": 'inputmode="numeric" maxlength="6"',
        "/dids/new number": 'inputmode="tel" maxlength="30"',
        "/routes/new pattern": 'maxlength="80"',
    }.items():
        assert attributes in inputs[field], inputs[field]
    assert "maxlength" not in inputs["/gateways/new password"] + inputs["/extensions/new secret"]
