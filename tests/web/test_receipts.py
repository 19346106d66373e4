"""What a page says after a save: how many rows were written, and how far the nodes are with it."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, filled_in
from tests.web.test_nodes import node, owe
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.extensions.models import Extension


@pytest.fixture
def phone(client: FlaskClient) -> Extension:
    """A phone that was there before, and two nodes that know of it."""
    phone = things.extension(things.office("acme"))
    node("pbx1")
    node("pbx2")
    return phone


def save(client: FlaskClient, phone: Extension, **values: str) -> str:
    """The page after the phone was changed."""
    path = f"/extensions/{phone.id}/edit"
    answer = client.post(path, data=filled_in(client.get(path).text) | values, follow_redirects=True)
    assert answer.status_code == 200
    return answer.text


def receipt(page: str) -> str:
    """What the message of a page says of the nodes."""
    found = re.search('<p class="receipt">(.*?)</p>', page, re.DOTALL)
    return " ".join(re.sub("<[^>]*>", "", found[1]).split()) if found else ""


def receipt_path(page: str) -> str:
    found = re.search(r'id="receipt" hx-get="(/sync/receipts/[0-9a-f]{12})\?', page)
    assert found
    return found[1]


def finish(name: str, milliseconds: int) -> None:
    db.session.execute(
        text(
            "UPDATE outbox SET done_at = created_at + :ms * interval '1 millisecond'"
            " WHERE node = :name AND done_at IS NULL"
        ),
        {"name": name, "ms": milliseconds},
    )
    db.session.commit()


def said(client: FlaskClient, path: str) -> str:
    return re.sub("<[^>]*>", "", client.get(path).text).strip()


def test_a_save_says_what_was_done_and_when_it_is_live(client: FlaskClient, phone: Extension) -> None:
    page = save(client, phone, name="Front desk")
    assert alert(page) == "Extension acme-100 saved."
    assert receipt(page) == "1 row written. On its way to pbx1, pbx2."
    path = receipt_path(page)
    assert client.get(path, query_string={"shown": "On its way to pbx1, pbx2."}).status_code == 204

    finish("pbx1", 40)
    assert said(client, path) == "Live on pbx1 after 40 ms. On its way to pbx2."
    assert "hx-get" in client.get(path).text
    finish("pbx2", 55)
    assert said(client, path) == "Live on pbx1 after 40 ms, pbx2 after 55 ms."
    settled = client.get(path, query_string={"shown": "Live on pbx1 after 40 ms, pbx2 after 55 ms."})
    assert settled.status_code == 200
    assert "hx-get" not in settled.text

    form = filled_in(client.get("/providers/new").text) | {"name": "Sul"}
    page = client.post("/providers/new", data=form, follow_redirects=True).text
    assert (alert(page), receipt(page)) == ("Provider Sul saved.", "")  # It was told once.


def test_after_a_while_it_says_who_is_not_there(client: FlaskClient, phone: Extension) -> None:
    node("pbx3", "1 minute")
    path = receipt_path(save(client, phone, name="Front desk"))
    finish("pbx1", 40)
    assert said(client, path) == "Live on pbx1 after 40 ms. On its way to pbx2, pbx3."

    db.session.execute(
        text("UPDATE outbox SET created_at = created_at - interval '16 s', done_at = done_at - interval '16 s'")
    )
    db.session.commit()
    assert said(client, path) == (
        "Live on pbx1 after 40 ms. pbx2 has not taken it yet; it is tried again until it has."
        " pbx3 is away; it will get the change when it is back."
    )
    assert "hx-get" not in client.get(path).text


def test_what_asterisk_need_not_know_says_nothing_more(client: FlaskClient, phone: Extension) -> None:
    customer = things.one(Customer, code="acme")
    path = f"/customers/{customer.id}/edit"
    form = filled_in(client.get(path).text) | {"notes": "x", "max_price_per_minute": "1"}
    page = client.post(path, data=form, follow_redirects=True).text
    assert alert(page) == "Customer Customer acme saved."
    assert receipt(page) == ""


def test_what_needs_no_order_is_live_at_once(client: FlaskClient, phone: Extension) -> None:
    things.allocate(number := things.did("551140001000"), things.one(Customer, code="acme"), "100")
    page = client.post(f"/dids/{number.id}/deallocate", data={}, follow_redirects=True).text
    assert receipt(page) == "1 row written. Asterisk has it at once."


def test_a_deletion_has_one_too(client: FlaskClient, phone: Extension) -> None:
    page = client.post(f"/extensions/{phone.id}/delete", follow_redirects=True).text
    assert receipt(page) == "4 rows written. On its way to pbx1, pbx2."


def test_what_many_share_is_not_told_to_strangers(client: FlaskClient, phone: Extension, viewer: FlaskClient) -> None:
    path = receipt_path(save(client, phone, name="Front desk"))
    seen = viewer.get(path).text
    assert "pbx1" in seen
    assert "acme" not in seen
    viewer.post("/logout")
    assert viewer.get(path).status_code == 302


def test_what_is_no_request(client: FlaskClient) -> None:
    for wrong in ("x", "%00", "a" * 5000, "..", "A" * 12):
        assert client.get(f"/sync/receipts/{wrong}").status_code == 404
    answer = client.get("/sync/receipts/" + "0" * 12)
    assert "hx-get" not in answer.text
    assert said(client, "/sync/receipts/" + "0" * 12) == ""


def test_it_is_found_among_many(client: FlaskClient, phone: Extension, counting: Counting) -> None:
    """What is still owed is found however many orders came after it."""
    path = receipt_path(save(client, phone, name="Front desk"))
    db.session.execute(
        text("INSERT INTO outbox (node, action, done_at) SELECT 'pbx1', 'reload', now() FROM generate_series(1, 11000)")
    )
    db.session.commit()
    owe("pbx2", 3)
    with counting() as statements:
        assert said(client, path) == "On its way to pbx1, pbx2."
    assert len([one for one in statements if "outbox" in one]) == 1
