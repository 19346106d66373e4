"""Tariffs: price plans, what is earned, what providers charge."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, error_at, filled_in, rows
from webapp import paging
from webapp.accounts.models import AuditEntry
from webapp.ext import db
from webapp.providers.models import Provider
from webapp.tariffs import prices
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

LATER = dt.datetime(2099, 1, 1, 3, tzinfo=dt.UTC)
EARLIER = dt.datetime(2025, 1, 1, 3, tzinfo=dt.UTC)


@pytest.fixture
def plan(client: FlaskClient) -> PricePlan:
    return things.price_plan()


def path(plan: PricePlan) -> str:
    return f"/price-plans/{plan.id}"


def shown(client: FlaskClient, plan: PricePlan, **query: str) -> list[str]:
    """The rows of a plan's list, without the days, which stand in each of them."""
    page = client.get(path(plan), query_string=query)
    assert page.status_code == 200
    return [re.sub(r" \d{4}-\d\d-\d\d \d\d:\d\d", "", row) for row in rows(page.text)]


# ---- price plans


def test_a_plan_is_made_renamed_and_deleted(client: FlaskClient) -> None:
    response = client.post("/price-plans/new", data={"name": "Retail"})
    plan = things.one(PricePlan)
    assert response.location == path(plan)
    assert "No tariffs yet" in client.get(response.location).text
    client.post(f"{path(plan)}/edit", data={"name": "Wholesale", "version": "1"})
    assert rows(client.get("/price-plans/").text) == ["Wholesale 0 0"]
    assert client.post(f"{path(plan)}/delete").location == "/price-plans/"
    assert things.count(PricePlan) == 0


def test_two_plans_do_not_share_a_name(client: FlaskClient, plan: PricePlan) -> None:
    for address in ("/price-plans/new", f"{path(plan)}/copy"):
        response = client.post(address, data={"name": "Retail"})
        assert response.status_code == 422
        assert error_at(response.text, "name") == "Another price plan has this name."
    assert things.count(PricePlan) == 1


def test_whoever_deletes_a_plan_is_told_what_goes_with_it(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan, "55")
    things.tariff(plan, "5511")
    assert "Its 2 tariffs are lost with it." in client.get(f"{path(plan)}/delete").text
    client.post(f"{path(plan)}/delete")
    assert things.count(Tariff) == things.count(PricePlan) == 0
    lost = db.session.scalars(select(AuditEntry).filter_by(action="delete", kind="tariffs")).one()
    assert (lost.label, lost.after) == ("Retail", {"count": 2})


def test_a_plan_that_customers_have_stays(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan)
    things.office(price_plan_id=plan.id)
    assert rows(client.get("/price-plans/").text) == ["Retail 1 1"]
    assert "1 customer has this price plan." in client.get(path(plan)).text
    response = client.post(f"{path(plan)}/delete")
    assert response.status_code == 409
    assert "Customers: Customer acme (acme)" in response.text
    assert things.count(Tariff) == 1


def test_a_plan_of_many_tariffs_goes_in_one_statement(client: FlaskClient, plan: PricePlan, counting: Counting) -> None:
    many(plan, 3000)
    with counting() as statements:
        client.post(f"{path(plan)}/delete")
    assert things.count(Tariff) == 0
    assert len(statements) < 30
    assert not any("SELECT tariffs.id" in statement for statement in statements), "they were loaded"


def test_a_copy_has_other_prices(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan, "55", "0.12", cost_per_minute=Decimal("0.05"), connect_fee=Decimal("0.1"), description="Brasil")
    things.tariff(plan, "55", "0.123457", minimum_seconds=6, increment_seconds=1, valid_from=LATER)
    response = client.post(f"{path(plan)}/copy", data={"name": "Wholesale", "percent": "-12,5"})
    copy = things.one(PricePlan, name="Wholesale")
    assert response.location == path(copy)
    first = things.one(Tariff, price_plan_id=copy.id, valid_from=things.START)
    assert (first.prefix, first.description, first.minimum_seconds, first.version) == ("55", "Brasil", 30, 1)
    assert (first.price_per_minute, first.connect_fee) == (Decimal("0.105"), Decimal("0.0875"))
    assert first.cost_per_minute == Decimal("0.05")
    later = things.one(Tariff, price_plan_id=copy.id, valid_from=LATER)
    assert later.price_per_minute == Decimal("0.10802488")  # 0.108024875
    assert (later.minimum_seconds, later.increment_seconds) == (6, 1)
    assert things.count(Tariff, price_plan_id=plan.id) == 2
    made = db.session.scalars(select(AuditEntry).filter_by(action="create", label="Wholesale")).one()
    assert made.after == {"copy_of": "Retail", "percent": "-12.5", "tariffs": 2}


@pytest.mark.parametrize(
    ("percent", "message"),
    [
        ("-100.01", "Use -100 or more."),
        ("1001", "Use 1000 or less."),
        ("x", "Use a number."),
        ("NaN", "Use a number."),
        ("50", "Some of the prices would become too large."),
    ],
)
def test_a_copy_that_makes_no_sense(client: FlaskClient, plan: PricePlan, percent: str, message: str) -> None:
    things.tariff(plan, "55", "70000000")
    response = client.post(f"{path(plan)}/copy", data={"name": "Wholesale", "percent": percent})
    assert response.status_code == 422
    assert error_at(response.text, "percent") == message
    assert things.count(PricePlan) == 1


def test_copying_takes_as_many_statements_however_long_a_plan_is(
    client: FlaskClient, plan: PricePlan, counting: Counting
) -> None:
    many(plan, 3000)
    with counting() as statements:
        client.post(f"{path(plan)}/copy", data={"name": "Wholesale"})
    assert things.count(Tariff) == 6000
    assert len(statements) < 30


# ---- tariffs


TYPED = {
    "prefix": "+55 (11)",
    "description": "São Paulo",
    "cost_per_minute": "0,05",
    "price_per_minute": "0.12",
    "connect_fee": "0",
    "minimum_seconds": "30",
    "increment_seconds": "6",
    "valid_from": "2025-12-31 22:30",
}


def test_a_tariff_is_made_changed_and_deleted(client: FlaskClient, plan: PricePlan) -> None:
    new = f"{path(plan)}/tariffs/new"
    response = client.post(new, data=filled_in(client.get(new).text) | TYPED)
    tariff = things.one(Tariff)
    assert response.location == f"{path(plan)}?q=5511&show=all"
    assert (tariff.prefix, tariff.cost_per_minute) == ("5511", Decimal("0.05"))
    assert tariff.valid_from == dt.datetime(2026, 1, 1, 1, 30, tzinfo=dt.UTC)

    form = filled_in(client.get(f"/tariffs/{tariff.id}/edit").text)
    assert form["valid_from"] == "2025-12-31 22:30"
    client.post(f"/tariffs/{tariff.id}/edit", data=form | {"price_per_minute": "0.15"})
    changed = things.one(Tariff)
    assert changed.price_per_minute == Decimal("0.15")
    assert changed.valid_from == tariff.valid_from

    page = client.get(f"/tariffs/{tariff.id}/delete").text
    assert "Calls that were rated keep their price." in page
    assert client.post(f"/tariffs/{tariff.id}/delete").location == path(plan)
    assert things.count(Tariff) == 0


def test_a_form_left_as_it_is_changes_nothing(client: FlaskClient, plan: PricePlan) -> None:
    moment = dt.datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=dt.UTC)
    tariff = things.tariff(plan, valid_from=moment)
    client.post(f"/tariffs/{tariff.id}/edit", data=filled_in(client.get(f"/tariffs/{tariff.id}/edit").text))
    assert things.one(Tariff).version == 1


def test_a_tariff_without_a_day_counts_from_now_on(client: FlaskClient, plan: PricePlan) -> None:
    new = f"{path(plan)}/tariffs/new"
    client.post(new, data=filled_in(client.get(new).text) | TYPED | {"valid_from": ""})
    age = dt.datetime.now(dt.UTC) - things.one(Tariff).valid_from
    assert dt.timedelta(0) <= age < dt.timedelta(minutes=1)


def test_who_changes_a_tariff_that_counts_is_warned(client: FlaskClient, plan: PricePlan) -> None:
    tariff = things.tariff(plan, "5511", "0.12", description="São Paulo", connect_fee=Decimal("0.05"))
    page = client.get(f"/tariffs/{tariff.id}/edit").text
    assert "This tariff already counts." in alert(page)
    found = re.search(r'class="alert-link" href="([^"]+)"', page)
    assert found
    new = unescape(found[1])
    form = filled_in(client.get(new).text)
    assert (form["prefix"], form["description"], form["valid_from"]) == ("5511", "São Paulo", "")
    assert Decimal(form["connect_fee"]) == Decimal("0.05")
    response = client.post(new, data=form | {"price_per_minute": "0.2", "valid_from": "2099-01-01"})
    assert response.status_code == 302
    assert things.one(Tariff, id=tariff.id).price_per_minute == Decimal("0.12")
    later = things.one(Tariff, valid_from=LATER)
    assert later.price_per_minute == Decimal("0.2")
    assert "already counts" not in client.get(f"/tariffs/{later.id}/edit").text


def test_a_price_of_another_plan_is_no_beginning(client: FlaskClient, plan: PricePlan) -> None:
    other = things.tariff(things.price_plan("Secret"), "5511", "0.01")
    for like in (str(other.id), "x", "\x00", ""):
        assert filled_in(client.get(f"{path(plan)}/tariffs/new", query_string={"like": like}).text)["prefix"] == ""


def test_two_prices_from_the_same_moment_on(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan, "55")
    new = f"{path(plan)}/tariffs/new"
    form = filled_in(client.get(new).text) | TYPED | {"prefix": "55", "valid_from": "2025-12-31 21:00"}
    response = client.post(new, data=form)
    assert response.status_code == 422
    expected = "The price plan already has a tariff for this prefix from this moment on."
    assert error_at(response.text, "valid_from") == expected


# ---- the list of a plan


def test_the_list_shows_what_counts_now_unless_more_is_wanted(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan, "55", "0.10", valid_from=EARLIER)
    things.tariff(plan, "55", "0.12")
    things.tariff(plan, "55", "0.20", valid_from=LATER)
    things.tariff(plan, "1", "0.19", valid_from=LATER)
    things.tariff(things.price_plan("Other"), "7")
    assert shown(client, plan) == ["55 unknown 0.12 30 + 6 s Current"]
    assert shown(client, plan, show="all") == [
        "1 unknown 0.19 30 + 6 s Not yet",
        "55 unknown 0.10 30 + 6 s Past",
        "55 unknown 0.12 30 + 6 s Current",
        "55 unknown 0.20 30 + 6 s Not yet",
    ]


def test_a_tariff_is_found_by_prefix_and_description(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan, "5511", description="São Paulo")
    things.tariff(plan, "351", description="Portugal")
    for q in ("+55 11", "551", "são"):
        assert [row.split()[0] for row in shown(client, plan, q=q)] == ["5511"], q
    assert shown(client, plan, q="x") == []


def test_a_long_list_has_pages_that_keep_what_was_asked(client: FlaskClient, plan: PricePlan) -> None:
    many(plan, 120)
    seen, address = [], f"{path(plan)}?show=all&q=10"
    while address:
        page = client.get(address).text
        assert 'value="10"' in page
        assert re.search(r'value="all"\s+selected', page)
        seen += [row.split()[0] for row in rows(page)]
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = unescape(found[1]) if found else ""
    assert seen == [str(1000 + n) for n in range(120) if "10" in str(1000 + n)]
    assert len(seen) > 100


def test_a_list_costs_the_same_however_long_it_is(client: FlaskClient, plan: PricePlan, counting: Counting) -> None:
    things.deck_line(things.provider("Norte"), "10")
    many(plan, 3)
    with counting() as few:
        assert len(shown(client, plan)) == 3
    many(plan, 40, start=2000)
    things.deck_line(things.provider("Sul"), "20")
    with counting() as more:
        assert len(shown(client, plan)) == 43
    assert len(few) == len(more) <= 7, more


@pytest.fixture(params=["plan", "deck"])
def lines(request: pytest.FixtureRequest, plan: PricePlan) -> Lines:
    """The lines of a plan, and those of a deck: what holds for one list holds for the other."""
    return Lines(plan) if request.param == "plan" else Lines(things.provider("Norte"))


@dataclass(frozen=True)
class Lines:
    owner: PricePlan | Provider

    @property
    def kind(self) -> type[Tariff] | type[ProviderTariff]:
        return Tariff if isinstance(self.owner, PricePlan) else ProviderTariff

    @property
    def page(self) -> str:
        return path(self.owner) if isinstance(self.owner, PricePlan) else f"{self.address}/tariffs"

    @property
    def address(self) -> str:
        """What the file and the page for many are below."""
        return path(self.owner) if isinstance(self.owner, PricePlan) else f"/providers/{self.owner.id}"

    def add(self, prefix: str, amount: str = "0.12", **values: Any) -> Any:
        make: Any = things.tariff if isinstance(self.owner, PricePlan) else things.deck_line
        return make(self.owner, prefix, amount, **values)

    def of_another(self) -> Lines:
        return Lines(things.price_plan("Other") if self.kind is Tariff else things.provider("Other"))


def prefixes(client: FlaskClient, address: str) -> list[str]:
    """The prefixes of a list, page by page to its end."""
    found: list[str] = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, address
        found += [row.split()[0] for row in rows(answer.text)]
        following = re.search(r'rel="next" href="([^"]+)"', answer.text)
        address = unescape(following[1]) if following else ""
    return found


def test_by_every_column_and_both_ways_each_line_comes_once(
    client: FlaskClient, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 4)
    for n in range(11):
        values = {"connect_fee": Decimal(n % 4) / 10, "minimum_seconds": n % 2 * 30, "increment_seconds": n % 3 + 1}
        lines.add(str(50 + n), f"0.{n % 3}1", description=f"Place {n * 7 % 5}", **values)
    lines.of_another().add("99")
    page = client.get(lines.page).text
    columns = re.findall(r'<a class="sort" href="[^"]*[?&;]sort=-?(\w+)"', page)
    assert len(columns) == (7 if lines.kind is Tariff else 6)
    for column in columns:
        up, down = (prefixes(client, f"{lines.page}?sort={sign}{column}") for sign in ("", "-"))
        assert sorted(up) == [str(50 + n) for n in range(11)], column
        assert down == up[::-1], column
    for column in ("margin", "state", "price", "-margin", "price_plan_id"):
        assert client.get(f"{lines.page}?sort={column}").status_code == 404, column


def test_lines_are_in_the_order_of_what_they_show(client: FlaskClient, lines: Lines) -> None:
    lines.add("1", "0.10", description="C", connect_fee=Decimal("0.3"), minimum_seconds=60)
    lines.add("2", "0.09", description="A", minimum_seconds=30, increment_seconds=1)
    lines.add("3", "0.20", description="B", connect_fee=Decimal("0.2"), valid_from=EARLIER)
    amount = "price_per_minute" if lines.kind is Tariff else "cost_per_minute"
    for sort, expected in {
        "": "123",
        "-prefix": "321",
        "description": "231",
        amount: "213",
        f"-{amount}": "312",
        "connect_fee": "231",
        "minimum_seconds": "231",
        "valid_from": "312",
    }.items():
        assert "".join(prefixes(client, f"{lines.page}?sort={sort}")) == expected, sort


def test_lines_are_filtered_by_what_they_are_now(client: FlaskClient, lines: Lines) -> None:
    lines.add("55", "0.10", valid_from=EARLIER)
    lines.add("55", "0.12")
    lines.add("55", "0.20", valid_from=LATER)
    lines.add("1", "0.19", valid_from=LATER)
    shown = {name: prefixes(client, f"{lines.page}?show={name}") for name in ("", "current", "future", "past", "all")}
    assert shown == {
        "": ["55"],
        "current": ["55"],
        "future": ["1", "55"],
        "past": ["55"],
        "all": ["1", "55", "55", "55"],
    }
    assert prefixes(client, f"{lines.page}?show=future&q=55&sort=-prefix") == ["55"]
    page = client.get(f"{lines.page}?show=future").text
    assert re.search(r'<option value="future" selected>', page)
    assert f'<a class="btn btn-ghost-secondary" href="{lines.page}">' in page
    assert "Clear" not in client.get(f"{lines.page}?show=current").text, "that is what it begins with"
    assert client.get(f"{lines.page}?show=nonsense").status_code == 404
    assert client.get(f"{lines.page}?show=loss").status_code == (200 if lines.kind is Tariff else 404)


def test_an_empty_list_says_what_to_do_next(client: FlaskClient, lines: Lines) -> None:
    page = client.get(lines.page).text
    assert "No tariffs yet" in page
    assert "Import brings in a whole list" in page
    assert f'href="{lines.address}/tariffs/new"' in page
    lines.of_another().add("55")
    assert "No tariffs yet" in client.get(lines.page).text
    lines.add("55", valid_from=LATER)
    page = client.get(lines.page).text
    assert "No tariffs yet" not in page, "there is one, though it does not count yet"
    assert f'href="{lines.page}?show=all">Show all' in page
    page = client.get(f"{lines.page}?q=x").text
    assert "No tariff matches." in page


def test_a_file_holds_what_the_list_does(client: FlaskClient, viewer: FlaskClient, lines: Lines) -> None:
    lines.add("55", "0.0450", description="=1+1")
    lines.add("5511", "0.5", description="São Paulo")
    lines.add("1", "0.1", valid_from=LATER)
    lines.of_another().add("99")
    file = f"{lines.address}/tariffs.csv"
    for browser in (client, viewer):
        assert f'href="{file}?sort=-prefix&amp;q=55"' in browser.get(f"{lines.page}?q=55&sort=-prefix").text
    answer = viewer.get(file, query_string={"sort": "-prefix"})
    assert re.search(r'filename="tariffs-20\d\d-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"])
    found = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [line["prefix"] for line in found] == ["5511", "55"]
    amount = {"cost_per_minute": "0", "price_per_minute": "0.045"}
    assert found[1] == {
        "prefix": "55",
        "description": "'=1+1",
        **(amount if lines.kind is Tariff else {"cost_per_minute": "0.045"}),
        "minimum_seconds": "30",
        "increment_seconds": "6",
        "connect_fee": "0",
        "valid_from": "2026-01-01T00:00:00+00:00",
    }
    assert [line.split(",")[0] for line in viewer.get(f"{file}?show=future").text.split()[1:]] == ["1"]
    assert viewer.get(f"{file}?sort=margin").status_code == 404


def test_many_are_deleted_after_it_was_said_what_counts_then(client: FlaskClient, lines: Lines) -> None:
    lines.add("55", valid_from=EARLIER)
    longer, current = lines.add("5511"), lines.add("55")
    lost, future = lines.add("351"), lines.add("44", valid_from=LATER)
    other = lines.of_another()
    other.add("3")  # It counts for 351, but in another list.
    address = f"{lines.address}/tariffs/bulk"

    def ask(*selected: Any, **query: str) -> str:
        query_string = {"action": "delete", "id": [line.id for line in selected], **query}
        return client.get(address, query_string=query_string).text

    said = "Calls that were rated keep their price."
    page = ask(longer, current, future)
    assert said in page
    assert "<li>44, from 2099-01-01 00:00</li>" in page
    assert "nothing counts" not in page, "for 55 the earlier one does"
    assert "For 1 prefix there is neither" in ask(longer, lost)
    assert "For 2 prefixes there is neither" in ask(all="1", show="all", q="55")
    assert "For 3 prefixes there is neither" in ask(all="1", show="all")
    assert "Selected: 3" in ask(all="1")
    assert things.count(lines.kind) == 6

    page = ask(all="1", q="5", sort="-prefix")
    seal = re.search(r'name="seal" value="(\w+)"', page)
    assert seal
    query = {"action": "delete", "all": "1", "q": "5", "sort": "-prefix"}
    response = client.post(address, query_string=query, data={"seal": seal[1]})
    assert response.location == f"{lines.page}?sort=-prefix&q=5"
    assert things.count(lines.kind) == 3
    kept = db.session.execute(select(lines.kind.prefix, lines.kind.valid_from))
    assert sorted(map(tuple, kept)) == [("3", things.START), ("44", LATER), ("55", EARLIER)]
    gone = select(AuditEntry).where(AuditEntry.action == "delete", AuditEntry.kind == lines.kind.__tablename__)
    assert len(db.session.scalars(gone).all()) == 3


def test_of_one_plan_or_deck_nobody_deletes_lines_of_another(
    client: FlaskClient, viewer: FlaskClient, lines: Lines
) -> None:
    mine, other = lines.add("55"), lines.of_another().add("55")
    address = f"{lines.address}/tariffs/bulk?action=delete"
    assert client.get(f"{address}&id={other.id}").location == lines.page, "nothing was selected"
    assert "Selected: 1" in client.get(f"{address}&id={other.id}&id={mine.id}").text
    assert f'value="{mine.id}" form="selection"' in client.get(lines.page).text
    assert "checkbox" not in viewer.get(lines.page).text
    assert viewer.get(f"{address}&id={mine.id}").status_code == 403
    assert viewer.post(f"{address}&id={mine.id}").status_code == 403
    nobody = uuid.uuid4()
    for missing in (f"/price-plans/{nobody}", f"/providers/{nobody}"):
        assert client.get(f"{missing}/tariffs.csv").status_code == 404
        assert client.get(f"{missing}/tariffs/bulk?action=delete&all=1").status_code == 404


def test_many_cost_what_few_cost(client: FlaskClient, lines: Lines, counting: Counting) -> None:
    def ask() -> int:
        with counting() as statements:
            for query in ("", "?show=all&sort=-description&q=0", "?show=future"):
                client.get(f"{lines.page}{query}")
            client.get(f"{lines.address}/tariffs.csv")
            client.get(f"{lines.address}/tariffs/bulk?action=delete&all=1")
        return len(statements)

    for n in range(2):
        lines.add(f"10{n}")
    few = ask()
    for n in range(30):
        lines.add(f"20{n}")
    assert ask() == few <= 34


# ---- what is earned


def test_a_margin_is_price_less_cost(client: FlaskClient, plan: PricePlan) -> None:
    things.tariff(plan, "1", "0.12", cost_per_minute=Decimal("0.045"))
    things.tariff(plan, "2", "0.12", cost_per_minute=Decimal("0.15"))
    things.tariff(plan, "3", "0.12", cost_per_minute=Decimal("0.12"))
    things.tariff(plan, "4", "0", cost_per_minute=Decimal("0.01"))
    assert shown(client, plan) == [
        "1 0.045 0.12 0.075 (62.5 %) 30 + 6 s Current",
        "2 0.15 0.12 Loss -0.03 (-25.0 %) 30 + 6 s Current",
        "3 0.12 0.12 0.00 (0.0 %) 30 + 6 s Current",
        "4 0.01 0.00 Loss -0.01 30 + 6 s Current",
    ]
    page = client.get(path(plan)).text
    assert page.count('class="negative"') == 2
    assert "2 tariffs are sold below their own cost." in alert(page)
    assert [row[0] for row in shown(client, plan, show="loss")] == ["2", "4"]


def test_without_a_cost_of_its_own_the_cheapest_provider_is_compared(client: FlaskClient, plan: PricePlan) -> None:
    norte, sul = things.provider("Norte"), things.provider("Sul")
    things.deck_line(norte, "55", "0.06")
    things.deck_line(norte, "551199", "0.001")  # For a part of the numbers only.
    things.deck_line(sul, "55", "0.01", valid_from=EARLIER)
    things.deck_line(sul, "55", "0.05")
    things.deck_line(sul, "55", "0.001", valid_from=LATER)
    things.tariff(plan, "44", "0.2")
    things.tariff(plan, "5511", "0.2")
    things.tariff(plan, "5521", "0.04")
    assert shown(client, plan) == [
        "44 unknown 0.20 30 + 6 s Current",
        "5511 0.05 Sul 0.20 0.15 (75.0 %) 30 + 6 s Current",
        "5521 0.05 Sul 0.04 Loss -0.01 (-25.0 %) 30 + 6 s Current",
    ]
    assert [row.split()[0] for row in shown(client, plan, show="loss")] == ["5521"]


def test_a_cost_of_its_own_does_not_hide_that_every_provider_charges_more(client: FlaskClient, plan: PricePlan) -> None:
    things.deck_line(things.provider("Norte"), "5", "0.06")
    things.deck_line(things.provider("Sul"), "55", "0.05")
    things.tariff(plan, "55", "0.04", cost_per_minute=Decimal("0.03"))
    things.tariff(plan, "551", "0.05", cost_per_minute=Decimal("0.03"))
    expected = "55 0.03 0.04 0.01 (25.0 %) Sold below what Sul charges: 0.05 30 + 6 s Current"
    assert shown(client, plan)[0] == expected
    assert shown(client, plan, show="loss") == [expected]


def test_a_very_long_plan_is_searched_for_its_own_costs_only_and_says_so(
    client: FlaskClient, plan: PricePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    things.deck_line(things.provider("Norte"), "5", "0.06")
    things.tariff(plan, "55", "0.04")
    things.tariff(plan, "56", "0.04", cost_per_minute=Decimal("0.05"))
    note = "This plan is too long to compare"
    assert len(shown(client, plan, show="loss")) == 2
    assert note not in client.get(path(plan), query_string={"show": "loss"}).text
    monkeypatch.setattr(prices, "MOST_COMPARED", 1)
    assert [row.split()[0] for row in shown(client, plan, show="loss")] == ["56"]
    assert note in client.get(path(plan), query_string={"show": "loss"}).text
    assert note not in client.get(path(plan)).text


# ---- which one counts for a number


def asked(client: FlaskClient, address: str, **query: str) -> str:
    """The prefix that is answered; empty for none."""
    page = client.get(address, query_string=query).text
    card = page.partition('name="at"')[2].partition('name="q"')[0]
    return rows(card)[0].split()[0] if "<tbody>" in card else ""


def test_which_tariff_counts_for_a_number(client: FlaskClient, plan: PricePlan) -> None:
    for prefix, start in (("55", EARLIER), ("5511", things.START), ("55119", LATER)):
        things.tariff(plan, prefix, valid_from=start)
    for number, at, prefix in (
        ("+55 11 94000-1234", "", "5511"),
        ("5511940001234", "2099-01-01", "55119"),
        ("5511940001234", "2025-12-31", "55"),
        ("5511940001234", "2024-12-31 23:59", ""),
        ("441140001234", "", ""),
    ):
        assert asked(client, path(plan), number=number, at=at) == prefix, (number, at)
    assert "No tariff" in client.get(path(plan), query_string={"number": "44"}).text
    page = client.get(path(plan), query_string={"number": "abc", "at": "x"}).text
    assert (
        error_at(page.replace(" w-100 mt-0", ""), "number") == "Use the digits of a telephone number, 20 at the most."
    )


def test_what_a_provider_charges(client: FlaskClient) -> None:
    provider = things.provider("Norte")
    other = things.deck_line(things.provider("Sul"), "5511", "0.01")
    deck = f"/providers/{provider.id}/tariffs"
    assert f'href="{deck}"' in client.get("/price-plans/").text
    assert "No tariffs yet" in client.get(deck).text

    form = filled_in(client.get(f"{deck}/new").text) | TYPED
    form.pop("price_per_minute")
    assert client.post(f"{deck}/new", data=form).location == f"{deck}?q=5511&show=all"
    line = things.one(ProviderTariff, provider_id=provider.id)
    assert (line.prefix, line.cost_per_minute) == ("5511", Decimal("0.05"))
    [row] = rows(client.get(deck).text)
    assert row.startswith("5511 São Paulo 0.05 30 + 6 s")
    assert asked(client, deck, number="551140001234") == "5511"

    edit = f"/provider-tariffs/{line.id}/edit"
    client.post(edit, data=filled_in(client.get(edit).text) | {"cost_per_minute": "0.06"})
    assert things.one(ProviderTariff, id=line.id).cost_per_minute == Decimal("0.06")
    response = client.post(f"{deck}/new", data=form)
    assert error_at(response.text, "valid_from").startswith("The provider already has a tariff for this prefix")

    assert client.post(f"/provider-tariffs/{line.id}/delete").location == deck
    assert things.one(ProviderTariff).id == other.id


def test_the_deck_goes_with_its_provider(client: FlaskClient) -> None:
    provider = things.provider("Norte")
    things.deck_line(provider)
    assert "What it charges is lost with it (1 tariff)." in client.get(f"/providers/{provider.id}/delete").text
    client.post(f"/providers/{provider.id}/delete")
    assert things.count(ProviderTariff) == things.count(Provider) == 0


# ---- who may, and what is sent


def test_who_may_only_look(viewer: FlaskClient, plan: PricePlan) -> None:
    tariff, provider = things.tariff(plan), things.provider()
    line = things.deck_line(provider)
    deck = f"/providers/{provider.id}/tariffs"
    for address in ("/price-plans/", path(plan), deck):
        page = viewer.get(address)
        assert page.status_code == 200
        assert "/new" not in page.text
        assert "/edit" not in page.text
    for address in (
        "/price-plans/new",
        f"{path(plan)}/edit",
        f"{path(plan)}/copy",
        f"{path(plan)}/delete",
        f"{path(plan)}/tariffs/new",
        f"/tariffs/{tariff.id}/edit",
        f"/tariffs/{tariff.id}/delete",
        f"{deck}/new",
        f"/provider-tariffs/{line.id}/edit",
        f"/provider-tariffs/{line.id}/delete",
    ):
        assert viewer.get(address).status_code == viewer.post(address).status_code == 403, address


@pytest.mark.parametrize("value", ["\x00", "<script>alert(1)</script>", "9" * 5000, "%", "'", "=1+1", "1e400", "-1"])
def test_nothing_in_an_address_breaks_a_page(client: FlaskClient, plan: PricePlan, value: str) -> None:
    things.tariff(plan, description="<script>alert(1)</script>")
    deck = f"/providers/{things.provider().id}/tariffs"
    queries: list[dict[str, Any]] = [
        {"q": value},
        {"show": value},
        {"sort": value},
        {"sort": "price_per_minute", "after": [value, value, value]},
        {"sort": "valid_from", "after": [value, "55"]},
        {"number": value},
        {"number": "55", "at": value},
        {"after": value},
        {"after": [value, value]},
        {"after": ["55", "2026-01-01"]},
    ]
    for address in (path(plan), deck):
        for query in queries:
            response = client.get(address, query_string=query)
            assert response.status_code in (200, 404), query
            assert "<script>alert" not in response.text
        below = address.removesuffix("/tariffs")
        for other in (f"{below}/tariffs.csv", f"{below}/tariffs/bulk"):
            for query in ({"action": "delete", "all": "1", **query} for query in queries):
                assert client.get(other, query_string=query).status_code in (200, 302, 404), query


def many(plan: PricePlan, count: int, start: int = 1000) -> None:
    """Tariffs of the prefixes from `start` on."""
    line = {"price_plan_id": plan.id, "price_per_minute": Decimal("0.1"), "valid_from": things.START}
    db.session.execute(insert(Tariff), [{"prefix": str(start + n), **line} for n in range(count)])
    db.session.commit()


def test_of_very_many_losses_it_is_enough_to_know_that_they_are_many(
    client: FlaskClient, plan: PricePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(1, 5):
        things.tariff(plan, f"5{n}", "0.10", cost_per_minute=Decimal("0.20"))
    assert "4 tariffs are sold below their own cost." in client.get(path(plan)).text
    monkeypatch.setattr(prices, "MOST_LOSSES", 3)
    assert "3 tariffs or more are sold below their own cost." in client.get(path(plan)).text


def test_plans_and_decks_lead_to_their_import(client: FlaskClient, viewer: FlaskClient, plan: PricePlan) -> None:
    provider = things.provider("Norte")
    for address, kind, target in (
        (path(plan), "tariffs", plan.id),
        (f"/providers/{provider.id}/tariffs", "provider_tariffs", provider.id),
    ):
        link = f"/imports/new?kind={kind}&amp;target={target}"
        assert link in client.get(address).text
        assert link not in viewer.get(address).text
        assert client.get(link.replace("&amp;", "&")).status_code == 200
