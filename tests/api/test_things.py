"""Every entity has the same life over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Program

Body = dict[str, Any]


def provider(api: Program) -> Body:
    return {"name": "Norte"}


def gateway(api: Program) -> Body:
    return {"name": "GW1", "provider_id": created(api, "providers", provider)["id"], "ip_address": "192.0.2.10"}


def customer(api: Program) -> Body:
    return {"code": "padaria", "name": "Padaria", "type": "trunk", "trunk_ip": ["192.0.2.100"]}


def extension(api: Program) -> Body:
    office = api.post("/customers/", {"code": "office", "name": "Office", "type": "extension"}).json
    return {"customer_id": office["id"], "extension": "100", "secret": "hush-phone"}


def route(api: Program) -> Body:
    return {"name": "Brasil", "pattern": "_55.", "gateway_id": created(api, "gateways", gateway)["id"]}


def number_rule(api: Program) -> Body:
    return {"pattern": "0ZZ.", "strip": 1, "prepend": "{country}"}


def destination_list(api: Program) -> Body:
    return {"name": "International", "prefixes": ["1", "44"]}


def fraud_rule(api: Program) -> Body:
    return {"name": "Dear calls", "kind": "spending", "max_amount": "50"}


# area, what to create, what to change, a value that is refused with its message
THINGS = [
    ("providers", provider, {"name": "Sul"}, ("cost_per_minute", "-1", "Use 0 or more.")),
    ("gateways", gateway, {"port": 5080}, ("ip_address", "300.1.1.1", "This is not an IP address.")),
    ("customers", customer, {"name": "Padaria Central"}, ("code", "ã", None)),
    ("extensions", extension, {"name": "João"}, ("extension", "1", "Use 2 to 6 digits.")),
    ("routes", route, {"priority": 5}, ("pattern", "abc", None)),
    ("destination-lists", destination_list, {"prefixes": ["1"]}, ("prefixes", ["1-4"], None)),
    ("fraud-rules", fraud_rule, {"max_calls": 5}, ("kind", "theft", "Choose one of the options.")),
    ("number-rules", number_rule, {"strip": 2}, ("prepend", "+", "Use digits, {country} and {area} only.")),
]
EVERY_THING = pytest.mark.parametrize(("area", "make", "change", "bad"), THINGS, ids=[area for area, *_ in THINGS])


def created(api: Program, area: str, make: Callable[[Program], Body]) -> Body:
    answer = api.post(f"/{area}/", make(api))
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


@EVERY_THING
def test_its_life(api: Program, area: str, make: Callable[[Program], Body], change: Body, bad: Any) -> None:
    thing = created(api, area, make)
    path = f"/{area}/{thing['id']}"

    assert api.get(path).json == thing
    assert thing in api.get(f"/{area}/").json["items"]

    changed = api.patch(path, change)
    assert changed.status_code == 200
    assert changed.json == thing | change | {"version": 2, "updated_at": changed.json["updated_at"]}

    # What was read may be written back, without what every thing has, without secrets and what has its own buttons.
    own = ("id", "version", "created_at", "updated_at", "state")
    whole = {k: v for k, v in changed.json.items() if k not in own}
    assert api.put(path, whole).status_code == 200

    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


@EVERY_THING
def test_a_bad_value_is_refused_at_its_field(
    api: Program, area: str, make: Callable[[Program], Body], change: Body, bad: Any
) -> None:
    body = make(api)
    field, value, message = bad
    before = api.get(f"/{area}/").json["items"]

    answer = api.post(f"/{area}/", body | {field: value})

    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]
    if message:
        assert answer.json["errors"][field] == [message]
    assert api.post(f"/{area}/", body | {"nonsense": 1}).json == {"errors": {"nonsense": ["There is no such field."]}}
    assert api.post(f"/{area}/", {}).status_code == 422
    assert api.get(f"/{area}/").json["items"] == before


@EVERY_THING
def test_who_may(
    api: Program,
    viewer: Program,
    nobody: Program,
    area: str,
    make: Callable[[Program], Body],
    change: Body,
    bad: Any,
) -> None:
    thing = created(api, area, make)
    path = f"/{area}/{thing['id']}"

    assert viewer.get(path).status_code == 200
    assert viewer.get(f"/{area}/").status_code == 200
    for program, status in ((viewer, 403), (nobody, 401)):
        # Not even what is wrong with a request is told to those who may not make it.
        assert program.post(f"/{area}/", {"nonsense": 1}).status_code == status
        assert program.put(path, {}).status_code == status
        assert program.patch(path, change).status_code == status
        assert program.delete(path).status_code == status
    assert nobody.get(path).status_code == 401
    assert nobody.get(f"/{area}/").status_code == 401


@EVERY_THING
def test_a_program_may_name_the_version_that_it_changes(
    api: Program, area: str, make: Callable[[Program], Body], change: Body, bad: Any
) -> None:
    body = make(api)
    path = f"/{area}/{api.post(f'/{area}/', body).json['id']}"
    assert api.patch(path, change, version=1).status_code == 200

    told = "Somebody else changed this in the meantime. Nothing was saved; open it again to see the change."
    for answer in (api.patch(path, {}, version=1), api.put(path, body, version=1), api.delete(path, version=1)):
        assert answer.status_code == 409
        assert answer.json == {"error": told}
    assert api.delete(path, version="x").status_code == 422
    assert api.delete(path, version=2).status_code == 204


def test_no_secret_is_shown_and_none_is_lost(api: Program) -> None:
    body = gateway(api) | {"registration": True, "username": "us", "password": "hush-gateway"}
    answer = api.post("/gateways/", body)
    assert "hush" not in answer.text
    assert "password" not in answer.json

    changed = api.patch(f"/gateways/{answer.json['id']}", {"port": 5090})
    assert changed.status_code == 200, "the stored password no longer counts"


def test_a_name_that_is_taken(api: Program) -> None:
    created(api, "providers", provider)
    assert api.post("/providers/", {"name": "Norte"}).json == {"errors": {"name": ["Another provider has this name."]}}


def test_what_others_need_is_not_deleted(api: Program) -> None:
    thing = created(api, "gateways", gateway)

    answer = api.delete(f"/providers/{thing['provider_id']}")

    assert answer.status_code == 409
    assert "GW1" in answer.json["error"]


def test_a_long_list_comes_in_pages(api: Program) -> None:
    for n in range(5):
        api.post("/providers/", {"name": f"Provider {n}"})

    names, cursor = [], ""
    while cursor is not None:
        answer = api.get("/providers/", limit=2, cursor=cursor).json
        assert len(answer["items"]) <= 2
        names += [item["name"] for item in answer["items"]]
        cursor = answer["next_cursor"]

    assert names == [f"Provider {n}" for n in range(5)]
    assert [item["name"] for item in api.get("/providers/", q="der 3").json["items"]] == ["Provider 3"]


@pytest.mark.parametrize("cursor", ["x", "W10=", "bnVsbA==", "WzFd", "eyJhIjoxfQ=="])
def test_a_cursor_that_is_none_of_ours(api: Program, cursor: str) -> None:
    assert api.get("/providers/", cursor=cursor).status_code == 400


def test_what_is_not_json(api: Program) -> None:
    for body in (b"{", b"[]", b'"x"', b"\xff", b"null", b"[" * 100_000):
        answer = api.send("POST", "/providers/", data=body, content_type="application/json")
        assert answer.status_code in (400, 422), body
        assert answer.is_json


def test_errors_are_json(api: Program) -> None:
    for answer, status in (
        (api.get("/nothing"), 404),
        (api.get("/providers/nonsense"), 404),
        (api.put("/providers/", {}), 405),
    ):
        assert answer.status_code == status
        assert set(answer.json) == {"error"}
    assert "GET" in api.put("/providers/", {}).headers["Allow"]


def test_a_list_is_sorted_and_filtered_as_the_page_is(api: Program) -> None:
    for n, kind in enumerate(("numbers", "both", "numbers", "both", "both")):
        api.post("/providers/", {"name": f"Provider {n}", "type": kind, "cost_per_minute": f"0.{9 - n}"})

    def names(**query: Any) -> list[str]:
        found, cursor = [], ""
        while cursor is not None:
            answer = api.get("/providers/", limit=2, cursor=cursor, **query).json
            found += [item["name"][-1] for item in answer["items"]]
            cursor = answer["next_cursor"]
        return found

    assert names(sort="-name") == ["4", "3", "2", "1", "0"]
    assert names(sort="cost_per_minute") == ["4", "3", "2", "1", "0"]
    assert names(sort="type") == ["1", "3", "4", "0", "2"]
    assert names(type="numbers", sort="-name") == ["2", "0"]


def test_a_sorting_or_filter_that_cannot_be(api: Program) -> None:
    for area, query, field in (
        ("providers", {"sort": "nonsense"}, "sort"),
        ("providers", {"type": "x"}, "type"),
        ("gateways", {"provider_id": "x"}, "provider_id"),
        ("dids", {"customer_id": "a\x00"}, "customer_id"),
    ):
        answer = api.get(f"/{area}/", **query)
        assert answer.status_code == 422, answer.text
        assert list(answer.json["errors"]) == [field]
