"""What the tests of the defences share: people in browsers and programs, and the role of Asterisk."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

from tests.conftest import PASSWORD, make_user, signed_in
from tests.schema.conftest import asterisk as asterisk
from tests.schema.conftest import owner as owner
from tests.schema.conftest import sign_in as sign_in
from tests.schema.conftest import url as url
from tests.web.conftest import Browser
from webapp.ext import db


@pytest.fixture(autouse=True)
def _browsers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "test_client_class", Browser)


@pytest.fixture
def admin(app: Flask, session: scoped_session[Session]) -> FlaskClient:
    """A browser in which an administrator is signed in."""
    make_user("ada", "admin")
    browser = signed_in(app, "ada")
    db.session.commit()
    return browser


def token_of(app: Flask, username: str, **more: str) -> dict[str, str]:
    """The header with which a program speaks for a user."""
    credentials = {"username": username, "password": PASSWORD} | more
    answer = app.test_client().post("/api/v1/auth/login", json=credentials)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json['access_token']}"}  # type: ignore[index]  # it is an object
