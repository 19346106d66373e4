"""Two people who change one thing: the second is told, and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import Executable, insert, update

from tests.web import things
from tests.web.html import alert, filled_in
from webapp import store
from webapp.dids.models import Did
from webapp.ext import db
from webapp.providers.models import Provider

CHANGED = "Somebody else changed this in the meantime. Nothing was saved; open it again to see the change."

# area -> how to make one, and the field that both change.
THINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "providers": (things.provider, "name"),
    "gateways": (things.gateway, "name"),
    "customers": (things.trunk, "name"),
    "extensions": (lambda: things.extension(things.office()), "name"),
    "routes": (things.route, "name"),
    "dids": (things.did, "description"),
}
EVERY_AREA = pytest.mark.parametrize("area", THINGS)


@EVERY_AREA
def test_the_second_is_told(client: FlaskClient, area: str) -> None:
    make, field = THINGS[area]
    thing = make()
    path = f"/{area}/{thing.id}/edit"
    first = second = filled_in(client.get(path).text)
    client.post(path, data=first | {field: "First"}, follow_redirects=True)

    response = client.post(path, data=second | {field: "Second"})
    assert response.status_code == 422
    assert alert(response.text) == CHANGED
    assert filled_in(response.text) == second | {field: "Second"}
    assert _now(thing, field) == "First"
    # Sending the same once more does not help: what the first one did would be lost unseen.
    assert client.post(path, data=filled_in(response.text)).status_code == 422

    again = filled_in(client.get(path).text)
    assert client.post(path, data=again | {field: "Second"}).status_code == 302
    assert _now(thing, field) == "Second"


@EVERY_AREA
def test_a_form_without_its_version_is_refused(client: FlaskClient, area: str) -> None:
    make, field = THINGS[area]
    thing = make()
    data = filled_in(client.get(f"/{area}/{thing.id}/edit").text) | {field: "Second"}
    del data["version"]
    assert client.post(f"/{area}/{thing.id}/edit", data=data).status_code == 422
    for version in ("0", "2", "x", "\x00", " 1"):
        assert client.post(f"/{area}/{thing.id}/edit", data=data | {"version": version}).status_code == 422


@EVERY_AREA
def test_a_change_in_the_same_moment_is_told(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, area: str) -> None:
    """Between the reading and the writing of a request, that is, where no form could notice."""
    make, field = THINGS[area]
    thing = make()
    data = filled_in(client.get(f"/{area}/{thing.id}/edit").text) | {field: "Second"}
    _meanwhile(monkeypatch, update(type(thing)).values(version=2))
    response = client.post(f"/{area}/{thing.id}/edit", data=data)
    assert response.status_code == 422
    assert alert(response.text) == CHANGED
    assert filled_in(response.text) == data


@EVERY_AREA
def test_a_thing_deleted_in_the_same_moment_is_gone(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, area: str
) -> None:
    make, field = THINGS[area]
    thing = make()
    data = filled_in(client.get(f"/{area}/{thing.id}/edit").text) | {field: "Second"}

    def too_late(*_: Any) -> None:
        db.session.rollback()
        with current_app.app_context():  # Somebody else's request.
            store.delete(db.session.get_one(type(thing), thing.id))
        raise store.Stale

    monkeypatch.setattr(store, "save", too_late)
    assert client.post(f"/{area}/{thing.id}/edit", data=data).status_code == 404


@EVERY_AREA
def test_deleting_what_is_gone(client: FlaskClient, area: str) -> None:
    make, _ = THINGS[area]
    thing = make()
    assert client.post(f"/{area}/{thing.id}/delete").status_code == 302
    assert client.get(f"/{area}/{thing.id}").status_code == 404
    for path in (f"/{area}/{thing.id}/edit", f"/{area}/{thing.id}/delete"):
        assert client.get(path).status_code == 404
        assert client.post(path, data={"version": "1"}).status_code == 404


def test_deleting_what_is_changed_in_the_same_moment(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = things.provider("Norte")
    _meanwhile(monkeypatch, update(Provider).values(version=2), function="delete")
    response = client.post(f"/providers/{provider.id}/delete")
    assert response.status_code == 409
    assert alert(response.text) == CHANGED
    assert things.count(Provider) == 1


def test_deleting_what_something_came_to_depend_on_in_the_same_moment(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = things.provider("Norte")
    _meanwhile(
        monkeypatch,
        insert(Did).values(number="551140001000", provider_id=provider.id),
        function="_refuse_if_in_use",
        after=True,
    )
    response = client.post(f"/providers/{provider.id}/delete")
    assert response.status_code == 409
    assert alert(response.text) == "Norte cannot be deleted: something else came to depend on it just now."


def _meanwhile(
    monkeypatch: pytest.MonkeyPatch,
    statement: Executable,
    function: str = "save",
    after: bool = False,
) -> None:
    """Let a statement run when a request is about to store what it has read."""
    original = getattr(store, function)

    def interrupted(*arguments: Any) -> Any:
        monkeypatch.setattr(store, function, original)
        result = original(*arguments) if after else None
        db.session.connection().execute(statement)
        return result if after else original(*arguments)

    monkeypatch.setattr(store, function, interrupted)


def _now(thing: Any, field: str) -> Any:
    return getattr(things.one(type(thing), id=thing.id), field)
