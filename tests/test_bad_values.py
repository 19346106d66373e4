"""What nobody may enter is refused on the page and by the API alike: at the same field, in the same words."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.conftest import Program
from tests.bad_values import BAD_VALUES, GOOD
from tests.conftest import make_user, signed_in
from tests.web import things
from tests.web.conftest import Browser
from tests.web.html import error_at
from webapp.ext import db

EVERY_ENTITY = pytest.mark.parametrize("entity", BAD_VALUES)


@pytest.fixture
def there(app: Flask, session: object, monkeypatch: pytest.MonkeyPatch) -> dict[str, UUID]:
    """What is there before, by the names that stand in braces in the table."""
    monkeypatch.setattr(app, "test_client_class", Browser)
    acme = things.office("acme")
    things.extension(acme, "100")
    number = things.did("551140001000", provider_id=things.provider("Sul").id)
    return {
        "office": acme.id,
        "trunk": things.trunk("padaria-velha", "10.1.0.1").id,
        "number": number.id,
        "provider": number.provider_id,
        "gateway": things.gateway("GW1", "10.0.0.1").id,
        "disabled": things.gateway("GW2", "10.0.0.2", enabled=False).id,
    }


@pytest.fixture
def browser(app: Flask, there: dict[str, UUID]) -> FlaskClient:
    operator = make_user("olga", "operator").username
    db.session.commit()
    return signed_in(app, operator)


@pytest.fixture
def program(app: Flask, browser: FlaskClient) -> Program:
    return Program(app, "olga")


def values(entity: str, there: dict[str, UUID], **more: str) -> dict[str, str]:
    return {name: value.format_map(there) if "{" in value else value for name, value in (GOOD[entity] | more).items()}


def paths(entity: str, there: dict[str, UUID]) -> tuple[str, str]:
    """Where a page and where a program sends what is to become one."""
    if entity == "allocations":
        return f"/dids/{there['number']}/allocate", f"/dids/{there['number']}/allocate"
    return f"/{entity}/new", f"/{entity}/"


@EVERY_ENTITY
def test_a_page_and_the_api_refuse_alike(
    there: dict[str, UUID], browser: FlaskClient, program: Program, entity: str
) -> None:
    page, resource = paths(entity, there)
    version = {"version": "1"} if entity == "allocations" else {}
    for field, value, message in BAD_VALUES[entity]:
        typed = values(entity, there, **{field: value})
        answer = browser.post(page, data=typed | version)
        assert answer.status_code == 422, (field, value[:40])
        assert error_at(answer.text, field) == message, (field, value[:40])

        # What is left empty on a page, a program leaves out.
        answer = program.post(resource, {name: value for name, value in typed.items() if value})
        assert answer.status_code == 422, (field, value[:40])
        assert answer.json["errors"] == {field: [message]}, (field, value[:40])


@EVERY_ENTITY
def test_the_rest_of_it_is_good(there: dict[str, UUID], browser: FlaskClient, entity: str) -> None:
    """Else the refusals would prove nothing."""
    assert len(BAD_VALUES[entity]) > 10
    version = {"version": "1"} if entity == "allocations" else {}
    answer = browser.post(paths(entity, there)[0], data=values(entity, there) | version)
    assert answer.status_code == 302, answer.text


@EVERY_ENTITY
def test_the_rest_of_it_is_good_for_a_program(there: dict[str, UUID], program: Program, entity: str) -> None:
    assert program.post(paths(entity, there)[1], values(entity, there)).status_code in (200, 201)
