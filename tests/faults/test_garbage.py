"""Whatever bytes a page, the API or an import is sent: a plain answer, no mistake of ours, and no hanging."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.api.conftest import Program
from tests.web import things
from tests.web.conftest import _browsers, client
from webapp.ext import db
from webapp.imports import working
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import

__all__ = ["_browsers", "client"]

SOAK = bool(os.environ.get("SOAK"))


def some(values: list[Any], step: int) -> list[Any]:
    """All of them in a soak, else one in so many: they are much alike."""
    return values if SOAK else values[::step]


# As they stand in an address or a form: no UTF-8, cut off, overlong, a lone surrogate, a NUL, half a percent sign.
BYTES = ["%FF%FE", "%C3", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%00", "%", "%zz", "%E2%80%AE%EF%BB%BF"]
LISTS = [
    "providers",
    "gateways",
    "customers",
    "extensions",
    "routes",
    "dids",
    "tariffs",
    "calls",
    "payments",
    "search",
    "imports",
    "audit",
]
HEADERS = [
    {"Accept-Language": "\xff\xfe" * 50},
    {"Accept-Language": "en;q=NaN, pt;q=1e999, *;q=--1"},
    {"Accept-Language": ",".join(["xx"] * 20_000)},
    {"Cookie": "asterisk_admin=\xff\xff; =; ;;;session"},
    {"Cookie": "asterisk_admin=" + "." * 50_000},
    {"Authorization": "Bearer \xff\xe9"},
    {"Authorization": "Basic \xff"},
    {"Authorization": "Bearer " + "a." * 30_000},
    {"X-Forwarded-For": "\xff, " * 1000},
    {"Content-Type": "application/json; charset=\xff"},
    {"Content-Type": "text/plain; charset=utf-99"},
    {"Content-Type": "multipart/form-data; boundary=\xff\x01"},
    {"Range": "bytes=" + "0-1," * 5000},
    {"If-Modified-Since": "\xff yesterday"},
    {"HX-Request": "\x00\xff", "HX-Target": "\xff"},
]
# Bodies of requests that are no JSON, or are and cannot be meant.
BODIES = [
    b"",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"name":' * 50_000,
    b"null",
    b"7",
    b'"\\ud800"',
    b'[{"name": "x"}]',
    b"9" * 100_000,
    b"NaN",
    b'{"name": "x", "name": [], "name": {"name": 1}}',
    b'{"\\ud800": 1, "\\u0000": 2}',
    b'{"": {}}',
    b'{"name": "x"',
    b'{"name": "\xff"}',
]
# Values of a field, as JSON.
VALUES = [
    '"\\ud800"',
    '"a\\u0000b"',
    '"\\udfff\\ud800"',
    "1e400",
    "-1e400",
    "NaN",
    "-Infinity",
    "9" * 4000,
    "9" * 5000,
    "1E-400000000",
    '"1E+999999999"',
    '"1e-999999999"',
    "1.0000000000000000000000000000000000000000000000000001",
    "{}",
    '{"a": {"a": {"a": []}}}',
    "[" * 500 + "]" * 500,
    "true",
    "null",
    '["\\ud800", null, 1e400]',
    '"' + "x" * 200_000 + '"',
]
RESOURCES = [
    "providers",
    "gateways",
    "customers",
    "extensions",
    "routes",
    "dids",
    "price-plans",
    "tariffs",
    "provider-tariffs",
    "number-rules",
]


@pytest.fixture
def program(app: Flask, client: FlaskClient) -> Program:
    return Program(app, "olga")


def tidy(answer: Any, what: object) -> None:
    """Not a mistake of ours, and nothing of our inside."""
    assert answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    assert "Traceback" not in answer.text, what
    assert "psycopg2" not in answer.text, what


def test_addresses(client: FlaskClient, program: Program) -> None:
    for area in LISTS:
        for bad in some(BYTES, 3):
            for query in (f"q={bad}", f"{bad}={bad}", f"q=x&after={bad}", f"sort={bad}", f"customer_id={bad}"):
                tidy(client.get(f"/{area}/?{query}"), (area, query))
    for bad in BYTES:
        tidy(client.get(f"/{bad}"), bad)
        tidy(client.get(f"/customers/{bad}"), bad)
        tidy(client.get(f"/reports/totals?{bad}={bad}&from={bad}&to={bad}&by={bad}"), bad)
        for area in RESOURCES:
            tidy(
                client.get(f"/api/v1/{area}/?q={bad}&cursor={bad}&limit={bad}&sort={bad}", headers=program.headers),
                (area, bad),
            )


def test_headers(app: Flask, client: FlaskClient) -> None:
    for headers in HEADERS:
        for path in ("/", "/customers/", "/api/v1/customers/", "/static/app.js", "/healthz", "/metrics"):
            for who in (client, app.test_client()):
                with who.get(path, headers=headers) as answer:
                    tidy(answer, (path, headers))
        tidy(client.post("/customers/new", headers=headers, data=b"\xff\x00%"), headers)
        tidy(app.test_client().post("/login", headers=headers, data=b"username=%FF&password=%00"), headers)


def test_forms(client: FlaskClient) -> None:
    for path in ("/login", "/customers/new", "/providers/new", "/dids/new", "/routes/new", "/settings/edit"):
        for bad in some(BYTES, 3):
            for field in ("name", "username", "code", "number", "version", "csrf_token", bad):
                answer = client.post(
                    path, data=f"{field}={bad}&x={bad}".encode(), content_type="application/x-www-form-urlencoded"
                )
                tidy(answer, (path, field, bad))


def test_bodies_of_the_api(program: Program) -> None:
    for area in [*RESOURCES, "auth/login", "simulate", "dids/allocate", "conferences"]:
        path = f"/{area}" if "/" in area else f"/{area}/"
        for body in BODIES:
            for kind in some(["application/json", "text/plain", "application/json; charset=utf-16"], 2):
                tidy(program.send("POST", path, data=body, content_type=kind), (area, body[:40], kind))


def test_values_of_the_api(program: Program) -> None:
    stored: dict[str, Any] = {
        "providers": things.provider(),
        "gateways": things.gateway(),
        "customers": things.office(),
        "dids": things.did(),
        "price-plans": things.price_plan(),
    }
    described = program.get("/openapi.json").json
    for area in RESOURCES:
        schema = described["paths"][f"/api/v1/{area}/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        fields = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        assert fields
        for field in fields:
            for value in some(VALUES, 5):
                body = f"{{{json.dumps(field)}: {value}}}".encode()
                with db.session.connection().begin_nested() as savepoint:
                    tidy(
                        program.send("POST", f"/{area}/", data=body, content_type="application/json"),
                        (area, field, value[:40]),
                    )
                    if area in stored:
                        path = f"/{area}/{stored[area].id}"
                        tidy(
                            program.send("PATCH", path, data=body, content_type="application/json"),
                            (area, field, value[:40]),
                        )
                    savepoint.rollback()


# ---- files


def workbook(**parts: str | bytes) -> bytes:
    """A ZIP that looks like an XLSX file, with these parts instead of ours (__ for a slash)."""
    file = io.BytesIO()
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    whole: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets>'
        '<sheet name="s" sheetId="1" r:id="r"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData/></worksheet>",
    }
    whole |= {name.replace("__", "/") + ".xml": content for name, content in parts.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in whole.items():
            archive.writestr(name, content)
    return file.getvalue()


def laughs() -> str:
    """A few hundred bytes that become gigabytes when their names are filled in."""
    names = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 10}">' for n in range(10))
    return (
        f'<?xml version="1.0"?><!DOCTYPE worksheet [{names}]>'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row>'
        '<c t="inlineStr"><is><t>&e9;</t></is></c></row></sheetData></worksheet>'
    )


def lying() -> bytes:
    """It says that a part is small, and it is not."""
    content = workbook(xl__worksheets__sheet1=b"<x>" + b"\0" * 20_000_000)
    return content.replace((20_000_003).to_bytes(4, "little"), (100).to_bytes(4, "little"))


OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row>'
    '<c t="inlineStr"><is><t>&e;</t></is></c></row></sheetData></worksheet>'
)
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
HEAD = b"N\xc3\xbamero;Fornecedor;Prefix;Price\n"
FILES = {
    "nothing": b"",
    "a mark and nothing": b"\xef\xbb\xbf",
    "half a sign": b"\xff\xfeN\x00\xfa",
    "two encodings": HEAD + b"5511\xe9;\xc3\xa9;\xff;\x80\n",
    "surrogates": "Número;Fornecedor\n".encode("utf-16") + b"\x00\xd8\x00\xd8\n\x00",
    "NUL late in the file": HEAD + b"5511;Norte;55;1\n" * 8000 + b"55\x0011;Norte;55;1\n",
    "quotes": HEAD + b'"5511;"Norte";"55""";"\n;"\n' * 50,
    "an open quotation mark": HEAD + b'5511;"Norte\n' + b"x;y\n" * 100_000,
    "a long cell": HEAD + b"5" * 140_000 + b";Norte\n",
    "many columns": HEAD + b";" * 500_000 + b"\n",
    "signs only": b";;;;;;\n" * 1000,
    "old line ends": HEAD.replace(b"\n", b"\r") + b"5511;Norte\r5512;Norte\r",
    "numbers": HEAD + b"9999999999999999999999999999999;1e999;NaN;-0\n" + b"=1+1;@x;+5;-1e-400\n",
    "huge numbers": HEAD + b"1e999999999;" + b"9" * 5000 + b";55;1e999999999\n" + b"5511;Norte;55;1E-999999999\n",
    "a ZIP": workbook()[:200],
    "no sheet": workbook(xl__workbook="<workbook/>"),
    "no XML": workbook(xl__worksheets__sheet1=b"\x00\xff<<<"),
    "laughs": workbook(xl__worksheets__sheet1=laughs()),
    "a file of ours": workbook(xl__worksheets__sheet1=OUTSIDE),
    "lying": lying(),
    "cells far away": workbook(
        xl__worksheets__sheet1=SHEET.format('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    ),
    "cells nowhere": workbook(
        xl__worksheets__sheet1=SHEET.format(
            '<row r="-1"><c r="A0"><v>x</v></c></row><row r="x"><c r="??"><v/></c></row>'
        )
    ),
    "dates nowhere": workbook(xl__worksheets__sheet1=SHEET.format('<row><c s="9" t="d"><v>99999-99-99</v></c></row>')),
    "numbers nowhere": workbook(
        xl__worksheets__sheet1=SHEET.format('<row><c><v>1e999</v></c><c><v>NaN</v></c><c t="s"><v>7</v></c></row>')
    ),
}


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a thread, which would have a connection of its own; here all is one transaction."""

    def start(import_: Import, step: working.Step) -> None:
        db.session.commit()
        working.perform(import_.id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)


@pytest.fixture
def taken(client: FlaskClient, _at_once: None) -> Iterator[FlaskClient]:
    things.provider("Norte")
    yield client
    assert db.session.scalar(text("SELECT count(*) FROM imports WHERE state = 'reading'")) == 0


@pytest.mark.parametrize("name", FILES)
def test_files(taken: FlaskClient, name: str) -> None:
    """Every kind of import; what is taken is shown, and what is in it stays out if it makes no sense."""
    assert "root:" not in (FILES[name][:10].decode("latin-1"))
    plan, provider = things.price_plan("Plan"), things.provider("Sul")
    for kind in some(list(KINDS), 3):
        values = {"file": (io.BytesIO(FILES[name]), "file.csv"), "kind": kind}
        values |= {"price_plan_id": str(plan.id), "provider_id": str(provider.id)}
        answer = taken.post(f"/imports/new?kind={kind}", data=values, content_type="multipart/form-data")
        tidy(answer, kind)
        if answer.status_code == 302:
            page = taken.get(answer.location)
            tidy(page, kind)
            assert "root:x:" not in page.text
