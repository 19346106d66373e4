"""Programs that call the API, each with a token of its own."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g
from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

from tests.conftest import PASSWORD, make_user


class Program:
    """A program that is signed in, or not. Paths are below /api/v1."""

    def __init__(self, app: Flask, username: str | None) -> None:
        self.client = app.test_client()
        self.headers = {"Accept-Language": "en"}
        if username:
            answer = self.post("/auth/login", {"username": username, "password": PASSWORD})
            self.headers["Authorization"] = f"Bearer {answer.json['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, query_string=query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, json=body)

    def put(self, path: str, body: Any, **query: Any) -> Any:
        return self.send("PUT", path, json=body, query_string=query)

    def patch(self, path: str, body: Any, **query: Any) -> Any:
        return self.send("PATCH", path, json=body, query_string=query)

    def delete(self, path: str, **query: Any) -> Any:
        return self.send("DELETE", path, query_string=query)

    def send(self, method: str, path: str, **values: Any) -> Any:
        g.pop("_login_user", None)  # The tests' own context would keep who asked before.
        g.pop("_flask_babel", None)
        g.pop("settings", None)
        return self.client.open(f"/api/v1{path}", method=method, headers=self.headers, **values)


@pytest.fixture
def api(app: Flask, session: scoped_session[Session]) -> Program:
    """An operator's program."""
    make_user("olga", "operator")
    return Program(app, "olga")


@pytest.fixture
def viewer(app: Flask, session: scoped_session[Session]) -> Program:
    make_user("vera", "viewer")
    return Program(app, "vera")


@pytest.fixture
def nobody(app: Flask, session: scoped_session[Session]) -> Program:
    return Program(app, None)
