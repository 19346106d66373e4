"""Files that programs bring in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from deploy.embedded.postgres import Postgres
from tests.api.conftest import Program
from tests.browser.live import USERS, Site, serve
from webapp.ext import db
from webapp.imports import reading, working
from webapp.imports.models import WORKING, Import

DECK = "code,rate\n55,0.08\n5511,0.02\n1,0.03\n"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""

    def start(import_: Import, step: working.Step) -> None:
        db.session.commit()  # Else the rollback in there would take the claim back too, which is within.
        working.perform(import_.id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)


@pytest.fixture
def norte(api: Program, at_once: None) -> str:
    id: str = api.post("/providers/", {"name": "Norte"}).json["id"]
    return id


def send(api: Program, content: str | bytes, kind: str = "dids", **values: str) -> Any:
    """Send a file as programs do. (The test client would leave a large one open on the disk.)"""
    raw = content.encode() if isinstance(content, str) else content
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in ({"kind": kind} | values).items()]
    parts.append(b'name="file"; filename="deck.csv"\r\n\r\n' + raw)
    body = b"".join(b"--limit\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    kind_of_body = "multipart/form-data; boundary=limit"
    return api.send("POST", "/imports/", data=body + b"--limit--\r\n", content_type=kind_of_body)


def read(api: Program, id: str) -> Any:
    answer = api.get(f"/imports/{id}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_deck_and_what_it_would_change(api: Program, norte: str) -> None:
    answer = send(api, DECK, "provider_tariffs", target_id=norte, valid_from="2026-01-01T00:00:00-03:00")
    assert answer.status_code == 202, answer.text
    id = answer.json["id"]
    found = read(api, id)
    assert (found["state"], found["error"], found["username"]) == ("ready", "", "olga")
    assert found["counts"] == {"new": 3, "changed": 0, "unchanged": 0, "rejected": 0, "below_cost": 0}
    assert found["columns"] == {"prefix": 0, "cost_per_minute": 1}
    assert found["undo_until"] is None
    first = found["new"][0]
    assert (first["line"], first["before"]) == (2, None)
    assert first["key"] == {"prefix": "55", "valid_from": "2026-01-01T03:00:00Z"}
    assert first["after"]["cost_per_minute"] == "0.08000000"
    assert api.get("/provider-tariffs/", provider_id=norte).json["items"] == []

    applied = api.post(f"/imports/{id}/apply")
    assert applied.status_code == 202
    found = read(api, id)
    assert (found["state"], found["new"]) == ("applied", [])
    assert found["undo_until"] > found["applied_at"]
    stored = api.get("/provider-tariffs/", provider_id=norte).json["items"]
    assert [(each["prefix"], each["cost_per_minute"]) for each in stored] == [
        ("1", "0.03000000"),
        ("55", "0.08000000"),
        ("5511", "0.02000000"),
    ]

    again = send(api, "code,rate\n55,0.09\n", "provider_tariffs", target_id=norte, valid_from="2026-02-01")
    [line] = read(api, again.json["id"])["changed"]
    assert (line["before"]["cost_per_minute"], line["after"]["cost_per_minute"]) == ("0.08000000", "0.09000000")

    assert api.post(f"/imports/{id}/undo").status_code == 202
    assert read(api, id)["state"] == "undone"
    assert api.get("/provider-tariffs/", provider_id=norte).json["items"] == []
    again = api.post(f"/imports/{id}/undo")
    assert (again.status_code, again.json["error"][:16]) == (409, "Nothing was done")


def test_one_bad_line_stops_all_and_is_named(api: Program, norte: str) -> None:
    id = send(api, "number,provider\n551140001000,Norte\n551140001001,Nowhere\n").json["id"]
    found = read(api, id)
    assert found["counts"]["rejected"] == 1
    reason = "There is no such provider."
    assert found["rejected"] == [{"line": 3, "errors": [{"column": "provider", "value": "Nowhere", "reason": reason}]}]
    refused = api.post(f"/imports/{id}/apply")
    assert refused.status_code == 409
    assert refused.json["error"].startswith("Nothing was applied")
    assert api.get("/dids/").json["items"] == []
    file = api.get(f"/imports/{id}/rejected.csv")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.text.splitlines()[1] == f"551140001001,Nowhere,provider: {reason}"


@pytest.mark.parametrize(
    ("columns", "sent"),
    [
        ('{"number": 1, "provider_id": 0}', "Norte,551140001000\n"),
        ('{"number": 1, "provider_id": 0}', "Carrier,Rufnummer\nNorte,551140001000\n"),
        ('{"number": " rufnummer", "provider_id": "Carrier"}', "Carrier,Rufnummer\nNorte,551140001000\n"),
    ],
)
def test_columns_that_are_said_at_once(api: Program, norte: str, columns: str, sent: str) -> None:
    found = read(api, send(api, sent, columns=columns).json["id"])
    assert (found["state"], found["counts"]["new"], found["counts"]["rejected"]) == ("ready", 1, 0)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"number": "Colour", "provider_id": 0}, "The file has no column Colour."),
        ({"number": 9, "provider_id": 0}, "The file has no column 9."),
        ({"number": -1, "provider_id": 0}, "The file has no column -1."),
        ({"number": "b", "provider_id": 0}, "The file has more than one column b."),
        ({"number": 0}, "Say which column is provider_id."),
        ({"number": 0, "provider_id": 1, "colour": 2}, "There is no field colour."),
    ],
)
def test_columns_that_are_not_there(api: Program, norte: str, columns: dict[str, Any], sentence: str) -> None:
    id = send(api, "a,b,b\nx,y,z\n").json["id"]
    answer = api.patch(f"/imports/{id}", {"columns": columns})
    assert (answer.status_code, answer.json) == (422, {"errors": {"columns": [sentence]}})
    found = read(api, id)
    assert (found["state"], found["columns"]) == ("mapping", {})
    answer = send(api, "a,b,b\nx,y,z\n", columns=str(columns).replace("'", '"'))
    assert (answer.status_code, answer.json) == (422, {"errors": {"columns": [sentence]}})
    assert len(api.get("/imports/").json["items"]) == 1


def test_columns_are_chosen_while_nothing_is_applied(api: Program, norte: str) -> None:
    id = send(api, "551140001000,Norte,one\n").json["id"]
    found = read(api, id)
    assert (found["state"], found["missing"], found["has_header"]) == ("mapping", ["number", "provider_id"], False)
    assert found["header"] == [["551140001000", "Norte", "one"]]
    assert api.post(f"/imports/{id}/apply").status_code == 409
    assert api.get(f"/imports/{id}/rejected.csv").status_code == 404
    assert api.patch(f"/imports/{id}", {"columns": {"number": 0, "provider_id": 1}}).status_code == 202
    assert read(api, id)["counts"]["new"] == 1
    assert api.patch(f"/imports/{id}", {"has_header": True}).status_code == 202
    assert read(api, id)["counts"]["new"] == 0
    assert api.patch(f"/imports/{id}", {"has_header": False}).status_code == 202
    assert api.post(f"/imports/{id}/apply").status_code == 202
    assert api.patch(f"/imports/{id}", {"has_header": True}).status_code == 409
    assert read(api, id)["has_header"] is False


def test_what_was_stored_in_between_makes_it_outdated(api: Program, norte: str) -> None:
    sent = "number,provider\n551140001000,Norte\n551140001001,Norte\n"
    one, two = (send(api, sent).json["id"] for _ in range(2))
    api.post(f"/imports/{one}/apply")
    assert api.post(f"/imports/{two}/apply").status_code == 202
    found = read(api, two)
    assert (found["state"], found["counts"], found["new"]) == ("ready", {}, [])
    assert found["error"] == "What is stored has changed since the preview. Nothing was done; look again."
    assert api.post(f"/imports/{two}/apply").status_code == 409
    assert api.post(f"/imports/{two}/read").status_code == 202
    assert read(api, two)["counts"]["unchanged"] == 2


WRONG = [
    ({}, "x", "file", "This is neither a CSV nor an XLSX file."),
    ({"kind": "cars"}, "number\n1\n", "kind", "Choose one of the options."),
    ({"kind": "tariffs"}, "prefix\n1\n", "target_id", "Choose one of the options."),
    ({"kind": "tariffs", "target_id": "x"}, "prefix\n1\n", "target_id", "Choose one of the options."),
    ({"target_id": "00000000-0000-0000-0000-000000000007"}, "number\n1\n", "target_id", "This field must be empty."),
    ({"valid_from": "2026-01-01"}, "number\n1\n", "valid_from", "This field must be empty."),
    ({"colour": "red"}, "number\n1\n", "colour", "There is no such field."),
]


@pytest.mark.parametrize(("values", "content", "field", "sentence"), WRONG)
def test_what_cannot_be_brought_in(
    api: Program, norte: str, values: dict[str, str], content: str, field: str, sentence: str
) -> None:
    raw = b"PK\x03\x04nothing" if content == "x" else content.encode()
    answer = send(api, raw, **({"kind": "dids"} | values))
    assert (answer.status_code, answer.json) == (422, {"errors": {field: [sentence]}})
    assert api.get("/imports/").json["items"] == []


def test_forms_that_make_no_sense(api: Program, norte: str) -> None:
    for columns in ("[" * 100_000, "{", "[]", "{}", '{"number": true, "provider_id": null}', '{"a": {}}', "\x00"):
        answer = send(api, "number,provider\n551140001000,Norte\n", columns=columns)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["columns"]), columns[:20]
    for name in ("target_id", "valid_from", "has_header", "kind"):
        answer = send(api, "prefix,rate\n55,1\n", **{"kind": "tariffs", name: "[" * 100_000})
        assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    answer = api.send("POST", "/imports/", data={"file": "number,provider\n", "kind": "dids"})
    assert (answer.status_code, answer.json) == (422, {"errors": {"file": ["Choose a file."]}})
    assert api.send("POST", "/imports/", data=b"\x00", content_type="multipart/form-data").status_code == 422
    assert api.get("/imports/").json["items"] == []


def test_large_files_from_those_who_may_bring_them_in(
    api: Program, viewer: Program, norte: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 2_000_000)
    assert send(api, b"number\n" * 200_000).status_code == 202
    assert send(api, b"number\n" * 300_000).status_code == 413
    assert send(viewer, b"number\n" * 300_000).status_code == 403
    assert api.send("POST", "/providers/", data=b"{" * 1_100_000, content_type="application/json").status_code == 413


def test_the_list(api: Program, viewer: Program, norte: str) -> None:
    ids = [send(api, f"number,provider\n55114000100{n},Norte\n").json["id"] for n in range(3)]
    api.post(f"/imports/{ids[1]}/apply")
    first = api.get("/imports/", limit=2, sort="created_at").json
    rest = api.get("/imports/", limit=2, sort="created_at", cursor=first["next_cursor"]).json
    assert len(first["items"]) == 2
    assert rest["next_cursor"] is None
    assert {each["id"] for each in first["items"] + rest["items"]} == set(ids)
    assert [each["id"] for each in viewer.get("/imports/", state="applied").json["items"]] == [ids[1]]
    assert viewer.get("/imports/", kind="tariffs").json["items"] == []
    assert viewer.get("/imports/", state="gone").status_code == 422
    assert viewer.get("/imports/", username="olga", q="DECK").json["next_cursor"] is None


def test_nobody_takes_on_what_another_one_has_taken_on_since(app: Flask, api: Program, norte: str) -> None:
    """An import that was looked at, and then read by other columns, is not applied by who has looked."""
    id = send(api, "number,provider\n551140001000,Norte\n").json["id"]
    seen = db.session.get_one(Import, id)
    assert seen.state == "ready"
    db.session.expunge(seen)
    db.session.commit()
    assert api.post(f"/imports/{id}/read").status_code == 202
    assert read(api, id)["state"] == "ready"
    assert not working.claim(seen, "applying", "ready")
    now = db.session.get_one(Import, id, populate_existing=True)
    assert working.claim(now, "applying", "ready")
    assert not working.claim(now, "applying", "ready")


def test_an_import_of_long_ago_is_not_undone(api: Program, norte: str) -> None:
    id = send(api, "number,provider\n551140001000,Norte\n").json["id"]
    api.post(f"/imports/{id}/apply")
    db.session.execute(text("UPDATE imports SET applied_at = now() - interval '90 days 1 second'"))
    db.session.commit()
    answer = api.post(f"/imports/{id}/undo")
    assert answer.status_code == 409
    assert "90 days" in answer.json["error"]
    assert len(api.get("/dids/").json["items"]) == 1


# ---- with the work in threads of its own


@pytest.fixture(scope="module")
def site(cluster: Postgres, empty_database: str) -> Iterator[Site]:
    cluster.create_database("programs", template=empty_database)
    with serve(cluster.url("programs")) as site:
        yield site


def finished(program: Program, id: str) -> Any:
    """The import, when nobody works at it any more."""
    for _ in range(600):
        found = read(program, id)
        if found["state"] not in WORKING:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_the_whole_life_of_a_file_and_of_two_who_apply_it_one(site: Site) -> None:
    with site.app.app_context():
        program = Program(site.app, USERS["en"])
        provider = program.post("/providers/", {"name": "Norte"}).json["id"]
        lines = "".join(f"{prefix},0.05\n" for prefix in range(1000, 6000))
        answer = send(program, f"code,rate\n{lines}", "provider_tariffs", target_id=provider)
        assert (answer.status_code, answer.json["target_id"]) == (202, provider)
        id = answer.json["id"]
        found = finished(program, id)
        assert (found["state"], found["counts"]["new"], found["progress"]) == ("ready", 5000, 5000)
        assert len(found["new"]) == 20

        assert sorted(_both(site, f"/imports/{id}/apply")) == [202, 409]
        assert finished(program, id)["state"] == "applied"
        asked = {"provider_id": provider, "number": "599912345678"}
        [tariff] = program.get("/provider-tariffs/", **asked).json["items"]
        assert (tariff["prefix"], tariff["cost_per_minute"]) == ("5999", "0.05000000")

        assert sorted(_both(site, f"/imports/{id}/undo")) == [202, 409]
        assert finished(program, id)["state"] == "undone"
        assert program.get("/provider-tariffs/", **asked).json["items"] == []


def _both(site: Site, path: str) -> list[int]:
    """What two programs are answered that post at the same moment."""
    together, answers = threading.Barrier(2), []

    def ask() -> None:
        with site.app.app_context():
            program = Program(site.app, USERS["en"])
            together.wait(30)
            answers.append(program.post(path).status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
