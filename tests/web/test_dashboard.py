"""The start page."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from sqlalchemy import text

from tests.web import things
from tests.web.html import rows
from webapp.ext import db


def test_it_works(client: FlaskClient) -> None:
    page = client.get("/").text
    assert _counts(page) == ["0"] * 7
    assert "A server appears here when its agent first starts." in page

    things.route("Brazil")
    things.extension(things.office("acme"))
    things.dids(count=3)
    assert _counts(client.get("/").text) == ["0", "1", "1", "3", "2", "1", "1"]


def test_a_server_says_how_it_is(client: FlaskClient) -> None:
    db.session.execute(
        text(
            "INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('away', now() - interval '1 minute', true),"
            " ('busy', now(), true), ('down', now(), false), ('fine', now(), true), ('new', NULL, false)"
        )
    )
    db.session.execute(text("INSERT INTO outbox (node, action) VALUES ('busy', 'reload'), ('busy', 'reload')"))
    db.session.execute(text("INSERT INTO outbox (node, action, done_at) VALUES ('fine', 'reload', now())"))
    db.session.commit()
    shown = [" ".join(re.split(r" \d{4}-", row)[0].split()) for row in rows(client.get("/").text)]
    assert shown == [
        "away Agent away 0",
        "busy Catching up 2",
        "down Asterisk away 0",
        "fine Up to date 0",
        "new Agent away 0",
    ]


def _counts(page: str) -> list[str]:
    return re.findall(r'<span class="h2 num mb-0">(\d+)</span>', page)
