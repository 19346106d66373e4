"""The network to the database is cut, so that nobody says no: whoever waits is told soon, and nobody has to help."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from deploy.embedded.postgres import Postgres
from tests.calls.exchange import query, settings, until
from tests.conftest import make_user, signed_in
from tests.faults.network import Cable
from webapp import create_app, patience, store
from webapp.agent import database
from webapp.ext import db
from webapp.providers.models import Provider

SOAK = bool(os.environ.get("SOAK"))
SILENCE_SECONDS = patience.SILENCE_SECONDS if SOAK else 2
# What a request may take at the most: to find out that the connection is dead, and that there is no other.
AT_MOST = 30


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SILENCE_SECONDS", SILENCE_SECONDS)


@pytest.fixture
def far_app(at_a_distance: str, stored: None) -> Iterator[Flask]:
    app = create_app(settings(at_a_distance))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_the_web_says_so_and_recovers(far_app: Flask, cable: Cable) -> None:
    """More requests than there are connections, all at the same time: none hangs, and all are told."""
    make_user("olga", "operator")
    browsers = [signed_in(far_app, "olga") for _ in range(20)]
    answers: list[tuple[int, str, float]] = []

    def ask(number: int) -> None:
        began = time.monotonic()
        if number % 2:
            answer = browsers[number].post("/providers/new", data={"name": f"No {number}", "type": "both"})
        else:
            answer = browsers[number].get("/customers/")
        answers.append((answer.status_code, answer.text, time.monotonic() - began))

    cable.cut()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(browsers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * AT_MOST)

    assert [status for status, _, _ in answers] == [503] * len(browsers)
    assert all("The database does not answer" in text for _, text, _ in answers)
    assert max(seconds for _, _, seconds in answers) < AT_MOST

    cable.mend()
    answer = browsers[0].post("/providers/new", data={"name": "Norte", "type": "both"})
    assert answer.status_code == 302, answer.text


def test_connections_that_are_reset(far_app: Flask, cable: Cable) -> None:
    """Those at rest are replaced unseen."""
    make_user("olga", "operator")
    browser = signed_in(far_app, "olga")
    cable.reset()

    assert browser.get("/customers/").status_code == 200


def test_a_save_whose_program_is_cut_off_lets_others_save(
    far_app: Flask, cable: Cable, cluster: Postgres, url: str
) -> None:
    """It holds the turn of all who save: the database must notice by itself that nobody is there any more."""
    with far_app.app_context():
        db.session.add(Provider(name="Lost"))
        store._lock(db.session())
        db.session.flush()
        cable.cut()

        holders = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert query(url, holders)
        until(lambda: not query(url, holders), "the lock to be free", AT_MOST)
        cable.reset()
        with pytest.raises(Exception, match="closed"):
            db.session.commit()
        db.session.rollback()
    store.save(Provider(name="Next"))
    assert [name for (name,) in query(url, "SELECT name FROM providers")] == ["Next"]


def test_the_agents_own_connections(at_a_distance: str, cable: Cable) -> None:
    """The agent notices within its bounds too, by the same settings. (Its work is in tests/agent.)"""
    engine = database.engine(at_a_distance, "pbx1")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        cable.cut()
        began = time.monotonic()
        with pytest.raises(Exception, match=r"could not receive data|timed out|closed"):
            connection.execute(text("SELECT 1"))
    assert time.monotonic() - began < AT_MOST
    cable.mend()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
