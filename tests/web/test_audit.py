"""The audit log: what it shows, how it is searched, and what it never tells."""

from __future__ import annotations

import ast
import csv
import io
import re
import uuid
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import webapp
from tests.conftest import PASSWORD, Counting, make_user, signed_in
from tests.web import things
from tests.web.html import filled_in, rows
from tests.web.test_tokens import made
from webapp import paging, store
from webapp.audit import operations
from webapp.audit.lists import AUDIT
from webapp.dids.models import Allocation
from webapp.ext import Managed, db
from webapp.gateways.models import Gateway
from webapp.routes.models import Route


def told(client: FlaskClient, **filters: str) -> list[str]:
    """The entries of the page, without their times."""
    answer = client.get("/audit/", query_string=filters)
    assert answer.status_code == 200
    return [re.sub(r"^\S+ \S+ ", "", row) for row in rows(answer.text)]


def fill(count: int) -> None:
    """Entries of the past, one each minute; a thousandth of them by Ana, one in a hundred thousand a reveal."""
    db.session.execute(
        text(
            "INSERT INTO audit_log (at, username, action, kind, thing_id, label, before, after) "
            "SELECT '2026-01-01 12:00Z'::timestamptz + n * interval '1 minute',"
            " CASE WHEN n % 1000 = 0 THEN 'ana' ELSE 'rui' END,"
            " CASE WHEN n % 100000 = 7 THEN 'reveal' ELSE 'update' END, 'customers',"
            " md5((n % 5000)::text)::uuid, 'customer ' || n, jsonb_build_object('name', 'old' || n),"
            " jsonb_build_object('name', 'new' || n) FROM generate_series(1, :count) n"
        ),
        {"count": count},
    )
    db.session.commit()


def test_it_works(client: FlaskClient) -> None:
    assert (
        re.sub(" [0-9a-f]{12}$", "", told(client)[0])
        == "olga Sign-in User olga 2 values Address: 127.0.0.1 Proof: password"
    )
    gateway = things.gateway("GW1", "10.0.0.1")
    path = f"/gateways/{gateway.id}"
    form = {"name": "GW1", "provider_id": str(gateway.provider_id), "ip_address": "10.0.0.1", "transport": "tcp"}
    client.post(f"{path}/edit", data={**form, "port": "5080", "version": "1", "codecs": "alaw,ulaw"})

    shown = told(client)
    assert shown[0].startswith("olga Edited Gateway GW1 Enabled: Yes → No Port: 5060 → 5080 Transport: UDP → TCP")
    assert "(command) Created Gateway GW1" in shown[1]
    assert "(command) Created Provider Provider of GW1" in shown[2]
    assert len(shown) == 4
    page = client.get("/audit/").text
    assert f'<a href="{path}">GW1</a>' in page
    assert "Provider: <ins>Provider of GW1</ins>" in page
    client.post(f"{path}/delete")
    page = client.get("/audit/").text
    assert f'<a href="{path}">GW1</a>' not in page
    assert told(client)[0].startswith("olga Deleted Gateway GW1")


def test_what_is_gone_is_said_to_be_gone(client: FlaskClient) -> None:
    gateway = things.gateway("GW1", "10.0.0.1")
    client.post(f"/gateways/{gateway.id}/delete")
    client.post(f"/providers/{gateway.provider_id}/delete")
    assert f"Provider: (deleted) {gateway.provider_id}" in " ".join(told(client, kind="gateways"))


def test_ranges_and_allocations_read_well(client: FlaskClient) -> None:
    numbers = things.dids("551140001000", 3)
    office = things.office("acme")
    things.extension(office, "100")
    things.allocate(numbers[0], office, "100")
    client.post(f"/dids/{numbers[0].id}/deallocate", data={"version": "2"})

    shown = told(client, kind="customer_dids")
    assert "Created Allocation 551140001000 → acme" in shown[1]
    assert "DID: 551140001000" in shown[1]
    assert "Extension: acme-100" in shown[1]
    assert "Extension: acme-100" in shown[0]
    assert "Released at:" in shown[0]
    assert f'href="/dids/{numbers[0].id}"' in client.get("/audit/?kind=customer_dids").text
    assert any("Status: Available → Allocated" in row for row in told(client, kind="dids"))
    assert any("551140001000 - 551140001002" in row and "3" in row for row in told(client, kind="dids"))


def _recorded() -> Iterator[tuple[str, str]]:
    """Action and kind of each call of store.record(), as they are written there."""
    for path in Path(webapp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("record", "store.record"):
                yield ast.unparse(node.args[0]), ast.unparse(node.args[1])


def test_whatever_is_recorded_has_a_name(client: FlaskClient) -> None:
    kinds = {kind.__tablename__ for kind in (*Managed.__subclasses__(), Allocation)}  # type: ignore[attr-defined]  # every model has one
    recorded = set(_recorded())
    assert len(recorded) > 10
    assert {"'asterisk'", "'users'"} <= {kind for _, kind in recorded}
    for action, kind in recorded:
        assert action == "action" or ast.literal_eval(action) in operations.ACTIONS, action
        if not kind.endswith(".__tablename__"):  # Of a model, all of which are among the kinds.
            kinds.add(ast.literal_eval(kind))
    assert kinds == set(operations.KINDS)
    page = unescape(client.get("/audit/").text)
    for name, shown in operations.KINDS.items():
        assert f'<option value="{name}">{shown.label}</option>' in page


def test_whatever_has_a_page_is_linked_to_it(app: Flask, client: FlaskClient) -> None:
    admin = signed_in(app, make_user("adam", "admin").username)
    things.route("Brazil", gateway_id=things.gateway("GW1", "10.0.0.1").id)
    office = things.office("acme")
    phone = things.extension(office, "100")
    things.allocate(things.did("551140001000"), office, phone.extension)
    things.tariff(things.price_plan("Retail"))
    things.deck_line(things.provider("Sul"))
    things.number_rule(description="Long distance")
    things.destination_list()
    things.conference(office, "100")
    things.fraud_rule()
    things.fraud_case(office)
    assert admin.post("/fraud/alerts/edit", data={"emails": "noc@example.com", "version": "1"}).status_code == 302
    things.rerating()
    things.invoice_check(things.provider("Leste"))
    made(admin)
    settings = filled_in(admin.get("/settings/edit").text)
    assert admin.post("/settings/edit", data=settings | {"company_name": "Fala"}).status_code == 302

    linked = set()
    for kind in operations.KINDS:
        page = admin.get("/audit/", query_string={"kind": kind}).text
        for url in re.findall(r'<th class="of-a-kind" scope="row">.*?</div>\s*<a href="([^"]+)">', page, re.DOTALL):
            assert admin.get(url).status_code == 200, f"{kind}: {url}"
            linked.add(kind)
    assert operations.KINDS.keys() - linked == {"api_tokens", "asterisk", "nodes", "payments"}, "which have no pages"


def test_it_is_searched(client: FlaskClient) -> None:
    gateway, other = things.gateway("GW1", "10.0.0.1"), things.gateway("GW2", "10.0.0.2")
    client.post(f"/gateways/{gateway.id}/delete")
    things.did("551140001000")

    def found(**filters: str) -> int:
        return len(told(client, **filters))

    assert found(who="olga", action="sign in") == 1
    assert found() == 8
    assert found(who="olga") == 2
    assert found(who="nobody") == 0
    assert found(kind="gateways") == 3
    assert found(kind="gateways", action="delete") == 1
    assert found(thing_id=str(gateway.id)) == 2
    assert found(kind="gateways", thing_id=str(other.id)) == 1
    assert found(q="gw1") == 3, "the gateway twice, and the provider of its name"
    assert found(q="10.0.0.2") == 1
    assert found(q="10.0.0") == 3, "the last word may be only begun"
    assert found(q="+55 11 4000-1000") == found(q="5511400") == 2
    assert found(since="2026-01-01", until="9000-01-01") == 8
    assert found(until="2001-01-01") == found(since="9000-01-01") == 0
    [request_id] = re.findall(r"<code>(\w+)</code>", client.get("/audit/?who=olga&action=delete").text)
    assert found(q=request_id) == 1


def test_a_day_begins_where_the_operator_is(client: FlaskClient) -> None:
    fill(1)  # At 12:01 UTC on 1 January.
    db.session.execute(
        text("UPDATE audit_log SET at = '2026-01-01 02:30Z' WHERE action <> 'sign in'")
    )  # In São Paulo it is still December.
    db.session.commit()
    assert len(told(client, kind="customers", since="2025-12-31", until="2025-12-31")) == 1
    assert told(client, kind="customers", since="2026-01-01") == []


@pytest.mark.parametrize(
    "q", ["'", "\\", ":*", "&", "!", "a & | !b:*", "%", "\x00", "<->", "ã" * 80, "()", "-", "'x':*"]
)
def test_a_search_takes_every_sign(client: FlaskClient, q: str) -> None:
    things.provider("Norte")
    for path in ("/audit/", "/audit/export.csv"):
        for name in ("q", "who", "kind", "action", "since", "until", "thing_id"):
            answer = client.get(path, query_string={name: q}, buffered=True)
            assert answer.status_code == (200 if name in ("q", "who") or q == "\x00" else 404), name
    assert client.get("/audit/", query_string={"thing_id": str(uuid.uuid4())}).status_code == 200


@pytest.mark.parametrize("after", [["x"], ["x", "y"], ["2026-01-01"], ["2026-01-01T00:00Z", "x"], ["1", "1"]])
def test_a_key_that_is_none(client: FlaskClient, after: list[str]) -> None:
    assert client.get("/audit/", query_string={"after": after}).status_code == 404


def test_a_long_log_has_pages_the_latest_first(client: FlaskClient) -> None:
    fill(120)
    db.session.execute(text("UPDATE audit_log SET at = '2026-01-01 12:00Z'"))  # As after an import: all at once.
    db.session.commit()
    path, seen = "/audit/?kind=customers", []
    while path:
        page = client.get(path).text
        seen += re.findall(r"customer (\d+)", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(following[1]) if following else ""
        assert not path or "kind=customers" in path
    assert [int(n) for n in seen] == list(range(120, 0, -1))


def test_it_costs_the_same_however_much_it_tells(client: FlaskClient, counting: Counting) -> None:
    def work(numbers: range) -> None:
        for n in numbers:
            gateway = things.gateway(f"GW{n}", f"10.0.0.{n}")
            store.save(Route(name=f"Route {n}", pattern="55.", gateway_id=gateway.id))
            office = things.office(f"c{n}")
            phone = things.extension(office)
            things.allocate(things.did(f"55114000100{n}"), office, phone.extension)

    work(range(1, 3))
    with counting() as few:
        told(client)
    work(range(3, 6))
    with counting() as many:
        told(client)
    assert len(many) == len(few) <= 11, many


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"who": "ana"},
        {"kind": "gateways"},
        {"action": "reveal"},
        {"thing_id": str(uuid.UUID("cfcd208495d565ef66e7dff9f98764da"))},
        {"since": "2026-01-03", "until": "2026-01-03"},
        {"q": "new777"},
        *({"sort": f"{sign}{column}"} for column in ("at", "username", "action", "kind") for sign in ("", "-")),
    ],
    ids=str,
)
def test_a_long_log_is_read_through_an_index(client: FlaskClient, counting: Counting, asked: dict[str, str]) -> None:
    fill(20_000)
    db.session.execute(text("ANALYZE audit_log"))
    db.session.commit()
    with counting() as statements:
        client.get("/audit/", query_string=asked)
    assert len([each for each in statements if "FROM audit_log" in each]) == (2 if "q" in asked else 1)
    with client.application.test_request_context("/audit/", query_string=asked):
        query = AUDIT.sort(AUDIT.narrow(AUDIT.query, AUDIT.chosen()), asked.get("sort", "")).limit(51)
    compiled = query.compile(db.engine, compile_kwargs={"literal_binds": True})
    plan = "\n".join(db.session.connection().exec_driver_sql(f"EXPLAIN {compiled}").scalars())
    assert "Seq Scan" not in plan, plan
    if asked.keys() <= {"sort"}:
        assert "Sort" not in plan, plan
    else:
        assert "rows=20000" not in plan, plan


def test_words_are_found_be_they_rare_or_common(
    client: FlaskClient, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rare one, or one that is nowhere, is not looked for in every entry."""
    fill(60)
    for most, looks_again in ((paging.FEW, False), (60, False), (59, True)):
        monkeypatch.setattr(paging, "FEW", most)
        with counting() as statements:
            assert len(told(client, q="cust")) == 50
        assert len([each for each in statements if "words @@" in each]) == (2 if looks_again else 1)
        assert len(told(client, q="customer 59")) == len(told(client, q="old7")) == 1
        assert told(client, q="nowhere") == []


# ---- as a file


def test_the_file_holds_what_the_page_shows_and_more(client: FlaskClient) -> None:
    fill(2500)  # More than are read at a time.
    things.provider("=1+1")
    answer = client.get("/audit/export.csv?kind=customers&q=customer")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-20')
    found = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["label"] for row in found] == [f"customer {n}" for n in range(2500, 0, -1)]
    assert found[0]["at"] == "2026-01-03T05:40:00+00:00"
    assert found[0]["after"] == '{"name": "new2500"}'
    [provider] = csv.DictReader(io.StringIO(client.get("/audit/export.csv?kind=providers").text.removeprefix("\ufeff")))
    assert provider["label"] == "'=1+1"


# ---- who sees it, and what nobody sees


def test_who_may_read_it(client: FlaskClient, viewer: FlaskClient) -> None:
    assert 'href="/audit/"' in client.get("/settings/").text
    assert 'href="/audit/"' not in viewer.get("/settings/").text
    assert viewer.get("/audit/").status_code == viewer.get("/audit/export.csv").status_code == 403


def test_no_secret_that_was_ever_typed_is_told(
    app: Flask, client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    """Everything that takes a secret is used, and all that tells of it is read."""
    admin = signed_in(app, make_user("adam", "admin").username)
    db.session.commit()
    gateway = things.gateway("GW1", "10.0.0.1", registration=True, username="us", password="hush-stored")
    form = {"name": "GW1", "provider_id": str(gateway.provider_id), "ip_address": "10.0.0.1", "registration": "y"}
    form |= {"username": "us", "password": "hush-typed", "version": "1", "transport": "udp"}
    assert client.post(f"/gateways/{gateway.id}/edit", data=form).status_code == 302
    phone = things.extension(things.office())
    form = {"customer_id": str(phone.customer_id), "extension": "100", "secret": "hush-phone", "version": "1"}
    assert client.post(f"/extensions/{phone.id}/edit", data=form).status_code == 302
    token = made(admin)
    client.post(f"/gateways/{things.one(Gateway).id}/delete")

    seen = admin.get("/audit/").text + admin.get("/audit/export.csv").text + "".join(capfd.readouterr())
    seen += "".join(admin.get("/audit/", query_string={"q": word}).text for word in ("gw1", "phone", "token"))
    assert "Password: <del>***</del> → <ins>***</ins>" in seen, "that it was changed is told"
    for secret in ("hush", "secret-of-a-phone", token, token[3:], PASSWORD, "$2b$"):
        assert secret not in seen
    assert told(admin, q="hush") == []


def test_what_was_entered_is_only_text(client: FlaskClient) -> None:
    things.provider("<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/audit/").text
