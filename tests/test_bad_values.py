"""What nobody may enter is refused on the page, by the API and in a file alike: the same field, the same words."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.api.conftest import Program
from tests.bad_values import BAD_VALUES, GOOD, IN_FILES, NOT_IN_FILES, NOT_ON_PAGES, ONLY_IN_FILES
from tests.conftest import make_user, signed_in
from tests.web import things
from tests.web.conftest import Browser
from tests.web.html import error_at, filled_in
from webapp.ext import db
from webapp.imports import working
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import

EVERY_ENTITY = pytest.mark.parametrize("entity", BAD_VALUES)


# Where a page and where a program sends what is to become one, if not to /<entity>/new and /<entity>/.
PLACES = {
    "allocations": ("/dids/{number}/allocate", "/dids/{number}/allocate"),
    "tariffs": ("/price-plans/{plan}/tariffs/new", "/tariffs/"),
    "provider-tariffs": ("/providers/{provider}/tariffs/new", "/provider-tariffs/"),
    "number-rules": ("/dialling/new", "/number-rules/"),
    "settings": ("/settings/edit", "/settings/"),
    "alerts": ("/fraud/alerts/edit", "/alerts/"),
    "fraud-rules": ("/fraud/rules/new", "/fraud-rules/"),
}


@pytest.fixture
def there(app: Flask, session: object, monkeypatch: pytest.MonkeyPatch) -> dict[str, UUID]:
    """What is there before, by the names that stand in braces in the table."""
    monkeypatch.setattr(app, "test_client_class", Browser)
    acme = things.office("acme")
    things.extension(acme, "100")
    sul = things.provider("Sul")
    number = things.did("551140001000", provider_id=sul.id)
    plan = things.price_plan("Retail")
    things.tariff(plan, "5511")
    things.deck_line(sul, "5511")
    things.destination_list("Dear")
    things.fraud_rule("Abroad")
    return {
        "office": acme.id,
        "trunk": things.trunk("padaria-velha", "10.1.0.1").id,
        "number": number.id,
        "plan": plan.id,
        "provider": sul.id,
        "gateway": things.gateway("GW1", "10.0.0.1").id,
        "disabled": things.gateway("GW2", "10.0.0.2", enabled=False).id,
    }


@pytest.fixture
def browser(app: Flask, there: dict[str, UUID]) -> FlaskClient:
    """Of somebody who may do everything, and has a token."""
    administrator = make_user("olga", "admin").username
    db.session.commit()
    browser = signed_in(app, administrator)
    assert browser.post("/tokens/new", data={"name": "reports"}).status_code == 201
    return browser


@pytest.fixture
def program(app: Flask, browser: FlaskClient) -> Program:
    return Program(app, "olga")


def values(entity: str, there: dict[str, UUID], **more: str) -> dict[str, str]:
    return {name: value.format_map(there) if "{" in value else value for name, value in (GOOD[entity] | more).items()}


def paths(entity: str, there: dict[str, UUID]) -> tuple[str, str]:
    page, resource = PLACES.get(entity, (f"/{entity}/new", f"/{entity}/"))
    return page.format_map(there), resource.format_map(there)


def send(program: Program, entity: str, path: str, body: dict[str, str]) -> Any:
    """What is left empty on a page, a program leaves out."""
    said = {name: value for name, value in body.items() if value}
    return program.put(path, said) if entity in ("settings", "alerts") else program.post(path, said)


@EVERY_ENTITY
def test_a_page_and_the_api_refuse_alike(
    there: dict[str, UUID], browser: FlaskClient, program: Program, entity: str
) -> None:
    page, resource = paths(entity, there)
    version = {"version": filled_in(browser.get(page).text).get("version", "")}
    for field, value, message in BAD_VALUES[entity]:
        typed = values(entity, there, **{field: value})
        answer = browser.post(page, data=typed | version)
        assert answer.status_code == 422, (field, value[:40])
        assert error_at(answer.text, field) == message, (field, value[:40])

        answer = send(program, entity, resource, typed)
        assert answer.status_code == 422, (field, value[:40])
        assert answer.json["errors"] == {field: [message]}, (field, value[:40])


@pytest.mark.parametrize("entity", NOT_ON_PAGES)
def test_the_api_refuses_alone(there: dict[str, UUID], program: Program, entity: str) -> None:
    for field, value, message in NOT_ON_PAGES[entity]:
        answer = send(program, entity, paths(entity, there)[1], values(entity, there, **{field: value}))
        assert (answer.status_code, answer.json) == (422, {"errors": {field: [message]}}), (field, value)


@pytest.mark.parametrize("kind", IN_FILES)
def test_a_file_refuses_alike(there: dict[str, UUID], browser: FlaskClient, at_once: None, kind: str) -> None:
    """One file: a line for each bad value, and at the end a line that is good."""
    good, entities = IN_FILES[kind]
    bad = [row for entity in entities for row in bad_in_files(entity)]
    key = KINDS[kind].key[0]
    lines = [{**good, key: str(int(good[key]) + n), field: value} for n, (field, value, _) in enumerate(bad)]
    fields = list(dict.fromkeys([*good, *(field for field, _, _ in bad)]))
    file = io.StringIO()
    writer = csv.DictWriter(file, fields)
    writer.writeheader()
    starts = []
    for line in [*lines, {**good, key: str(int(good[key]) + len(bad))}]:
        starts.append(file.getvalue().count("\n") + 1)
        writer.writerow(line)

    target = there["plan"] if kind == "tariffs" else there["provider"]
    sent = {"target_id": str(target), "file": (io.BytesIO(file.getvalue().encode()), "bad.csv")}
    answer = browser.post(f"/imports/new?kind={kind}", data=sent)
    assert answer.status_code == 302, answer.text

    import_ = things.one(Import)
    assert (import_.state, import_.counts["new"], import_.counts["rejected"]) == ("ready", 1, len(bad))
    found = db.session.execute(select(KINDS[kind].line.line, KINDS[kind].line.errors)).all()
    told = {line: [(each["column"], each["reason"]) for each in errors] for line, errors in found if errors}
    wanted = {start: [(field, message)] for start, (field, _, message) in zip(starts, bad, strict=False)}
    assert {(start, *told.get(start, [])) for start in wanted} == {(start, *each) for start, each in wanted.items()}
    assert told.keys() == wanted.keys()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in a thread of its own has a connection of its own; here all is one transaction."""

    def start(import_: Import, step: working.Step) -> None:
        db.session.commit()  # Else the rollback in there would take the claim back too, which is within.
        working.perform(import_.id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)


def bad_in_files(entity: str) -> Iterator[tuple[str, str, str]]:
    """What a file refuses as the page does, and what it refuses besides."""
    excluded = NOT_IN_FILES[entity]
    for field, value, message in BAD_VALUES[entity]:
        if (field, value) not in excluded and (field, None) not in excluded:
            yield field, value, message
    yield from NOT_ON_PAGES.get(entity, [])
    yield from ONLY_IN_FILES.get(entity, [])


@EVERY_ENTITY
def test_the_rest_of_it_is_good(there: dict[str, UUID], browser: FlaskClient, entity: str) -> None:
    """Else the refusals would prove nothing."""
    assert len(BAD_VALUES[entity]) >= 8
    page = paths(entity, there)[0]
    version = {"version": filled_in(browser.get(page).text).get("version", "")}
    answer = browser.post(page, data=values(entity, there) | version)
    assert answer.status_code in (201, 302), answer.text


@EVERY_ENTITY
def test_the_rest_of_it_is_good_for_a_program(there: dict[str, UUID], program: Program, entity: str) -> None:
    answer = send(program, entity, paths(entity, there)[1], values(entity, there))
    assert answer.status_code in (200, 201), answer.text
