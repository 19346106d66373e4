"""The audit log over REST."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.api.conftest import Program


def test_it_works(api: Program) -> None:
    provider = api.post("/providers/", {"name": "Norte"}).json
    api.patch(f"/providers/{provider['id']}", {"name": "Sul"})
    api.delete(f"/providers/{provider['id']}")

    entries = api.get("/audit/", thing_id=provider["id"]).json["items"]
    assert [entry["action"] for entry in entries] == ["delete", "update", "create"]
    changed = entries[1]
    assert changed["username"] == "olga"
    assert (changed["before"], changed["after"]) == ({"name": "Norte"}, {"name": "Sul"})
    assert len(changed["request_id"]) == 12

    for filters, count in (
        ({"who": "olga", "kind": "providers"}, 3),
        ({"who": "ana"}, 0),
        ({"kind": "providers", "action": "update"}, 1),
        ({"q": "sul"}, 2),
        ({"since": dt.datetime.now(dt.UTC) + dt.timedelta(days=1)}, 0),
        ({"until": dt.datetime.now(dt.UTC) + dt.timedelta(days=1), "kind": "providers"}, 3),
    ):
        assert len(api.get("/audit/", **filters).json["items"]) == count, filters


def test_it_is_sorted(api: Program) -> None:
    for name in ("Norte", "Sul"):
        api.post("/providers/", {"name": name})

    def told(**query: str) -> list[str]:
        return [f"{entry['kind']} {entry['label']}" for entry in api.get("/audit/", **query).json["items"]]

    assert told() == told(sort="-at") == ["providers Sul", "providers Norte", "users olga"]
    assert told(sort="at") == told()[::-1]
    assert told(sort="kind") == ["providers Norte", "providers Sul", "users olga"]
    assert told(sort="-kind", kind="providers") == ["providers Sul", "providers Norte"]
    assert told(since="2026-01-01", until="9000-01-01") == told()


def test_it_comes_in_pages(api: Program) -> None:
    for n in range(5):
        api.post("/providers/", {"name": f"Provider {n}"})
    labels, cursor = [], ""
    while cursor is not None:
        answer = api.get("/audit/", limit=2, cursor=cursor, kind="providers").json
        labels += [entry["label"] for entry in answer["items"]]
        cursor = answer["next_cursor"]
    assert labels == [f"Provider {n}" for n in range(4, -1, -1)]


@pytest.mark.parametrize("cursor", ["x", "W10=", "bnVsbA==", "WyJ4IiwgIjEiXQ=="])
def test_a_cursor_that_is_none_of_ours(api: Program, cursor: str) -> None:
    assert api.get("/audit/", cursor=cursor).status_code == 400


def test_filters_that_make_no_sense(api: Program) -> None:
    for name, value in (
        ("since", "yesterday"),
        ("until", "2026-01-01T00:00:00"),  # Of which zone?
        ("thing_id", "x"),
        ("who", "\x00"),
        ("kind", "nonsense"),
        ("action", "nonsense"),
        ("sort", "before"),
        ("limit", "0"),
    ):
        assert api.get("/audit/", **{name: value}).json["errors"].keys() == {name}


def test_who_may(api: Program, viewer: Program, nobody: Program) -> None:
    assert api.get("/audit/").status_code == 200
    assert viewer.get("/audit/").status_code == 403
    assert nobody.get("/audit/").status_code == 401
