"""The proof that Asterisk has what was said, for programs."""

from __future__ import annotations

import uuid

import pytest
from flask_sqlalchemy.session import Session
from sqlalchemy import text
from sqlalchemy.orm import scoped_session

from tests.api.conftest import Program
from tests.web import things
from webapp.ext import db


@pytest.fixture(autouse=True)
def _node(session: scoped_session[Session]) -> None:
    db.session.execute(text("INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('pbx1', now(), true)"))
    db.session.commit()


def test_a_proof_is_asked_for_read_and_acted_upon(api: Program, viewer: Program) -> None:
    gateway = things.gateway("GW1", "10.0.0.1")
    owner = f"gateway:{gateway.id}"
    assert viewer.get("/sync/").json["state"] == "never"
    db.session.execute(text("UPDATE asterisk.ps_aors SET contact = 'sip:192.0.2.1:5060'"))
    db.session.commit()

    asked = api.post("/sync/check", {})
    assert asked.status_code == 202
    assert viewer.get("/sync/").json == asked.json
    tables, node = asked.json["parts"]
    assert asked.json["state"] == "different"
    assert (tables["node"], tables["state"], tables["asked_by"], tables["differences"]) == (
        None,
        "different",
        "olga",
        1,
    )
    field = {"name": "contact", "there": "sip:192.0.2.1:5060", "wanted": "sip:10.0.0.1:5060"}
    assert tables["findings"] == [
        {"table": "ps_aors", "key": "gateway-GW1", "owner": owner, "what": "different", "fields": [field]}
    ]
    assert (node["node"], node["state"], node["finished_at"]) == ("pbx1", "asked", None)

    assert api.post("/sync/repair", {"owner": f"gateway:{uuid.uuid4()}"}).json == {"rows": 0, "orders": 0}
    assert api.post("/sync/repair", {"owner": owner}).json == {"rows": 1, "orders": 2}
    assert viewer.get("/sync/", owner=owner).json["parts"][0]["state"] == "right"


def test_a_row_made_by_hand_is_in_the_way(api: Program) -> None:
    things.gateway("GW1", "10.0.0.1")
    db.session.execute(text("UPDATE asterisk.ps_aors SET owner = NULL"))
    db.session.commit()
    assert api.post("/sync/check", {}).json["by_hand"] == {"ps_aors": ["gateway-GW1"]}
    assert api.post("/sync/repair", {}).status_code == 409
    db.session.execute(text("DELETE FROM asterisk.ps_aors"))
    db.session.commit()
    assert api.post("/sync/repair", {}).json["rows"] == 1


@pytest.mark.parametrize(
    "owner", ["x", "gateway:1", "user:00000000-0000-0000-0000-000000000007", "\0", "gateway:" * 99]
)
def test_what_is_no_owner_is_refused(api: Program, owner: str) -> None:
    for answer in (
        api.get("/sync/", owner=owner),
        api.post("/sync/check", {"owner": owner}),
        api.post("/sync/repair", {"owner": owner}),
    ):
        assert answer.status_code == 422
        assert "owner" in answer.json["errors"]


def test_who_may_only_look_asks_for_nothing(viewer: Program) -> None:
    assert viewer.post("/sync/check", {}).status_code == 403
    assert viewer.post("/sync/repair", {}).status_code == 403
