"""Whatever is sent, no page breaks: it is taken, or refused at its field, and it comes back escaped."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import filled_in
from webapp.ext import db

NOTHING = "00000000-0000-0000-0000-000000000000"
SCRIPT = "<script>alert(1)</script>"
HOSTILE = [
    "",
    "a\x00b",
    "'\"\\",
    f'">{SCRIPT}',
    "%s%d%(name)s{0}{name}{",
    "${7*7}{{7*7}}$(reboot)",
    "a,b|c&d;e^f",
    "á\u0301ç🍞\u202e\u200b\ufeff",
    "\r\nSet-Cookie: a=b",
    "0",
    "-1",
    "1_000",
    "1e400",
    "NaN",
    "9" * 40,
    "9" * 5000,
    "x" * 50_000,
    "١٢٣٤٥٦٧٨",
    "[" * 80,
    "::1",
    "::/0",
    "fe80::1%eth0",
    "10.0.0.1 ; 10.0.0.2\t10.0.0.3",
    NOTHING,
]


def _allocation() -> str:
    things.office()
    return f"/dids/{things.did().id}/allocate"


# Each form of the product, by a path that shows it.
FORMS: dict[str, Callable[[], str]] = {
    "new provider": lambda: "/providers/new",
    "provider": lambda: f"/providers/{things.provider().id}/edit",
    "new gateway": lambda: "/gateways/new",
    "gateway": lambda: f"/gateways/{things.gateway().id}/edit",
    "new customer": lambda: "/customers/new",
    "customer": lambda: f"/customers/{things.trunk().id}/edit",
    "new extension": lambda: f"/extensions/new?customer_id={things.office().id}",
    "extension": lambda: f"/extensions/{things.extension(things.office()).id}/edit",
    "new route": lambda: "/routes/new",
    "route": lambda: f"/routes/{things.route().id}/edit",
    "new DIDs": lambda: "/dids/new",
    "DID": lambda: f"/dids/{things.did().id}/edit",
    "allocation": _allocation,
    "new number rule": lambda: "/dialling/new",
    "number rule": lambda: f"/dialling/{things.number_rule().id}/edit",
    "new price plan": lambda: "/price-plans/new",
    "copy of a price plan": lambda: f"/price-plans/{things.price_plan().id}/copy",
    "new tariff": lambda: f"/price-plans/{things.price_plan().id}/tariffs/new",
    "tariff": lambda: f"/tariffs/{things.tariff(things.price_plan()).id}/edit",
    "new line of a deck": lambda: f"/providers/{things.provider().id}/tariffs/new",
    "line of a deck": lambda: f"/provider-tariffs/{things.deck_line(things.provider()).id}/edit",
    "many allocations": lambda: "/dids/allocate",
    "many taken back": lambda: "/dids/deallocate",
    "calls rated again": lambda: "/reports/reratings/new",
    "new invoice check": lambda: "/reports/invoice-checks/new",
}
# The others have the same fields as a form for what is new.
THOROUGHLY = {name for name in FORMS if name.startswith("new ")} | {"allocation"}
FEW = (HOSTILE[1], HOSTILE[3], NOTHING)
EVERY_FORM = pytest.mark.parametrize("form", FORMS)

# What makes a blank form one that is accepted, so that each field can be tried among others that are right.
GIVEN = {
    "name": "Norte",
    "code": "norte",
    "ip_address": "10.7.0.1",
    "type": "trunk",
    "trunk_ip": "10.7.0.2",
    "extension": "700",
    "pattern": "55.",
    "number": "551170001000",
    "prefix": "5511",
    "cost_per_minute": "0.05",
    "price_per_minute": "0.12",
}


@EVERY_FORM
def test_no_value_breaks_a_form(client: FlaskClient, form: str) -> None:
    provider, gateway = things.provider("Chosen"), things.gateway("Chosen", "10.8.0.1")
    path = FORMS[form]()
    data = filled_in(client.get(path).text)
    data |= {name: value for name, value in GIVEN.items() if data.get(name) == ""}
    chosen = {"provider_id": str(provider.id), "gateway_id": str(gateway.id)}
    data |= {name: value for name, value in chosen.items() if data.get(name) == ""}
    for field in data:
        for value in HOSTILE if form in THOROUGHLY else FEW:
            with db.session.connection().begin_nested() as savepoint:  # So that each value meets the same database.
                response = client.post(path, data=data | {field: value})
                assert response.status_code in (302, 422), (field, value[:50], response.status_code)
                assert SCRIPT not in response.text, (field, value[:50])
                if response.status_code == 302:
                    assert SCRIPT not in client.get(response.location).text, (field, value[:50])
                savepoint.rollback()


@EVERY_FORM
def test_an_empty_form_is_refused(client: FlaskClient, form: str) -> None:
    path = FORMS[form]()
    bodies: list[dict[str, Any]] = [
        {"data": {}},
        {"json": {"name": 5, "version": [], "enabled": None}},
        {"json": ["name"]},
        {"data": b"\xff\xfe%zz&=&&name", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"--x\r\n", "content_type": "multipart/form-data; boundary=x"},
        {"data": {"name": (BytesIO(b"Norte"), "file.txt")}, "content_type": "multipart/form-data"},
    ]
    for body in bodies:
        assert client.post(path, **body).status_code == 422, body


@EVERY_FORM
def test_a_value_sent_twice_counts_once(client: FlaskClient, form: str) -> None:
    path = FORMS[form]()
    twice = {name: [value, "x"] for name, value in filled_in(client.get(path).text).items()}
    assert client.post(path, data=twice).status_code in (302, 422)


def test_no_address_breaks_a_page(app: Flask, client: FlaskClient) -> None:
    things.route()
    things.extension(things.office())
    things.did()
    lists = [f"/{area}/" for area in ("providers", "gateways", "customers", "extensions", "routes", "dids")]
    for path in lists:
        for value in HOSTILE:
            for query in (
                {"q": value},
                {"after": value},
                {"after": [value, value]},
                {"after": [value] * 3},
                {"q": value, "after": [uuid4().hex, value]},
            ):
                response = client.get(path, query_string=query)
                assert response.status_code in (200, 404), (path, query)
                assert SCRIPT not in response.text, (path, query)
    for value in HOSTILE:
        if value.strip():
            assert client.get(f"/customers/{value[:2000]}").status_code in (404, 308, 405), value
