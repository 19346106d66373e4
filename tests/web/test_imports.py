"""Files that are brought in: read, looked at, applied as a whole, undone."""

from __future__ import annotations

import datetime as dt
import io
import re
import uuid
import zipfile
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from tests.conftest import make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, rows
from webapp import store
from webapp.accounts.models import AuditEntry
from webapp.customers.models import Customer
from webapp.dids import operations as dids
from webapp.dids.models import Allocation, Did
from webapp.ext import db
from webapp.imports import reading, working
from webapp.imports.models import DidLine, Import, ImportChange, ImportFile
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""

    def start(import_: Import, step: working.Step) -> None:
        db.session.commit()  # Else the rollback in there would take the claim back too, which is within.
        working.perform(import_.id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)


@pytest.fixture
def norte(client: FlaskClient) -> Provider:
    return things.provider("Norte")


@pytest.fixture
def acme(client: FlaskClient) -> Customer:
    customer = things.office("acme")
    things.extension(customer, "100")
    return customer


def send(client: FlaskClient, content: str | bytes, kind: str = "dids", **values: str) -> TestResponse:
    """Send a file as a browser does. (The test client would leave a large one open on the disk.)"""
    raw = content.encode() if isinstance(content, str) else content
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in values.items()]
    parts.append(b'name="file"; filename="file.csv"\r\n\r\n' + raw)
    body = b"".join(b"--limit\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    kind_of_body = "multipart/form-data; boundary=limit"
    return client.post(f"/imports/new?kind={kind}", data=body + b"--limit--\r\n", content_type=kind_of_body)


def brought(client: FlaskClient, content: str | bytes, kind: str = "dids", **values: str) -> str:
    """The page of an import whose file was taken."""
    response = send(client, content, kind, **values)
    assert response.status_code == 302, response.text
    return client.get(response.location).text


def do(client: FlaskClient, what: str) -> str:
    import_ = things.one(Import)
    return client.post(f"/imports/{import_.id}/{what}", follow_redirects=True).text


def counts(page: str) -> dict[str, int]:
    found = re.findall(r'text-secondary">([\w ]+)</span><span class="h2[^>]*>(\d+)<', page)
    return {name: int(number) for name, number in found if int(number)}


def test_new_numbers(client: FlaskClient, norte: Provider) -> None:
    things.gateway("GW1", provider_id=norte.id)
    page = brought(
        client,
        "Número;Fornecedor;Gateway;Situação;Descrição\n"
        "+55 (11) 4000-1000;norte;GW1;Reservado;Sold in May\n"
        "551140001001;Norte;;;\n",
    )
    assert counts(page) == {"New": 2}
    assert things.count(Did) == 0

    page = do(client, "apply")
    assert "Applied" in page
    first, second = (things.one(Did, number=f"55114000100{n}") for n in range(2))
    assert (first.status, first.description, first.provider_id) == ("reserved", "Sold in May", norte.id)
    assert (second.status, second.description, second.gateway_id) == ("available", "", None)
    assert things.one(Import).state == "applied"
    again = do(client, "apply")
    assert alert(again).startswith("Nothing was applied") or alert(again).startswith("Nothing was done")
    assert things.count(Did) == 2


def test_before_and_after(client: FlaskClient, norte: Provider) -> None:
    things.did("551140001000", provider_id=norte.id, description="old")
    things.did("551140001001", provider_id=norte.id, description="same")
    page = brought(
        client,
        "number,provider,description\n551140001000,Norte,new\n551140001001,Norte,same\n551140001002,Norte,more\n",
    )
    assert counts(page) == {"New": 1, "Changed": 1, "Unchanged": 1}
    assert re.search(r"<del[^>]*>old</del> → <strong[^>]*>new</strong>", page)
    do(client, "apply")
    assert things.one(Did, number="551140001000").description == "new"
    assert things.one(Did, number="551140001000").version == 2
    assert things.one(Did, number="551140001001").version == 1


def test_a_line_that_is_wrong_stops_all(client: FlaskClient, norte: Provider) -> None:
    page = brought(
        client,
        "number,provider,status\n551140001000,Norte,\n123,Nowhere,lost\n551140001001,Norte,\n",
    )
    assert counts(page) == {"New": 2, "Rejected": 1}
    assert rows(page)[:3] == [
        "3 number 123 Write the whole number with country and area code, 8 to 15 digits, such as 551140001234.",
        "3 provider Nowhere There is no such provider.",
        "3 status lost There is no such status.",
    ]
    assert ">Apply<" not in page
    do(client, "apply")
    assert things.count(Did) == 0

    import_ = things.one(Import)
    file = client.get(f"/imports/{import_.id}/rejected.csv").text
    assert file.splitlines()[0] == "\ufeffnumber,provider,status,Reason"
    assert file.splitlines()[1].startswith('123,Nowhere,lost,"number: Write the whole number')


def test_what_is_twice_in_the_file(client: FlaskClient, norte: Provider) -> None:
    page = brought(client, "number,provider\n551140001000,Norte\n551140001001,Norte\n+55 11 4000-1000,Norte\n")
    reason = "Lines 2 and 4 of the file are about the same thing."
    assert rows(page)[:2] == [f"2 number 551140001000 {reason}", f"4 number 551140001000 {reason}"]
    assert counts(page) == {"New": 1, "Rejected": 2}


def test_undo(client: FlaskClient, norte: Provider) -> None:
    things.did("551140001000", provider_id=norte.id, description="old")
    brought(client, "number,provider,description\n551140001000,Norte,new\n551140001001,Norte,more\n")
    do(client, "apply")
    assert things.count(Did) == 2
    page = do(client, "undo")
    assert "Undone" in page
    assert things.count(Did) == 1
    assert things.one(Did).description == "old"


def test_what_was_changed_since_is_not_undone(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n551140001001,Norte\n")
    do(client, "apply")
    things.allocate(things.one(Did, number="551140001001"), things.trunk())
    page = do(client, "undo")
    assert alert(page) == "Somebody changed some of it since, so it stays as it is: 551140001001"
    assert things.count(Did) == 2
    assert things.one(Import).state == "applied"


def test_numbers_are_given_away(client: FlaskClient, norte: Provider, acme: Customer) -> None:
    padaria = things.trunk("padaria")
    held = things.did("551140001000", provider_id=norte.id)
    things.allocate(held, acme, "100")
    page = brought(
        client,
        "number,provider,customer,destination\n"
        "551140001000,Norte,PADARIA,\n551140001001,Norte,acme,100\n551140001002,Norte,,\n",
    )
    assert counts(page) == {"New": 2, "Changed": 1}
    do(client, "apply")
    assert _dials("551140001000") == f"to-trunk,s,1(trunk-padaria,{padaria.id},551140001000)"
    assert _dials("551140001001") == f"to-phone,s,1(acme-100,{acme.id},551140001001)"
    assert _dials("551140001002") is None
    assert things.count(Allocation) == 3
    assert things.count(Allocation, released_at=None) == 2
    assert things.one(Did, number="551140001001").status == "allocated"

    do(client, "undo")
    assert _dials("551140001000") == f"to-phone,s,1(acme-100,{acme.id},551140001000)"
    assert _dials("551140001001") is None
    assert things.count(Did) == 1


def _dials(number: str) -> Any:
    return things.asterisk("SELECT appdata FROM asterisk.extensions WHERE exten = :number", number=number)


# ---- tariffs


@pytest.fixture
def plan(client: FlaskClient) -> PricePlan:
    plan = PricePlan(name="Retail")
    store.save(plan)
    return things.one(PricePlan)


TARIFFS = (
    "Prefixo;Destino;Custo;Tarifa;Mínimo;Incremento;Vigência\n"
    "5511;São Paulo;0,02;0,05;30;6;\n"
    "1;USA;0,01;1.234,5;60;60;01/02/2030\n"
)


def test_tariffs_as_brazil_writes_them(client: FlaskClient, plan: PricePlan) -> None:
    page = brought(client, TARIFFS.encode("cp1252"), "tariffs", target_id=str(plan.id), valid_from="2029-12-31 23:00")
    assert counts(page) == {"New": 2}
    do(client, "apply")
    local, usa = things.one(Tariff, prefix="5511"), things.one(Tariff, prefix="1")
    assert (local.description, local.cost_per_minute, local.price_per_minute) == (
        "São Paulo",
        Decimal("0.02"),
        Decimal("0.05"),
    )
    assert local.valid_from == dt.datetime(2030, 1, 1, 2, tzinfo=dt.UTC)
    assert (usa.price_per_minute, usa.minimum_seconds, usa.increment_seconds) == (Decimal("1234.5"), 60, 60)
    assert usa.valid_from == dt.datetime(2030, 2, 1, 3, tzinfo=dt.UTC)


def test_a_new_price_begins_beside_the_old(client: FlaskClient, plan: PricePlan) -> None:
    start = {"target_id": str(plan.id), "valid_from": "2029-01-01"}
    brought(client, "prefix,rate,minimo,description\n55,0.10,60,Brazil\n1,0.20,60,USA\n", "tariffs", **start)
    do(client, "apply")
    page = brought(
        client, "prefix,rate\n55,0.15\n1,0.20\n351,0.30\n", "tariffs", target_id=str(plan.id), valid_from="2030-01-01"
    )
    assert counts(page) == {"New": 1, "Changed": 1, "Unchanged": 1}
    apply_latest(client)
    assert things.count(Tariff) == 4
    new = latest(Tariff.valid_from, prefix="55")
    # What the file does not say is as it was before.
    assert (new.price_per_minute, new.minimum_seconds, new.description) == (Decimal("0.15"), 60, "Brazil")
    assert new.valid_from == dt.datetime(2030, 1, 1, 3, tzinfo=dt.UTC)
    assert things.one(Tariff, prefix="351").minimum_seconds == 30
    assert things.one(Tariff, prefix="1").price_per_minute == Decimal("0.20")

    client.post(f"/imports/{latest(Import.applied_at, state='applied').id}/undo")
    assert things.count(Tariff) == 2


def test_a_tariff_from_the_same_moment_is_changed_in_its_place(client: FlaskClient, plan: PricePlan) -> None:
    start = {"target_id": str(plan.id), "valid_from": "2029-01-01"}
    brought(client, "prefix,rate\n55,0.10\n", "tariffs", **start)
    do(client, "apply")
    brought(client, "prefix,rate\n55,0.12\n", "tariffs", **start)
    apply_latest(client)
    assert things.one(Tariff).price_per_minute == Decimal("0.12")
    client.post(f"/imports/{latest(Import.applied_at, state='applied').id}/undo")
    assert things.one(Tariff).price_per_minute == Decimal("0.10")
    assert things.count(Import, state="undone") == 1


def test_a_deck_and_what_would_be_sold_below_cost(client: FlaskClient, plan: PricePlan, norte: Provider) -> None:
    brought(
        client,
        "code,rate\n55,0.08\n1,0.03\n",
        "provider_tariffs",
        target_id=str(norte.id),
        valid_from="2020-01-01",
    )
    do(client, "apply")
    assert things.one(ProviderTariff, prefix="55").cost_per_minute == Decimal("0.08")
    page = brought(
        client,
        "prefix,price,cost\n55,0.07,\n1,0.02,0.01\n351,0.02,0.05\n44,0.01,\n",
        "tariffs",
        target_id=str(plan.id),
    )
    assert counts(page) == {"New": 4, "Sold below cost": 2}
    assert rows(page)[:2] == ["55 0.08 0.07", "351 0.05 0.02"]


def test_a_file_is_for_a_plan_that_is_there(client: FlaskClient, plan: PricePlan) -> None:
    for target in ("", "x", str(uuid.uuid4())):
        response = send(client, TARIFFS, "tariffs", target_id=target)
        assert response.status_code == 422
        assert error_at(response.text, "target_id") == "Choose one of the options."
    response = send(client, TARIFFS, "tariffs", target_id=str(plan.id), valid_from="soon")
    assert error_at(response.text, "valid_from").startswith("Use a date")
    assert things.count(Import) == 0


def latest(order: Any, **values: Any) -> Any:
    found = db.session.scalars(select(order.class_).filter_by(**values).order_by(order.desc())).first()
    db.session.expunge_all()
    db.session.commit()
    return found


def apply_latest(client: FlaskClient) -> str:
    ready = things.one(Import, state="ready")
    return client.post(f"/imports/{ready.id}/apply", follow_redirects=True).text


# ---- columns


def test_columns_that_the_file_does_not_name(client: FlaskClient, norte: Provider) -> None:
    page = brought(client, "551140001000;Norte;one\n551140001001;Norte;two\n")
    assert "Choose the column of each field" in page
    assert re.search(r'name="has_header" value="y" >', page)
    import_ = things.one(Import)
    path = f"/imports/{import_.id}/columns"
    page = client.post(path, data={"number": "0", "provider_id": ""}, follow_redirects=True).text
    assert alert(page) == "Choose a column for each of the fields that are needed."
    page = client.post(path, data={"number": "0", "provider_id": "1", "description": "2"}, follow_redirects=True).text
    assert counts(page) == {"New": 2}
    do(client, "apply")
    assert things.one(Did, number="551140001000").description == "one"


def test_the_columns_of_what_was_applied_stay(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n")
    do(client, "apply")
    import_ = things.one(Import)
    client.post(f"/imports/{import_.id}/columns", data={"number": "1", "provider_id": "0", "customer_id": "0"})
    assert things.one(Import).columns == {"number": 0, "provider_id": 1}
    assert things.one(Import).state == "applied"


def test_columns_of_no_concern_are_named(client: FlaskClient, norte: Provider) -> None:
    page = brought(client, "\ufeffNumber\tProvider\tColour\n551140001000\tNorte\tgreen\n")
    assert counts(page) == {"New": 1}
    assert "Columns that are left out: Colour." in page


def test_a_workbook(client: FlaskClient, norte: Provider) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Número", "Provedor", "Descrição"])
    sheet.append([551140001000, "Norte", "=1+1"])
    sheet.append([551140001001.0, "Norte", "plain"])
    file = io.BytesIO()
    book.save(file)
    page = brought(client, file.getvalue())
    assert counts(page) == {"New": 2}
    do(client, "apply")
    assert things.one(Did, number="551140001000").description == ""  # Nobody has worked the formula out.
    assert things.one(Did, number="551140001001").description == "plain"


# ---- what may come in


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 20_000_000)
    return file.getvalue()


TABLE = "This is neither a CSV nor an XLSX file."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty."),
        (b"\n \n;;;\n", "The file is empty."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", TABLE),
        (b"PK\x03\x04 and nothing of a workbook", TABLE),
        (b'number,provider\n"551140001000', ""),
        (b'"' + b"x" * 10_000_000, "Line 1 cannot be read: a cell is too long, or a quotation mark is not closed."),
    ],
    ids=["empty", "blank", "picture", "not a workbook", "open quotation mark", "one long line"],
)
def test_what_is_no_table_is_refused(client: FlaskClient, norte: Provider, content: bytes, reason: str) -> None:
    response = send(client, content)
    if reason:
        assert response.status_code == 422
        assert error_at(response.text, "file") == reason
        assert things.count(Import) == 0
    else:
        assert counts(client.get(response.location).text) == {"Rejected": 1}


def test_a_zip_bomb_is_not_unpacked(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_UNPACKED", 10_000_000)
    response = send(client, zip_bomb())
    assert error_at(response.text, "file") == (
        "The file is too large when it is unpacked. Save it as CSV and bring in that."
    )


def test_no_file_and_a_file_that_is_too_large(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    response = client.post("/imports/new?kind=dids", data={})
    assert error_at(response.text, "file") == "Choose a file."
    monkeypatch.setattr(reading, "MOST_BYTES", 2_000_000)
    assert send(client, b"number\n" * 200_000).status_code == 302
    assert send(client, b"number\n" * 300_000).status_code == 413


def test_hostile_cells(client: FlaskClient, norte: Provider) -> None:
    script = "<script>alert(1)</script>"
    page = brought(
        client,
        "number,provider,description\n"
        f"551140001000,Norte,a\x01b\n{script},{script},=HYPERLINK(1)\n"
        f"551140001001,Norte,{'x' * 5000}\n551140001002,Norte,back\\slash \\N \\.\n",
    )
    assert script not in page
    assert counts(page) == {"New": 1, "Rejected": 3}
    file = client.get(f"/imports/{things.one(Import).id}/rejected.csv").text
    assert ",'=HYPERLINK(1)," in file


def test_a_nul_far_down(client: FlaskClient, norte: Provider) -> None:
    filler = "".join(f"5511{number:08},Norte,\n" for number in range(5000))
    page = brought(client, f"number,provider,description\n{filler}551240001000,Norte,a\x00b\n\x00,Norte,\n")
    assert counts(page)["Rejected"] == 2
    assert "\x00" not in client.get(f"/imports/{things.one(Import).id}/rejected.csv").text.replace("\x00", "")


def test_backslashes_are_kept(client: FlaskClient, norte: Provider) -> None:
    brought(client, 'number,provider,description\n551140001000,Norte,"a\\b \\N \\. é"\n')
    do(client, "apply")
    assert things.one(Did).description == "a\\b \\N \\. é"


# ---- who, and when


def test_a_viewer_looks_only(client: FlaskClient, viewer: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n")
    import_ = things.one(Import)
    assert viewer.get("/imports/").status_code == 200
    page = viewer.get(f"/imports/{import_.id}").text
    assert counts(page) == {"New": 1}
    assert ">Apply<" not in page
    assert send(viewer, "number,provider\n").status_code == 403
    for what in ("apply", "undo", "read", "columns"):
        assert viewer.post(f"/imports/{import_.id}/{what}").status_code == 403
    assert things.count(Did) == 0


def test_what_is_stored_may_change_between_preview_and_apply(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n551140001001,Norte\n")
    things.did("551140001000", provider_id=norte.id)
    page = do(client, "apply")
    assert alert(page) == "What is stored has changed since the preview. Nothing was done; look again."
    assert "Outdated" in page
    assert ">Apply<" not in page
    assert alert(do(client, "apply")) == "What is stored has changed since the preview. Nothing was done; look again."
    assert things.count(Did) == 1
    page = do(client, "read")
    assert counts(page) == {"New": 1, "Unchanged": 1}
    do(client, "apply")
    assert things.count(Did) == 2


def test_an_import_whose_program_died(client: FlaskClient, norte: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(working, "start", lambda *_: None)
        page = brought(client, "number,provider\n551140001000,Norte\n")
    assert "The file is being read" in page
    assert ">Try again<" not in page
    import_ = things.one(Import)
    assert "hx-get" in client.get(f"/imports/{import_.id}", headers={"HX-Request": "true"}).text
    assert alert(do(client, "read")).startswith("Nothing was done: somebody else is at it")

    db.session.execute(text("UPDATE imports SET heartbeat = now() - interval '1 minute'"))
    db.session.commit()
    page = client.get(f"/imports/{import_.id}").text
    assert "Interrupted" in page
    assert alert(page) == "The program that worked at this was stopped. Nothing was changed."
    assert client.get(f"/imports/{import_.id}", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    page = do(client, "read")
    assert counts(page) == {"New": 1}


def test_what_is_no_longer_needed_is_let_go(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n")
    assert things.count(DidLine) == things.count(ImportFile) == 1
    do(client, "apply")
    assert things.count(DidLine) == things.count(ImportFile) == 0
    brought(client, "number,provider\n551140001001,Norte\n")
    db.session.execute(text("UPDATE imports SET created_at = now() - interval '8 days'"))
    db.session.commit()
    brought(client, "number,provider\n551140001002,Norte\n")
    assert things.count(DidLine) == things.count(ImportFile) == 1


def test_what_was_before_is_kept_for_ninety_days(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n")
    page = do(client, "apply")
    assert "It can be undone until" in page
    assert ">Undo<" in page
    import_ = things.one(Import)

    def age(days: int) -> str:
        """The page, so many days after it was applied, when somebody has just brought in another file."""
        changed = "UPDATE imports SET applied_at = now() - :days * interval '1 day' WHERE applied_at IS NOT NULL"
        db.session.execute(text(changed), {"days": days})
        db.session.commit()
        brought(client, "number,provider\n551140001001,Norte\n")
        return client.get(f"/imports/{import_.id}").text

    assert ">Undo<" in age(89)
    page = age(90)
    assert ">Undo<" not in page
    assert "It can no longer be undone: what was there before is kept for 90 days." in page
    asked = client.post(f"/imports/{import_.id}/undo", follow_redirects=True).text
    assert alert(asked) == "It can no longer be undone: what was there before is kept for 90 days."
    assert things.count(Did) == things.count(ImportChange) == 1
    age(92)
    assert things.count(ImportChange) == 0
    assert things.one(Import, id=import_.id).state == "applied"


def test_one_entry_in_the_audit_log(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider\n551140001000,Norte\n551140001001,Norte\n")
    do(client, "apply")
    do(client, "undo")
    first, second = db.session.scalars(
        select(AuditEntry).where(AuditEntry.label == "file.csv").order_by(AuditEntry.id)
    ).all()
    assert (first.action, second.action) == ("import", "undo import")
    assert (first.kind, first.username, first.after["new"]) == ("dids", "olga", 2)
    assert first.thing_id == second.thing_id == things.one(Import).id


def test_the_audit_log_names_who_applied_it(app: Flask, client: FlaskClient, norte: Provider) -> None:
    """Not who had brought the file."""
    brought(client, "number,provider\n551140001000,Norte\n")
    make_user("otto", "operator")
    db.session.commit()
    do(signed_in(app, "otto"), "apply")
    do(client, "undo")
    told = db.session.execute(select(AuditEntry.action, AuditEntry.username).where(AuditEntry.label == "file.csv"))
    assert {tuple(row) for row in told} == {("import", "otto"), ("undo import", "olga")}


def test_the_refusals_are_those_of_the_form(client: FlaskClient, norte: Provider, acme: Customer) -> None:
    things.trunk("padaria")
    things.did("551140002000", provider_id=norte.id, status="blocked")
    held = things.did("551140002001", provider_id=norte.id)
    things.allocate(held, acme, "100")
    page = brought(
        client,
        "number,provider,customer,destination,status\n"
        "551140001000,Norte,padaria,100,\n"
        "551140001001,Norte,acme,,\n"
        "551140001002,Norte,acme,999,\n"
        "551140001003,Norte,nobody,,\n"
        "551140002000,Norte,padaria,,\n"
        "551140001004,Norte,padaria,,available\n"
        "551140001005,Norte,,100,\n"
        "551140002001,Norte,,,available\n"
        "551140001006,Norte,,,allocated\n"
        "551140001007,Norte,,,quarantine\n",
    )
    assert rows(page)[:10] == [
        "2 destination 100 A customer with a trunk has no extensions; leave this empty.",
        "3 destination Say which extension of the customer rings.",
        "4 destination 999 The customer has no such extension.",
        "5 customer nobody There is no customer with this code.",
        "6 customer padaria This number is blocked or in quarantine.",
        "7 status available A number with a customer is allocated.",
        "8 customer Say which customer has it.",
        "9 status available Somebody has this number. Take it back first.",
        "10 customer Say which customer has it.",
        "11 status quarantine Only a number that is taken back goes into quarantine.",
    ]
    assert counts(page) == {"Rejected": 10}


# ---- what we write ourselves


@pytest.mark.parametrize("language", ["en", "pt_BR"])
def test_what_the_list_exports_comes_in_unchanged(client: FlaskClient, acme: Customer, language: str) -> None:
    sul = things.provider("Sul")
    things.provider("sul")  # Another one: where two names differ by their capitals only, the capitals decide.
    risky = things.provider("=Nordeste")
    gateway = things.gateway("GW1", provider_id=sul.id)
    _, held, given, resting = things.dids("551140001000", 4, provider_id=sul.id, gateway_id=gateway.id)
    things.allocate(held, acme, "100")
    things.allocate(given, things.trunk("padaria"))
    things.allocate(resting, acme, "100")
    dids.deallocate(db.session.get_one(Did, resting.id))
    db.session.commit()
    for number, words in enumerate(["=1+1", "-5", "'@x", 'it\'s, or; "so"', "'plain'", "São João \\N", "+55 11"]):
        things.did(f"55114000200{number}", provider_id=risky.id, description=words)
    things.did("551140003000", provider_id=sul.id, status="blocked")
    things.did("551140003001", provider_id=sul.id, status="reserved", description="")
    client.post("/language", data={"language": language})

    page = brought(client, client.get("/dids/export.csv").data)

    assert things.one(Import).counts == {"new": 0, "changed": 0, "unchanged": 13, "rejected": 0, "below_cost": 0}, page


@pytest.mark.parametrize("language", ["en", "pt_BR"])
@pytest.mark.parametrize("kind", ["tariffs", "provider_tariffs"])
def test_what_a_plan_or_deck_exports_comes_in_unchanged_and_in_another_anew(
    client: FlaskClient, language: str, kind: str
) -> None:
    is_plan = kind == "tariffs"
    owner: Any = things.price_plan if is_plan else things.provider
    mine, other = owner("Retail"), owner("Wholesale")
    # To a part of a second, for two such moments may be two lines.
    exact = dt.datetime(2026, 3, 4, 23, 59, 59, 123456, tzinfo=dt.UTC)
    lines: list[dict[str, Any]] = [
        {"description": "São Paulo; 11", "minimum_seconds": 0, "increment_seconds": 1},
        {"description": "=1+1", "connect_fee": Decimal("0.000001"), "valid_from": exact},
        {"description": "'@x", "valid_from": exact + dt.timedelta(microseconds=1)},
        {"valid_from": dt.datetime(2099, 1, 1, tzinfo=dt.UTC)},
    ]
    for line in lines:
        if is_plan:
            things.tariff(mine, "5511", "1234.5", cost_per_minute=Decimal("0.045"), **line)
        else:
            things.deck_line(mine, "5511", "123456.000001", **line)
    client.post("/language", data={"language": language})
    path = f"/price-plans/{mine.id}" if is_plan else f"/providers/{mine.id}"
    file = client.get(f"{path}/tariffs.csv?show=all").data

    for target, outcome in ((mine, "unchanged"), (other, "new")):
        page = brought(client, file, kind, target_id=str(target.id))
        import_ = things.one(Import, target_id=target.id)
        nothing = {"new": 0, "changed": 0, "unchanged": 0, "rejected": 0, "below_cost": 0}
        assert import_.counts == nothing | {outcome: 4}, page
        assert "valid_from" in import_.columns


def test_a_sign_that_keeps_a_cell_from_being_a_formula_is_not_stored(client: FlaskClient, norte: Provider) -> None:
    brought(client, "number,provider,description\n551140001000,Norte,'=1+1\n551140001001,Norte,'tis\n")
    do(client, "apply")
    assert [things.one(Did, number=f"55114000100{n}").description for n in range(2)] == ["=1+1", "'tis"]
