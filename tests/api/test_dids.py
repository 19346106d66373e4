"""DIDs over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Program


@pytest.fixture
def ids(api: Program) -> dict[str, Any]:
    office = api.post("/customers/", {"code": "office", "name": "Office", "type": "extension"}).json
    trunk = {"code": "padaria", "name": "Padaria", "type": "trunk", "trunk_ip": "192.0.2.100"}
    api.post("/extensions/", {"customer_id": office["id"], "extension": "100", "secret": "hush-phone"})
    return {
        "provider": api.post("/providers/", {"name": "Norte"}).json["id"],
        "office": office["id"],
        "trunk": api.post("/customers/", trunk).json["id"],
    }


def test_a_range(api: Program, ids: dict[str, Any]) -> None:
    answer = api.post("/dids/", {"number": "+55 11 4000-1000", "count": 3, "provider_id": ids["provider"]})

    assert answer.status_code == 201
    assert [did["number"] for did in answer.json["items"]] == ["551140001000", "551140001001", "551140001002"]
    again = api.post("/dids/", {"number": "551140000999", "count": 2, "provider_id": ids["provider"]})
    assert list(again.json["errors"]) == ["number"]
    assert len(api.get("/dids/").json["items"]) == 3


def test_a_number_is_given_away_and_taken_back(api: Program, ids: dict[str, Any]) -> None:
    answer = api.post("/dids/", {"number": "551140001000", "provider_id": ids["provider"]})
    [did] = answer.json["items"]
    path = f"/dids/{did['id']}"

    given = api.post(f"{path}/allocate", {"customer_id": ids["office"], "destination": "100"}).json
    assert (given["status"], given["customer_id"], given["destination"]) == ("allocated", ids["office"], "100")
    given = api.post(f"{path}/allocate", {"customer_id": ids["trunk"], "destination": None}).json
    assert (given["status"], given["customer_id"], given["destination"]) == ("allocated", ids["trunk"], None)
    assert api.delete(path).status_code == 409
    assert api.patch(path, {"description": "Sold in May"}).json["description"] == "Sold in May"

    back = api.post(f"{path}/deallocate").json
    assert (back["status"], back["customer_id"]) == ("quarantine", None)
    assert back["quarantine_until"] > back["created_at"]
    assert api.post(f"{path}/deallocate").status_code == 409
    free = api.post(f"{path}/end-quarantine").json
    assert (free["status"], free["quarantine_until"]) == ("available", None)
    assert api.post(f"{path}/end-quarantine").status_code == 409
    assert api.delete(path).status_code == 204


def test_a_destination_that_makes_no_sense(api: Program, ids: dict[str, Any]) -> None:
    [did] = api.post("/dids/", {"number": "551140001000", "provider_id": ids["provider"]}).json["items"]
    path = f"/dids/{did['id']}/allocate"

    for body, field in (
        ({"customer_id": ids["trunk"], "destination": "100"}, "destination"),
        ({"customer_id": ids["office"], "destination": None}, "destination"),
        ({"customer_id": ids["office"], "destination": "999"}, "destination"),
        ({"customer_id": ids["provider"]}, "customer_id"),
        ({"customer_id": "x"}, "customer_id"),
    ):
        answer = api.post(path, body)
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [field]


def test_many_are_given_away_and_taken_back(api: Program, ids: dict[str, Any]) -> None:
    answer = api.post("/dids/", {"number": "551140001000", "count": 3, "provider_id": ids["provider"]})
    chosen = [did["id"] for did in answer.json["items"]]

    given = api.post("/dids/allocate", {"ids": chosen[:2], "customer_id": ids["office"], "destination": "100"})
    assert (given.status_code, given.json) == (200, {"count": 2})
    wrong = {"number": "551140001000", "count": 3, "customer_id": ids["trunk"]}
    refused = api.post("/dids/allocate", wrong)
    assert refused.status_code == 409
    assert refused.json["error"].endswith("551140001000, 551140001001")
    assert list(api.post("/dids/allocate", wrong | {"destination": "100"}).json["errors"]) == ["destination"]
    assert list(api.post("/dids/allocate", {"customer_id": ids["trunk"]}).json["errors"]) == ["number"]

    assert api.post("/dids/deallocate", {"number": "551140001000", "count": 3}).status_code == 409
    back = api.post("/dids/deallocate", {"ids": chosen[:2]})
    assert (back.status_code, back.json) == (200, {"count": 2})
    assert [did["status"] for did in api.get("/dids/").json["items"]] == ["quarantine", "quarantine", "available"]
