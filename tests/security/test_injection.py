"""Whatever is typed, wherever: it is refused, or it stays a text, in every place it comes to.

The fields are those of the schemas, so that a new one is tried by itself.
"""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import ValidationError
from sqlalchemy import select, table, text
from sqlalchemy.sql import column as sql_column

from tests.bad_values import GOOD
from tests.security.conftest import token_of
from tests.security.hostile import COLUMNS, HOSTILE, fits
from tests.security.rules import NOTHING, addresses
from tests.web import things
from tests.web.html import filled_in
from webapp.accounts.schemas import PasswordChangeSchema, PreferencesSchema, UserSchema
from webapp.alerts.schemas import AlertSettingsSchema
from webapp.asterisk.rows import TABLES
from webapp.conferences.schemas import ConferenceSchema, NumberSchema
from webapp.customers.schemas import CustomerSchema
from webapp.destination_lists.schemas import DestinationListSchema
from webapp.dialling.schemas import NumberRuleSchema
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import db
from webapp.extensions.schemas import ExtensionSchema
from webapp.fraud_cases.schemas import ReleaseSchema
from webapp.fraud_rules.schemas import ArmSchema, FraudRuleSchema, FraudTestSchema
from webapp.gateways.schemas import GatewaySchema
from webapp.imports import working
from webapp.imports.models import Import
from webapp.payments.schemas import PaymentSchema
from webapp.providers.schemas import ProviderSchema
from webapp.reratings.schemas import ReratingSchema
from webapp.routes.schemas import RouteSchema
from webapp.settings.schemas import SettingsSchema
from webapp.simulator.schemas import SimulationSchema
from webapp.tariffs.schemas import LookupSchema, PlanCopySchema, PricePlanSchema, ProviderTariffSchema, TariffSchema
from webapp.tokens.schemas import TokenSchema
from webapp.validation import Schema

# What of a thing must differ from one try to the next.
DIFFERENT = {
    "customers": {"code": "c{n}", "name": "n{n}", "trunk_ip": "10.66.{high}.{low}"},
    "extensions": {"extension": "2{n:04}"},
    "dids": {"number": "5511{n:08}"},
    "allocations": {},
    "providers": {"name": "n{n}"},
    "gateways": {
        "name": "n{n}",
        "ip_address": "10.67.{high}.{low}",
        "registration": "y",
        "username": "u",
        "password": "p",
    },
    "routes": {"name": "n{n}"},
    "price-plans": {"name": "n{n}"},
    "copies": {"name": "n{n}"},
    "tariffs": {"prefix": "77{n}"},
    "provider-tariffs": {"prefix": "77{n}"},
    "number-rules": {},
    "destination-lists": {"name": "n{n}"},
    "fraud-rules": {"name": "n{n}"},
    "alerts": {},
    "settings": {},
    "users": {"username": "u{n}"},
    "tokens": {"name": "n{n}"},
    "payments": {},
    "preferences": {},
    "simulations": {},
}
MORE = {
    "copies": {"name": "Copy"},
    "payments": {"customer_id": "{office}", "amount": "1"},
    "preferences": {"language": "en"},
    "simulations": {"customer_id": "{office}", "number": "5511"},
}
# Schema, where a program sends it, and where a page does; empty: there only the other way.
WAYS: dict[str, tuple[type[Schema], str, str]] = {
    "customers": (CustomerSchema, "/customers/", "/customers/new"),
    "extensions": (ExtensionSchema, "/extensions/", "/extensions/new"),
    "dids": (DidRangeSchema, "/dids/", "/dids/new"),
    "allocations": (AllocationSchema, "/dids/{number}/allocate", "/dids/{number}/allocate"),
    "providers": (ProviderSchema, "/providers/", "/providers/new"),
    "gateways": (GatewaySchema, "/gateways/", "/gateways/new"),
    "routes": (RouteSchema, "/routes/", "/routes/new"),
    "price-plans": (PricePlanSchema, "/price-plans/", "/price-plans/new"),
    "copies": (PlanCopySchema, "", "/price-plans/{plan}/copy"),
    "tariffs": (TariffSchema, "/tariffs/", "/price-plans/{plan}/tariffs/new"),
    "provider-tariffs": (ProviderTariffSchema, "/provider-tariffs/", "/providers/{provider}/tariffs/new"),
    "number-rules": (NumberRuleSchema, "/number-rules/", "/dialling/new"),
    "destination-lists": (DestinationListSchema, "/destination-lists/", "/destination-lists/new"),
    "fraud-rules": (FraudRuleSchema, "/fraud-rules/", "/fraud/rules/new"),
    "alerts": (AlertSettingsSchema, "/alerts/", "/fraud/alerts/edit"),
    "settings": (SettingsSchema, "/settings/", "/settings/edit"),
    "users": (UserSchema, "/users/", "/users/new"),
    "tokens": (TokenSchema, "", "/tokens/new"),
    "payments": (PaymentSchema, "/payments/", "/payments/new"),
    "preferences": (PreferencesSchema, "", "/profile/"),
    "simulations": (SimulationSchema, "/simulate", ""),
}
FOR_ASTERISK = {"customers", "extensions", "gateways", "dids"}  # What comes from these is Asterisk's, too.
# Why others are not sent here: what they take is no text that is kept, or another test does it.
ELSEWHERE: dict[type[Schema], str] = {
    PasswordChangeSchema: "A hash is kept.",
    FraudTestSchema: "A number only.",
    ArmSchema: "A switch only.",
    ReleaseSchema: "A number only.",
    ReratingSchema: "Dates and choices only.",
    LookupSchema: "It asks, and keeps nothing.",
    ConferenceSchema: "test_call_files",
    NumberSchema: "test_call_files",
}


def _schemas(base: type[Schema] = Schema) -> Iterator[type[Schema]]:
    for each in base.__subclasses__():
        if not each.__name__.startswith("_") and each.__module__.startswith("webapp."):
            yield each
        yield from _schemas(each)


def test_every_field_of_every_schema_is_tried() -> None:
    """A new schema has to say where it is sent, or why it is not."""
    known: set[type[Schema]] = {*(schema for schema, _, _ in WAYS.values()), *ELSEWHERE}
    fields = {name for schema in known for name in schema.model_fields}
    # Those that only a program or a file uses have fields of the others: of a file, or of many at once.
    of_files = {"file", "kind", "target_id", "begins_at", "columns", "has_header", "valid_from", "ids", "delimiter"}
    for schema in _schemas():
        if schema not in known and "imports" not in schema.__module__ and "invoice_checks" not in schema.__module__:
            unknown = schema.model_fields.keys() - fields - of_files
            assert unknown == set() or any(issubclass(schema, one) or issubclass(one, schema) for one in known), (
                schema,
                unknown,
            )


@pytest.fixture
def there(admin: FlaskClient) -> dict[str, str]:
    """What the things refer to."""
    acme = things.office("acme")
    things.extension(acme, "100")
    sul = things.provider("Sul")
    found = {
        "office": acme.id,
        "number": things.did("551140001000", provider_id=sul.id).id,
        "plan": things.price_plan("Retail").id,
        "provider": sul.id,
        "gateway": things.gateway("GW1", "10.0.0.1").id,
    }
    return {name: str(id) for name, id in found.items()}


def _good(way: str, there: dict[str, str], n: int) -> dict[str, str]:
    values = (GOOD.get(way) or MORE[way]) | DIFFERENT[way]
    return {
        name: value.format(n=n, high=n // 250, low=n % 250 + 1, country="{country}", **there)
        for name, value in values.items()
    }


def _accepted(app: Flask, schema: type[Schema], good: dict[str, Any], hostile: str) -> dict[str, Any]:
    """Each field that takes it, alone or in a list, with the value."""
    found: dict[str, Any] = {}
    with app.test_request_context():
        for name in schema.model_fields:
            for value in (hostile, [hostile]):
                try:
                    schema.model_validate(good | {name: value})
                except ValidationError:
                    continue
                found[name] = value
    return found


def test_every_way_takes_what_is_good(app: Flask, admin: FlaskClient, there: dict[str, str]) -> None:
    """Else nothing that follows would prove anything."""
    headers = token_of(app, "ada")
    for n, (way, (_, resource, page)) in enumerate(WAYS.items()):
        if resource:
            answer = _send(admin, way, resource.format(**there), _good(way, there, 2 * n), headers)
            assert answer.status_code in (200, 201), (way, answer.text)
        if page and way != "allocations":
            path = page.format(**there)
            answer = _type(admin, path, filled_in(admin.get(path).text) | _good(way, there, 2 * n + 1))
            assert answer.status_code in (201, 302), (way, answer.text)


def _send(browser: FlaskClient, way: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    said = {name: value for name, value in body.items() if value != ""}
    method = "PUT" if way in ("settings", "alerts") else "POST"
    return browser.open(f"/api/v1{path}", method=method, json=said, headers=headers)


def _type(browser: FlaskClient, page: str, body: dict[str, Any]) -> Any:
    typed = {name: "\n".join(value) if isinstance(value, list) else value for name, value in body.items()}
    return browser.post(page, data=typed)


def test_what_is_accepted_stays_a_text(
    app: Flask, admin: FlaskClient, there: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    headers = token_of(app, "ada")
    kept = _sent_everywhere(app, admin, there, headers)
    assert kept > 100

    assert _unsafe_rows() == []
    assert _unsafe_pages(app, admin) == []
    assert _unsafe_files(app, admin) == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 200
    assert [line for line in lines if not _is_one_object(line)] == []


def _sent_everywhere(app: Flask, admin: FlaskClient, there: dict[str, str], headers: dict[str, str]) -> int:
    """Each hostile text in every field that takes it, by a program or by a page in turns; how often it was kept."""
    kept = n = 0
    for turn, (way, (schema, resource, page)) in enumerate(WAYS.items()):
        resource, page = resource.format(**there), page.format(**there)
        form = filled_in(admin.get(page).text) if page else {}
        for hostile in HOSTILE:
            turn += 1
            if way not in FOR_ASTERISK and turn % 3:
                continue  # Each of the others meets every third, for there is little time.
            by_program = bool(resource) and (not page or turn % 2 == 0)
            fields = _accepted(app, schema, _good(way, there, 0), hostile)
            if not fields:  # Every field refuses it.
                whole = dict.fromkeys(schema.model_fields, hostile)
                answer = _send(admin, way, resource, whole, headers) if resource else _type(admin, page, form | whole)
                assert answer.status_code in (200, 302, 409, 422) if not resource else (409, 422), (way, hostile)
                continue
            # Two of a kind may rule each other out, so each goes alone if they do not go together.
            for some in [fields, *({name: value} for name, value in fields.items())]:
                n += 1
                body = _good(way, there, n) | some
                if by_program:
                    answer = _send(admin, way, resource, body, headers)
                else:
                    if way in ("settings", "preferences"):  # There is one, which has another version by now.
                        form = filled_in(admin.get(page).text)
                    answer = _type(admin, page, form | body)
                assert answer.status_code in (200, 201, 302, 409, 422), (way, some, answer.status_code)
                if answer.status_code in (200, 201, 302):
                    kept += 1
                    break
    return kept


def _unsafe_rows() -> list[tuple[str, str, str]]:
    """Values in Asterisk's tables that are not as they may be. A column without a whitelist is a KeyError."""
    wrong = []
    for kind in TABLES:
        columns: list[Any] = [sql_column(name) for name in kind.columns()]
        rows = db.session.execute(select(*columns).select_from(table(kind.TABLE, *columns, schema="asterisk"))).all()
        assert rows, kind
        for row in rows:
            for name, value in zip(kind.columns(), row, strict=True):
                if not fits(kind.TABLE, name, value):
                    wrong.append((kind.TABLE, name, str(value)))
    assert set(COLUMNS) == {kind.TABLE for kind in TABLES}
    assert db.session.scalar(text("SELECT count(*) FROM public.users")) is not None
    db.session.commit()
    return wrong


def _unsafe_pages(app: Flask, admin: FlaskClient) -> list[tuple[str, str]]:
    """Pages on which a text has become something else: those of lists, of each kind's newest things, and a search."""
    wrong = []
    for path in [*_pages(app), "/search?q=<script>alert('owned')</script>", "/?q={{1337*31337}}"]:
        answer = admin.get(path)
        found = answer.text if answer.mimetype == "text/html" else ""
        answer.close()
        for raw in ("<script>alert(", "<img src=x", "41897569", "\x1b[", 'href="javascript:', "pbkdf2", "$2b$"):
            if raw in found:
                wrong.append((path, raw))
        assert answer.status_code < 500 or path == "/readyz", path
    return wrong


def _pages(app: Flask) -> Iterator[str]:
    newest = {
        name: db.session.scalars(text(f"SELECT id FROM public.{name} ORDER BY created_at DESC LIMIT 3")).all()  # noqa: S608 - names of ours
        for name in (
            "customers",
            "extensions",
            "dids",
            "providers",
            "gateways",
            "routes",
            "price_plans",
            "tariffs",
            "fraud_rules",
            "users",
        )
    }
    db.session.commit()
    for each in addresses(app):
        if each.method != "GET" or each.is_api or "export" in each.path:
            continue
        if NOTHING not in each.path:
            yield each.path
            continue
        area = each.path.split("/")[1].replace("-", "_")
        for id in newest.get(area, []):
            yield each.path.replace(NOTHING, str(id))


def _unsafe_files(app: Flask, admin: FlaskClient) -> list[tuple[str, str]]:
    """Cells of exported files that a spreadsheet takes for formulas."""
    wrong = []
    for each in addresses(app):
        if each.method == "GET" and not each.is_api and each.path.endswith(".csv") and NOTHING not in each.path:
            answer = admin.get(each.path)
            for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")):
                for cell in row:
                    if cell[:1] in tuple("=+-@\t\r\n") and not re.fullmatch(r"[+-][0-9.,]+", cell):
                        wrong.append((each.path, cell[:80]))
    return wrong


def _is_one_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict) and not re.search(r"[\x00-\x1f\x7f]", line)
    except ValueError:
        return False


def test_what_comes_in_by_a_file_stays_a_text(
    app: Flask, admin: FlaskClient, there: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers and tariffs whose every cell is hostile, and of those that are taken, what stands in the tables."""

    def start(import_: Import, step: working.Step) -> None:
        db.session.commit()
        working.perform(import_.id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)
    kinds = {
        "dids": {
            "number": "551150000000",
            "provider": "Sul",
            "customer": "acme",
            "destination": "100",
            "description": "",
        },
        "tariffs": {"prefix": "3500", "price_per_minute": "0.10", "cost_per_minute": "0.05", "description": ""},
    }
    for kind, good in kinds.items():
        number = next(iter(good))
        target = there["plan"] if kind == "tariffs" else ""
        lines = [
            {**good, number: str(int(good[number]) + n), field: hostile}
            for n, (field, hostile) in enumerate((f, h) for f in good for h in HOSTILE if "\x00" not in h)
        ]
        page = _brought(admin, kind, target, lines)
        assert "<script>alert(" not in page
        import_ = db.session.scalars(select(Import).where(Import.kind == kind)).one()
        assert import_.state == "ready"
        assert import_.counts["rejected"] > 100
        # A file is applied only if every line is good.
        taken = [line for line in lines if line["description"] and line[number].isdigit()]
        good_ones = [line for line in taken if not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e]", line["description"])]
        good_ones = [line for line in good_ones if len(line["description"]) <= 120]
        _brought(admin, kind, target, good_ones)
        second = db.session.scalars(select(Import).where(Import.kind == kind, Import.id != import_.id)).one()
        assert second.counts["rejected"] == 0, second.counts
        admin.post(f"/imports/{second.id}/apply")
        db.session.expire_all()
        assert db.session.get_one(Import, second.id).state == "applied"
        db.session.commit()
    things.trunk("padaria", "10.1.0.1")
    things.gateway("GW9", "10.9.9.9", registration=True, username="u", password="p")
    assert _unsafe_rows() == []
    assert _unsafe_files(app, admin) == []


def _brought(admin: FlaskClient, kind: str, target: str, lines: list[dict[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, lines[0].keys())
    writer.writeheader()
    writer.writerows(lines)
    data = {"file": (io.BytesIO(file.getvalue().encode()), "file.csv"), "target_id": target}
    answer = admin.post(f"/imports/new?kind={kind}", data=data, content_type="multipart/form-data")
    assert answer.status_code == 302, answer.text
    return admin.get(answer.location).text


@pytest.mark.parametrize("hostile", [*HOSTILE[:5], "a\x00b", "[" * 80, "(a+)+$", "\u202e\ufffe"], ids=repr)
def test_nothing_that_is_asked_for_becomes_a_statement(app: Flask, admin: FlaskClient, hostile: str) -> None:
    """In every parameter of a list: search, filter, sort, cursor; and in the addresses of things."""
    headers = token_of(app, "ada")
    for path in (
        "/customers/",
        "/audit/",
        "/reports/",
        "/search",
        "/dids/",
        "/api/v1/customers/",
        "/api/v1/reports/cdr",
    ):
        for name in ("q", "sort", "cursor", "after", "customer_id", "since", "kind", "limit"):
            answer = admin.get(path, query_string={name: hostile}, headers=headers if "/api/" in path else {})
            assert answer.status_code in (200, 302, 400, 404, 422), (path, name, answer.status_code)
            answer.close()


def test_call_files_hold_known_lines_only(app: Flask) -> None:
    """Whatever a conference is asked with; the agent checks once more (tests/agent/test_conference.py)."""
    good = {"name": "Board", "customer_id": str(uuid.uuid4()), "numbers": ["100"], "caller_id": ""}
    with app.test_request_context():
        for hostile in HOSTILE:
            for field in ConferenceSchema.model_fields:
                for value in (hostile, [hostile]):
                    try:
                        taken = ConferenceSchema.model_validate(good | {field: value})
                    except ValidationError:
                        continue
                    for number in taken.numbers:
                        assert re.fullmatch(r"\+?[0-9*#]{2,32}", number), (field, hostile)
                    assert re.fullmatch(r"\+?[0-9]{0,20}", taken.caller_id)
                    assert not re.search(r"[\r\n\x00]", taken.name)
