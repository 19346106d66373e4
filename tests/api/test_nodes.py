"""Nodes, for programs."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_sqlalchemy.session import Session
from sqlalchemy import text
from sqlalchemy.orm import scoped_session

from tests.api.conftest import Program
from tests.conftest import make_user
from webapp.ext import db


@pytest.fixture
def admin(app: Flask, session: scoped_session[Session]) -> Program:
    make_user("adam", "admin")
    return Program(app, "adam")


@pytest.fixture(autouse=True)
def _nodes(session: scoped_session[Session]) -> None:
    db.session.execute(
        text(
            "INSERT INTO nodes (name, seen_at, asterisk_up) VALUES"
            " ('gone', now() - interval '2 hours', true), ('pbx1', now(), true)"
        )
    )
    db.session.execute(text("INSERT INTO outbox (node, action, error) VALUES ('pbx1', 'qualify', 'Permission denied')"))
    db.session.commit()


def test_they_are_read(viewer: Program, nobody: Program) -> None:
    found = viewer.get("/nodes/").json
    assert found["next_cursor"] is None
    assert [(node["name"], node["state"], node["owed"]) for node in found["items"]] == [
        ("gone", "agent_away", 0),
        ("pbx1", "catching_up", 1),
    ]
    one = viewer.get("/nodes/pbx1").json
    assert one == found["items"][1]
    assert one["reason"] == "Permission denied"
    assert one["since"]
    assert viewer.get("/nodes/nowhere").status_code == 404
    assert nobody.get("/nodes/").status_code == 401


def test_one_is_put_out_of_service_and_back(admin: Program, api: Program) -> None:
    assert api.patch("/nodes/pbx1", {"enabled": False}).status_code == 403
    answer = admin.patch("/nodes/pbx1", {"enabled": False})
    assert answer.status_code == 200
    assert (answer.json["state"], answer.json["owed"]) == ("disabled", 0)
    answer = admin.patch("/nodes/pbx1", {"enabled": True})
    assert (answer.json["state"], answer.json["owed"]) == ("catching_up", 1)
    for wrong in ({}, {"enabled": "perhaps"}, {"enabled": True, "name": "x"}):
        assert admin.patch("/nodes/pbx1", wrong).status_code == 422
    assert admin.patch("/nodes/nowhere", {"enabled": True}).status_code == 404


def test_only_what_has_gone_is_deleted(admin: Program, api: Program) -> None:
    assert api.delete("/nodes/gone").status_code == 403
    assert admin.delete("/nodes/gone").status_code == 204
    assert admin.get("/nodes/gone").status_code == 404
    answer = admin.delete("/nodes/pbx1")
    assert answer.status_code == 409
    assert answer.json["error"] == "Its agent has signed in within the last hour. Stop it first."
