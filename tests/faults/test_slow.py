"""The database is slow, for somebody holds what is wanted: the page says so in its time, and nothing is half done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests.api.conftest import Program
from tests.calls.exchange import query, settings
from tests.conftest import make_user, signed_in
from webapp import create_app, patience
from webapp.ext import db

TITLES = {"en": "The database is busy with something else", "pt_BR": "O banco de dados está ocupado com outra coisa"}


@pytest.fixture
def hasty_app(url: str, stored: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """It waits for a lock for a second, not for ten."""
    real = patience.connect_args

    def hasty(name: str, **seconds: Any) -> dict[str, Any]:
        return real(name, **{**seconds, "lock": 1})

    monkeypatch.setattr(patience, "connect_args", hasty)
    app = create_app(settings(url))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.mark.parametrize("language", TITLES)
def test_a_table_is_locked(hasty_app: Flask, url: str, language: str) -> None:
    make_user("olga", "operator")
    browser, program = signed_in(hasty_app, "olga"), Program(hasty_app, "olga")
    browser.post("/language", data={"language": language})
    with db.engine.begin() as holder:
        holder.execute(text("LOCK TABLE providers, asterisk.ps_endpoints IN ACCESS EXCLUSIVE MODE"))
        for answer in (
            browser.get("/providers/"),
            browser.post("/providers/new", data={"name": "Norte", "type": "both"}),
        ):
            assert answer.status_code == 503
            assert TITLES[language] in answer.text
        told = program.post("/providers/", {"name": "Norte"})
        assert told.status_code == 503
        assert told.json["error"].startswith(TITLES["en"])
    assert query(url, "SELECT * FROM providers") == []
    assert browser.post("/providers/new", data={"name": "Norte", "type": "both"}).status_code == 302


def test_the_database_takes_no_changes(hasty_app: Flask, url: str) -> None:
    """As a copy of another one does."""
    make_user("olga", "operator")
    browser = signed_in(hasty_app, "olga")
    browser.post("/language", data={"language": "en"})
    with hasty_app.app_context():
        db.engine.dispose()
    name = db.engine.url.database
    with db.engine.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    try:
        answer = browser.post("/providers/new", data={"name": "Norte", "type": "both"})
        assert answer.status_code == 503
        assert "The database takes no changes now" in answer.text
        assert browser.get("/providers/").status_code == 200
    finally:
        with db.engine.begin() as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))
        db.engine.dispose()
    assert query(url, "SELECT * FROM providers") == []
