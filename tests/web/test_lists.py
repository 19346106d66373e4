"""Lists: their pages, their order, their search, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.conftest import Counting
from tests.web.html import rows
from webapp import paging, store
from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.ext import Base, db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route


def _many(make: Callable[[int], Base]) -> Callable[[range], None]:
    def store_them(numbers: range) -> None:
        store.save(*(make(number) for number in numbers))
        db.session.expunge_all()
        db.session.commit()

    return store_them


def _extensions(numbers: range) -> None:
    if 0 in numbers:
        things.office("acme")
        things.office("bravo")
    acme, bravo = things.one(Customer, code="acme"), things.one(Customer, code="bravo")
    for customer in (bravo, acme):
        _many(lambda n, c=customer: Extension(customer_id=c.id, extension=f"{n:03}", secret="secret-of-it"))(numbers)  # type: ignore[misc]  # a default holds the customer


def _gateways(numbers: range) -> None:
    if 0 in numbers:
        things.provider("Norte")
    norte = things.one(Provider)
    _many(lambda n: Gateway(name=f"GW{n:03}", provider_id=norte.id, ip_address=f"10.0.0.{n}"))(numbers)


def _routes(numbers: range) -> None:
    if 0 in numbers:
        things.gateway("GW1")
    gateway = things.one(Gateway)
    _many(lambda n: Route(name=f"Route {n:03}", pattern="55.", gateway_id=gateway.id, priority=n // 3 + 1))(numbers)


def _dids(numbers: range) -> None:
    if 0 in numbers:
        things.trunk("padaria")
        things.provider("Norte")
    padaria, norte = things.one(Customer), things.one(Provider)
    for did in things.dids(f"55114000{1000 + numbers.start}", len(numbers), provider_id=norte.id):
        if int(did.number) % 20 == 0:
            things.allocate(did, padaria)


# area -> how to make things number such to such, and how many rows each of them has in the list.
LISTS: dict[str, tuple[Callable[[range], None], int]] = {
    "providers": (_many(lambda n: Provider(name=f"Provider {n:03}")), 1),
    "gateways": (_gateways, 1),
    "customers": (_many(lambda n: Customer(code=f"c{n:03}", name="Somebody", type="extension")), 1),
    "extensions": (_extensions, 2),
    "routes": (_routes, 1),
    "dids": (_dids, 1),
}
EVERY_LIST = pytest.mark.parametrize("area", LISTS)


@EVERY_LIST
def test_a_long_list_has_pages(client: FlaskClient, area: str) -> None:
    make, each = LISTS[area]
    make(range(120 // each))
    path, pages = f"/{area}/", []
    while path:
        page = client.get(path).text
        pages.append(rows(page))
        assert ('rel="first"' in page) == (len(pages) > 1)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(found[1]) if found else ""
    assert [len(page) for page in pages] == [50, 50, 20]
    everything = [row for page in pages for row in page]
    assert len(set(everything)) == 120
    if area != "routes":  # These are in the order of their priority.
        assert everything == sorted(everything)


def test_a_page_of_a_search_is_searched_too(client: FlaskClient) -> None:
    LISTS["providers"][0](range(101))
    page = client.get("/providers/?q=provider+0").text
    found = re.search(r'rel="next" href="([^"]+)"', page)
    assert found
    page = client.get(unescape(found[1])).text
    assert len(rows(page)) == 50
    assert 'value="provider 0"' in page
    assert 'rel="next"' not in page
    assert 'rel="first" href="/providers/?q=provider+0"' in page


@EVERY_LIST
def test_a_list_costs_the_same_however_long_it_is(client: FlaskClient, counting: Counting, area: str) -> None:
    make, each = LISTS[area]
    path = f"/{area}/"
    make(range(3))
    with counting() as few:
        assert len(rows(client.get(path).text)) == 3 * each
    make(range(3, 20))
    with counting() as many:
        assert len(rows(client.get(path).text)) == 20 * each
    assert len(many) == len(few) <= 4, many


def test_the_start_page_costs_the_same_however_much_there_is(client: FlaskClient, counting: Counting) -> None:
    _routes(range(3))
    with counting() as few:
        client.get("/")
    _routes(range(3, 20))
    with counting() as many:
        client.get("/")
    assert len(many) == len(few) <= 10


@pytest.mark.parametrize("sign", ["%", "_", "\\", "'", '"', "/"])
def test_a_search_takes_every_sign_for_itself(client: FlaskClient, sign: str) -> None:
    things.provider("Norte")
    things.provider(f"Sul {sign} Leste")
    shown = rows(client.get("/providers/", query_string={"q": sign}).text)
    assert len(shown) == 1
    assert shown[0].startswith(f"Sul {sign} Leste")


def test_a_search_knows_no_case_and_no_outer_blanks(client: FlaskClient) -> None:
    things.provider("Telefônica São Paulo")
    for q in ("telefônica", " SÃO ", "são paulo\x00"):
        assert len(rows(client.get("/providers/", query_string={"q": q}).text)) == 1, q


def test_a_did_is_found_as_it_is_shown(client: FlaskClient) -> None:
    things.dids("551140001000", 3)
    shown = rows(client.get("/dids/").text)[1]
    number = shown.partition(" Provider")[0]
    assert number == "+55 11 4000-1001"
    assert rows(client.get("/dids/", query_string={"q": number}).text) == [shown]
    assert things.count(Did) == 3
    assert paging.PAGE == 50
