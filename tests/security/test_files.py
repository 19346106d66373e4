"""What a file that somebody was sent can do: a price list of a provider's, a list of numbers, a bill."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import error_at
from webapp import export, xlsx
from webapp.ext import db
from webapp.imports import reading, working
from webapp.imports.models import Import

MEGABYTE = 1024 * 1024
Change = Callable[[bytes], bytes]


def workbook(**changes: Change) -> io.BytesIO:
    """A small workbook, with the parts named changed."""
    plain = io.BytesIO(b"".join(xlsx.workbook(["number", "provider"], [["551140001000", "Norte"]], ZoneInfo("UTC"))))
    file = io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            change = changes.get(name.rsplit("/", 1)[-1].split(".")[0], bytes)
            target.writestr(name, change(source.read(name)))
        if "texts" in changes:
            target.writestr("xl/sharedStrings.xml", changes["texts"](b"<sst></sst>"))
    return file


def before(mark: bytes, more: bytes, times: int = 1) -> Change:
    """Put something in front of the first `mark`."""
    return lambda part: part.replace(mark, more * times + mark, 1)


def cell(inside: bytes) -> Change:
    return before(b"</row>", b"<c" + inside + b"</c>")


SHARED = before(
    b"</Types>",
    b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    b'spreadsheetml.sharedStrings+xml"/>',
)
BOMBS: dict[str, dict[str, Change]] = {
    "millions of styles": {"styles": before(b"</cellXfs>", b"<xf/>", 500_000)},
    "millions of names": {"workbook": before(b"</workbook>", b"<definedNames/>", 200_000)},
    "a line of millions of cells": {"sheet1": before(b"</row>", b"<c/>", 600_000)},
    "millions of things beside the lines": {"sheet1": before(b"<row>", b"<x/>", 600_000)},
    "millions of things behind the lines": {"sheet1": before(b"</sheetData>", b"<x/>", 600_000)},
    "one cell of megabytes": {"sheet1": cell(b' t="inlineStr"><is><t>' + b"a" * 60 * MEGABYTE + b"</t></is>")},
    "millions of texts": {"": bytes, "texts": before(b"</sst>", b"<si/>", 200_000), "[Content_Types]": SHARED},
}
TOO_MUCH = "The file is too large when it is unpacked. Save it as CSV and bring in that."


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_small_file_takes_much_memory(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes hold what takes gigabytes as objects: it is noticed while it is read."""
    monkeypatch.setattr(reading._Parts, "heaviest", 100_000)  # Of texts alone: else it would take a while.
    file = workbook(**BOMBS[bomb])
    assert len(file.getvalue()) < MEGABYTE
    with pytest.raises(reading.Unreadable, match=re.escape(TOO_MUCH)), reading.lines(file) as lines:
        for _ in lines:
            pass


def _entities(declarations: bytes, used: bytes) -> Change:
    return lambda part: (
        b'<?xml version="1.0"?><!DOCTYPE x [' + declarations + b"]>" + cell(used)(part.partition(b"?>")[2])
    )


LAUGHS = b'<!ENTITY a0 "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9)
)
BROKEN: dict[str, Callable[[], io.BytesIO]] = {
    "entities that multiply": lambda: workbook(sheet1=_entities(LAUGHS, b' t="inlineStr"><is><t>&a8;</t></is>')),
    "a file of ours": lambda: workbook(
        sheet1=_entities(b'<!ENTITY f SYSTEM "file:///etc/passwd">', b' t="inlineStr"><is><t>&f;</t></is>')
    ),
    "a text that is not there": lambda: workbook(sheet1=cell(b' t="s"><v>7</v>')),
    "a figure that is none": lambda: workbook(sheet1=cell(b"><v>one</v>")),
    "a figure of many digits": lambda: workbook(sheet1=cell(b"><v>" + b"9" * 5000 + b"</v>")),
    "an address that is none": lambda: workbook(sheet1=cell(b' r="\xc3\xa9!"><v>1</v>')),
    "a style that is not there": lambda: workbook(sheet1=cell(b' s="99999"><v>1</v>')),
    "XML that ends too early": lambda: workbook(sheet1=lambda part: part[:-20]),
    "no workbook": lambda: workbook(workbook=lambda _: b"<html/>"),
    "no list of parts": lambda: workbook(**{"[Content_Types]": lambda _: b"x"}),
    "packed wrongly": lambda: _spoilt(lambda data: data.replace(data[60:80], b"\xff" * 20, 1)),
    "encrypted": lambda: _spoilt(
        lambda data: data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    ),
    "packed as nobody does": lambda: _spoilt(
        lambda data: re.sub(rb"(PK\x01\x02.{6})\x08\x00", lambda found: found[1] + b"\x63\x00", data, flags=re.DOTALL)
    ),
}


def _spoilt(change: Change) -> io.BytesIO:
    return io.BytesIO(change(workbook().getvalue()))


@pytest.mark.parametrize("file", BROKEN)
def test_a_workbook_that_is_made_to_break_us_is_only_refused(file: str) -> None:
    found = ""
    with suppress(reading.Unreadable), reading.lines(BROKEN[file]()) as lines:
        found = str(list(lines))
    assert "root:" not in found
    assert "aaaa" not in found


def test_workbooks_that_people_make_are_read() -> None:
    """With charts, names, colours, merged cells, and texts that are kept apart."""
    book = openpyxl.Workbook()
    book.create_chartsheet("Chart", 0)
    sheet = book.worksheets[0]
    sheet.append(["number", "price"])
    for number in range(300):
        sheet.append([f"5511{number}", 0.5])
        sheet.cell(number + 2, 1).font = openpyxl.styles.Font(size=number / 10 + 1)
    sheet.merge_cells("D1:E9")
    book.defined_names["area"] = openpyxl.workbook.defined_name.DefinedName("area", attr_text="Sheet!$A$1:$B$9")
    file = io.BytesIO()
    book.save(file)
    with reading.lines(file) as lines:
        found = [cells[:2] for _, cells in lines]
    assert (found[0], found[300], len(found)) == (["number", "price"], ["5511299", "0.5"], 301)


# ---- names, sizes, and what goes out again


@pytest.fixture
def operator_at_work(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Whose files are read in the request itself."""

    def start(import_: Import, step: working.Step) -> None:
        db.session.commit()
        working.perform(import_.id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)
    db.session.commit()
    things.provider("Norte")
    return client


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..\\..\\windows\\system32\\x.csv",
        "/etc/passwd",
        "x.csv\x00.exe",
        "a\x1b[31mb\x7f.csv",
        "<script>alert(1)</script>.csv",
        "{{7*7}}${SHELL(id)}.csv",
        "\u202evsc.exe",
        "x" * 5000,
        ".",
        "",
    ],
)
def test_the_name_of_a_file_is_only_a_name(operator_at_work: FlaskClient, name: str) -> None:
    data = {"file": (io.BytesIO(b"number,provider\n551140001000,Norte\n"), name)}
    answer = operator_at_work.post("/imports/new?kind=dids", data=data, content_type="multipart/form-data")
    if answer.status_code == 422:
        assert error_at(answer.text, "file")
        return
    kept = things.one(Import).file_name
    assert not re.search(r"[/\\\x00-\x1f\x7f]", kept)
    assert 1 <= len(kept) <= 120
    for page in (operator_at_work.get(answer.location), operator_at_work.get("/imports/")):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "49$" not in page.text


def test_only_who_brings_files_in_may_send_large_ones(app: Flask, operator_at_work: FlaskClient) -> None:
    """Anybody may send a little, for a sign-in; nobody makes us hold megabytes of a form."""
    large = b"x" * 2 * MEGABYTE
    for browser, path in (
        (app.test_client(), "/imports/new?kind=dids"),
        (app.test_client(), "/login"),
        (operator_at_work, "/customers/new"),
        (operator_at_work, "/profile/password"),
    ):
        answer = browser.post(path, data=large, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 413, path
    for path in ("/api/v1/auth/login", "/api/v1/imports/", "/api/v1/customers/"):
        answer = app.test_client().post(path, data=large, content_type="application/json")
        assert answer.status_code in (401, 413), path


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-1+1|x",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "'=1",
    "''@x",
    "＝1+1",
    "＠SUM(1)",
]


def _begins_a_formula(text: str) -> bool:
    return text[:1] in tuple("=+-@\t\r\n＝＋－＠")


@pytest.mark.parametrize("language", ["en", "pt_BR"])
def test_no_cell_of_a_file_of_ours_is_a_formula(operator_at_work: FlaskClient, language: str) -> None:
    """Neither in the files that the database writes nor in those that we do, nor in what comes back rejected."""
    operator_at_work.post("/language", data={"language": language})
    formulas = [formula for formula in FORMULAS if not set(formula) & set("\t\r\n")]
    for number, formula in enumerate(formulas):
        things.did(f"55114000{number:04}", description=formula)
    comma = ";" if language == "pt_BR" else ","
    out = io.StringIO()
    csv.writer(out).writerows(
        [["number", "provider", "description"], *([formula, formula, formula] for formula in FORMULAS)]
    )
    data = {"file": (io.BytesIO(out.getvalue().encode()), "dids.csv")}
    operator_at_work.post("/imports/new?kind=dids", data=data, content_type="multipart/form-data")
    rejected = f"/imports/{things.one(Import).id}/rejected.csv"
    for path in ("/dids/export.csv", rejected):
        text = operator_at_work.get(path).text.removeprefix("\ufeff")
        cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=comma) for cell in row]
        assert len(cells) > 20
        assert [cell for cell in cells if _begins_a_formula(cell)] == [], path
        assert any("=1+1" in cell for cell in cells)
    for formula in FORMULAS:
        assert not _begins_a_formula(export.defused(formula))
        assert export.as_meant(export.defused(formula)) == formula


def test_a_workbook_of_ours_holds_texts_and_no_formulas() -> None:
    file = io.BytesIO(b"".join(xlsx.workbook(FORMULAS, [FORMULAS], ZoneInfo("UTC"))))
    sheet = openpyxl.load_workbook(file).worksheets[0]
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"s", "inlineStr"}
