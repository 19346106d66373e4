"""Bills of providers: brought in, held against our calls, and the sheet of what differs."""

from __future__ import annotations

import datetime as dt
import io
import re
from decimal import Decimal

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, error_at, filled_in, rows
from webapp.accounts.models import AuditEntry
from webapp.calls.models import Call
from webapp.ext import db
from webapp.imports import working
from webapp.imports.models import BroughtIn, ImportFile
from webapp.invoice_checks.models import InvoiceCheck, InvoiceLine
from webapp.providers.models import Provider

NOON = dt.datetime(2026, 11, 2, 15, tzinfo=dt.UTC)  # Of the company, which is in São Paulo.
NUMBER = "5511987654321"
HEAD = "Data;Hora;Origem;Número B;Duração;Valor\n"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""

    def start(check: BroughtIn, step: working.Step) -> None:
        db.session.commit()  # Else the rollback in there would take the claim back too, which is within.
        working.perform(check.id, step, working.asked(), working.Progress(), type(check))

    monkeypatch.setattr(working, "start", start)


@pytest.fixture
def norte(client: FlaskClient) -> Provider:
    return things.provider("Norte")


def call(provider: Provider, seconds: int = 0, billed: int = 60, **values: object) -> Call:
    """A call out, so many seconds after noon."""
    started = NOON + dt.timedelta(seconds=seconds)
    made = {
        "answered_at": started + dt.timedelta(seconds=4),
        "provider_id": provider.id,
        "src": "551140001000",
        "dst": NUMBER,
        "billsec": billed,
        "cost_billed_seconds": billed,
        "cost": Decimal("0.05"),
        **values,
    }
    return things.call(started, **made)


def send(client: FlaskClient, content: str | bytes, provider: Provider | None, **values: str) -> TestResponse:
    raw = content.encode() if isinstance(content, str) else content
    data = {
        "file": (io.BytesIO(raw), "bill.csv"),
        "provider_id": str(provider.id) if provider else "",
        "time_zone": "",
        **values,
    }
    return client.post("/reports/invoice-checks/new", data=data)


def checked(client: FlaskClient, content: str | bytes, provider: Provider, **values: str) -> str:
    """The page of a bill that was taken."""
    response = send(client, content, provider, **values)
    assert response.status_code == 302, response.text
    return client.get(response.location).text


def sums(page: str) -> list[str]:
    """What was found: a line for each kind, and the total."""
    return rows(card(page)[0])


def lines(page: str) -> list[str]:
    """The lines below it."""
    return rows(card(page)[2].partition("<summary")[0])


def card(page: str) -> tuple[str, str, str]:
    return page.partition('<section class="card')[2].partition("</section>")


BILL = HEAD + (
    "02/11/2026;12:00:02;11 4000-1000;0 15 11 98765-4321;60;0,05\n"
    "02/11/2026;12:10:02;11 4000-1000;(11) 98765-4321;0:01:30;0,08\n"
    "02/11/2026;12:20:02;11 4000-1000;+55 11 98765-4321;60;R$ 0,09\n"
    "02/11/2026;12:30:02;11 4000-1000;5511987654321;60;0,05\n"
    "02/11/2026;12:31:00;11 4000-1000;5511333333333;60;1,05\n"
    "Total;;;;;1,32\n"
)


@pytest.fixture
def four_calls(norte: Provider) -> list[Call]:
    return [
        call(norte, 0),
        call(norte, 600),
        call(norte, 1200),
        call(norte, 1800, 0, answered_at=None, disposition="BUSY", cost=Decimal(0)),
        call(norte, 1820, dst="5521999998888"),
    ]


def test_what_differs(client: FlaskClient, norte: Provider, four_calls: list[Call]) -> None:
    page = checked(client, BILL, norte)
    assert sums(page) == [
        "Not billed 1 0.00 0.05 -0.05",
        "No such call 2 1.10 0.00 +1.10",
        "Other duration 1 0.08 0.05 +0.03",
        "Other amount 1 0.09 0.05 +0.04",
        "Equal 1 0.05 0.05 0.00",
        "Not understood 1 – – –",
        "Total 7 R$1.32 R$0.20 +R$1.12",
    ]
    assert lines(page) == [
        "3 Other duration 2026-11-02 12:10 (11) 98765-4321 1:30 1:00 0.08 0.05 +0.03",
        "4 Other amount 2026-11-02 12:20 +55 11 98765-4321 1:00 1:00 0.09 0.05 +0.04",
        "5 No such call Nobody answered 2026-11-02 12:30 5511987654321 1:00 0:00 0.05 0.00 +0.05",
        "6 No such call 2026-11-02 12:31 5511333333333 1:00 – 1.05 – +1.05",
        "– Not billed 2026-11-02 12:30 5521999998888 – 1:00 – 0.05 -0.05",
    ]
    assert f'href="/reports/calls/{four_calls[1].id}"' in page
    assert things.count(Call) == 5
    check = things.one(InvoiceCheck)
    assert (check.state, check.differing, check.username) == ("ready", 5, "olga")
    path = f"/reports/invoice-checks/{check.id}"
    assert [line.split()[0] for line in lines(client.get(f"{path}?kind=all").text)] == [
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "–",
    ]
    assert lines(client.get(f"{path}?kind=unread").text) == [
        "7 Not understood Data: Total Use a date with its time, such as 31/12/2026 14:30:00 or 2026-12-31 14:30:00."
        " Número B: This field is required. Duração: This field is required."
    ]


def test_the_sheet_to_send_back(client: FlaskClient, norte: Provider, four_calls: list[Call]) -> None:
    checked(client, BILL.replace("5511333333333", '"=cmd 5511333333333"'), norte)
    check = things.one(InvoiceCheck)
    path = f"/reports/invoice-checks/{check.id}"
    sheet = client.get(f"{path}/export.csv")
    assert sheet.headers["Content-Disposition"].startswith('attachment; filename="invoice-check-')
    found = sheet.text.removeprefix("\ufeff").splitlines()
    assert found[0].startswith("line,kind,started_at,number,caller,seconds,amount,call_started_at,")
    assert [line.split(",")[:2] for line in found[1:]] == [
        ["3", "duration"],
        ["4", "price"],
        ["5", "extra"],
        ["6", "extra"],
        ["", "missing"],
    ]
    assert ",'=cmd 5511333333333," in found[4]
    assert ",'+55 11 98765-4321," in found[2]
    assert len(client.get(f"{path}/export.csv?kind=missing").text.splitlines()) == 2
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"{path}/export.xlsx").data))
    cells = list(book.worksheets[0].iter_rows(values_only=True))
    assert (len(cells), cells[1][0], cells[1][1], cells[1][12]) == (6, 3, "duration", 0.03)


def test_a_spreadsheet(client: FlaskClient, norte: Provider) -> None:
    call(norte)
    call(norte, 600)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Start", "Called number", "Duration", "Amount"])
    sheet.append([dt.datetime.fromisoformat("2026-11-02T12:00:01"), 5511987654321, dt.time(0, 1, 0), 0.05])
    sheet.append([dt.datetime.fromisoformat("2026-11-02T12:10:01"), "11987654321", 60, 0.5])
    out = io.BytesIO()
    book.save(out)
    page = checked(client, out.getvalue(), norte)
    assert [line.rsplit(" ", 4)[0] for line in sums(page)] == ["Other amount", "Equal", "Total"]


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        ("2026-11-02 12:00:00", ""),
        ("2026-11-02T12:00:00", "America/Sao_Paulo"),
        ("2026-11-02T15:00:00Z", ""),
        ("2026-11-02 10:00:00-05:00", ""),
        ("2026/11/02 15:00:00.123", "Europe/Lisbon"),
        ("20261102120000", ""),
        ("02/11/2026 12:00", ""),
        ("2.11.26 12:00:00", ""),
        ("02-11-2026 11:00:00", "America/Manaus"),
    ],
)
def test_dates_as_bills_write_them(client: FlaskClient, norte: Provider, start: str, zone: str) -> None:
    call(norte, 0)
    page = checked(client, f"start;number;seconds\n{start};{NUMBER};60\n", norte, time_zone=zone)
    assert sums(page)[0] == "Equal 1 – 0.05 –"
    assert things.one(InvoiceCheck).clock_ahead == 0


@pytest.mark.parametrize(
    "line",
    [
        "31/02/2026 12:00;5511987654321;60;1",
        "02/11/2026;5511987654321;60;1",
        "02/11/1026 12:00;5511987654321;60;1",
        "02/11/2026 25:00;5511987654321;60;1",
        "02/11/2026 12:00;nobody;60;1",
        "02/11/2026 12:00;5511987654321;1.5;1",
        "02/11/2026 12:00;5511987654321;-60;1",
        "02/11/2026 12:00;5511987654321;99999999;1",
        "02/11/2026 12:00;5511987654321;1:75:00;1",
        "02/11/2026 12:00;5511987654321;60;dear",
        "02/11/2026 12:00;5511987654321;60;1e99",
        "02/11/2026 12:00;" + "5" * 200 + ";60;1",
        "02/11/2026 12:00;5511\x01987654321;60;1",
        "<script>alert(1)</script>;=1+1;\\N;\\.",
    ],
)
def test_a_line_that_makes_no_sense_stops_no_other(client: FlaskClient, norte: Provider, line: str) -> None:
    call(norte)
    page = checked(
        client, f"start;number;seconds;amount\n{line}\n02/11/2026 12:00:00;{NUMBER};60;0,05\n{line}\n", norte
    )
    assert [re.sub(r" [–\d].*", "", each) for each in sums(page)[:-1]] == ["Equal", "Not understood"]
    shown = client.get(f"/reports/invoice-checks/{things.one(InvoiceCheck).id}?kind=all").text
    assert "<script>alert" not in shown


def test_nul_bytes_after_the_beginning(client: FlaskClient, norte: Provider) -> None:
    call(norte)
    filler = f"02/11/2026 12:00:00;{NUMBER};60\n" * 3000
    page = checked(client, f"start;number;seconds\n{filler}02/11/2026 12:00:00;5511\x00987654321;60\n", norte)
    assert [line.split(" –")[0] for line in sums(page)] == [
        "No such call 2,999",
        "Equal 1",
        "Not understood 1",
        "Total 3,001",
    ]


def test_columns_that_the_headings_do_not_name(client: FlaskClient, norte: Provider) -> None:
    call(norte)
    page = checked(client, f"02/11/2026;12:00:01;{NUMBER};60;0,05\n", norte)
    assert "Choose the column of each field." in page
    path = f"/reports/invoice-checks/{things.one(InvoiceCheck).id}"
    refused = client.post(f"{path}/columns", data={"number": "2"}, follow_redirects=True).text
    assert alert(refused) == "Choose a column for each of the fields that are needed."
    chosen = {"started_at": "0", "time": "1", "number": "2", "seconds": "3", "amount": "4"}
    page = client.post(f"{path}/columns", data=chosen, follow_redirects=True).text
    assert sums(page) == ["Equal 1 0.05 0.05 0.00", "Total 1 R$0.05 R$0.05 R$0.00"]
    assert "Every call is billed as it should be." in page
    # And once more, for somebody chose the wrong one.
    page = client.post(f"{path}/columns", data=chosen | {"amount": ""}, follow_redirects=True).text
    assert sums(page)[0] == "Equal 1 – 0.05 –"
    assert "No column is taken for the amount" in page


def test_again_with_other_tolerances(client: FlaskClient, norte: Provider) -> None:
    call(norte)
    page = checked(client, f"start;number;seconds;amount\n02/11/2026 12:00:01;{NUMBER};62;0,07\n", norte)
    assert sums(page)[0].startswith("Other duration 1")
    path = f"/reports/invoice-checks/{things.one(InvoiceCheck).id}"
    again = {"time_zone": "America/Sao_Paulo", "tolerance_seconds": "5", "tolerance_duration": "2"}
    page = client.post(f"{path}/read", data=again | {"tolerance_amount": "0.01"}, follow_redirects=True).text
    assert sums(page)[0].startswith("Other amount 1")
    page = client.post(f"{path}/read", data=again | {"tolerance_amount": "0.02"}, follow_redirects=True).text
    assert sums(page)[0].startswith("Equal 1")
    check = things.one(InvoiceCheck)
    assert (check.tolerance_seconds, check.tolerance_duration, check.tolerance_amount) == (5, 2, Decimal("0.02"))
    refused = client.post(f"{path}/read", data=again | {"tolerance_seconds": "601", "tolerance_amount": "7"})
    assert refused.status_code == 422
    assert error_at(refused.text, "tolerance_seconds") == "Use 600 or less."
    assert filled_in(refused.text)["tolerance_amount"] == "7", "nothing that was typed is lost"
    assert '<details class="mt-3" open>' in refused.text


def test_a_clock_that_is_three_hours_ahead(client: FlaskClient, norte: Provider) -> None:
    for n in range(4):
        call(norte, n * 100, dst=f"551198765432{n}")
    page = checked(
        client,
        "start;number;seconds\n"
        + "".join(f"02/11/2026 15:{n * 100 // 60:02}:{n * 100 % 60:02};551198765432{n};60\n" for n in range(4)),
        norte,
    )
    assert "Their clock is 3 h ahead of ours, which was allowed for." in page
    assert sums(page)[0] == "Equal 4 – 0.20 –"


def test_how_they_round(client: FlaskClient, norte: Provider) -> None:
    for n, seconds in enumerate((61, 62, 63)):
        call(norte, n * 300, seconds, cost_minimum_seconds=30, cost_increment_seconds=6, cost_billed_seconds=66)
    bill = "".join(f"02/11/2026 12:{n * 5:02}:01;{NUMBER};120\n" for n in range(3))
    page = checked(client, f"start;number;seconds\n{bill}", norte)
    assert "They round to 60/60 seconds where 30/6 is agreed" in page


def test_nobody_calls_in_the_period(client: FlaskClient, norte: Provider) -> None:
    page = checked(client, f"start;number;seconds;amount\n02/11/2026 12:00:01;{NUMBER};60;0,05\n", norte)
    assert sums(page)[0] == "No such call 1 0.05 0.00 +0.05"
    page = checked(client, "start;number;seconds;amount\n", norte)
    assert sums(page) == ["Total 0 R$0.00 R$0.00 R$0.00"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty."),
        (b"\x00\x01\x02", "This is neither a CSV nor an XLSX file."),
        (b"PK\x03\x04nothing", "This is neither a CSV nor an XLSX file."),
    ],
)
def test_what_is_no_table(client: FlaskClient, norte: Provider, content: bytes, reason: str) -> None:
    response = send(client, content, norte)
    assert (response.status_code, error_at(response.text, "file")) == (422, reason)
    assert things.count(InvoiceCheck) == 0


def test_what_the_form_refuses(client: FlaskClient, norte: Provider) -> None:
    response = client.post("/reports/invoice-checks/new", data={"provider_id": str(norte.id)})
    assert error_at(response.text, "file") == "Choose a file."
    assert error_at(send(client, BILL, None).text, "provider_id")
    assert error_at(send(client, BILL, norte, time_zone="Nowhere").text, "time_zone")
    assert error_at(send(client, BILL, norte, tolerance_seconds="-1").text, "tolerance_seconds")
    assert things.count(InvoiceCheck) == 0


def test_lists_and_links(client: FlaskClient, norte: Provider, counting: Counting) -> None:
    sul = things.provider("Sul")
    for _ in range(3):
        checked(client, BILL, norte)
    checked(client, BILL, sul)
    with counting() as few:
        shown = client.get("/reports/invoice-checks/")
    assert len(rows(shown.text)) == 4
    assert len(few) < 12
    only = client.get(f"/reports/invoice-checks/?provider_id={sul.id}").text
    assert [line.split()[:2] for line in rows(only)] == [["bill.csv", "Sul"]]
    page = client.get(f"/providers/{norte.id}").text
    assert f'href="/reports/invoice-checks/?provider_id={norte.id}"' in page
    assert f'value="{norte.id}" selected' in client.get(
        f"/reports/invoice-checks/new?provider_id={norte.id}"
    ).text.replace(f'selected value="{norte.id}"', f'value="{norte.id}" selected')


def test_a_page_of_lines_takes_few_questions(client: FlaskClient, norte: Provider, counting: Counting) -> None:
    bill = "".join(f"02/11/2026 12:{n // 60:02}:{n % 60:02};55119876{n:05};60;1\n" for n in range(120))
    checked(client, f"start;number;seconds;amount\n{bill}", norte)
    path = f"/reports/invoice-checks/{things.one(InvoiceCheck).id}"
    with counting() as statements:
        page = client.get(path)
    assert len(lines(page.text)) == 50
    assert len(statements) < 12
    second = re.search(r'rel="next" href="([^"]*)"', page.text)
    assert second
    assert lines(client.get(second[1].replace("&amp;", "&")).text)[0].startswith("52 ")


def test_it_is_recorded_and_deleted(client: FlaskClient, norte: Provider) -> None:
    checked(client, BILL, norte)
    check = things.one(InvoiceCheck)
    assert things.count(ImportFile) == 1
    entries = select(AuditEntry).where(AuditEntry.kind == "invoice_checks").order_by(AuditEntry.at)
    [entry] = db.session.scalars(entries).all()
    assert (entry.action, entry.label, entry.username) == ("create", "bill.csv", "olga")
    assert entry.after["provider_id"] == str(norte.id)
    db.session.commit()
    assert "Norte" in client.get("/audit/").text

    path = f"/reports/invoice-checks/{check.id}"
    assert "will be deleted for good" in client.get(f"{path}/delete").text
    assert things.count(InvoiceLine) > 0
    page = client.post(f"{path}/delete", follow_redirects=True).text
    assert "bill.csv is deleted." in page
    assert (things.count(InvoiceCheck), things.count(InvoiceLine), things.count(ImportFile)) == (0, 0, 0)
    assert [entry.action for entry in db.session.scalars(entries)] == ["create", "delete"]
    db.session.commit()
    assert client.get(path).status_code == 404


def test_while_it_is_read(client: FlaskClient, norte: Provider) -> None:
    checked(client, BILL, norte, tolerance_amount="0.5")
    path = f"/reports/invoice-checks/{things.one(InvoiceCheck).id}"
    db.session.execute(text("UPDATE invoice_checks SET state = 'reading', heartbeat = now(), progress = 3"))
    db.session.commit()
    assert "being read and held against your calls" in client.get(path).text
    assert "3 lines" in client.get(path, headers={"HX-Request": "true"}).text
    assert client.post(f"{path}/delete").status_code == 409
    busy = client.post(f"{path}/read", data={}, follow_redirects=True).text
    assert alert(busy).startswith("Nothing was done")
    db.session.execute(text("UPDATE invoice_checks SET heartbeat = now() - interval '1 minute'"))
    db.session.commit()
    assert "Try again" in client.get(path).text
    page = client.post(f"{path}/read", data={}, follow_redirects=True).text
    check = things.one(InvoiceCheck)
    assert (check.state, check.tolerance_amount) == ("ready", Decimal("0.5"))
    assert "Try again" not in page


def test_a_file_is_kept_for_a_week_and_what_was_found_for_good(client: FlaskClient, norte: Provider) -> None:
    checked(client, BILL, norte)
    check = things.one(InvoiceCheck)
    db.session.execute(text("UPDATE invoice_checks SET created_at = now() - interval '8 days'"))
    db.session.commit()
    checked(client, BILL, norte)
    assert things.count(ImportFile, import_id=check.id) == 0
    assert things.count(InvoiceLine, check_id=check.id) == 6
    path = f"/reports/invoice-checks/{check.id}"
    page = client.post(f"{path}/read", data={}, follow_redirects=True).text
    assert alert(page) == "The file is no longer there. Bring it in again."


def test_the_provider_is_gone(client: FlaskClient, norte: Provider) -> None:
    checked(client, BILL, norte)
    client.post(f"/providers/{norte.id}/delete")
    assert things.count(Provider) == 0
    assert "No longer there" in client.get("/reports/invoice-checks/").text
    assert "No longer there" in client.get(f"/reports/invoice-checks/{things.one(InvoiceCheck).id}").text


def test_who_only_looks(client: FlaskClient, viewer: FlaskClient, norte: Provider) -> None:
    checked(client, BILL, norte)
    path = f"/reports/invoice-checks/{things.one(InvoiceCheck).id}"
    for page in (viewer.get("/reports/invoice-checks/"), viewer.get(path)):
        assert page.status_code == 200
        assert "Check an invoice" not in page.text
        assert "Compare again" not in page.text
    assert viewer.get(f"{path}/export.csv").status_code == 200
    for refused in (
        viewer.get("/reports/invoice-checks/new"),
        viewer.post(f"{path}/delete"),
        viewer.post(f"{path}/read"),
        viewer.post(f"{path}/columns"),
    ):
        assert refused.status_code == 403
    assert things.count(InvoiceCheck) == 1
