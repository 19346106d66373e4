"""The pages of the destination lists, and the limits in the forms of who they are for."""

from __future__ import annotations

from decimal import Decimal

from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList


def test_it_works(client: FlaskClient) -> None:
    things.no_destination_lists()
    assert "No destination lists yet" in client.get("/destination-lists/").text

    typed = {"name": "Dear", "prefixes": "+44\n 1, 4470;55900\r\n44\n"}
    page = client.post("/destination-lists/new", data=typed, follow_redirects=True).text
    assert alert(page) == "Destination list Dear saved."
    assert facts(page)["Prefixes"] == "44, 1, 4470, 55900"
    assert rows(client.get("/destination-lists/").text) == ["Dear 4"]

    [dear] = [things.one(DestinationList)]
    page = client.get(f"/destination-lists/{dear.id}/edit").text
    changed = filled_in(page) | {"prefixes": "44"}
    assert client.post(f"/destination-lists/{dear.id}/edit", data=changed).status_code == 302
    assert things.one(DestinationList).prefixes == ["44"]
    assert rows(client.get("/destination-lists/?q=44").text) == ["Dear 1"]
    assert "No destination list matches “55”." in client.get("/destination-lists/?q=55").text
    assert client.get("/destination-lists/export.csv").text.splitlines()[1] == "Dear,44"

    page = client.post(f"/destination-lists/{dear.id}/delete", follow_redirects=True).text
    assert alert(page) == "Dear was deleted."


def test_one_that_new_customers_get_stays(client: FlaskClient) -> None:
    risky = things.one(DestinationList, name=things.RISKY)
    answer = client.post(f"/destination-lists/{risky.id}/delete")
    assert answer.status_code == 409
    assert "other things depend on it. Settings: Asterisk Admin." in answer.text


def test_one_that_counts_for_a_customer_stays_and_says_for_whom(client: FlaskClient) -> None:
    dear, local = things.destination_list("Dear"), things.destination_list("Local", "55")
    things.trunk("padaria", blocked_list_id=dear.id, allowed_list_id=local.id)

    for each in (dear, local):
        answer = client.post(f"/destination-lists/{each.id}/delete")
        assert answer.status_code == 409
        assert "Customers: Customer padaria (padaria)" in answer.text
        assert "padaria" in client.get(f"/destination-lists/{each.id}").text
    assert rows(client.get(f"/customers/?blocked_list_id={dear.id}").text)
    assert not rows(client.get(f"/customers/?blocked_list_id={local.id}").text)


def test_the_limits_of_a_customer_are_folded_away_until_there_are_some(client: FlaskClient) -> None:
    dear = things.destination_list("Dear")
    padaria = things.trunk("padaria")
    form = f"/customers/{padaria.id}/edit"
    page = client.get(form).text
    assert '<details class="group" >' in page
    typed = filled_in(page) | {
        "max_channels": "30",
        "calls_per_second": "5",
        "max_price_per_minute": "1.25",
        "daily_limit": "500",
        "refuse_below_cost": "y",
        "blocked_list_id": str(dear.id),
        "allowed_caller_ids": "+55 11 4000-1234\n551140001235",
    }

    page = client.post(form, data=typed, follow_redirects=True).text

    shown = facts(page)
    assert (shown["Calls now"], shown["New calls per second"], shown["Limit per day"]) == ("0 of 30", "5", "R$500.00")
    assert (shown["Never below cost"], shown["Blocked destinations"]) == ("Yes", "Dear")
    stored = things.one(Customer)
    assert (stored.max_price_per_minute, stored.daily_limit) == (Decimal("1.25"), Decimal(500))
    assert stored.allowed_caller_ids == ["551140001234", "551140001235"]
    page = client.get(form).text
    assert '<details class="group" open>' in page
    assert filled_in(page)["blocked_list_id"] == str(dear.id)

    emptied = filled_in(page) | {"max_price_per_minute": "", "daily_limit": ""}
    assert client.post(form, data=emptied).status_code == 302
    stored = things.one(Customer)
    assert (stored.max_price_per_minute, stored.daily_limit) == (None, None)


def test_what_is_wrong_among_the_limits_is_not_folded_away(client: FlaskClient) -> None:
    answer = client.post("/customers/new", data={"code": "x", "max_channels": "-1"})

    assert error_at(answer.text, "max_channels") == "Use 0 or more."
    assert '<details class="group" open>' in answer.text
