"""Lists: their pages, their order, their search, and what they cost."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import uuid
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from tests.conftest import Counting
from tests.web import things
from tests.web.html import rows
from webapp import export, paging, store
from webapp.accounts.models import ROLES, AuditEntry, User
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.dialling.models import NumberRule
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.imports.models import Import
from webapp.providers.models import Provider
from webapp.routes.models import Route
from webapp.tariffs.models import PricePlan, Tariff
from webapp.tokens.models import ApiToken

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


def _price_plans(numbers: range) -> None:
    plans = [PricePlan(name=f"Plan {n:03}") for n in numbers]
    store.save(*plans)
    for n, plan in zip(numbers, plans, strict=True):
        lines = [Tariff(price_plan_id=plan.id, prefix=str(55 + each), price_per_minute=n) for each in range(n % 4)]
        if lines:
            store.save(*lines)


def _imports(numbers: range) -> None:
    for n in numbers:
        counts = {"new": n % 5, "changed": n % 3, "unchanged": 0, "rejected": n % 2} if n % 4 else {}
        db.session.add(
            Import(
                kind=("dids", "tariffs", "provider_tariffs")[n % 3],
                file_name=f"deck-{n:03}.csv",
                username=("olga", "vera")[n % 2],
                language="en",
                created_at=things.START - dt.timedelta(days=n // 2),
                state=("applied", "ready", "mapping", "failed")[n % 4],
                counts=counts,
            )
        )
    db.session.commit()


def _tokens(numbers: range) -> None:
    """Tokens of one owner each, in all their states."""
    users = [User(username=f"u{n:03}", role="admin", enabled=n % 5 != 0, password_hash="x") for n in numbers]
    store.save(*users)
    now = dt.datetime.now(dt.UTC)
    store.save(
        *(
            ApiToken(
                name=f"Token {n:03}",
                role=ROLES[n % 3],
                user_id=user.id,
                token_hash=f"hash-of-{n}",
                expires_at=now + dt.timedelta(days=n - 4) if n % 3 else None,
                revoked_at=now if n % 4 == 0 else None,
                last_used_at=now - dt.timedelta(hours=n // 2) if n % 2 else None,
            )
            for n, user in zip(numbers, users, strict=True)
        )
    )


def _audit(numbers: range) -> None:
    """Entries of the log about providers that are there, and no others."""
    _providers(numbers)
    db.session.execute(delete(AuditEntry).where(AuditEntry.kind != "providers"))


def _number_rules(numbers: range) -> None:
    """Rules, each third the company's."""
    ids = _customers(numbers)
    store.save(
        *(
            NumberRule(customer_id=id if n % 3 else None, position=n % 4 + 1, pattern=f"{n}.", strip=n % 2)
            for n, id in zip(numbers, ids, strict=True)
        )
    )


def _destination_lists(numbers: range) -> None:
    store.save(*(DestinationList(name=f"List {n:03}", prefixes=[str(n + 1)]) for n in numbers))


# area -> how to make things number such to such, and how many rows each of them has in the list.
LISTS: dict[str, tuple[Callable[[range], object], int]] = {
    "providers": (_providers, 1),
    "gateways": (_gateways, 1),
    "customers": (_customers, 1),
    "extensions": (_extensions, 2),
    "routes": (_routes, 1),
    "dids": (_dids, 1),
    "price-plans": (_price_plans, 1),
    "imports": (_imports, 1),
    "tokens": (_tokens, 1),
    "audit": (_audit, 1),
    "number-rules": (_number_rules, 1),
    "destination-lists": (_destination_lists, 1),
}
UNSORTED = {"tokens": 1, "audit": 2}  # So many columns hold nothing that could be sorted.
NOT_FOR_ALL = {"tokens", "audit"}
IN_OTHER_ORDER = {"routes", "imports", "audit", "number-rules"}  # Than of what stands first in each row.


@pytest.fixture
def client(client: FlaskClient) -> FlaskClient:
    """An administrator's browser, for some lists are for nobody else. All of them are empty."""
    things.no_destination_lists()
    db.session.execute(update(User).values(role="admin"))
    db.session.commit()
    return client


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
    if area not in IN_OTHER_ORDER:
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
    assert len(many) == len(few) <= 8, many


def test_the_start_page_costs_the_same_however_much_there_is(client: FlaskClient, counting: Counting) -> None:
    _make("routes", range(3))
    with counting() as few:
        client.get("/")
    _make("routes", range(3, 20))
    with counting() as many:
        client.get("/")
    assert len(many) == len(few) <= 28, many


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


# ---- sorting, filters


def _walk(client: FlaskClient, path: str) -> list[str]:
    """The rows of a list, page by page to its end."""
    found: list[str] = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, path
        found += rows(answer.text)
        following = re.search(r'rel="next" href="([^"]+)"', answer.text)
        path = unescape(following[1]) if following else ""
    return found


@EVERY_LIST
def test_by_every_column_and_both_ways_each_row_comes_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, area: str
) -> None:
    monkeypatch.setattr(paging, "PAGE", 4)
    _make(area, range(1, 12))
    everything = _walk(client, f"/{area}/")
    page = client.get(f"/{area}/").text
    columns = re.findall(r'<a class="sort" href="[^"]*[?&;]sort=-?(\w+)"', page)
    heads = page.partition("<thead>")[2].partition("</thead>")[0].count("<th ")
    assert len(columns) == heads - UNSORTED.get(area, 0)

    for column in columns:
        up = _walk(client, f"/{area}/?sort={column}")
        down = _walk(client, f"/{area}/?sort=-{column}")
        assert sorted(up) == sorted(everything), column
        assert down == up[::-1], column


def test_a_column_sorts_by_what_it_shows(client: FlaskClient) -> None:
    north, south = things.provider("Norte"), things.provider("Sul", cost_per_minute="0.05")
    things.gateway("A", "10.0.0.10", provider_id=south.id)
    things.gateway("B", "10.0.0.9", provider_id=north.id, enabled=False)

    def names(path: str) -> list[str]:
        return [row.split()[0] for row in rows(client.get(path).text)]

    assert names("/gateways/?sort=name") == ["A", "B"]
    assert names("/gateways/?sort=-name") == ["B", "A"]
    assert names("/gateways/?sort=provider") == ["B", "A"]
    assert names("/gateways/?sort=address") == ["B", "A"], "addresses are numbers, not texts"
    assert names("/gateways/?sort=enabled") == ["B", "A"]
    assert names("/providers/?sort=-cost_per_minute") == ["Sul", "Norte"]


def test_the_head_says_how_a_list_is_sorted(client: FlaskClient) -> None:
    things.provider()

    def heads(path: str) -> dict[str, str]:
        found = re.findall(
            r'<th scope="col"[^>]*aria-sort="(\w+)">\s*<a class="sort" href="([^"]+)"', client.get(path).text
        )
        return {unescape(url): direction for direction, url in found}

    assert heads("/providers/") == {"/providers/?sort=-name": "ascending"}
    assert heads("/providers/?sort=-name&q=o") == {"/providers/?sort=name&q=o": "descending"}
    assert heads("/providers/?sort=type") == {"/providers/?sort=-type": "ascending"}


def _filtered(client: FlaskClient, path: str, **query: str) -> list[str]:
    return sorted(row.partition(" ")[0] for row in rows(client.get(path, query_string=query).text))


def test_filters_of_every_list(client: FlaskClient) -> None:
    north, south = things.provider("Norte", type="numbers"), things.provider("Sul")
    one = things.gateway("A", "10.0.0.10", provider_id=north.id)
    two = things.gateway(
        "B", "10.0.0.9", provider_id=south.id, enabled=False, registration=True, username="u", password="p"
    )
    things.route("Brazil", gateway_id=one.id)
    things.route("World", gateway_id=two.id, enabled=False)
    acme, bakery = things.office("acme"), things.trunk("padaria", enabled=False)
    things.extension(acme, "100")
    things.extension(acme, "101", enabled=False)
    things.extension(things.office("other"), "100")
    number, _, _ = things.dids("551140001000", 3, provider_id=north.id, gateway_id=one.id)
    things.dids("551140002000", 1, provider_id=south.id, status="blocked")
    things.allocate(number, bakery)

    assert _filtered(client, "/providers/", type="numbers") == ["Norte"]
    assert _filtered(client, "/gateways/", provider_id=str(south.id)) == ["B"]
    assert _filtered(client, "/gateways/", enabled="true") == ["A"]
    assert _filtered(client, "/gateways/", registration="true") == ["B"]
    assert "Brazil" in rows(client.get(f"/routes/?gateway_id={one.id}").text)[0]
    assert len(_filtered(client, "/routes/", enabled="false")) == 1
    assert _filtered(client, "/customers/", type="extension") == ["acme", "other"]
    assert _filtered(client, "/customers/", enabled="false") == ["padaria"]
    assert _filtered(client, "/extensions/", customer_id=str(acme.id)) == ["acme-100", "acme-101"]
    assert _filtered(client, "/extensions/", customer_id="ACME") == ["acme-100", "acme-101"]
    assert _filtered(client, "/extensions/", customer_id="customer") == ["acme-100", "acme-101", "other-100"]
    assert _filtered(client, "/extensions/", customer_id="acme", enabled="true") == ["acme-100"]
    assert len(_filtered(client, "/dids/", status="available")) == 2
    assert len(_filtered(client, "/dids/", provider_id=str(south.id))) == 1
    assert len(_filtered(client, "/dids/", gateway_id=str(one.id))) == 3
    assert len(_filtered(client, "/dids/", customer_id="padaria")) == 1
    assert len(_filtered(client, "/dids/", customer_id=str(bakery.id), q="4000")) == 1
    assert _filtered(client, "/dids/", customer_id="padaria", status="blocked") == []


def test_imports_are_found_by_what_they_are_and_who_brought_them(client: FlaskClient) -> None:
    _make("imports", range(6))
    assert _filtered(client, "/imports/", kind="tariffs") == ["deck-001.csv", "deck-004.csv"]
    assert _filtered(client, "/imports/", state="applied") == ["deck-000.csv", "deck-004.csv"]
    assert _filtered(client, "/imports/", username="vera", kind="dids") == ["deck-003.csv"]
    assert _filtered(client, "/imports/", q="005") == ["deck-005.csv"]
    assert '<option value="vera" selected>vera</option>' in client.get("/imports/?username=vera").text
    by_new = [row.split()[0] for row in rows(client.get("/imports/?sort=-new").text)]
    assert by_new[:3] == ["deck-003.csv", "deck-002.csv", "deck-001.csv"]


def test_what_is_chosen_stays(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the search, in the heads, on the next page; and it can be let go."""
    monkeypatch.setattr(paging, "PAGE", 2)
    _make("gateways", range(1, 6))
    page = client.get("/gateways/?enabled=true&q=GW&sort=-name").text
    assert '<option value="true" selected>' in page
    assert '<input type="hidden" name="sort" value="-name">' in page
    for url in re.findall(r'class="sort" href="([^"]+)"', page) + re.findall(r'rel="next" href="([^"]+)"', page):
        assert "enabled=true" in url
        assert "q=GW" in url
    assert 'href="/gateways/?sort=-name"' in page
    assert "Clear" not in client.get("/gateways/").text


def test_a_customer_in_a_link_is_shown_by_its_code(client: FlaskClient) -> None:
    customer = things.office("acme")
    assert 'name="customer_id" value="acme"' in client.get(f"/extensions/?customer_id={customer.id}").text


NONSENSE = [
    "sort=nonsense",
    "sort=--name",
    "after=",
    "after=x&after=y&after=z&after=u",
    "after=%00",
    "enabled=perhaps",
    "status=gone",
    "kind=gone&state=gone",
    "username=%00%27",
    "sort=new&after=x&after=2026-01-01&after=x",
    "type=x",
    "provider_id=x",
    "gateway_id=%27",
    "customer_id=%00%27%25",
    "price_plan_id=00000000-0000-0000-0000-00000000000x",
    "registration=1",
    "q=" + "%25" * 200,
    "_external=1&_anchor=x&endpoint=y",
    "sort=enabled&after=maybe&after=x",
    "sort=priority&after=" + "9" * 5000 + "&after=x",
    "sort=cost_per_minute&after=1e999999999&after=x",
    "sort=cost_per_minute&after=x&after=x",
    "sort=address&after=nowhere&after=1&after=x",
    "sort=gateways&after=1.5&after=x",
    "sort=expires_at&after=tomorrow&after=x",
    "sort=used&after=perhaps&after=x&after=x&after=1&after=x&after=x",
    "state=gone",
    "owner=nobody",
    "user_id=me",
    "thing_id=x",
    "kind=x&action=y&who=%00",
]


@EVERY_LIST
def test_what_makes_no_sense_breaks_nothing(client: FlaskClient, area: str) -> None:
    for query in NONSENSE:
        for path in (f"/{area}/", f"/{area}/export.csv"):
            answer = client.get(f"{path}?{query}", buffered=True)  # A file that nobody reads stays open.
            assert answer.status_code in (200, 404), query
        assert client.get(f"/{area}/bulk?action=delete&all=1&{query}").status_code in (302, 404), query


# ---- CSV


def _csv(client: FlaskClient, path: str, language: str = "en") -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = answer.data.decode("utf-8-sig")
    assert answer.data.startswith(b"\xef\xbb\xbf"), "without it Excel takes accents for something else"
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if language == "pt_BR" else ","))


@EVERY_LIST
def test_an_export_has_all_rows_and_costs_the_same(
    client: FlaskClient, counting: Counting, monkeypatch: pytest.MonkeyPatch, area: str
) -> None:
    monkeypatch.setattr(export, "ROWS", 7)
    each = _make(area, range(1, 4))
    with counting() as few:
        assert len(_csv(client, f"/{area}/export.csv")) == 3 * each
    _make(area, range(4, 60))
    with counting() as many:
        assert len(_csv(client, f"/{area}/export.csv")) == 59 * each
    assert len(many) == len(few) <= 3, many


def test_an_export_is_what_the_page_shows_in_its_order(client: FlaskClient) -> None:
    north = things.provider("Norte")
    gateway = things.gateway("GW1", provider_id=north.id)
    one, _ = things.dids("551140001000", 2, provider_id=north.id, gateway_id=gateway.id, description="São João, loja")
    things.dids("551140002000", 1)
    office = things.office("acme")
    things.extension(office, "100")
    things.allocate(one, office, "100")

    found = _csv(client, "/dids/export.csv?q=4000+100&sort=-number")

    assert found == [
        {
            "number": "551140001001",
            "provider": "Norte",
            "gateway": "GW1",
            "status": "available",
            "description": "São João, loja",
            "customer": "",
            "destination": "",
        },
        {
            "number": "551140001000",
            "provider": "Norte",
            "gateway": "GW1",
            "status": "allocated",
            "description": "São João, loja",
            "customer": "acme",
            "destination": "100",
        },
    ]


def test_no_cell_becomes_a_formula(client: FlaskClient) -> None:
    for sign in "=+-@":
        things.provider(f"{sign}cmd|' /C calc'!A0")
    names = [row["name"] for row in _csv(client, "/providers/export.csv")]
    assert len(names) == 4
    assert all(name.startswith("'") for name in names)
    assert export.defused("\t=1") == "'\t=1"
    assert export.defused("a=1") == "a=1"


def test_a_file_for_portuguese_readers(app: Flask, client: FlaskClient) -> None:
    things.provider("Norte", cost_per_minute="0.05")
    assert _csv(client, "/providers/export.csv") == [{"name": "Norte", "type": "both", "cost_per_minute": "0.05"}]
    client.post("/language", data={"language": "pt_BR"})
    assert _csv(client, "/providers/export.csv", "pt_BR") == [
        {"name": "Norte", "type": "both", "cost_per_minute": "0,05"}
    ]


def test_who_may_look_may_export_and_no_secret_is_in_the_file(viewer: FlaskClient) -> None:
    things.gateway("GW1", registration=True, username="us", password="hush-gateway")
    things.extension(things.office("acme"), "100", name="João")
    for area in LISTS.keys() - NOT_FOR_ALL:
        answer = viewer.get(f"/{area}/export.csv")
        assert answer.status_code == 200
        assert f'filename="{area}-2' in answer.headers["Content-Disposition"]
        assert "hush" not in answer.text
        assert "secret" not in answer.text
        assert f'href="/{area}/export.csv' in viewer.get(f"/{area}/").text or not rows(viewer.get(f"/{area}/").text)
