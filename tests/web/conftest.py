"""What the tests of the pages share besides."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import make_user, signed_in
from webapp.ext import db


class Browser(FlaskClient):
    """A client whose requests share nothing with each other.

    Within the context that the fixture `session` holds open, they would share the user, the language and what was read.
    """

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        with self.application.app_context():
            return super().open(*arguments, **options)


@pytest.fixture(autouse=True)
def _browsers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "test_client_class", Browser)


@pytest.fixture
def client(client: FlaskClient) -> FlaskClient:
    """The operator's browser. The session that made the operator is let go: it would undo what requests commit."""
    db.session.commit()
    return client


@pytest.fixture
def viewer(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser in which somebody is signed in who may only look."""
    browser = signed_in(app, make_user("vera", "viewer").username)
    db.session.commit()
    return browser
