"""The pages of the extensions."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, hint_at, rows
from webapp.customers.models import Customer
from webapp.extensions.models import Extension


@pytest.fixture
def acme(client: FlaskClient) -> Customer:
    return things.office("acme")


def valid(customer: Customer, **values: str) -> dict[str, str]:
    return {
        "customer_id": str(customer.id),
        "extension": "100",
        "name": "Alice",
        "secret": "secret-of-alice",
        "enabled": "y",
        **values,
    }


def test_it_works(client: FlaskClient, acme: Customer) -> None:
    assert "No extensions yet" in client.get("/extensions/").text
    blank = filled_in(client.get("/extensions/new").text)
    assert blank == {"version": "", "customer_id": "", "extension": "", "name": "", "secret": "", "enabled": "y"}

    page = client.post("/extensions/new", data=valid(acme), follow_redirects=True).text
    assert alert(page) == "Extension acme-100 saved."
    assert rows(client.get("/extensions/").text) == ["acme-100 Customer acme 100 Alice Not known Enabled"]
    assert _callerid("acme-100") == '"Alice" <100>'

    extension = things.one(Extension)
    page = client.get(f"/extensions/{extension.id}/edit").text
    assert filled_in(page) == valid(acme, version="1", secret="")
    changed = filled_in(page) | {"extension": "200", "name": "Bob, o (outro)"}
    page = client.post(f"/extensions/{extension.id}/edit", data=changed, follow_redirects=True).text
    assert facts(page)["SIP user"] == "acme-200"
    assert rows(client.get("/extensions/").text) == ["acme-200 Customer acme 200 Bob, o (outro) Not known Enabled"]
    assert _callerid("acme-200") == '"Bob, o (outro)" <200>'

    for q in ("200", "bob", "acme", "Customer"):
        assert len(rows(client.get(f"/extensions/?q={q}").text)) == 1
    assert "No extension matches “x”." in client.get("/extensions/?q=x").text

    del changed["enabled"]
    page = client.post(f"/extensions/{extension.id}/edit", data=changed | {"version": "2"}, follow_redirects=True).text
    assert facts(page)["State"] == "Disabled"
    assert _callerid("acme-200") is None

    page = client.post(f"/extensions/{extension.id}/delete", follow_redirects=True).text
    assert alert(page) == "acme-200 was deleted."
    assert things.count(Extension) == 0


SECRET = "Use 8 to 80 letters without accents, digits and signs, without blanks."
CALLER = 'The characters " < > and \\ are not allowed here.'


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("customer_id", "", "This field is required."),
        ("customer_id", "acme", "Choose one of the options."),
        (
            "customer_id",
            "00000000-0000-0000-0000-000000000000",
            "Choose a customer of type “extensions”.",
        ),
        ("extension", "", "This field is required."),
        ("extension", "1", "Use 2 to 6 digits."),
        ("extension", "1234567", "Use 2 to 6 digits."),
        ("extension", "1a", "Use 2 to 6 digits."),
        ("extension", "١٢٣", "Use 2 to 6 digits."),
        ("name", '"Alice"', CALLER),
        ("name", "<script>alert(1)</script>", CALLER),
        ("name", "a\\b", CALLER),
        ("name", "a\x00b", CALLER),
        ("name", "x" * 41, "Use 40 characters at the most."),
        ("secret", "short", SECRET),
        ("secret", "with blanks in it", SECRET),
        ("secret", "senha-não-ascii", SECRET),
        ("secret", "x" * 81, SECRET),
    ],
)
def test_a_bad_value_is_refused_at_its_field(
    client: FlaskClient, acme: Customer, field: str, value: str, message: str
) -> None:
    response = client.post("/extensions/new", data=valid(acme, **{field: value}))
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert "<script>alert" not in response.text
    assert things.count(Extension) == 0


def test_a_number_is_given_once_in_each_customer(client: FlaskClient, acme: Customer) -> None:
    other = things.office("other")
    client.post("/extensions/new", data=valid(acme))
    response = client.post("/extensions/new", data=valid(acme))
    assert response.status_code == 422
    assert error_at(response.text, "extension") == "The customer already has this extension."
    assert client.post("/extensions/new", data=valid(other)).status_code == 302


def test_a_customer_with_a_trunk_has_no_extensions(client: FlaskClient) -> None:
    padaria = things.trunk("padaria")
    assert str(padaria.id) not in client.get("/extensions/new").text
    response = client.post("/extensions/new", data=valid(padaria))
    assert response.status_code == 422
    assert error_at(response.text, "customer_id") == "Choose a customer of type “extensions”."
    assert things.count(Extension) == 0


@pytest.mark.parametrize("secret", ["pass;word", "pass^word", "^3B;^5E;;", "\"'\\<>&%s"])
def test_any_sign_works_in_a_secret_and_asterisk_reads_its_digest(
    client: FlaskClient, acme: Customer, secret: str
) -> None:
    client.post("/extensions/new", data=valid(acme, secret=secret))
    digest = hashlib.md5(f"acme-100:asterisk:{secret}".encode()).hexdigest()  # noqa: S324 - SIP's own
    assert things.asterisk("SELECT concat_ws(' ', auth_type, md5_cred, password) FROM asterisk.ps_auths") == (
        f"md5 {digest}"
    )
    extension = things.one(Extension)
    assert extension.secret == secret
    assert secret not in things.asterisk("SELECT secret FROM public.extensions")


def test_a_secret_is_made_up_where_none_is_typed_and_stays(client: FlaskClient, acme: Customer) -> None:
    assert hint_at(client.get("/extensions/new").text, "secret") == "Leave it empty to have one made up."
    client.post("/extensions/new", data=valid(acme, secret=""))
    extension = things.one(Extension)
    assert re.fullmatch(r"[A-Za-z0-9]{20}", extension.secret)

    page = client.get(f"/extensions/{extension.id}/edit").text
    assert hint_at(page, "secret") == "Leave it empty to keep the one that is stored."
    client.post(f"/extensions/{extension.id}/edit", data=filled_in(page) | {"name": "Bob"})
    assert things.one(Extension).name == "Bob"
    assert things.one(Extension).secret == extension.secret


def test_the_customer_may_come_with_the_address(client: FlaskClient, acme: Customer) -> None:
    assert filled_in(client.get(f"/extensions/new?customer_id={acme.id}").text)["customer_id"] == str(acme.id)
    assert client.get("/extensions/new?customer_id=%00nonsense").status_code == 200


def test_nothing_typed_is_lost_in_an_error(client: FlaskClient, acme: Customer) -> None:
    extension = things.extension(acme)
    typed = valid(acme, version="1", extension="x", name='"', secret="short")
    del typed["enabled"]
    response = client.post(f"/extensions/{extension.id}/edit", data=typed)
    assert response.status_code == 422
    assert filled_in(response.text) == typed | {"secret": ""}  # A secret is not sent back.


def test_an_extension_may_move_to_another_customer(client: FlaskClient, acme: Customer) -> None:
    extension, other = things.extension(acme, "100"), things.office("bravo")
    path = f"/extensions/{extension.id}/edit"
    data = filled_in(client.get(path).text) | {"customer_id": str(other.id)}
    page = client.post(path, data=data, follow_redirects=True).text
    assert alert(page) == "Extension bravo-100 saved."
    assert _callerid("acme-100") is None
    assert _callerid("bravo-100") is not None


def test_an_extension_that_a_did_rings_stays_with_its_customer(client: FlaskClient, acme: Customer) -> None:
    extension, other = things.extension(acme, "100"), things.office("bravo")
    things.allocate(things.did("551140001000"), acme, "100")
    path = f"/extensions/{extension.id}/edit"
    response = client.post(path, data=filled_in(client.get(path).text) | {"customer_id": str(other.id)})
    assert response.status_code == 422
    assert (
        error_at(response.text, "customer_id")
        == "A DID of the present customer rings this extension; give the DID away first."
    )
    assert things.one(Extension).customer_id == acme.id


def test_an_extension_that_a_did_rings_stays(client: FlaskClient, acme: Customer) -> None:
    extension = things.extension(acme, "100")
    things.allocate(things.did("551140001000"), acme, "100")
    response = client.post(f"/extensions/{extension.id}/delete")
    assert response.status_code == 409
    assert alert(response.text) == (
        "acme-100 cannot be deleted, because other things depend on it. Allocated DIDs: 551140001000 → acme."
    )
    assert things.count(Extension) == 1


def _callerid(user: str) -> Any:
    return things.asterisk("SELECT callerid FROM asterisk.ps_endpoints WHERE id = :user", user=user)
