"""The pages of the DIDs: entering them, giving them to customers, taking them back."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp.accounts.models import AuditEntry
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Allocation, Did
from webapp.ext import db
from webapp.providers.models import Provider
from webapp.settings import operations as settings
from webapp.settings.schemas import SettingsSchema


@pytest.fixture
def norte(client: FlaskClient) -> Provider:
    return things.provider("Norte")


@pytest.fixture
def acme(client: FlaskClient) -> Customer:
    """A customer with the phones 100 and 101."""
    customer = things.office("acme")
    things.extension(customer, "100")
    things.extension(customer, "101")
    return customer


def valid(provider: Provider, **values: str) -> dict[str, str]:
    return {
        "number": "551140001000",
        "count": "1",
        "provider_id": str(provider.id),
        "gateway_id": "",
        "status": "available",
        "description": "",
        **values,
    }


def test_it_works(client: FlaskClient, norte: Provider) -> None:
    assert "No DIDs yet" in client.get("/dids/").text
    assert filled_in(client.get("/dids/new").text) == valid(norte, version="", number="", provider_id="")

    gateway = things.gateway("GW1", provider_id=norte.id)
    data = valid(norte, number="+55 (11) 4000-1000", gateway_id=str(gateway.id), description="Sold in May")
    page = client.post("/dids/new", data=data, follow_redirects=True).text
    assert alert(page) == "1 DID created."
    assert rows(page) == ["+55 11 4000-1000 Norte Available Sold in May"]

    did = things.one(Did)
    page = client.get(f"/dids/{did.id}/edit").text
    assert filled_in(page) == {
        "version": "1",
        "provider_id": str(norte.id),
        "gateway_id": str(gateway.id),
        "description": "Sold in May",
        "status": "available",
    }
    changed = filled_in(page) | {"description": "Sold in June", "gateway_id": ""}
    page = client.post(f"/dids/{did.id}/edit", data=changed, follow_redirects=True).text
    assert alert(page) == "DID 551140001000 saved."
    assert facts(page)["Description"] == "Sold in June"

    for q in ("40001000", "%2B55 11 4000-1000", "(11) 4000", "norte", "june"):
        assert len(rows(client.get(f"/dids/?q={q}").text)) == 1, q
    assert "No DID matches “x”." in client.get("/dids/?q=x").text

    page = client.post(f"/dids/{did.id}/delete", follow_redirects=True).text
    assert alert(page) == "551140001000 was deleted."
    assert things.count(Did) == 0


def test_a_range(client: FlaskClient, norte: Provider) -> None:
    page = client.post("/dids/new", data=valid(norte, count="30"), follow_redirects=True).text
    assert alert(page) == "30 DIDs created."
    shown = [row.split(" Norte")[0] for row in rows(page)]
    assert shown == [f"+55 11 4000-10{n:02}" for n in range(30)]


NUMBER = "Write the whole number with country and area code, 8 to 15 digits, such as 551140001234."


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("number", "", "This field is required."),
        ("number", "1140001", NUMBER),
        ("number", "01140001000", NUMBER),
        ("number", "5511400010001234", NUMBER),
        ("number", "55114000abcd", NUMBER),
        ("number", "55114000\x001000", NUMBER),
        ("number", "٥٥١١٤٠٠٠١٠٠٠", NUMBER),
        ("count", "0", "Use 1 or more."),
        ("count", "10001", "Use 10000 or less."),
        ("count", "ten", "Use a whole number."),
        ("provider_id", "", "This field is required."),
        ("provider_id", "norte", "Choose one of the options."),
        ("provider_id", "00000000-0000-0000-0000-000000000000", "This provider no longer exists."),
        ("gateway_id", "gw", "Choose one of the options."),
        ("gateway_id", "00000000-0000-0000-0000-000000000000", "This gateway no longer exists."),
        ("status", "allocated", "Choose one of the options."),
        ("description", "x" * 121, "Use 120 characters at the most."),
        ("description", "a\nb", "Line breaks and control characters are not allowed."),
    ],
)
def test_a_bad_value_is_refused_at_its_field(
    client: FlaskClient, norte: Provider, field: str, value: str, message: str
) -> None:
    data = valid(norte, **{field: value})
    response = client.post("/dids/new", data=data)
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert things.count(Did) == 0
    typed = filled_in(response.text)
    del typed["version"]
    if field not in ("provider_id", "gateway_id", "status"):  # What is not among the options cannot be chosen again.
        assert typed == data


def test_a_range_stays_within_its_length(client: FlaskClient, norte: Provider) -> None:
    response = client.post("/dids/new", data=valid(norte, number="99999990", count="11"))
    assert response.status_code == 422
    assert error_at(response.text, "count") == "So many numbers do not follow this one."


@pytest.mark.parametrize(
    ("first", "count"),
    [("551140001000", 10), ("551140000995", 10), ("551140001009", 10), ("551140001005", 1)],
)
def test_a_range_that_overlaps_is_refused_as_a_whole(
    client: FlaskClient, norte: Provider, first: str, count: int
) -> None:
    things.dids("551140001000", 10, provider_id=norte.id)
    response = client.post("/dids/new", data=valid(norte, number=first, count=str(count)))
    assert response.status_code == 422
    assert error_at(response.text, "number") == "One of these numbers is already there."
    assert things.count(Did) == 10


def test_the_life_of_a_number(client: FlaskClient, acme: Customer) -> None:
    did, padaria = things.did(), things.trunk("padaria")
    path = f"/dids/{did.id}"
    assert "Nobody has had this number yet." in client.get(path).text

    page = _allocate(client, did, acme, "100")
    assert alert(page) == "DID 551140001000 allocated."
    assert facts(page)["Customer"].startswith("Customer acme , rings extension 100 Since ")
    assert _dials(did) == f"to-phone,s,1(acme-100,{acme.id},551140001000)"
    assert filled_in(client.get(f"{path}/allocate").text)["destination"] == "100"

    page = _allocate(client, did, acme, "101")
    assert _dials(did) == f"to-phone,s,1(acme-101,{acme.id},551140001000)"

    page = _allocate(client, did, padaria)
    assert facts(page)["Customer"].startswith("Customer padaria , goes to the trunk Since ")
    assert _dials(did) == f"to-trunk,s,1(trunk-padaria,{padaria.id},551140001000)"

    page = client.post(f"{path}/deallocate", follow_redirects=True).text
    assert alert(page) == "DID 551140001000 was taken back."
    assert "Quarantine" in page
    assert _dials(did) is None
    history = sorted(re.split(r" \d{4}-", row)[0] for row in _history(page))
    assert history == ["Customer acme 100", "Customer acme 101", "Customer padaria"]
    assert things.one(Did).status == "quarantine"
    assert things.count(Allocation, released_at=None) == 0


def test_a_former_customer_stays_in_the_history(client: FlaskClient) -> None:
    did, padaria = things.did(), things.trunk("padaria")
    _allocate(client, did, padaria)
    client.post(f"/dids/{did.id}/deallocate")
    assert client.post(f"/customers/{padaria.id}/delete").status_code == 302
    [row] = _history(client.get(f"/dids/{did.id}").text)
    assert row.startswith("padaria ")


NEEDS = "Say which extension of the customer rings."
UNKNOWN = "The customer has no such extension."
TRUNK = "A customer with a trunk has no extensions; leave this empty."


@pytest.mark.parametrize(
    ("code", "destination", "field", "message"),
    [
        ("acme", "", "destination", NEEDS),
        ("acme", "999", "destination", UNKNOWN),
        ("acme", "x", "destination", "Use 2 to 6 digits."),
        ("padaria", "100", "destination", TRUNK),
        ("", "100", "customer_id", "This field is required."),
        ("nobody", "100", "customer_id", "This customer no longer exists."),
    ],
)
def test_a_wrong_destination_is_refused(
    client: FlaskClient, acme: Customer, code: str, destination: str, field: str, message: str
) -> None:
    did = things.did()
    ids = {"acme": acme.id, "padaria": things.trunk("padaria").id, "nobody": did.id, "": ""}
    typed = {"version": "1", "customer_id": str(ids[code]), "destination": destination}
    response = client.post(f"/dids/{did.id}/allocate", data=typed)
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    if code != "nobody":
        assert filled_in(response.text) == typed
    assert things.one(Did).status == "available"
    assert things.count(Allocation) == 0


def test_a_blocked_number_is_not_given_away(client: FlaskClient) -> None:
    padaria = things.trunk("padaria")
    did = things.did(status="blocked")
    response = client.post(
        f"/dids/{did.id}/allocate", data={"version": "1", "customer_id": str(padaria.id), "destination": ""}
    )
    assert response.status_code == 422
    assert error_at(response.text, "customer_id") == "This number is blocked or in quarantine."


def test_a_reserved_number_is_given_away(client: FlaskClient) -> None:
    did = things.did(status="reserved")
    _allocate(client, did, things.trunk("padaria"))
    assert things.one(Did).status == "allocated"


def test_a_number_that_somebody_has_stays(client: FlaskClient) -> None:
    did = things.did()
    _allocate(client, did, things.trunk("padaria"))
    assert "/delete" not in client.get(f"/dids/{did.id}").text
    response = client.post(f"/dids/{did.id}/delete")
    assert response.status_code == 409
    assert alert(response.text).endswith("Allocated DIDs: 551140001000 → padaria.")
    assert things.count(Did) == 1


def test_a_number_is_taken_back_once(client: FlaskClient) -> None:
    did = things.did()
    page = client.post(f"/dids/{did.id}/deallocate", follow_redirects=True).text
    assert alert(page) == "Nothing was done: somebody else changed this number in the meantime."
    assert client.get(f"/dids/{did.id}/deallocate").status_code == 405


def test_the_list_says_who_has_a_number(client: FlaskClient, acme: Customer) -> None:
    first, second, _ = things.dids(count=3)
    things.allocate(first, acme, "100")
    things.allocate(second, things.trunk("padaria"))
    shown = [row.partition("551140001000 ")[2] for row in rows(client.get("/dids/").text)]
    assert shown == ["Allocated Customer acme · 100", "Allocated Customer padaria", "Available"]
    assert len(rows(client.get("/dids/?q=acme").text)) == 1
    assert len(rows(client.get("/dids/?q=customer padaria").text)) == 1


def test_the_second_of_two_who_give_one_number_away_is_told(client: FlaskClient, acme: Customer) -> None:
    did, padaria = things.did(), things.trunk("padaria")
    first = second = filled_in(client.get(f"/dids/{did.id}/allocate").text)
    data = first | {"customer_id": str(padaria.id)}
    client.post(f"/dids/{did.id}/allocate", data=data, follow_redirects=True)
    response = client.post(
        f"/dids/{did.id}/allocate", data=second | {"customer_id": str(acme.id), "destination": "100"}
    )
    assert response.status_code == 422
    assert alert(response.text).startswith("Somebody else changed this in the meantime.")
    assert things.one(Allocation).customer_code == "padaria"


def _allocate(client: FlaskClient, did: Did, customer: Customer, destination: str = "") -> str:
    path = f"/dids/{did.id}/allocate"
    data = filled_in(client.get(path).text) | {"customer_id": str(customer.id), "destination": destination}
    # All of a test is one transaction, whose now() stands still; that an earlier allocation began before it does not.
    db.session.execute(text("UPDATE customer_dids SET allocated_at = allocated_at - interval '1 hour'"))
    db.session.commit()
    response = client.post(path, data=data)
    assert response.status_code == 302, response.text
    return client.get(response.location).text


def _history(page: str) -> list[str]:
    return rows(page.partition("History")[2].partition("</table>")[0])


def _dials(did: Did) -> Any:
    return things.asterisk("SELECT appdata FROM asterisk.extensions WHERE exten = :number", number=did.number)


def test_a_blocked_number_can_be_set_free_but_not_one_that_somebody_has(client: FlaskClient) -> None:
    did = things.did("551140001000", status="blocked")
    page = client.get(f"/dids/{did.id}/edit").text
    client.post(f"/dids/{did.id}/edit", data=filled_in(page) | {"status": "available"})
    assert things.one(Did).status == "available"

    things.allocate(things.one(Did), things.trunk("padaria"))
    page = client.get(f"/dids/{did.id}/edit").text
    assert "status" not in filled_in(page)
    client.post(f"/dids/{did.id}/edit", data=filled_in(page) | {"status": "blocked"})
    assert things.one(Did).status == "allocated"


# ---- quarantine


def test_a_number_that_was_taken_back_rests(client: FlaskClient) -> None:
    did, padaria = things.did(), things.trunk("padaria")
    things.allocate(did, padaria)
    client.post(f"/dids/{did.id}/deallocate")
    resting = things.one(Did)
    assert resting.quarantine_until is not None
    assert 29 <= (resting.quarantine_until - dt.datetime.now(dt.UTC)).days <= 30

    page = client.get(f"/dids/{did.id}").text
    assert "End quarantine" in page
    # A change of the description does not end it.
    page = client.get(f"/dids/{did.id}/edit").text
    client.post(f"/dids/{did.id}/edit", data=filled_in(page) | {"description": "rests"})
    assert things.one(Did).status == "quarantine"
    data = {"version": "4", "customer_id": str(padaria.id), "destination": ""}
    response = client.post(f"/dids/{did.id}/allocate", data=data)
    assert error_at(response.text, "customer_id") == "This number is blocked or in quarantine."

    page = client.post(f"/dids/{did.id}/end-quarantine", follow_redirects=True).text
    assert alert(page) == "DID 551140001000 is free again."
    assert (things.one(Did).status, things.one(Did).quarantine_until) == ("available", None)
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.username, entry.before["status"], entry.after["status"]) == ("olga", "quarantine", "available")
    page = client.post(f"/dids/{did.id}/end-quarantine", follow_redirects=True).text
    assert alert(page).startswith("Nothing was done")


def test_a_number_that_has_rested_is_free_before_anybody_tidied_up(client: FlaskClient) -> None:
    did, padaria = things.did(), things.trunk("padaria")
    things.allocate(did, padaria)
    client.post(f"/dids/{did.id}/deallocate")
    db.session.execute(text("UPDATE dids SET quarantine_until = now() - interval '1 second'"))
    db.session.commit()
    assert "Available" in rows(client.get("/dids/").text)[0]
    _allocate(client, did, padaria)
    assert things.one(Did).status == "allocated"
    assert things.one(Did).quarantine_until is None


def test_the_housekeeping_sets_numbers_free(client: FlaskClient) -> None:
    padaria = things.trunk("padaria")
    for did in things.dids(count=2):
        things.allocate(did, padaria)
        client.post(f"/dids/{did.id}/deallocate")
    db.session.execute(
        text("UPDATE dids SET quarantine_until = now() - interval '1 second' WHERE number = '551140001000'")
    )
    db.session.execute(text("SELECT release_quarantine()"))
    db.session.commit()
    assert things.one(Did, number="551140001000").status == "available"
    assert things.one(Did, number="551140001001").status == "quarantine"


def test_without_quarantine_a_number_is_free_at_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "quarantine_days", lambda: 0)
    did = things.did()
    things.allocate(did, things.trunk("padaria"))
    client.post(f"/dids/{did.id}/deallocate")
    assert (things.one(Did).status, things.one(Did).quarantine_until) == ("available", None)


# ---- many at once


def test_many_are_given_away_and_taken_back(client: FlaskClient, acme: Customer) -> None:
    things.dids(count=4)
    data = {"number": "+55 11 4000-1000", "count": "3", "customer_id": str(acme.id), "destination": "100"}
    page = client.post("/dids/allocate", data=data, follow_redirects=True).text
    assert alert(page) == "3 DIDs allocated."
    assert things.count(Allocation, released_at=None) == 3
    did = things.one(Did, number="551140001002")
    assert (did.status, did.version) == ("allocated", 2)
    assert _dials(did) == f"to-phone,s,1(acme-100,{acme.id},551140001002)"
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "allocate")).one()
    assert entry.label == "551140001000 - 551140001002"
    assert entry.after["numbers"] == ["551140001000", "551140001001", "551140001002"]

    page = client.post("/dids/deallocate", data={"number": "551140001000", "count": "2"}, follow_redirects=True).text
    assert alert(page) == "2 DIDs taken back."
    assert things.count(Allocation, released_at=None) == 1
    assert things.count(Did, status="quarantine") == 2
    released = db.session.scalars(select(Allocation.released_destination).where(Allocation.released_at.is_not(None)))
    assert list(released) == ["100", "100"]
    assert _dials(things.one(Did, number="551140001000")) is None


def test_those_chosen_in_the_list(client: FlaskClient) -> None:
    first, second, _ = things.dids(count=3)
    padaria = things.trunk("padaria")
    for page in (
        client.get("/dids/allocate", query_string={"id": [str(first.id), str(second.id)]}),
        client.post("/dids/allocate", data={"id": [str(first.id), str(second.id)]}),
    ):
        assert page.status_code == 200
        assert "2 numbers chosen." in page.text
    data = filled_in(page.text) | {"customer_id": str(padaria.id)}
    assert alert(client.post("/dids/allocate", data=data, follow_redirects=True).text) == "2 DIDs allocated."
    assert things.count(Did, status="allocated") == 2


@pytest.mark.parametrize(
    ("number", "count", "message"),
    [
        ("551140001000", "4", "These numbers are not among yours. 551140001003"),
        ("551140001000", "2", "Somebody has these numbers. Take them back first. 551140001001"),
        ("551140001002", "1", "These numbers are blocked or in quarantine. 551140001002"),
        ("", "1", "Choose numbers from the list, or give the first of a range."),
    ],
)
def test_many_or_none(client: FlaskClient, acme: Customer, number: str, count: str, message: str) -> None:
    _, second, third = things.dids(count=3)
    things.allocate(second, acme, "100")
    page = client.get(f"/dids/{third.id}/edit").text
    client.post(f"/dids/{third.id}/edit", data=filled_in(page) | {"status": "blocked"}, follow_redirects=True)
    data = {"number": number, "count": count, "customer_id": str(things.trunk("padaria").id)}
    response = client.post("/dids/allocate", data=data)
    assert response.status_code == 422
    assert alert(response.text).endswith(message)
    assert things.count(Allocation) == 1


def test_the_statements_do_not_grow_with_the_numbers(client: FlaskClient, counting: Counting) -> None:
    things.dids(count=60)
    data = {"number": "551140001000", "customer_id": str(things.trunk("padaria").id)}
    with counting() as few:
        client.post("/dids/allocate", data=data | {"count": "2"})
    with counting() as many:
        client.post("/dids/allocate", data=data | {"count": "50", "number": "551140001005"})
    assert things.count(Did, status="allocated") == 52
    assert len(many) == len(few)


def test_all_that_the_filters_of_the_list_leave_are_allocated(client: FlaskClient) -> None:
    things.dids("551140001000", 3)
    things.dids("552140002000", 4)
    trunk = things.trunk()
    page = client.get("/dids/allocate?all=1&q=5521").text
    assert "4 numbers chosen." in page
    data = filled_in(page) | {"customer_id": str(trunk.id)}
    assert alert(client.post("/dids/allocate", data=data, follow_redirects=True).text) == "4 DIDs allocated."
    assert things.count(Did, status="allocated") == 4


def test_the_list_leads_to_what_is_done_with_many(client: FlaskClient) -> None:
    things.did()
    page = client.get("/dids/").text
    for address in ("/dids/allocate", "/dids/deallocate"):
        assert f'formaction="{address}"' in page
    assert 'href="/imports/new?kind=dids"' in page


def test_a_number_is_not_taken_back_by_halves(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """For how long it rests is a question to the database, which may fail when part of the work is done."""
    did, padaria = things.did(), things.trunk("padaria")
    things.allocate(did, padaria)

    def away() -> SettingsSchema:
        raise OperationalError("SELECT", {}, Exception("no answer"))

    monkeypatch.setattr(settings, "current", away)
    for path, data in ((f"/dids/{did.id}/deallocate", {}), ("/dids/deallocate", {"number": did.number, "count": "1"})):
        assert client.post(path, data=data).status_code == 503
        assert things.one(Did).status == "allocated"
        assert things.count(Allocation, released_at=None) == 1
