"""Who may do what: every endpoint, page or API, is asked by nobody, a viewer, an operator and an administrator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session
from werkzeug.routing import AnyConverter, BaseConverter, Rule

from tests.conftest import PASSWORD, make_user, signed_in
from webapp.ext import db
from webapp.permissions import PERMISSIONS

EVERYBODY = frozenset({"viewer", "operator", "admin"})
WRITERS = frozenset({"operator", "admin"})
ADMINS = frozenset({"admin"})

AREAS = (
    "dashboard",
    "customers",
    "payments",
    "extensions",
    "dids",
    "providers",
    "gateways",
    "routes",
    "tariffs",
    "number-rules",
    "destination_lists",
    "fraud_cases",
    "fraud_rules",
    "conferences",
    "imports",
)

# What is said here is said a second time on purpose: whoever gives a role more has to say so in both places.
MAY: dict[str, frozenset[str]] = {
    **{f"{area}.read": EVERYBODY for area in AREAS},
    **{f"{area}.write": WRITERS for area in AREAS},
    "settings.read": EVERYBODY,
    "settings.write": ADMINS,
    "alerts.read": ADMINS,
    "alerts.write": ADMINS,
    "nodes.read": EVERYBODY,
    "nodes.write": ADMINS,
    "users.read": ADMINS,
    "users.write": ADMINS,
    "tokens.read": ADMINS,
    "tokens.write": ADMINS,
    "audit.read": WRITERS,
    "extensions.reveal": WRITERS,
    "gateways.reveal": ADMINS,
    "simulator.read": EVERYBODY,
    "live.read": EVERYBODY,
    "reports.read": EVERYBODY,
    "cdr.read": ADMINS,
    "unrated.read": EVERYBODY,
    "unrated.write": WRITERS,
    "reratings.read": EVERYBODY,
    "reratings.write": WRITERS,
    "completeness.read": EVERYBODY,
    "invoice_checks.read": EVERYBODY,
    "invoice_checks.write": WRITERS,
    "realtime.read": EVERYBODY,
    "proof.read": EVERYBODY,
    "proof.write": WRITERS,
    "search": EVERYBODY,
    "session": EVERYBODY,
}

SOMETHING = {"UUIDConverter": str(uuid.UUID(int=7)), "IntegerConverter": "1"}  # Nothing has such an id.


def test_the_roles_are_as_they_are_written_here() -> None:
    assert PERMISSIONS == MAY


def _requests(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Method, path and permission of every endpoint."""
    for rule in sorted(app.url_map.iter_rules(), key=str):
        if rule.endpoint != "static":
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, _path(rule), vars(app.view_functions[rule.endpoint])["permission"]


def _path(rule: Rule) -> str:
    values = {name: _something(converter) for name, converter in rule._converters.items()}
    built = rule.build(values)
    assert built, rule
    return built[1]


def _something(converter: BaseConverter) -> str:
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    return SOMETHING.get(type(converter).__name__, "x")


def _token(app: Flask, username: str) -> dict[str, str]:
    answer = app.test_client().post("/api/v1/auth/login", json={"username": username, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json['access_token']}"}  # type: ignore[index]  # it is an object


@pytest.mark.parametrize("role", ["nobody", "viewer", "operator", "admin"])
def test_everybody_may_what_he_may_and_nothing_else(app: Flask, session: scoped_session[Session], role: str) -> None:
    """The right to ask comes before all else: who may is told that there is no such thing, or what is wrong with it."""
    if role != "nobody":
        make_user("somebody", role)
        db.session.commit()
    browser, headers = app.test_client(), {}
    if role != "nobody":
        browser, headers = signed_in(app, "somebody"), _token(app, "somebody")
    wrong, asked = [], 0
    for method, path, permission in _requests(app):
        if permission == "public":
            continue
        api = path.startswith("/api/")
        answer = (
            app.test_client().open(path, method=method, headers=headers, json={})
            if api
            else browser.open(path, method=method)
        )
        asked += 1
        if role == "nobody":
            fits = answer.status_code == 401 if api else _is_asked_to_sign_in(answer.status_code, answer.location)
        elif role in MAY[permission]:
            fits = answer.status_code not in (401, 403) and answer.status_code < 500
        else:
            fits = answer.status_code == 403
        if not fits:
            wrong.append((method, path, permission, answer.status_code))
        answer.close()  # A file that is still being sent holds on to its request.
        if permission == "session" and method == "POST" and role != "nobody" and not api:
            browser = signed_in(app, "somebody")  # It may have ended the session.
    assert asked > 60
    assert wrong == []


def _is_asked_to_sign_in(status: int, location: str | None) -> bool:
    return status == 302 and urlsplit(location or "").path == "/login"


def test_whoever_has_signed_out_is_nobody(app: Flask, client: FlaskClient) -> None:
    assert client.get("/customers/").status_code == 200
    client.post("/logout")
    answer = client.get("/customers/")
    assert _is_asked_to_sign_in(answer.status_code, answer.location)
