"""Conferences on the pages: who may, what is refused before anybody is called, and what is shown of what goes on."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from tests.conftest import Counting
from tests.web import things
from tests.web.html import rows
from tests.web.test_live import contact, looked
from webapp.accounts.models import AuditEntry
from webapp.conferences.models import Conference, Participant
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.settings.models import Node

NUMBERS = "+55 (11) 4000-1234\n100\n"


@pytest.fixture
def office(client: FlaskClient) -> Any:
    """A customer with phones, a way out, and a node that is there."""
    node("n1")
    customer = things.office("acme", price_plan_id=None)
    things.extension(customer, "100")
    things.route()
    return customer


def node(name: str, **values: Any) -> None:
    values = {"seen_at": dt.datetime.now(dt.UTC), "asterisk_up": True, **values}
    db.session.add(Node(name=name, **values))
    db.session.commit()


def ask(client: FlaskClient, customer: Any, **values: Any) -> Any:
    given = {"name": "Board", "customer_id": str(customer.id), "numbers": NUMBERS, "max_minutes": "60", **values}
    return client.post(values.pop("path", f"/conferences/new/{uuid.uuid4()}"), data=given)


def held() -> Conference:
    return things.one(Conference)


def participants() -> list[tuple[str, str]]:
    found = db.session.scalars(select(Participant).order_by(Participant.position)).all()
    db.session.expunge_all()
    return [(each.number, each.state) for each in found]


def told(page: str) -> list[str]:
    """What the page says of each participant."""
    return rows(page.partition('id="participants"')[2].partition("</table>")[0])


def becomes(state: str, **values: Any) -> None:
    """What the agent writes."""
    db.session.execute(text("UPDATE conference_participants SET state = :state, called_at = now()"), {"state": state})
    for name, value in values.items():
        db.session.execute(text(f"UPDATE conference_participants SET {name} = :value"), {"value": value})  # noqa: S608 - our own names
    db.session.commit()


def test_a_conference_is_asked_for(client: FlaskClient, office: Any) -> None:
    answer = ask(client, office)

    conference = held()
    assert answer.location == f"/conferences/{conference.id}"
    assert (conference.name, conference.node, conference.username) == ("Board", "n1", "olga")
    assert conference.numbers == ["+551140001234", "100"]
    assert participants() == [("+551140001234", "asked"), ("100", "asked")]
    page = client.get(answer.location).text
    assert told(page) == ["+551140001234 Will be called Drop", "100 Will be called Drop"]
    [entry] = db.session.scalars(select(AuditEntry).where(AuditEntry.kind == "conferences")).all()
    assert (entry.action, entry.username, entry.after["numbers"]) == ("create", "olga", ["+551140001234", "100"])


def test_a_second_click_calls_nobody_twice(client: FlaskClient, office: Any) -> None:
    path = f"/conferences/new/{uuid.uuid4()}"
    assert ask(client, office, path=path).location == ask(client, office, path=path).location
    assert things.count(Conference) == 1


@pytest.mark.parametrize(
    "numbers",
    [
        "551140001234\r\nChannel: Local/1@x",
        "100\nApplication: System",
        "5511400012;34&Local/9",
        "5511@from-internal",
        "100\x00",
        "${SHELL(id)}",
        "<script>alert(1)</script>",
        "1" * 33,
        "+",
        "100,,100\n" * 40,
        "ＩＯＯ",
        "١٠٠",
    ],
)
def test_what_is_no_number_is_refused(client: FlaskClient, office: Any, numbers: str) -> None:
    answer = ask(client, office, numbers=numbers)
    assert answer.status_code == 422
    assert 'id="numbers-error"' in answer.text
    assert "<script>alert" not in answer.text
    assert things.count(Conference) == 0


def test_each_number_that_would_be_refused_is_said_at_its_field(client: FlaskClient, office: Any) -> None:
    answer = ask(client, office, numbers="100\n4420123456\n190\n551140001234\n+551140001234")
    assert answer.status_code == 422
    assert "4420123456: No route takes this number." in answer.text
    assert "190: Who calls for help dials it himself." in answer.text
    assert "+551140001234: It is the same as 551140001234." in answer.text
    assert "100: " not in answer.text
    assert things.count(Conference) == 0


def test_more_than_the_customer_may_have_at_once(client: FlaskClient) -> None:
    node("n1")
    customer = things.office("small", max_channels=1)
    things.route()
    answer = ask(client, customer, numbers="551140001234\n551140001235")
    assert "551140001235: The customer has as many calls as it may have at once." in answer.text
    assert "551140001234:" not in answer.text


def test_nobody_is_there_to_call(client: FlaskClient) -> None:
    customer = things.office("acme")
    things.extension(customer, "100")
    node("dead", seen_at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1))
    node("down", asterisk_up=False)
    node("off", enabled=False)
    answer = ask(client, customer, numbers="100")
    assert answer.status_code == 422
    assert "No Asterisk is there to call anybody." in answer.text


def test_the_node_with_the_fewest_conferences_calls(client: FlaskClient, office: Any) -> None:
    node("n2")
    for _ in range(3):
        ask(client, office)
    found = db.session.execute(select(Conference.node, func.count()).group_by(Conference.node)).all()
    assert sorted(map(tuple, found)) == [("n1", 2), ("n2", 1)]


def test_the_node_calls_where_the_phones_are(client: FlaskClient, office: Any) -> None:
    node("n2")
    looked("n2")
    contact(db.session.query(Extension).filter_by(customer_id=office.id).first(), node="n2")
    for _ in range(2):
        ask(client, office)
    assert {each.node for each in db.session.scalars(select(Conference))} == {"n2"}


def test_who_pays_if_nobody_is_named(client: FlaskClient, office: Any) -> None:
    assert "Say who pays" in ask(client, office, customer_id="").text
    db.session.execute(text("UPDATE settings SET conference_customer_id = :id"), {"id": office.id})
    db.session.commit()
    assert "Customer acme (acme)" in client.get("/conferences/new").text
    ask(client, office, customer_id="")
    assert held().customer_id == office.id


def test_a_disabled_customer_pays_for_nothing(client: FlaskClient, office: Any) -> None:
    disabled = things.office("gone", enabled=False)
    assert "The customer is disabled." in ask(client, disabled, numbers="100").text
    assert "This customer no longer exists." in ask(client, office, customer_id=str(uuid.uuid4())).text


def test_what_goes_on_is_shown(client: FlaskClient, office: Any) -> None:
    ask(client, office)
    path = f"/conferences/{held().id}"
    for state, words in (("calling", "Is called"), ("ringing", "Ringing"), ("joined", "In the room")):
        becomes(state, joined_at=dt.datetime.now(dt.UTC) if state == "joined" else None)
        first, second = told(client.get(path).text)
        assert first.startswith(f"+551140001234 {words}")
        assert second.startswith(f"100 {words}")
    page = client.get(path).text
    assert 'hx-trigger="every 2s"' in page
    assert "It is not known" not in page
    db.session.execute(text("UPDATE nodes SET asterisk_up = false"))
    db.session.commit()
    assert "It is not known what goes on there now: n1." in client.get(path).text


@pytest.mark.parametrize(
    ("leg", "words"),
    [
        ({"disposition": "BUSY", "cause": 17}, "Busy"),
        ({"disposition": "NO ANSWER", "cause": 19}, "No answer"),
        ({"disposition": "FAILED", "cause": 34}, "Failed"),
        ({"disposition": "FAILED", "cause": 34, "reason": "channels"}, "Refused"),
        ({"disposition": "NO ANSWER", "reason": "cancelled"}, "Called off"),
        ({"disposition": "ANSWERED", "answered_at": things.START, "price": "0.25"}, "Has left"),
    ],
)
def test_how_a_call_ended(client: FlaskClient, office: Any, leg: dict[str, Any], words: str) -> None:
    ask(client, office, numbers="551140001234")
    conference, [participant] = held(), db.session.scalars(select(Participant)).all()
    request = str(participant.id)
    becomes("over", left_at=dt.datetime.now(dt.UTC))
    things.call(dt.datetime.now(dt.UTC), customer_id=office.id, request=request, dst="551140001234", **leg)
    [row] = told(client.get(f"/conferences/{conference.id}").text)
    assert row.startswith(f"551140001234 {words}")
    assert ("as many calls as it may have" in row) == (leg.get("reason") == "channels")
    assert ("0.25" in row) == ("price" in leg)


def test_who_was_not_called_can_be_called_again_and_only_once(client: FlaskClient, office: Any) -> None:
    ask(client, office, numbers="551140001234")
    path = f"/conferences/{held().id}"
    becomes("not_called")
    page = client.get(path).text
    assert "Not called" in page
    assert "Call again" in page
    assert client.post(f"{path}/call", data={"number": "551140001234"}).location == path
    answer = client.post(f"{path}/call", data={"number": "551140001234"})
    assert answer.status_code == 422
    assert "551140001234 is being called, or in the room." in answer.text
    assert participants() == [("551140001234", "not_called"), ("551140001234", "asked")]
    assert held().numbers == ["551140001234", "551140001234"]


def test_one_more_is_called_as_the_first_ones_are(client: FlaskClient, office: Any) -> None:
    ask(client, office, numbers="551140001234")
    path = f"/conferences/{held().id}"
    assert "No route takes this number." in client.post(f"{path}/call", data={"number": "4499"}).text
    assert "is no number to call" in client.post(f"{path}/call", data={"number": "1\r\n2"}).text
    client.post(f"{path}/call", data={"number": "100"})
    assert participants() == [("551140001234", "asked"), ("100", "asked")]


def test_who_is_there_is_dropped_and_the_room_closed(client: FlaskClient, office: Any) -> None:
    ask(client, office, numbers="551140001234")
    conference, [participant] = held(), db.session.scalars(select(Participant)).all()
    path = f"/conferences/{conference.id}"
    becomes("joined")
    client.post(f"{path}/participants/{participant.id}/drop")
    client.post(f"{path}/participants/{participant.id}/drop")
    assert client.post(f"{path}/participants/{uuid.uuid4()}/drop").status_code == 404
    client.post(f"{path}/close")
    client.post(f"{path}/close")
    assert held().state == "closing"
    assert "The conference is over." in client.post(f"{path}/call", data={"number": "100"}).text
    found = db.session.scalars(select(AuditEntry).where(AuditEntry.kind == "conferences").order_by(AuditEntry.id)).all()
    assert [entry.action for entry in found] == ["create", "drop", "update"]
    assert found[1].after == {"number": "551140001234"}
    audit = client.get("/audit/").text
    assert "Dropped from a conference" in audit
    assert "Closed at" in audit


def test_an_ended_one_asks_no_more(client: FlaskClient, office: Any) -> None:
    ask(client, office)
    becomes("over")
    db.session.execute(text("UPDATE conferences SET ended_at = now(), end_reason = 'nobody'"))
    db.session.commit()
    page = client.get(f"/conferences/{held().id}").text
    assert "Nobody came." in page
    assert "hx-trigger" not in page.partition('id="participants"')[2].partition("<table")[0]
    assert "Close the room" not in page
    assert "Call again" not in page
    refreshed = client.get(f"/conferences/{held().id}", headers={"HX-Request": "true"})
    assert refreshed.headers["HX-Refresh"] == "true"


def test_a_viewer_looks_only(client: FlaskClient, viewer: FlaskClient, office: Any) -> None:
    ask(client, office)
    path = f"/conferences/{held().id}"
    page = viewer.get(path)
    assert page.status_code == 200
    assert "Close the room" not in page.text
    assert "Drop" not in page.text
    assert viewer.post(f"{path}/close").status_code == 403
    assert viewer.get("/conferences/new").status_code == 403


def test_the_list(client: FlaskClient, office: Any, counting: Counting) -> None:
    for name in ("Board", "<b>Sales</b>", "Support"):
        ask(client, office, name=name)
    page = client.get("/conferences/").text
    assert "<b>Sales" not in page
    assert len(rows(page)) == 3
    for name in ("Board", "<b>Sales</b>", "Support"):
        assert any(name in row for row in rows(page))
    assert ["Board" in row for row in rows(client.get("/conferences/?q=board").text)] == [True]
    assert len(rows(client.get("/conferences/?q=4000").text)) == 3
    assert "Nothing" in client.get("/conferences/?open=false").text
    ask(client, office, name="=1+1")
    lines = client.get("/conferences/export.csv?q=1%2B1").text.splitlines()
    assert lines[0].lstrip("\ufeff").startswith("created_at")
    assert "'=1+1" in lines[1]
    with counting() as few:
        client.get("/conferences/")
    for _ in range(3):
        ask(client, office)
    with counting() as more:
        client.get("/conferences/")
    assert len(more) == len(few)


def test_a_page_takes_as_many_queries_for_many_participants(
    client: FlaskClient, office: Any, counting: Counting
) -> None:
    ask(client, office, numbers="551140001234")
    becomes("over")
    path = f"/conferences/{held().id}"
    with counting() as few:
        client.get(path)
    db.session.execute(
        text(
            "INSERT INTO conference_participants (conference_id, position, number, state, called_at) "
            "SELECT id, n, '551140001234', 'over', now() FROM conferences, generate_series(1, 20) n"
        )
    )
    db.session.commit()
    with counting() as more:
        client.get(path)
    assert len(more) == len(few)


def test_the_settings_name_who_pays(client: FlaskClient, office: Any) -> None:
    assert "Conferences are paid by" in client.get("/settings/").text
    db.session.execute(text("UPDATE settings SET conference_customer_id = :id"), {"id": office.id})
    db.session.commit()
    assert "Customer acme (acme)" in client.get("/settings/").text
