"""Bills of providers, checked by programs."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from deploy.embedded.postgres import Postgres
from tests.api.conftest import Program
from tests.browser.live import USERS, Site, serve
from tests.web import things
from webapp.ext import db
from webapp.imports import reading, working
from webapp.imports.models import BroughtIn

NOON = dt.datetime(2026, 11, 2, 15, tzinfo=dt.UTC)
BILL = (
    "start,number,caller,seconds,amount\n"
    "2026-11-02 12:00:01,11987654321,,60,0.05\n"
    "2026-11-02 12:10:01,11987654321,,90,0.08\n"
    "2026-11-02 12:40:01,11987654321,,90,0.08\n"
    "TOTAL,,,,0.21\n"
)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""

    def start(check: BroughtIn, step: working.Step) -> None:
        db.session.commit()  # Else the rollback in there would take the claim back too, which is within.
        working.perform(check.id, step, working.asked(), working.Progress(), type(check))

    monkeypatch.setattr(working, "start", start)


@pytest.fixture
def norte(api: Program, at_once: None) -> str:
    """A provider that carried three calls."""
    id: str = api.post("/providers/", {"name": "Norte"}).json["id"]
    for minutes in (0, 10, 20):
        started = NOON + dt.timedelta(minutes=minutes)
        things.call(
            started,
            answered_at=started,
            provider_id=uuid.UUID(id),
            dst="5511987654321",
            billsec=60,
            cost_billed_seconds=60,
            cost=Decimal("0.05"),
        )
    return id


def send(api: Program, content: str | bytes, provider: str, **values: str) -> Any:
    """Send a file as programs do. (The test client would leave a large one open on the disk.)"""
    raw = content.encode() if isinstance(content, str) else content
    fields = {"provider_id": provider} | values
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(b'name="file"; filename="bill.csv"\r\n\r\n' + raw)
    body = b"".join(b"--limit\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    kind_of_body = "multipart/form-data; boundary=limit"
    return api.send("POST", "/invoice-checks/", data=body + b"--limit--\r\n", content_type=kind_of_body)


def test_a_bill_and_what_is_wrong_with_it(api: Program, norte: str) -> None:
    answer = send(api, BILL, norte)
    assert answer.status_code == 202, answer.text
    found = api.get(f"/invoice-checks/{answer.json['id']}").json
    assert (found["state"], found["error"], found["username"], found["time_zone"]) == (
        "ready",
        "",
        "olga",
        "America/Sao_Paulo",
    )
    assert found["columns"] == {"started_at": 0, "number": 1, "caller": 2, "seconds": 3, "amount": 4}
    assert {kind: sums["lines"] for kind, sums in found["sums"].items()} == {
        "equal": 1,
        "duration": 1,
        "extra": 1,
        "missing": 1,
        "unread": 1,
    }
    assert [Decimal(found[name]) for name in ("billed", "cost", "difference")] == [
        Decimal("0.21"),
        Decimal("0.15"),
        Decimal("0.06"),
    ]
    assert (found["since"], found["clock_ahead"]) == ("2026-11-02T14:59:01Z", 0)
    assert [each["id"] for each in api.get("/invoice-checks/", provider_id=norte).json["items"]] == [found["id"]]
    assert api.get("/invoice-checks/", provider_id=str(uuid.uuid4())).json["items"] == []


def test_its_lines_by_kind_and_by_the_page(api: Program, norte: str) -> None:
    path = f"/invoice-checks/{send(api, BILL, norte).json['id']}/lines"
    every = api.get(path).json["items"]
    assert [(each["line"], each["kind"]) for each in every] == [
        (2, "equal"),
        (3, "duration"),
        (4, "extra"),
        (5, "unread"),
        (None, "missing"),
    ]
    assert every[1]["seconds"] == 90
    assert every[1]["call_billed_seconds"] == 60
    assert Decimal(every[1]["difference"]) == Decimal("0.03")
    assert every[3]["errors"][0]["value"] == "TOTAL"
    assert [each["kind"] for each in api.get(path, kind="differing").json["items"]] == ["duration", "extra", "missing"]
    assert [each["kind"] for each in api.get(path, kind="extra").json["items"]] == ["extra"]
    assert api.get(path, kind="odd").status_code == 422

    read, cursor = [], ""
    while cursor is not None:
        part = api.get(path, limit=2, cursor=cursor, sort="-difference").json
        read += [each["kind"] for each in part["items"]]
        cursor = part["next_cursor"]
    assert sorted(read) == ["duration", "equal", "extra", "missing", "unread"]
    assert (read[0], read[-1]) == ("extra", "missing")
    # Lines of another check are not among them.
    other = send(api, "start,number,seconds\n2026-11-02 12:00:01,11987654321,60\n", norte).json["id"]
    assert len(api.get(path).json["items"]) == 5
    assert len(api.get(f"/invoice-checks/{other}/lines").json["items"]) == 1


def test_columns_and_tolerances(api: Program, norte: str) -> None:
    unclear = "2026-11-02 12:00:01,11987654321,62,0.05\n"
    id = send(api, unclear, norte).json["id"]
    assert api.get(f"/invoice-checks/{id}").json["state"] == "mapping"
    columns = {"started_at": 0, "number": 1, "seconds": 2}
    assert api.patch(f"/invoice-checks/{id}", {"columns": {"number": 1}}).status_code == 422
    answer = api.patch(f"/invoice-checks/{id}", {"columns": columns, "has_header": False})
    assert answer.status_code == 202, answer.text
    assert api.get(f"/invoice-checks/{id}").json["sums"].keys() == {"duration"}
    assert api.patch(f"/invoice-checks/{id}", {"tolerance_duration": 2}).status_code == 202
    found = api.get(f"/invoice-checks/{id}").json
    assert (found["sums"].keys(), found["columns"], found["tolerance_seconds"]) == ({"equal"}, columns, 60)
    assert api.patch(f"/invoice-checks/{id}", {"tolerance_seconds": 601}).status_code == 422
    at_once = send(api, unclear, norte, columns='{"started_at": 0, "number": 1, "seconds": 2}', has_header="false")
    assert api.get(f"/invoice-checks/{at_once.json['id']}").json["sums"].keys() == {"duration"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"provider_id": "x"}, "provider_id"),
        ({"provider_id": str(uuid.UUID(int=7))}, "provider_id"),
        ({"time_zone": "Nowhere/Here"}, "time_zone"),
        ({"tolerance_amount": "-1"}, "tolerance_amount"),
        ({"columns": '{"number": 77}'}, "columns"),
        ({"odd": "1"}, "odd"),
    ],
)
def test_what_is_refused(api: Program, norte: str, values: dict[str, str], field: str) -> None:
    others = {name: value for name, value in values.items() if name != "provider_id"}
    answer = send(api, BILL, values.get("provider_id", norte), **others)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert api.get("/invoice-checks/").json["items"] == []


def test_it_is_deleted(api: Program, norte: str) -> None:
    id = send(api, BILL, norte).json["id"]
    assert api.delete(f"/invoice-checks/{id}").status_code == 204
    assert api.get(f"/invoice-checks/{id}").status_code == 404
    assert api.get(f"/invoice-checks/{id}/lines").status_code == 404
    assert api.delete(f"/invoice-checks/{id}").status_code == 404


def test_who_only_looks(api: Program, viewer: Program, nobody: Program, norte: str) -> None:
    id = send(api, BILL, norte).json["id"]
    assert viewer.get(f"/invoice-checks/{id}/lines").status_code == 200
    assert send(viewer, BILL, norte).status_code == 403
    assert viewer.patch(f"/invoice-checks/{id}", {}).status_code == 403
    assert viewer.delete(f"/invoice-checks/{id}").status_code == 403
    assert nobody.get(f"/invoice-checks/{id}").status_code == 401


def test_a_large_file_from_whom_may_send_none(app: Flask, viewer: Program, norte: str) -> None:
    assert app.config["MAX_CONTENT_LENGTH"] < 3 * 1024 * 1024 < reading.MOST_BYTES
    assert send(viewer, b"x" * (3 * 1024 * 1024), norte).status_code == 403


@pytest.fixture(scope="module")
def site(cluster: Postgres, empty_database: str) -> Iterator[Site]:
    cluster.create_database("bills", template=empty_database)
    with serve(cluster.url("bills")) as site:
        yield site


def test_in_a_thread_of_its_own(site: Site) -> None:
    """As it is in life: the answer comes first, and the work is done beside it."""
    with site.app.app_context():
        api = Program(site.app, USERS["en"])
    with site.app.app_context():
        provider = api.get("/providers/").json["items"][0]["id"]
        lines = "".join(f"2026-11-02 12:{n // 60 % 60:02}:{n % 60:02},11987{n:06},60,1\n" for n in range(5000))
        id = send(api, f"start,number,seconds,amount\n{lines}", provider).json["id"]
        found: dict[str, Any] = {"state": "reading"}
        for _ in range(200):
            found = api.get(f"/invoice-checks/{id}").json
            if found["state"] != "reading":
                break
            threading.Event().wait(0.1)
        assert (found["state"], found["differing"], found["progress"]) == ("ready", 5000, 5000)
