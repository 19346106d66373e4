"""What is done to many rows at once: asked before, all of it or nothing."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, rows
from webapp import bulk, paging, store
from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.ext import Managed, db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.routes.models import Route


def ask(client: FlaskClient, area: str, action: str, *selected: Managed, **query: str) -> str:
    """The page that asks before it is done."""
    answer = client.get(f"/{area}/bulk", query_string={"action": action, "id": [one.id for one in selected], **query})
    assert answer.status_code in (200, 409), answer.text
    return answer.text


def confirm(client: FlaskClient, page: str) -> str:
    """Press the button of such a page; the page that follows."""
    found = re.search(r'<form class="card form" method="post" action="([^"]+)"', page)
    seal = re.search(r'name="seal" value="(\w+)"', page)
    assert found
    assert seal
    return client.post(unescape(found[1]), data={"seal": seal[1]}, follow_redirects=True).text


def listed(page: str) -> list[str]:
    """The names that such a page gives."""
    found = re.search(r'<ul class="names">(.*?)</ul>', page, re.DOTALL)
    assert found
    return [unescape(name) for name in re.findall(r"<li>(.*?)</li>", found[1])]


def phones(count: int, code: str = "acme") -> list[Extension]:
    office = things.office(code)
    store.save(*(Extension(customer_id=office.id, extension=str(100 + n), secret="secret-of-it") for n in range(count)))
    found = list(
        db.session.scalars(db.select(Extension).filter_by(customer_id=office.id).order_by(Extension.extension))
    )
    db.session.expunge_all()
    db.session.commit()
    return found


def test_a_row_can_be_ticked_and_a_viewer_sees_no_box(client: FlaskClient, viewer: FlaskClient) -> None:
    provider = things.provider()
    box = f'name="id" value="{provider.id}" form="selection"'
    assert box in client.get("/providers/").text
    assert "All that match" not in client.get("/providers/").text, "it says no more than the boxes of the one page"
    assert "checkbox" not in viewer.get("/providers/").text
    assert viewer.get(f"/providers/bulk?action=delete&id={provider.id}").status_code == 403
    assert viewer.post(f"/providers/bulk?action=delete&id={provider.id}").status_code == 403


def test_those_selected_are_disabled_and_enabled_again(client: FlaskClient) -> None:
    one, two, three = phones(3)
    page = ask(client, "extensions", "disable", one, three)
    assert listed(page) == ["acme-100", "acme-102"]
    assert things.count(Extension, enabled=False) == 0, "it only asked"

    page = confirm(client, page)

    assert alert(page) == "Disable: done for 2."
    assert things.one(Extension, id=two.id).enabled
    assert things.count(Extension, enabled=False) == 2
    assert things.asterisk("SELECT string_agg(id, ' ') FROM asterisk.ps_auths") == "acme-101"
    confirm(client, ask(client, "extensions", "enable", one, two, three))
    assert things.count(Extension, enabled=True) == 3


def test_all_that_match_are_those_of_every_page_and_no_others(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 2)
    phones(5)
    phones(2, "other")
    page = client.get("/extensions/?customer_id=acme&sort=-extension").text
    assert "All that match" in page
    for name, value in (("customer_id", "acme"), ("sort", "-extension")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in page

    page = ask(client, "extensions", "disable", all="1", customer_id="acme", sort="-extension")
    assert listed(page) == [f"acme-{n}" for n in (104, 103, 102, 101, 100)]
    page = confirm(client, page)

    assert things.count(Extension, enabled=False) == 5
    assert 'value="acme"' in page, "the list one comes back to is the one that was left"


def test_nothing_is_done_to_what_nobody_saw(client: FlaskClient) -> None:
    office = things.office()
    things.extension(office, "100")
    page = ask(client, "extensions", "delete", all="1", customer_id="acme")
    things.extension(office, "101")

    after = confirm(client, page)

    assert "has changed in the meantime" in alert(after)
    assert listed(after) == ["acme-100", "acme-101"]
    assert things.count(Extension) == 2
    confirm(client, after)
    assert things.count(Extension) == 0


def test_what_is_in_the_way_is_named_and_nothing_is_deleted(client: FlaskClient) -> None:
    free, north = things.provider("Free"), things.provider("Norte")
    things.gateway("GW1", provider_id=north.id)
    things.dids("551140001000", 3, provider_id=north.id)

    page = ask(client, "providers", "delete", free, north)

    assert "Norte: Gateways (1)" in page
    assert "Norte: DIDs (3)" in page
    assert 'type="submit">Delete' not in page
    answer = client.post(f"/providers/bulk?action=delete&id={free.id}&id={north.id}", data={"seal": "x"})
    assert answer.status_code == 409
    assert things.count(Provider) == 2


def test_what_goes_along_is_said_before_it_goes(client: FlaskClient) -> None:
    one, two = things.dids(count=2)
    bakery = things.trunk()
    things.allocate(one, bakery)
    client.post(f"/dids/{one.id}/deallocate")

    page = ask(client, "dids", "delete", one, two)
    assert "Former allocations (1)" in page
    confirm(client, page)

    assert things.count(Did) == things.count(Allocation) == 0


def test_numbers_are_blocked_and_freed_but_not_those_of_customers(client: FlaskClient) -> None:
    one, two, three = things.dids(count=3)
    things.allocate(three, things.trunk())

    page = ask(client, "dids", "blocked", one, two, three)
    assert f"{three.number} is with Customer padaria (padaria)" in page
    assert things.count(Did, status="blocked") == 0

    for status in ("blocked", "reserved", "available"):
        confirm(client, ask(client, "dids", status, one, two))
        assert things.count(Did, status=status) == 2
    assert things.one(Did, id=three.id).status == "allocated"


def test_a_route_of_a_disabled_gateway_is_not_enabled(client: FlaskClient) -> None:
    gateway = things.gateway(enabled=False)
    dead, alive = (
        things.route("Dead", gateway_id=gateway.id, enabled=False),
        things.route("Alive", gateway_id=things.gateway("GW2", "10.0.0.2").id, enabled=False),
    )
    page = ask(client, "routes", "enable", dead, alive)
    assert "Dead: gateway GW1 is disabled" in page
    assert "Alive: " not in page
    confirm(client, ask(client, "routes", "enable", alive))
    assert things.count(Route, enabled=True) == 1


@pytest.mark.parametrize("area", ["customers", "gateways"])
def test_other_lists_have_it_too(client: FlaskClient, area: str) -> None:
    kind: type[Customer | Gateway] = Customer if area == "customers" else Gateway
    made: Managed = things.trunk() if kind is Customer else things.gateway()
    confirm(client, ask(client, area, "disable", made))
    assert things.count(kind, enabled=False) == 1
    confirm(client, ask(client, area, "delete", made))
    assert things.count(kind) == 0


def test_more_than_can_be_done_at_once_is_refused(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    phones(3)
    assert "No more than 2 can be changed at once" in ask(client, "extensions", "disable", all="1")


def test_many_are_named_in_part(client: FlaskClient) -> None:
    phones(25)
    page = ask(client, "extensions", "disable", all="1")
    assert len(listed(page)) == 21
    assert listed(page)[-1] == "and 5 more"


def test_it_takes_as_many_queries_for_many_as_for_few(client: FlaskClient, counting: Counting) -> None:
    def run(code: str, count: int, action: str) -> int:
        if action == "disable":
            phones(count, code)
        with counting() as statements:
            confirm(client, ask(client, "extensions", action, all="1", customer_id=code))
        return len(statements)

    assert run("few", 3, "disable") == run("many", 60, "disable") < 60
    assert run("few", 3, "delete") == run("many", 60, "delete") < 60


def test_who_selects_nothing_or_nonsense(client: FlaskClient) -> None:
    provider = things.provider()
    page = client.get("/providers/bulk?action=delete&q=Nor", follow_redirects=True).text
    assert alert(page) == "Nothing was selected."
    assert len(rows(page)) == 1
    for query in ("", "action=nonsense", "action=delete&id=x", f"action=disable&id={provider.id}"):
        assert client.get(f"/providers/bulk?{query}").status_code == 404, query
    assert client.post(f"/providers/bulk?action=delete&id={provider.id}").status_code == 409, "no seal, no deed"
    assert things.count(Provider) == 1


def test_a_name_is_no_markup(client: FlaskClient) -> None:
    provider = things.provider("<script>alert(1)</script>")
    assert "<script>alert" not in ask(client, "providers", "delete", provider)
    assert "<script>alert" not in client.get("/providers/").text
