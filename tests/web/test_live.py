"""The page of the calls that go on, and the same for programs."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.api.conftest import Program
from tests.conftest import Counting
from tests.web import things
from tests.web.html import rows
from webapp.ext import db
from webapp.live.models import LiveCall, LiveContact, LiveNode, LiveRegistration


def ago(seconds: float) -> dt.datetime:
    """So long before what the database takes for now in the transaction of a test."""
    now: dt.datetime = db.session.execute(text("SELECT now()")).scalar_one()
    return now - dt.timedelta(seconds=seconds)


def looked(node: str = "pbx1", seconds: float = 1) -> None:
    """The agent of a node looked so long ago."""
    db.session.merge(LiveNode(node=node, looked_at=ago(seconds)))
    db.session.commit()


def call(since: float = 70, talked: float | None = None, **values: Any) -> None:
    """A call that goes on, as an agent writes it."""
    made = {
        "node": "pbx1",
        "uniqueid": str(uuid.uuid4()),
        "direction": "outbound",
        "src": "551140001000",
        "dst": "552133334444",
        "state": "ringing" if talked is None else "answered",
        "started_at": ago(since),
        "answered_at": None if talked is None else ago(talked),
        **values,
    }
    db.session.add(LiveCall(**made))
    db.session.commit()


@pytest.fixture
def carrier() -> dict[str, Any]:
    """Who calls, and by what."""
    gateway = things.gateway()
    plan = things.price_plan()
    things.tariff(plan, "5521", "0.60", minimum_seconds=30, increment_seconds=6)
    acme = things.office("acme", price_plan_id=plan.id)
    return {"customer_id": acme.id, "gateway_id": gateway.id, "provider_id": gateway.provider_id}


def _shown(page: str) -> list[str]:
    """The rows, without when each began."""
    return [row.split(maxsplit=2)[2] for row in rows(page)]


def test_what_goes_on(client: FlaskClient, carrier: dict[str, Any]) -> None:
    looked()
    call(70, 61, **carrier)
    call(5, **carrier)
    call(3700, 3600, direction="inbound", **carrier | {"customer_id": None})
    page = client.get("/live/").text
    assert _shown(page) == [
        "Outbound Customer acme 551140001000 552133334444 GW1 Ringing 0:05 0.00",
        "Outbound Customer acme 551140001000 552133334444 GW1 Answered 1:10 0.66",
        "Inbound 551140001000 552133334444 GW1 Answered 61:40 0.00",
    ]
    assert "All calls now: 3, answered 2, in 1, out 2." in page


def test_a_call_without_a_tariff_has_no_price(client: FlaskClient, carrier: dict[str, Any]) -> None:
    looked()
    call(9, 8, **carrier | {"dst": "4499"})
    assert _shown(client.get("/live/").text) == ["Outbound Customer acme 551140001000 4499 GW1 Answered 0:09 Unrated"]


def test_what_an_agent_saw_long_ago_is_not_shown(client: FlaskClient, carrier: dict[str, Any]) -> None:
    db.session.execute(text("INSERT INTO nodes (name, enabled) VALUES ('pbx1', true), ('pbx2', true), ('off', false)"))
    looked("pbx1", 20)
    looked("pbx2", 10)
    call(**carrier)
    call(**carrier, node="pbx2", src="551140002000")
    page = client.get("/live/").text
    assert [row.split()[3] for row in _shown(page)] == ["551140002000"]
    assert "It is not known what goes on there now: pbx1." in page
    assert "All calls now: 1," in page
    looked("pbx1", 1)
    page = client.get("/live/").text
    assert len(rows(page)) == 2
    assert "It is not known" not in page


def test_filters(client: FlaskClient, carrier: dict[str, Any]) -> None:
    looked()
    other = things.office("beta")
    call(10, **carrier)
    call(20, **carrier | {"customer_id": other.id, "gateway_id": None}, direction="internal")

    def shown(query: str) -> list[str]:
        answer = client.get(f"/live/?{query}")
        assert answer.status_code == 200
        return [row.split()[2] for row in _shown(answer.text)]

    assert shown("") == ["acme", "beta"]
    assert shown("customer_id=beta") == ["beta"]
    assert shown(f"customer_id={carrier['customer_id']}") == ["acme"]
    assert shown("direction=internal") == ["beta"]
    assert shown(f"gateway_id={carrier['gateway_id']}") == ["acme"]
    assert shown("sort=started_at") == ["beta", "acme"]
    assert shown("q=2133334444") == ["acme", "beta"]
    assert shown("q=zzz") == []
    assert client.get("/live/?direction=sideways").status_code == 404


def test_the_table_is_asked_for_as_it_was(client: FlaskClient) -> None:
    page = client.get("/live/?direction=inbound&sort=src&after=1&after=2&after=3&after=4").status_code
    assert page == 404  # No such moment.
    assert 'hx-get="/live/?direction=inbound&amp;sort=src"' in client.get("/live/?direction=inbound&sort=src").text


def test_five_hundred_calls_take_as_many_questions_as_one(
    client: FlaskClient, carrier: dict[str, Any], counting: Counting
) -> None:
    looked()
    call(**carrier)
    client.get("/live/")
    with counting() as for_one:
        client.get("/live/")
    db.session.execute(
        text(
            "INSERT INTO live_channels SELECT node, uniqueid || n, direction, customer_id, gateway_id, provider_id,"
            " src, dst, did, state, started_at - n * interval '1 s', answered_at"
            " FROM live_channels, generate_series(1, 499) n"
        )
    )
    db.session.commit()
    with counting() as for_many:
        page = client.get("/live/").text
    assert len(for_many) == len(for_one) <= 8
    assert "All calls now: 500," in page
    seen = len(rows(page))
    while 'rel="next"' in page:
        page = client.get(page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")).text
        seen += len(rows(page))
    assert seen == 500


def test_hostile_numbers_are_text(client: FlaskClient) -> None:
    looked()
    call(src="<script>alert(1)</script>", dst="{{ 7*7 }}")
    page = client.get("/live/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert client.get("/live/?q=%00&customer_id=%00x&gateway_id=%00").status_code in (200, 404)


def test_programs_get_the_same(client: FlaskClient, app: Any, carrier: dict[str, Any]) -> None:
    db.session.execute(text("INSERT INTO nodes (name) VALUES ('pbx2')"))
    looked()
    call(70, 61, **carrier)
    call(5, **carrier | {"customer_id": None}, direction="inbound")
    program, nobody = Program(app, "olga"), Program(app, None)
    assert nobody.get("/live-calls/").status_code == 401
    answer = program.get("/live-calls/").json
    assert answer["unknown"] == ["pbx2"]
    assert answer["next_cursor"] is None
    ringing, answered = answer["items"]
    assert (ringing["state"], ringing["answered_at"], ringing["price"]) == ("ringing", None, "0")
    assert answered["customer_id"] == str(carrier["customer_id"])
    assert (answered["seconds"], answered["price"], answered["state"]) == (70, "0.6600", "answered")
    assert [each["direction"] for each in program.get("/live-calls/", direction="inbound").json["items"]] == ["inbound"]
    assert program.get("/live-calls/", direction="sideways").status_code == 422
    first = program.get("/live-calls/", limit=1).json
    following = program.get("/live-calls/", limit=1, cursor=first["next_cursor"]).json
    assert first["items"] + following["items"] == [ringing, answered]


def test_programs_are_told_how_many_go_on(client: FlaskClient, app: Any, carrier: dict[str, Any]) -> None:
    looked()
    looked("pbx2", 20)
    call(9, 8, **carrier)
    call(5, direction="inbound")
    call(5, direction="internal")
    call(5, node="pbx2")
    stats = Program(app, "olga").get("/dashboard/stats").json
    assert stats["calls_now"] == {"count": 3, "answered": 1, "inbound": 1, "outbound": 1}


# ---- what is seen of phones, gateways and PBXs


def contact(thing: Any, state: str = "reachable", **values: Any) -> None:
    """A node sees a thing, as an agent writes it."""
    made = {"node": "pbx1", "aor": str(thing.id), "uri": "sip:10.0.0.5", "since": ago(60), **values}
    db.session.add(LiveContact(thing_id=thing.id, state=state, **made))
    db.session.commit()


def test_where_a_phone_is_registered(client: FlaskClient) -> None:
    acme = things.office("acme")
    here, away = things.extension(acme, "100"), things.extension(acme, "101")
    looked()
    contact(here, "unchecked", address="203.0.113.9:5062", user_agent="Yealink <T46>")
    assert [row.partition("acme ")[2] for row in rows(client.get("/extensions/").text)] == [
        "100 Registered 203.0.113.9:5062 Yealink <T46> Enabled",
        "101 Not registered Enabled",
    ]
    assert "203.0.113.9:5062" in client.get(f"/extensions/{here.id}").text
    assert "Not registered" in client.get(f"/extensions/{away.id}").text
    assert len(rows(client.get("/extensions/?registered=true").text)) == 1
    assert rows(client.get("/extensions/?registered=false").text)[0].startswith("acme-101")


def test_whether_gateways_answer_and_how_we_are_registered(client: FlaskClient) -> None:
    fine, down = things.gateway("fine", "10.0.0.1"), things.gateway("down", "10.0.0.2")
    things.gateway("other", "10.0.0.3")
    looked("pbx1")
    looked("pbx2")
    contact(fine, rtt=12.3)
    contact(fine, "unreachable", node="pbx2")
    contact(down, "unreachable")
    db.session.add(
        LiveRegistration(node="pbx1", name="gateway-fine", thing_id=fine.id, state="rejected", since=ago(60))
    )
    db.session.commit()
    page = client.get("/gateways/").text
    words = {row.split()[0]: row for row in rows(page)}
    assert "Answers in 12.3 ms pbx1 Does not answer since" in words["fine"]
    assert "Registration rejected pbx1, since" in words["fine"]
    assert "Does not answer" in words["down"]
    assert "pbx" not in words["down"]
    assert "Not seen yet" in words["other"]
    assert [row.split()[0] for row in rows(client.get("/gateways/?sort=-connection").text)][2] == "other"
    assert len(rows(client.get("/gateways/?connection=unreachable").text)) == 2
    assert "Answers in 12.3 ms" in client.get(f"/gateways/{fine.id}").text


def test_how_many_calls_go_on_of_how_many_there_may_be(client: FlaskClient, carrier: dict[str, Any]) -> None:
    looked()
    acme = things.trunk("many", "10.1.0.9", max_channels=10)
    call(**carrier | {"customer_id": acme.id})
    call(**carrier | {"customer_id": acme.id})
    call(**carrier | {"customer_id": acme.id, "node": "pbx9"})  # Nobody watches that node.
    assert " 2 of 10 Enabled" in rows(client.get("/customers/?q=many").text)[0]
    assert "2 of 10" in client.get(f"/customers/{acme.id}").text
    assert " 2 Enabled" in rows(client.get("/gateways/").text)[0]


def test_nothing_is_said_of_a_node_that_nobody_watches(client: FlaskClient) -> None:
    phone = things.extension(things.office("acme"))
    looked(seconds=60)
    contact(phone)
    [row] = rows(client.get("/extensions/").text)
    assert row.endswith("Not known Enabled")


def test_programs_are_told_who_is_where(client: FlaskClient, app: Flask) -> None:
    program = Program(app, "olga")
    phone = things.extension(things.office("acme"))
    looked()
    contact(phone, aor="acme-100", address="203.0.113.9:5062", rtt=4.5)
    db.session.add(LiveRegistration(node="pbx1", name="gateway-x", state="registered", since=ago(60)))
    db.session.commit()
    [found] = program.get("/live-contacts/", q="acme").json["items"]
    assert (found["thing_id"], found["address"], found["rtt"]) == (str(phone.id), "203.0.113.9:5062", "4.5")
    assert program.get("/live-contacts/", state="unreachable").json["items"] == []
    [found] = program.get("/live-registrations/").json["items"]
    assert (found["name"], found["state"], found["thing_id"]) == ("gateway-x", "registered", None)
