"""Two people who change one thing: the second is told, and loses nothing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import Executable, insert, update

from tests.conftest import make_user
from tests.web import things
from tests.web.html import alert, error_at, filled_in
from webapp import store
from webapp.accounts.models import User
from webapp.dids.models import Did
from webapp.ext import db
from webapp.providers.models import Provider

AGAIN = (
    "Somebody else changed this in the meantime. Nothing was saved, and what you typed still stands here. "
    "Save again to store it all the same."
)
CHANGED = "Somebody else changed this in the meantime. Nothing was saved; open it again to see the change."

LATER = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)  # A tariff that counts already has a warning of its own.


def _user() -> User:
    make_user("nina", "viewer")
    return things.one(User, username="nina")


# area -> how to make one, and the field that both change.
THINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "providers": (things.provider, "name"),
    "gateways": (things.gateway, "name"),
    "customers": (things.trunk, "name"),
    "extensions": (lambda: things.extension(things.office()), "name"),
    "routes": (things.route, "name"),
    "dids": (things.did, "description"),
    "tariffs": (lambda: things.tariff(things.price_plan(), valid_from=LATER), "description"),
    "provider-tariffs": (lambda: things.deck_line(things.provider(), valid_from=LATER), "description"),
    "destination-lists": (things.destination_list, "name"),
    "dialling": (things.number_rule, "description"),
    "users": (_user, "username"),
}
# What a form does not show of a thing that it makes anew.
UNSHOWN = {"dids": {"number": "551140001000"}, "users": {"password": "a horse and a battery"}}


@pytest.fixture
def client(client: FlaskClient) -> FlaskClient:
    """An administrator's browser, for some of them are for nobody else."""
    db.session.execute(update(User).values(role="admin"))
    db.session.commit()
    return client


EVERY_AREA = pytest.mark.parametrize("area", THINGS)


@EVERY_AREA
def test_the_second_is_told(client: FlaskClient, area: str) -> None:
    make, field = THINGS[area]
    thing = make()
    path = f"/{area}/{thing.id}/edit"
    first = second = filled_in(client.get(path).text)
    client.post(path, data=first | {field: "first"}, follow_redirects=True)

    response = client.post(path, data=second | {field: "second"})
    assert response.status_code == 422
    assert alert(response.text).startswith(f"{AGAIN} This was changed:")
    assert re.fullmatch(
        r"olga changed this on 20..-..-.. ..:..\. Stored now: “first”\.", error_at(response.text, field)
    )
    assert filled_in(response.text) == second | {field: "second", "version": "2"}
    assert _now(thing, field) == "first"

    client.post(path, data=filled_in(response.text) | {"version": "1"})
    assert _now(thing, field) == "first"
    assert client.post(path, data=filled_in(response.text)).status_code == 302  # Knowing what was changed.
    assert _now(thing, field) == "second"


@EVERY_AREA
def test_a_form_without_its_version_is_refused(client: FlaskClient, area: str) -> None:
    make, field = THINGS[area]
    thing = make()
    data = filled_in(client.get(f"/{area}/{thing.id}/edit").text) | {field: "second"}
    del data["version"]
    assert client.post(f"/{area}/{thing.id}/edit", data=data).status_code == 422
    for version in ("0", "2", "x", "\x00", " 1"):
        assert client.post(f"/{area}/{thing.id}/edit", data=data | {"version": version}).status_code == 422


@EVERY_AREA
def test_a_change_in_the_same_moment_is_told(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, area: str) -> None:
    """Between the reading and the writing of a request, that is, where no form could notice."""
    make, field = THINGS[area]
    thing = make()
    data = filled_in(client.get(f"/{area}/{thing.id}/edit").text) | {field: "second"}
    _meanwhile(monkeypatch, update(type(thing)).values(version=2))
    response = client.post(f"/{area}/{thing.id}/edit", data=data)
    assert response.status_code == 422
    assert alert(response.text) == AGAIN
    assert filled_in(response.text) == data


@EVERY_AREA
def test_a_thing_deleted_in_the_same_moment_is_gone(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, area: str
) -> None:
    make, field = THINGS[area]
    thing = make()
    data = filled_in(client.get(f"/{area}/{thing.id}/edit").text) | {field: "second"}

    def too_late(*_: Any) -> None:
        db.session.rollback()
        with current_app.app_context():  # Somebody else's request.
            store.delete(db.session.get_one(type(thing), thing.id))
        raise store.Stale

    monkeypatch.setattr(store, "save", too_late)
    assert client.post(f"/{area}/{thing.id}/edit", data=data).status_code == 307


@EVERY_AREA
def test_a_thing_deleted_meanwhile_can_be_made_anew(client: FlaskClient, area: str) -> None:
    make, field = THINGS[area]
    thing = make()
    path = f"/{area}/{thing.id}/edit"
    data = filled_in(client.get(path).text) | {field: "typed"}
    client.post(f"/{area}/{thing.id}/delete", follow_redirects=True)
    count = things.count(type(thing))

    new = client.post(path, data=data)
    assert new.status_code == 307
    response = client.post(new.location, data=data)  # As a browser does, unlike the test client if the form was read.
    assert response.status_code == 200
    told = re.fullmatch(
        "olga deleted (.+) in the meantime. What you typed stands here; save it to make a new one.",
        alert(response.text),
    )
    assert told
    assert str(thing.id) not in told[1]
    again = filled_in(response.text)
    assert again[field] == "typed"
    assert things.count(type(thing)) == count
    assert client.post(new.location.partition("?")[0], data=again | UNSHOWN.get(area, {})).status_code == 302
    assert things.count(type(thing)) == count + 1
    assert client.get(path).status_code == 404


def test_a_line_of_a_plan_that_is_gone_too_cannot_be_made_anew(client: FlaskClient) -> None:
    plan = things.price_plan()
    path = f"/tariffs/{things.tariff(plan).id}/edit"
    data = filled_in(client.get(path).text)
    client.post(f"/price-plans/{plan.id}/delete")
    for owner in (str(plan.id), "x", ""):
        response = client.post(path, data=data | {"price_plan_id": owner}, follow_redirects=True)
        assert response.status_code == 404


@EVERY_AREA
def test_deleting_what_is_gone(client: FlaskClient, area: str) -> None:
    make, _ = THINGS[area]
    thing = make()
    assert client.post(f"/{area}/{thing.id}/delete").status_code == 302
    assert client.get(f"/{area}/{thing.id}").status_code == 404
    for path in (f"/{area}/{thing.id}/edit", f"/{area}/{thing.id}/delete"):
        assert client.get(path).status_code == 404
    assert client.post(f"/{area}/{thing.id}/delete", data={"version": "1"}).status_code == 404


def test_deleting_what_was_changed_since_it_was_looked_at(client: FlaskClient) -> None:
    provider = things.provider("Norte")
    path = things.edit_path(provider)
    client.get(f"/providers/{provider.id}/delete")
    client.post(path, data=filled_in(client.get(path).text) | {"name": "Sul"}, follow_redirects=True)

    response = client.post(f"/providers/{provider.id}/delete", data={"seen": "1"})
    assert response.status_code == 409
    assert alert(response.text) == "Somebody else changed this in the meantime. Look at it again before you delete it."
    assert "“Sul” will be deleted for good." in response.text
    assert '<input type="hidden" name="seen" value="2">' in response.text
    assert things.count(Provider) == 1
    assert client.post(f"/providers/{provider.id}/delete", data={"seen": "2"}).status_code == 302
    assert things.count(Provider) == 0


def test_what_was_changed_is_told_in_the_words_of_the_form(client: FlaskClient) -> None:
    """What each of two others changed, without a secret, with the names of what is chosen; what was not, is not."""
    gateway = things.gateway("GW1", password="hush-one", registration=True, username="us")
    path = things.edit_path(gateway)
    mine = filled_in(client.get(path).text)
    other = things.provider("Another")
    first = mine | {"provider_id": str(other.id), "password": "hush-two", "codecs": "gsm, alaw"}
    client.post(path, data=first)
    del first["registration"]
    client.post(path, data=first | {"version": "2", "transport": "tcp", "domain": "sip.example.com"})

    page = client.post(path, data=mine | {"name": "GW2"}).text
    told = {
        "provider_id": "Stored now: “Another”.",
        "codecs": "Stored now: “gsm, alaw”.",
        "transport": "Stored now: “TCP”.",
        "domain": "Stored now: “sip.example.com”.",
        "registration": "Stored now: “no”.",
    }
    for field, words in told.items():
        assert error_at(page, field).endswith(words), field
    assert error_at(page, "password").startswith("olga changed this on ")
    assert "hush" not in page
    assert "Stored now" not in error_at(page, "password")
    for field in ("name", "port", "username"):
        assert error_at(page, field) == ""
    assert filled_in(page)["name"] == "GW2"


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
