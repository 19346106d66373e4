"""The nodes: how each is, putting one out of service and back, deleting one, and the badge of every page."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp.accounts.models import AuditEntry
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.settings.models import Node, OutboxEntry


@pytest.fixture
def admin(app: Flask, client: FlaskClient) -> FlaskClient:
    browser = signed_in(app, make_user("adam", "admin").username)
    db.session.commit()
    return browser


def node(name: str, seen: str = "0 seconds", **values: Any) -> None:
    """A node whose agent signed in so long ago; `seen=""`: never."""
    values = {"enabled": True, "asterisk_up": True, "detail": "", **values}
    db.session.execute(
        text(
            "INSERT INTO nodes (name, seen_at, enabled, asterisk_up, detail) VALUES"
            " (:name, now() - nullif(:seen, '')::interval, :enabled, :asterisk_up, :detail)"
        ),
        {"name": name, "seen": seen, **values},
    )
    db.session.commit()


def owe(name: str, count: int = 1, request_id: str = "", error: str = "") -> None:
    orders = [OutboxEntry(node=name, action="reload", request_id=request_id, error=error) for _ in range(count)]
    db.session.add_all(orders)
    db.session.commit()


def owed(name: str) -> list[str]:
    found = db.session.scalars(
        text("SELECT action FROM outbox WHERE node = :name AND done_at IS NULL ORDER BY id"), {"name": name}
    ).all()
    db.session.commit()
    return list(found)


def test_each_says_how_it_is(client: FlaskClient) -> None:
    assert "A server appears here when its agent first starts." in client.get("/settings/nodes/").text
    node("away", "1 minute")
    node("busy")
    node("down", asterisk_up=False, detail="cannot connect: refused")
    node("fine")
    node("new", "")
    node("off", enabled=False)
    owe("busy", 2, error="Asterisk cannot read the database")

    shown = [
        [word for word in row.split() if not word[0].isdigit()] for row in rows(client.get("/settings/nodes/").text)
    ]
    assert [" ".join(row) for row in shown] == [
        "away Agent away – –",
        "busy Catching up Asterisk cannot read the database. Look at its database connection.",
        "down Asterisk away – cannot connect: refused",
        "fine Up to date – –",
        "new Agent away Never – –",
        "off Disabled – –",
    ]
    assert "Disable</button>" not in client.get("/settings/nodes/").text


def test_many_orders_take_no_more_queries(client: FlaskClient, counting: Counting) -> None:
    node("pbx1")
    with counting() as few:
        client.get("/settings/nodes/")
    for name in ("pbx2", "pbx3"):
        node(name)
        owe(name, 5)
    with counting() as many:
        client.get("/settings/nodes/")
    assert len(many) == len(few)


def test_a_node_out_of_service_is_told_nothing_and_begins_afresh(admin: FlaskClient) -> None:
    node("pbx1")
    node("pbx2")
    owe("pbx2", 3)
    answer = admin.post("/settings/nodes/pbx2/enabled", data={"enabled": "no"}, follow_redirects=True)
    assert alert(answer.text) == "pbx2 is disabled."
    assert owed("pbx2") == []

    things.extension(things.office())
    assert owed("pbx1") != []
    assert owed("pbx2") == []

    answer = admin.post("/settings/nodes/pbx2/enabled", data={"enabled": "yes"}, follow_redirects=True)
    assert alert(answer.text) == "pbx2 is enabled."
    assert owed("pbx2") == ["start_afresh"]
    admin.post("/settings/nodes/pbx2/enabled", data={"enabled": "yes"})  # It is already.
    assert owed("pbx2") == ["start_afresh"]

    recorded = db.session.execute(
        text("SELECT username, action, label, after FROM audit_log WHERE kind = 'nodes' ORDER BY id")
    ).all()
    assert recorded == [
        ("adam", "update", "pbx2", {"enabled": False}),
        ("adam", "update", "pbx2", {"enabled": True}),
    ]
    db.session.commit()
    assert any("Edited Node pbx2" in row for row in rows(admin.get("/audit/").text))


def test_only_what_has_gone_is_deleted(admin: FlaskClient) -> None:
    node("here", "59 minutes")
    node("gone", "61 minutes")
    node("never", "")
    owe("gone", 2)
    page = admin.get("/settings/nodes/").text
    assert "/settings/nodes/gone/delete" in page
    assert "/settings/nodes/here/delete" not in page

    assert "2 orders that it is owed go with it." in admin.get("/settings/nodes/gone/delete").text
    answer = admin.post("/settings/nodes/gone/delete", follow_redirects=True)
    assert alert(answer.text) == "gone was deleted."
    assert things.count(OutboxEntry) == 0
    assert things.count(AuditEntry, action="delete", label="gone", username="adam") == 1

    for method in ("GET", "POST"):
        answer = admin.open("/settings/nodes/here/delete", method=method)
        assert answer.status_code == 409
        assert alert(answer.text) == "Its agent has signed in within the last hour. Stop it first."
    assert admin.post("/settings/nodes/never/delete").status_code == 302
    assert things.count(Node) == 1


def test_registrations_move_with_the_nodes(admin: FlaskClient) -> None:
    node("pbx1")
    node("pbx2", "2 hours")
    gateway = things.gateway(registration=True, username="us", password="pass", node="pbx2")
    page = f"/gateways/{gateway.id}"

    def registered_from() -> tuple[str, str | None]:
        found = db.session.scalar(text("SELECT node FROM asterisk.ps_registrations"))
        db.session.commit()
        return facts(admin.get(page).text)["Registers from"], found

    assert registered_from() == ("pbx2", "pbx2")
    db.session.execute(text("DELETE FROM outbox"))
    admin.post("/settings/nodes/pbx2/enabled", data={"enabled": "no"})
    assert owed("pbx1") == owed("pbx2") == ["reload_registrations"]  # Also the one that has to let go.
    assert registered_from() == ("pbx1 (the first node)", "pbx2")

    admin.post("/settings/nodes/pbx2/delete")
    assert registered_from() == ("pbx1 (the first node)", None)
    assert things.one(Gateway).node is None
    assert things.count(AuditEntry, action="update", label="GW1", username="adam") == 1


def test_a_node_is_chosen_in_the_form_of_a_gateway(client: FlaskClient) -> None:
    node("pbx2")
    node("pbx1")
    gateway = things.gateway(registration=True, username="us", password="pass")
    page = client.get(f"/gateways/{gateway.id}/edit").text
    data = filled_in(page)
    assert data["node"] == ""
    client.post(f"/gateways/{gateway.id}/edit", data=data | {"node": "pbx2"})
    assert things.one(Gateway).node == "pbx2"
    assert owed("pbx1")[-1] == owed("pbx2")[-1] == "reload_registrations"
    assert filled_in(client.get(f"/gateways/{gateway.id}/edit").text)["node"] == "pbx2"

    data = filled_in(client.get(f"/gateways/{gateway.id}/edit").text)
    for wrong, message in (("pbx9", "This node no longer exists."), ("<b>", "Choose one of the options.")):
        answer = client.post(f"/gateways/{gateway.id}/edit", data=data | {"node": wrong})
        assert (answer.status_code, error_at(answer.text, "node")) == (422, message)


def test_hostile_names(admin: FlaskClient) -> None:
    node("<script>", detail="<script>alert(1)</script>")
    assert "<script>alert" not in admin.get("/settings/nodes/").text
    for name in ("%00", "x" * 5000, "pbx%0d%0a"):
        assert admin.get(f"/settings/nodes/{name}/delete").status_code == 404
        assert admin.post(f"/settings/nodes/{name}/enabled", data={"enabled": "no"}).status_code == 404


def test_the_badge(client: FlaskClient) -> None:
    assert 'hx-get="/sync/badge"' in client.get("/customers/").text

    def said() -> str:
        page = client.get("/sync/badge").text
        return " ".join(page.partition('<span class="status')[2].partition(">")[2].partition("<")[0].split())

    assert said() == "No Asterisk yet"
    node("pbx1")
    node("pbx2")
    assert said() == "All nodes up to date"
    owe("pbx2", 3, request_id="a" * 12)  # One save.
    assert said() == "1 change on its way to pbx2"
    owe("pbx1", 1, request_id="a" * 12)
    owe("pbx2", 1, request_id="b" * 12)
    assert said() == "2 changes on their way to pbx1, pbx2"
    node("pbx3", asterisk_up=False)
    assert said() == "Asterisk away: pbx3"
    node("pbx4", "2 days")
    assert said().startswith("pbx4 unreachable since 2")
    node("pbx5", "")
    assert said() == "pbx4, pbx5 unreachable"
    db.session.execute(text("UPDATE nodes SET enabled = false WHERE name <> 'pbx1'"))
    db.session.execute(text("UPDATE outbox SET done_at = now()"))
    db.session.commit()
    assert said() == "All nodes up to date"
    db.session.execute(text("UPDATE nodes SET enabled = false"))
    db.session.commit()
    assert said() == "All nodes are disabled"


def test_only_news_are_announced(client: FlaskClient) -> None:
    node("pbx1")
    assert "badge-news" not in client.get("/sync/badge").text
    assert client.get("/sync/badge", query_string={"shown": "All nodes up to date"}).status_code == 204
    owe("pbx1")
    answer = client.get("/sync/badge", query_string={"shown": "All nodes up to date"})
    assert "Set-Cookie" not in answer.headers  # It would take back what another request puts there meanwhile.
    assert '<span id="badge-news" hx-swap-oob="innerHTML">1 change on its way to pbx1</span>' in answer.text


def test_a_page_costs_nothing_more_and_a_badge_little(client: FlaskClient, counting: Counting) -> None:
    client.get("/sync/badge")
    with counting() as statements:
        client.get("/sync/badge")
    assert len([one for one in statements if "nodes" in one]) == 1
    assert len(statements) <= 3
    with counting() as statements:
        client.get("/customers/")
    assert not any("outbox" in one for one in statements)


def test_a_page_left_open_is_no_use_of_the_session(client: FlaskClient) -> None:
    def used(path: str, **headers: str) -> bool:
        db.session.execute(text("UPDATE sessions SET seen_at = now() - interval '2 hours'"))
        db.session.commit()
        assert client.get(path, headers=headers).status_code == 200
        just_now = db.session.scalar(text("SELECT seen_at > now() - interval '1 hour' FROM sessions"))
        db.session.commit()
        return bool(just_now)

    by_itself = {"X-By-Itself": "1"}
    assert not used("/sync/badge", **by_itself)
    assert not used("/live/", **by_itself)
    assert used("/live/")


def test_whose_session_is_over_is_asked_no_more(client: FlaskClient) -> None:
    client.post("/logout")
    answer = client.get("/sync/badge", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.text) == (286, "")  # htmx takes this for the end.
    assert "Please" not in client.get("/login").text
