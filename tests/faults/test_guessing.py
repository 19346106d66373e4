"""Ten thousand wrong passwords: they are slowed down, cost little, leave little, and lock nobody out."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from tests.calls.exchange import query, settings
from tests.conftest import PASSWORD, make_user
from webapp import create_app
from webapp.accounts import tries
from webapp.ext import db

SOAK = bool(os.environ.get("SOAK"))
MANY = 10_000 if SOAK else 200


@pytest.fixture
def app(url: str, stored: None) -> Iterator[Flask]:
    """With the limits of an installation."""
    app = create_app(settings(url).model_copy(update={"api_rate_limit": 600, "api_login_limit": 10}))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    make_user("olga", "operator")
    yield app
    with app.app_context():
        db.engine.dispose()


def guess(app: Flask, number: int, address: str) -> int:
    """The status of a wrong password, by turns at the page and the API, for olga and for many who are not there."""
    username = "olga" if number % 2 else f"user{number}"
    given = {"username": username, "password": f"guess-{number}"}
    browser = app.test_client()
    browser.environ_base["REMOTE_ADDR"] = address
    if number % 4 < 2:
        return browser.post("/login", data=given).status_code
    return browser.post("/api/v1/auth/login", json=given).status_code


@pytest.mark.parametrize("addresses", [1, 250] if SOAK else [5])
def test_ten_thousand_wrong_passwords(app: Flask, url: str, addresses: int) -> None:
    home = app.test_client()
    home.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert home.post("/login", data={"username": "olga", "password": PASSWORD}).status_code == 302

    answers: list[int] = []
    before = 0
    if SOAK:  # It makes all slow.
        tracemalloc.start()
    for number in range(MANY):
        answers.append(guess(app, number, f"198.51.{number % addresses // 250}.{number % 250 % addresses}"))
        if SOAK and number == MANY // 2:
            before = tracemalloc.get_traced_memory()[0]
    if SOAK:
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 2_000_000

    looked_at = sum(answer in (401, 422) for answer in answers)
    assert set(answers) <= {401, 422, 429}
    assert looked_at <= tries.FROM_ONE_ADDRESS * addresses
    stored = query(url, "SELECT (SELECT count(*) FROM sign_in_tries), (SELECT count(*) FROM rate_limits)")[0]
    assert stored[0] == looked_at, "what is refused at once leaves nothing"
    assert stored[1] <= addresses + 1
    of_olga = query(url, "SELECT count(*) FROM sign_in_tries WHERE username = 'olga'")[0][0]
    assert of_olga <= tries.OF_ONE_USER

    # Who has signed in from there before still does; only a stranger has to wait.
    again = app.test_client()
    again.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert again.post("/login", data={"username": "olga", "password": PASSWORD}).status_code == 302
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM rate_limits"))
