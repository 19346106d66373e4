"""What saves, and what it saves to, is killed at every step of a save: nothing is half done, nothing said is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from tests.calls.exchange import query, settings, until
from tests.conftest import make_user, signed_in
from tests.faults.network import Cable
from tests.faults.points import POINTS, at
from webapp import create_app, store
from webapp.asterisk.check import check
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.settings.models import Node

pytestmark = pytest.mark.usefixtures("stored")


def provider() -> Provider:
    """And a node, which has to be told."""
    db.session.add(Node(name="pbx1"))
    provider = Provider(name="Provider")
    store.save(provider)
    return provider


def traces(url: str, name: str) -> list[int]:
    """How much of a gateway there is: itself, its rows, its audit entry, and orders about it."""
    statement = """
        SELECT (SELECT count(*) FROM gateways WHERE name = :name),
               (SELECT count(*) FROM asterisk.ps_endpoints e JOIN gateways g ON e.owner = 'gateway:' || g.id
                WHERE g.name = :name),
               (SELECT count(*) FROM audit_log WHERE kind = 'gateways' AND label = :name AND action = 'create'),
               (SELECT count(*) FROM outbox)
    """
    return list(query(url, statement, name=name)[0])


def test_the_program_is_killed(url: str) -> None:
    """All of it is there if it was killed after the commit, and else nothing; others can save at once."""
    provider_id = provider().id
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.saver", url, str(provider_id)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{number} True" for number in range(len(POINTS))], done.stderr

    for number, point in enumerate(POINTS):
        there, rows, audit, _ = traces(url, f"gateway-{number}")
        assert (there, rows, audit) == ((1, 1, 1) if point == "after the commit" else (0, 0, 0)), point
    [_, _, _, orders] = traces(url, "")
    store.save(Gateway(name="next", provider_id=provider_id, ip_address="203.0.113.99"))
    assert orders
    assert traces(url, "next") == [1, 1, 1, 2 * orders], "one gateway was stored before, with its orders"
    assert check(db.session()) == []


def answers(url: str) -> bool:
    try:
        return bool(query(url, "SELECT 1"))
    except OperationalError:
        return False


def backend() -> int:
    """The process of the database that serves the save."""
    return int(db.session.scalars(text("SELECT pg_backend_pid()")).one())


def sent_away() -> None:
    """As by an administrator, or by a database that is stopped."""
    pid = backend()
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def killed() -> None:
    """The database takes this for a crash, and starts anew."""
    os.kill(backend(), signal.SIGKILL)


DEEDS = [(point, sent_away) for point in POINTS if point != "after the commit"]


@pytest.mark.parametrize(("point", "deed"), [*DEEDS, ("before the commit", killed)])
def test_the_database_ends_the_connection(url: str, point: str, deed: Callable[[], None]) -> None:
    """Whoever saves is told, and the next save works."""
    provider_id = provider().id
    told = (
        store.Unsure if point in ("orders given", "before the commit") else OperationalError
    )  # The next is the commit.
    with at(point, deed), pytest.raises(told):
        store.save(Gateway(name="first", provider_id=provider_id, ip_address="203.0.113.1"))
    db.session.remove()
    until(lambda: answers(url), "the database to be back", 60)
    assert traces(url, "first") == [0, 0, 0, 0]
    store.save(Gateway(name="first", provider_id=provider_id, ip_address="203.0.113.1"))
    there = traces(url, "first")
    assert there[:3] == [1, 1, 1]
    assert there[3], "orders"
    assert check(db.session()) == []


def test_the_answer_to_the_commit_is_lost(faults_app: Flask, url: str, cable: Cable, at_a_distance: str) -> None:
    """It is stored, and nobody can know: the page says that, rather than that nothing was saved."""
    make_user("olga", "operator")
    app = create_app(settings(at_a_distance))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    browser = signed_in(app, "olga")
    with app.app_context():
        engine = db.engine

    def lose(_connection: object) -> None:
        cable.lose_the_next_answer()

    event.listen(engine, "commit", lose)
    answer = browser.post("/providers/new", data={"name": "Norte", "type": "both"})
    event.remove(engine, "commit", lose)

    assert answer.status_code == 503
    assert "It may have been saved, or not" in answer.text
    assert query(url, "SELECT name FROM providers") == [("Norte",)]
    engine.dispose()
