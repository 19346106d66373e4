"""Conferences, as programs ask for them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.conftest import Program
from tests.web import things
from webapp.conferences.models import Conference
from webapp.ext import db
from webapp.settings.models import Node

FIELDS = {
    *("id", "created_at", "name", "customer_id", "numbers", "caller_id", "record", "recording", "max_minutes", "node"),
    *("username", "state", "ends_at", "ended_at", "end_reason", "known", "participants"),
}


@pytest.fixture
def customer(api: Program) -> Any:
    db.session.add(Node(name="n1", seen_at=dt.datetime.now(dt.UTC), asterisk_up=True))
    db.session.commit()
    customer = things.office("acme")
    things.extension(customer, "100")
    things.route()
    return customer


def wanted(customer: Any, **values: Any) -> dict[str, Any]:
    return {"name": "Board", "numbers": ["100", "+55 11 4000-1234"], "customer_id": str(customer.id), **values}


def test_it_is_held_read_and_closed(api: Program, customer: Any) -> None:
    answer = api.post("/conference/", wanted(customer, record=True, max_minutes=30))
    assert answer.status_code == 201
    made = answer.json
    assert made.keys() == FIELDS
    assert (made["state"], made["known"], made["recording"]) == ("open", True, f"{made['id']}.wav")
    assert [(each["number"], each["state"]) for each in made["participants"]] == [
        ("100", "asked"),
        ("+551140001234", "asked"),
    ]
    path = f"/conference/{made['id']}"
    assert api.get(path).json == made
    [listed] = api.get("/conference/").json["items"]
    assert listed == {name: made[name] for name in listed}
    assert api.get("/conference/", open="false").json["items"] == []

    dropped = api.post(f"{path}/participants/{made['participants'][0]['id']}/drop")
    assert dropped.status_code == 200
    assert api.post(f"{path}/participants/{uuid.uuid4()}/drop").status_code == 404
    more = api.post(f"{path}/call", {"number": "551140001299"})
    assert [each["number"] for each in more.json["participants"]] == ["100", "+551140001234", "551140001299"]
    assert api.post(f"{path}/call", {"number": "551140001299"}).json == {
        "errors": {"number": ["551140001299 is being called, or in the room."]}
    }
    assert api.post(f"{path}/close").json["state"] == "closing"
    assert api.post(f"{path}/call", {"number": "100"}).json == {"errors": {"number": ["The conference is over."]}}


def test_what_became_of_a_call(api: Program, customer: Any) -> None:
    made = api.post("/conference/", wanted(customer, numbers=["551140001234"])).json
    [participant] = made["participants"]
    now = dt.datetime.now(dt.UTC)
    leg = {"disposition": "ANSWERED", "answered_at": now, "price": "0.25", "cause": 16}
    things.call(now, customer_id=customer.id, request=participant["id"], dst="551140001234", **leg)
    db.session.execute(text("UPDATE conference_participants SET state = 'over', called_at = now(), left_at = now()"))
    db.session.commit()
    [participant] = api.get(f"/conference/{made['id']}").json["participants"]
    assert (participant["outcome"], participant["price"], participant["cause"]) == ("left", "0.25000000", 16)


def test_one_that_is_sent_twice_is_held_once(api: Program, customer: Any) -> None:
    body = wanted(customer, id=str(uuid.uuid4()))
    first, second = api.post("/conference/", body), api.post("/conference/", body)
    assert first.json == second.json
    assert things.count(Conference) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"numbers": []}, "numbers"),
        ({"numbers": ["100\nApplication: System"]}, "numbers"),
        ({"numbers": ["551140001234\x00"]}, "numbers"),
        ({"numbers": ["4499"]}, "numbers"),
        ({"numbers": [100]}, "numbers"),
        ({"numbers": ["100"] * 31}, "numbers"),
        ({"name": "a\r\nb"}, "name"),
        ({"caller_id": "1\r\nSetvar: X=1"}, "caller_id"),
        ({"customer_id": str(uuid.uuid4())}, "customer_id"),
        ({"customer_id": None}, "customer_id"),
        ({"max_minutes": 481}, "max_minutes"),
        ({"room": "x"}, "room"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(api: Program, customer: Any, values: dict[str, Any], field: str) -> None:
    answer = api.post("/conference/", wanted(customer, **values))
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]
    assert things.count(Conference) == 0


def test_a_viewer_reads_only(viewer: Program, customer: Any) -> None:
    assert viewer.get("/conference/").status_code == 200
    assert viewer.post("/conference/", wanted(customer)).status_code == 403
