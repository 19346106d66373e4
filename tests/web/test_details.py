"""The pages of single things: what they say, what they cost, what can be done there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, facts, filled_in, rows
from webapp import details, store
from webapp.accounts.models import AuditEntry
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.routes.models import Route


def _customer(count: int) -> str:
    acme = things.office("acme")
    phones = [things.extension(acme, str(100 + n)) for n in range(count)]
    for did, phone in zip(things.dids(count=count), phones, strict=True):
        things.allocate(did, acme, phone.extension)
    for n in range(count):
        _call(acme, n)
    return f"/customers/{acme.id}"


def _provider(count: int) -> str:
    norte = things.provider("Norte")
    for n in range(count):
        gateway = things.gateway(f"GW{n}", f"10.0.0.{n + 1}", provider_id=norte.id)
        things.route(f"Route {n}", gateway_id=gateway.id)
    for n, did in enumerate(things.dids(count=count, provider_id=norte.id)):
        things.allocate(did, things.trunk(f"t{n}", f"10.1.0.{n + 1}"))
    return f"/providers/{norte.id}"


def _gateway(count: int) -> str:
    gateway = things.gateway("GW")
    for n in range(count):
        things.route(f"Route {n}", gateway_id=gateway.id)
    for n, did in enumerate(things.dids(count=count, gateway_id=gateway.id)):
        things.allocate(did, things.trunk(f"t{n}", f"10.1.0.{n + 1}"))
    return f"/gateways/{gateway.id}"


def _extension(count: int) -> str:
    acme = things.office("acme")
    phone = things.extension(acme, "100")
    for did in things.dids(count=count):
        things.allocate(did, acme, "100")
    return f"/extensions/{phone.id}"


def _did(count: int) -> str:
    did = things.did()
    for n in range(count):
        things.allocate(did, things.trunk(f"t{n}", f"10.1.0.{n + 1}"))
    return f"/dids/{did.id}"


def _call(customer: Customer, n: int) -> None:
    started = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC) + dt.timedelta(minutes=n)
    things.call(started, customer_id=customer.id, src="100", dst="551140005678", price=Decimal("0.125"))


@pytest.mark.parametrize(
    ("make", "most"), [(_customer, 16), (_provider, 16), (_gateway, 15), (_extension, 9), (_did, 6)]
)
def test_what_a_page_costs_does_not_depend_on_how_much_belongs_to_it(
    client: FlaskClient, counting: Counting, monkeypatch: pytest.MonkeyPatch, make: Callable[[int], str], most: int
) -> None:
    monkeypatch.setattr(details, "FIRST", 5)
    path = make(7)
    with counting() as statements:
        page = client.get(path).text
    assert len(statements) <= most, statements
    assert page.count("The first 5 of 7.") >= 1
    assert "The first 7" not in page


def test_a_customer(client: FlaskClient) -> None:
    path = _customer(1)
    page = client.get(path).text
    assert facts(page)["Code"] == "acme"
    dids, extensions, calls, *_ = _tables(page)
    assert dids == ["+55 11 4000-1000 100"]
    assert extensions == ["100 acme-100 Enabled"]
    assert calls[0].endswith("Outbound 100 551140005678 Answered 1:05 0.125")
    id = path.split("/")[-1]
    for area in ("dids", "extensions"):
        assert f'href="/{area}/?customer_id={id}"' in page


def test_a_customer_with_nothing_says_what_to_do(client: FlaskClient, viewer: FlaskClient) -> None:
    acme = things.office("acme")
    page = client.get(f"/customers/{acme.id}").text
    assert "Open a free DID and allocate it to this customer." in page
    assert "The latest twenty appear here." in page
    assert f"/extensions/new?customer_id={acme.id}" in page
    assert "/extensions/new" not in viewer.get(f"/customers/{acme.id}").text


def test_a_provider(client: FlaskClient) -> None:
    path = _provider(2)
    page = client.get(path).text
    assert facts(page)["DIDs"] == "Allocated 2"
    gateways, routes, dids, *_ = _tables(page)
    assert gateways == ["GW0 10.0.0.1:5060 UDP IP address Enabled", "GW1 10.0.0.2:5060 UDP IP address Enabled"]
    assert routes == ["100 Route 0 55. GW0 Enabled", "100 Route 1 55. GW1 Enabled"]
    assert dids == [f"+55 11 4000-100{n} Allocated Customer t{n}" for n in range(2)]
    for next_step in ("gateways/new", "dids/new"):
        id = path.split("/")[-1]
        assert filled_in(client.get(f"/{next_step}?provider_id={id}").text)["provider_id"] == id


def test_a_gateway(client: FlaskClient) -> None:
    page = client.get(_gateway(1)).text
    routes, dids, *_ = _tables(page)
    assert routes == ["100 Route 0 55. Enabled"]
    assert dids == ["+55 11 4000-1000 Allocated Customer t0"]
    assert facts(page)["Inbound numbers"] == "as they come"
    assert facts(page)["Register"] == "No: known by its address"


def test_an_extension(client: FlaskClient) -> None:
    page = client.get(_extension(1)).text
    assert facts(page)["SIP user"] == "acme-100"
    assert _tables(page)[0] == ["+55 11 4000-1000"]


@pytest.mark.parametrize(
    ("pattern", "words", "example"),
    [
        ("55.", "Numbers that begin with 55, then at least one more digit.", "551140001234"),
        (".", "Every number.", "551140001234"),
        ("!", "Every number.", "551140001234"),
        ("190", "The number 190, and no other.", "190"),
        (
            "0ZX!",
            "Numbers that begin with 0, then a digit from 1 to 9, then any digit, then whatever follows, or nothing.",
            "051140001234",
        ),
        (
            "5511[2-5]XXXXXXX",
            "Numbers that begin with 5511, then one of 2-5, then any 7 digits, and end there.",
            "551120001234",
        ),
        ("NXXX", "Numbers that begin with a digit from 2 to 9, then any 3 digits, and end there.", "5511"),
        ("*N", "Numbers that begin with *, then a digit from 2 to 9, and end there.", "*5"),
    ],
)
def test_a_route_says_its_pattern_in_words(client: FlaskClient, pattern: str, words: str, example: str) -> None:
    route = things.route(pattern=pattern)
    found = facts(client.get(f"/routes/{route.id}").text)
    assert found["Pattern"] == f"{pattern} {words}"
    assert found["Example"] == f"{example} is sent as {example}"
    assert things.asterisk("SELECT :example ~ regex FROM routes", example=example)


def test_a_route_says_what_is_sent(client: FlaskClient) -> None:
    gateway = things.gateway(tech_prefix="77#")
    route = things.route(gateway_id=gateway.id, strip=2, prepend="0")
    assert facts(client.get(f"/routes/{route.id}").text)["Example"] == "551140001234 is sent as 77#01140001234"
    route = things.route("Nothing left", gateway_id=gateway.id, pattern="190", strip=3)
    assert facts(client.get(f"/routes/{route.id}").text)["Example"] == "190 is not sent: nothing is left of it"


# ---- what can be done there


@pytest.mark.parametrize(
    ("area", "make"),
    [
        ("customers", things.trunk),
        ("gateways", things.gateway),
        ("extensions", lambda: things.extension(things.office())),
        ("routes", things.route),
    ],
)
def test_switching_off_and_on(client: FlaskClient, area: str, make: Callable[[], Any]) -> None:
    thing = make()
    path = f"/{area}/{thing.id}"
    assert '<input type="hidden" name="enabled" value="no">' in client.get(path).text
    page = client.post(f"{path}/enabled", data={"enabled": "no"}, follow_redirects=True).text
    assert alert(page).endswith(" is disabled.")
    assert not things.one(type(thing), id=thing.id).enabled
    assert "Edited: Enabled yes → no" in " ".join(rows(page))

    page = client.post(f"{path}/enabled", data={"enabled": "yes"}, follow_redirects=True).text
    assert alert(page).endswith(" is enabled.")
    # To say it once more changes nothing, and is no change in the log.
    client.post(f"{path}/enabled", data={"enabled": "yes"})
    assert things.one(type(thing), id=thing.id).enabled
    assert things.count(AuditEntry, action="update", thing_id=thing.id) == 2


def test_a_route_is_not_switched_on_into_a_gateway_that_is_off(client: FlaskClient) -> None:
    route = things.route(gateway_id=things.gateway(enabled=False).id, enabled=False)
    page = client.post(f"/routes/{route.id}/enabled", data={"enabled": "yes"}, follow_redirects=True).text
    assert alert(page) == "This gateway is disabled."
    assert not things.one(Route).enabled


def test_switching_what_somebody_changes_in_the_same_moment(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = things.trunk()

    def too_late(*_: Any) -> None:
        db.session.rollback()
        raise store.Stale

    monkeypatch.setattr(store, "_commit", too_late)
    page = client.post(f"/customers/{customer.id}/enabled", data={"enabled": "no"}, follow_redirects=True).text
    assert alert(page).startswith("Somebody else changed this in the meantime.")


def test_what_will_be_lost_is_named(client: FlaskClient) -> None:
    did, padaria = things.did(), things.trunk()
    things.allocate(did, padaria)
    client.post(f"/dids/{did.id}/deallocate")
    page = client.get(f"/dids/{did.id}/delete").text
    assert "Its history goes with it: who had it, and when (1 entry)." in page
    assert "Its calls stay" in client.get(f"/customers/{padaria.id}/delete").text


# ---- Asterisk's rows


def test_the_rows_that_asterisk_reads(client: FlaskClient, viewer: FlaskClient) -> None:
    acme = things.office("acme")
    phone = things.extension(acme, "100")
    assert f'href="/realtime/extensions/{phone.id}"' in viewer.get(f"/extensions/{phone.id}").text
    page = viewer.get(f"/realtime/extensions/{phone.id}").text
    assert re.findall(r"<code>(ps_\w+|extensions)</code> ", page) == [
        "ps_endpoints",
        "ps_aors",
        "ps_auths",
        "extensions",
    ]
    assert "md5_cred *** Right" in rows(page)
    assert "secret-of-a-phone" not in page
    assert f"to-phone,s,1(acme-100,{acme.id})" in page

    assert "Each phone of this customer has rows of its own" in client.get(f"/realtime/customers/{acme.id}").text
    did = things.did()
    assert "only while somebody has it" in client.get(f"/realtime/dids/{did.id}").text
    assert client.get(f"/realtime/users/{did.id}").status_code == 404
    assert client.get(f"/realtime/gateways/{did.id}").status_code == 404


def test_the_rows_of_others_are_not_shown(client: FlaskClient) -> None:
    first, second = things.gateway("GW1", "10.0.0.1"), things.gateway("GW2", "10.0.0.2")
    page = client.get(f"/realtime/gateways/{first.id}").text
    assert "gateway-GW1" in page
    assert "gateway-GW2" not in page
    assert str(second.id) not in page


def _tables(page: str) -> list[list[str]]:
    """The rows of each table of a page."""
    return [rows(table) for table in re.findall(r"<table.*?</table>", page, re.DOTALL)]


def test_links_from_a_customer(client: FlaskClient, viewer: FlaskClient) -> None:
    plan = things.price_plan("Retail")
    acme = things.office("acme", price_plan_id=plan.id)
    things.call(customer_id=acme.id)
    for browser in (client, viewer):
        page = browser.get(f"/customers/{acme.id}").text
        assert f'<a href="/price-plans/{plan.id}">Retail</a>' in page
        assert f'href="/dialling/?customer_id={acme.id}"' in page
        assert f'href="/reports/cdr?customer_id={acme.id}"' in page
        dialling = browser.get(f"/dialling/?customer_id={acme.id}").text
        assert f'href="/customers/{acme.id}"' in dialling
        assert _marked(dialling) == ["/customers/"]
        assert _marked(browser.get("/dialling/").text) == ["/settings/"]


def _marked(page: str) -> list[str]:
    """Where the marked lines of the sidebar lead."""
    return re.findall(r'<a class="nav-link" href="([^"]+)"\s*aria-current', page)


def test_what_a_provider_charges_and_what_is_earned_on_it(client: FlaskClient) -> None:
    norte = things.provider("Norte")
    things.deck_line(norte, "55", "0.05", description="Brasil")
    things.deck_line(norte, "351", "0.10")
    things.tariff(things.price_plan("Retail"), "55", "0.12")
    things.tariff(things.price_plan("Wholesale"), "5", "0.04")
    page = client.get(f"/providers/{norte.id}").text
    *_, tariffs, _ = _tables(page)
    assert tariffs == ["351 0.10 Current", "55 Brasil 0.05 0.04 Wholesale Loss -0.01 (-25.0 %) Current"]
    assert f'href="/providers/{norte.id}/tariffs?show=all"' in page
    numbers = things.provider("Sul", type="numbers")
    assert "What the provider charges" not in client.get(f"/providers/{numbers.id}").text


def test_the_numbers_of_a_phone(client: FlaskClient) -> None:
    acme = things.office("acme")
    one, two = things.extension(acme, "100", name="Sala"), things.extension(acme, "101", name="Porta")
    for did, phone in zip(things.dids(count=2), (one, two), strict=True):
        things.allocate(did, acme, phone.extension)
    assert f'href="/dids/?extension_id={one.id}"' in client.get(f"/extensions/{one.id}").text
    for value in (str(one.id), "acme-100", "sala"):
        page = client.get("/dids/", query_string={"extension_id": value}).text
        assert [row.partition(" P")[0] for row in rows(page)] == ["+55 11 4000-1000"], value
    assert 'name="extension_id" value="acme-100"' in client.get(f"/dids/?extension_id={one.id}").text


def test_the_history_of_a_thing_is_one_click_away_for_who_may_read_it(client: FlaskClient, viewer: FlaskClient) -> None:
    gateway = things.gateway("GW")
    link = f'href="/audit/?kind=gateways&amp;thing_id={gateway.id}"'
    assert link in client.get(f"/gateways/{gateway.id}").text
    assert link not in viewer.get(f"/gateways/{gateway.id}").text


def test_what_the_last_days_came_to(viewer: FlaskClient) -> None:
    """Of a customer, a gateway and a provider, whose gateways bring and take them."""
    norte = things.provider("Norte")
    first, second = (things.gateway(f"GW{n}", f"10.0.0.{n}", provider_id=norte.id) for n in (1, 2))
    acme = things.office("acme")
    now = dt.datetime.now(things.COMPANY)
    for n, gateway in enumerate((first, first, second, things.gateway("GW3", "10.0.0.3"))):
        started = now - dt.timedelta(minutes=n)
        answered = started if n % 2 else None
        values = {"customer_id": acme.id, "gateway_id": gateway.id, "provider_id": gateway.provider_id}
        things.call(started, answered_at=answered, dst=f"55219{n}", price=Decimal(n), **values)
    things.call(now - dt.timedelta(days=30), customer_id=acme.id, dst="552199")
    for path, count, price, numbers in (
        (f"customers/{acme.id}", "4", "6.00", ["552190", "552191", "552192", "552193", "552199"]),
        (f"gateways/{first.id}", "2", "1.00", ["552190", "552191"]),
        (f"providers/{norte.id}", "3", "3.00", ["552190", "552191", "552192"]),
    ):
        page = viewer.get(f"/{path}").text
        found = facts(page)
        assert (found["Calls"], found["Price"]) == (count, price), path
        assert re.findall("55219[0-9]", page) == numbers
        area, _, id = path.partition("/")
        assert f'href="/reports/cdr?{area[:-1]}_id={id}"' in page
        assert f'href="/reports/totals?by=day&amp;{area[:-1]}_id={id}"' in page


@pytest.mark.parametrize("area", ["gateways", "providers"])
def test_the_last_calls_of_a_gateway_and_of_its_provider(client: FlaskClient, area: str) -> None:
    """Of the last thirty days: those of one that is idle would else be looked for among all calls there are."""
    gateway, idle = things.gateway(), things.gateway("GW2", "10.0.0.2")
    now = dt.datetime.now(dt.UTC)

    def call(minutes: int, dst: str) -> None:
        began = now - dt.timedelta(minutes=minutes)
        things.call(began, gateway_id=gateway.id, provider_id=gateway.provider_id, dst=dst)

    call(60 * 24 * 40, "550000000040")
    for n in range(12):
        call(n * 60 * 5, f"5511000000{n:02}")
        call(n * 60 * 5 + 1, f"5522000000{n:02}")
    busy, quiet = ((each.id, each.provider_id)[area == "providers"] for each in (gateway, idle))

    page = client.get(f"/{area}/{busy}").text
    shown = re.findall(r"55(?:11|22|00)0000000?[0-9]{2}", page)
    assert shown == [f"55{code}000000{n:02}" for n in range(10) for code in (11, 22)], "the latest twenty"
    assert "No calls yet" in client.get(f"/{area}/{quiet}").text
