"""Lists: their pages, their order, their search, and what they cost."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.conftest import Counting
from tests.web import things
from tests.web.html import rows
from webapp import paging, store
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route

# Each thing refers to another one of its own, so that a list that asked for them one by one would be found out.


def _providers(numbers: range) -> list[uuid.UUID]:
    providers = [Provider(name=f"Provider {n:03}") for n in numbers]
    store.save(*providers)
    return [provider.id for provider in providers]


def _customers(numbers: range) -> list[uuid.UUID]:
    customers = [Customer(code=f"c{n:03}", name="Somebody", type="extension") for n in numbers]
    store.save(*customers)
    return [customer.id for customer in customers]


def _extensions(numbers: range) -> None:
    for id in _customers(numbers):
        store.save(*(Extension(customer_id=id, extension=number, secret="secret-of-it") for number in ("101", "100")))


def _gateways(numbers: range) -> list[uuid.UUID]:
    ids = _providers(numbers)
    gateways = [
        Gateway(name=f"GW{n:03}", provider_id=id, ip_address=f"10.0.0.{n}") for n, id in zip(numbers, ids, strict=True)
    ]
    store.save(*gateways)
    return [gateway.id for gateway in gateways]


def _routes(numbers: range) -> None:
    ids = _gateways(numbers)
    store.save(
        *(
            Route(name=f"Route {n:03}", pattern="55.", gateway_id=id, priority=n // 3 + 1)
            for n, id in zip(numbers, ids, strict=True)
        )
    )


def _dids(numbers: range) -> None:
    """Numbers of which some have been given to the phone of a customer."""
    dids = [
        Did(number=f"55114000{1000 + n}", provider_id=id) for n, id in zip(numbers, _providers(numbers), strict=True)
    ]
    store.save(*dids)
    for n, customer_id in zip(numbers[::3], _customers(numbers[::3]), strict=True):
        phone = Extension(customer_id=customer_id, extension="100", secret="secret-of-it")
        store.save(phone)
        did = db.session.get_one(Did, dids[n - numbers.start].id)
        operations.allocate(did, AllocationSchema(customer_id=customer_id, destination="100"))


# area -> how to make things number such to such, and how many rows each of them has in the list.
LISTS: dict[str, tuple[Callable[[range], object], int]] = {
    "providers": (_providers, 1),
    "gateways": (_gateways, 1),
    "customers": (_customers, 1),
    "extensions": (_extensions, 2),
    "routes": (_routes, 1),
    "dids": (_dids, 1),
}
EVERY_LIST = pytest.mark.parametrize("area", LISTS)


def _make(area: str, numbers: range) -> int:
    """Make things; how many rows each of them has in its list."""
    make, each = LISTS[area]
    make(numbers)
    db.session.expunge_all()
    db.session.commit()  # Let go, for what is still open would be undone, and requests with it.
    return each


@EVERY_LIST
def test_a_long_list_has_pages(client: FlaskClient, area: str) -> None:
    _make(area, range(120 // LISTS[area][1]))
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
    _make("providers", range(101))
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
    path = f"/{area}/"
    each = _make(area, range(3))
    with counting() as few:
        assert len(rows(client.get(path).text)) == 3 * each
    _make(area, range(3, 20))
    with counting() as many:
        assert len(rows(client.get(path).text)) == 20 * each
    assert len(many) == len(few) <= 4, many


def test_the_start_page_costs_the_same_however_much_there_is(client: FlaskClient, counting: Counting) -> None:
    _make("routes", range(3))
    with counting() as few:
        client.get("/")
    _make("routes", range(3, 20))
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
