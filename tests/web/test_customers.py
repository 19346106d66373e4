"""The pages of the customers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from tests.web import things
from tests.web.html import alert, error_at, facts, filled_in, rows
from webapp import store
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.ext import db
from webapp.settings.models import CompanySettings
from webapp.tariffs.models import PricePlan

TRUNK = {
    "name": "Padaria Central",
    "code": "padaria",
    "type": "trunk",
    "price_plan_id": "",
    "caller_id": "",
    "enabled": "y",
    "number_rules": "e164",
    "area_code": "",
    "max_channels": "0",
    "calls_per_second": "0",
    "max_price_per_minute": "",
    "daily_limit": "",
    "credit_limit": "0",
    "blocked_list_id": "",
    "allowed_list_id": "",
    "allowed_caller_ids": "",
    "phone_networks": "",
    "trunk_ip": "10.1.0.1",
    "trunk_port": "5060",
    "trunk_transport": "udp",
    "qualify_frequency": "60",
    "codecs": "alaw, ulaw",
}
OFFICE = TRUNK | {"name": "Acme Ltda", "code": "acme", "type": "extension", "trunk_ip": ""}


def settled() -> dict[str, str]:
    """What the form of a new customer begins with, as the settings have it at first."""
    risky = things.one(DestinationList, name=things.RISKY)
    return {
        "max_channels": "10",
        "calls_per_second": "5",
        "max_price_per_minute": "3",
        "daily_limit": "200",
        "blocked_list_id": str(risky.id),
    }


def test_it_works(client: FlaskClient) -> None:
    assert "No customers yet" in client.get("/customers/").text
    blank = filled_in(client.get("/customers/new").text)
    nothing = {"version": "", "name": "", "code": "", "type": "", "trunk_ip": "", "number_rules": ""}
    assert blank == TRUNK | nothing | settled()

    page = client.post("/customers/new", data=TRUNK, follow_redirects=True).text
    assert alert(page) == "Customer Padaria Central saved."
    assert facts(page)["Trunk addresses"] == "10.1.0.1"
    assert rows(client.get("/customers/").text) == ["padaria Padaria Central Trunk 10.1.0.1 0 Enabled"]
    assert things.asterisk("SELECT contact FROM asterisk.ps_aors") == "sip:10.1.0.1:5060"
    assert client.post("/customers/new", data=OFFICE).status_code == 302

    customer = things.one(Customer, code="padaria")
    page = client.get(f"/customers/{customer.id}/edit").text
    assert filled_in(page) == TRUNK | {"version": "1"}
    changed = filled_in(page) | {"trunk_ip": "10.1.0.1\n10.1.1.0/24", "trunk_port": "5080", "code": "PADOCA"}
    del changed["enabled"]
    page = client.post(f"/customers/{customer.id}/edit", data=changed, follow_redirects=True).text
    assert facts(page)["State"] == "Disabled"
    assert rows(client.get("/customers/").text) == [
        "acme Acme Ltda Extensions 0 Enabled",
        "padoca Padaria Central Trunk 10.1.0.1, 10.1.1.0/24 0 Disabled",
    ]
    assert things.asterisk("SELECT contact FROM asterisk.ps_aors WHERE id = 'trunk-padoca'") == "sip:10.1.0.1:5080"

    for q in ("padoca", "central", "10.1.1"):
        assert len(rows(client.get(f"/customers/?q={q}").text)) == 1
    assert "No customer matches “x”." in client.get("/customers/?q=x").text.replace("\xa0", " ")

    page = client.post(f"/customers/{customer.id}/delete", follow_redirects=True).text
    assert alert(page) == "Padaria Central (padoca) was deleted."
    assert things.count(Customer) == 1


def test_a_new_customer_begins_with_what_is_settled_and_may_be_given_something_else(client: FlaskClient) -> None:
    dear = things.destination_list("Dear")
    store.change([things.one(CompanySettings)], default_max_channels=7, default_allowed_list_id=dear.id)
    store.change([things.one(CompanySettings)], default_daily_limit=None)
    page = client.get("/customers/new").text
    assert '<details class="group" open>' in page  # Nobody should be surprised by a limit.
    blank = filled_in(page)
    assert (blank["max_channels"], blank["allowed_list_id"], blank["daily_limit"]) == ("7", str(dear.id), "")

    assert client.post("/customers/new", data=blank | TRUNK | settled()).status_code == 302
    stored = things.one(Customer, code="padaria")
    assert (stored.max_channels, stored.daily_limit, stored.allowed_list_id) == (10, Decimal(200), None)
    assert stored.blocked_list_id
    assert client.post("/customers/new", data=blank | OFFICE).status_code == 302
    stored = things.one(Customer, code="acme")
    assert (stored.max_channels, stored.max_price_per_minute, stored.blocked_list_id) == (0, None, None)


def test_who_is_there_already_is_not_changed_by_what_new_ones_begin_with(client: FlaskClient) -> None:
    padaria = things.trunk("padaria")
    form = f"/customers/{padaria.id}/edit"
    assert filled_in(client.get(form).text) == TRUNK | {
        "version": "1",
        "name": "Customer padaria",
        "trunk_ip": "10.1.0.1",
    }


def test_where_the_phones_of_a_customer_are(client: FlaskClient) -> None:
    networks = "198.51.100.7/32\n2001:db8::/48, 198.51.100.0/24"
    page = client.post("/customers/new", data=OFFICE | {"phone_networks": networks}, follow_redirects=True).text
    assert facts(page)["Phones are at"] == "198.51.100.7, 2001:db8::/48, 198.51.100.0/24"
    acme = things.one(Customer)
    phone = things.extension(acme, "100")
    assert facts(client.get(f"/extensions/{phone.id}").text)["Phones are at"].startswith("198.51.100.7, ")
    permit = "SELECT deny || ' ' || permit FROM asterisk.ps_endpoints"
    assert things.asterisk(permit) == "0.0.0.0/0;::/0 198.51.100.7;2001:db8::/48;198.51.100.0/24"

    typed = filled_in(client.get(f"/customers/{acme.id}/edit").text) | {"phone_networks": ""}
    assert client.post(f"/customers/{acme.id}/edit", data=typed).status_code == 302
    assert things.asterisk("SELECT count(*) FROM asterisk.ps_endpoints WHERE deny IS NULL AND permit IS NULL") == 1


CODE = "Use letters without accents, digits, dot and hyphen; 20 at the most."


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("code", "", "This field is required."),
        ("code", "pão", CODE),
        ("code", "a_b", CODE),
        ("code", "a b", CODE),
        ("code", "x" * 21, CODE),
        ("code", "a\x00", CODE),
        ("name", "", "This field is required."),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "a\tb", "Line breaks and control characters are not allowed."),
        ("type", "friend", "Choose one of the options."),
        ("price_plan_id", "cheap", "Choose one of the options."),
        (
            "price_plan_id",
            "00000000-0000-0000-0000-000000000000",
            "This price plan no longer exists.",
        ),
        (
            "caller_id",
            "1140001000x",
            "Write the whole number with country and area code, 8 to 15 digits, such as 551140001234.",
        ),
        (
            "caller_id",
            "0800",
            "Write the whole number with country and area code, 8 to 15 digits, such as 551140001234.",
        ),
        ("trunk_ip", "", "Give at least one single address: that is where the customer's calls go."),
        ("trunk_ip", "10.1.0.0/24", "Give at least one single address: that is where the customer's calls go."),
        ("trunk_ip", "10.1.0.256", "“10.1.0.256” is not an IP address or network (CIDR)."),
        ("trunk_ip", "10.1.0.1/24", "“10.1.0.1/24” is not an IP address or network (CIDR)."),
        ("trunk_ip", "10.0.0.0/7", "The network 10.0.0.0/7 is too wide."),
        ("trunk_port", "0", "Use 1 or more."),
        ("trunk_port", "70000", "Use 65535 or less."),
        ("trunk_port", "abc", "Use a whole number."),
        ("qualify_frequency", "3601", "Use 3600 or less."),
        (
            "codecs",
            "alaw, mp3",
            "“mp3” is not a codec we know. Known: alaw, ulaw, g729, g722, gsm, ilbc, opus.",
        ),
    ],
)
def test_a_bad_value_is_refused_at_its_field(client: FlaskClient, field: str, value: str, message: str) -> None:
    response = client.post("/customers/new", data=TRUNK | {field: value})
    assert response.status_code == 422
    assert error_at(response.text, field) == message
    assert things.count(Customer) == 0


def test_a_code_is_given_once(client: FlaskClient) -> None:
    things.office("padaria")
    response = client.post("/customers/new", data=TRUNK | {"code": "Padaria"})
    assert response.status_code == 422
    assert error_at(response.text, "code") == "Another customer has this code."


def test_a_number_is_understood_as_people_write_it(client: FlaskClient) -> None:
    client.post("/customers/new", data=TRUNK | {"caller_id": "+55 (11) 4000-1000"})
    assert things.one(Customer).caller_id == "551140001000"


@pytest.mark.parametrize(
    "name",
    [
        "Silva, Filhos (e netos)",
        'O\'Hara & "Co"',
        "<script>alert(1)</script>",
        "Pão de Açúcar 🍞",
        "100% %s %(name)s {0} {name}",
        "; ^ \\ $ ${EXTEN}",
    ],
)
def test_a_name_may_hold_anything_that_can_be_read(client: FlaskClient, name: str) -> None:
    page = client.post("/customers/new", data=TRUNK | {"name": name}, follow_redirects=True).text
    assert "<script>alert" not in page
    assert alert(page) == f"Customer {name} saved."
    customer = things.one(Customer)
    assert customer.name == name
    page = client.get(f"/customers/{customer.id}/edit").text
    assert "<script>alert" not in page
    assert filled_in(page)["name"] == name
    page = client.get(f"/customers/{customer.id}/delete").text
    assert "<script>alert" not in page
    page = client.post(f"/customers/{customer.id}/delete", follow_redirects=True).text
    assert alert(page) == f"{name} (padaria) was deleted."


@pytest.mark.parametrize("owner", ["a customer", "a gateway"])
def test_an_address_has_one_owner(client: FlaskClient, owner: str) -> None:
    if owner == "a customer":
        things.trunk("mercado", "10.5.0.9")
    else:
        things.gateway("GW1", "10.5.0.9")
    response = client.post("/customers/new", data=TRUNK | {"trunk_ip": "10.5.0.9"})
    assert response.status_code == 422
    holder = "the customer Customer mercado (mercado)" if owner == "a customer" else "the gateway GW1"
    assert error_at(response.text, "trunk_ip") == f"10.5.0.9 already belongs to {holder}."
    assert things.count(Customer, code="padaria") == 0


def test_the_type_of_a_customer_with_extensions_stays(client: FlaskClient) -> None:
    customer = things.office("acme")
    things.extension(customer)
    page = client.get(f"/customers/{customer.id}/edit").text
    response = client.post(
        f"/customers/{customer.id}/edit", data=filled_in(page) | {"type": "trunk", "trunk_ip": "10.1.0.1"}
    )
    assert response.status_code == 422
    assert error_at(response.text, "type") == "This customer has extensions; delete them before you change the type."
    assert filled_in(response.text)["type"] == "trunk"
    assert things.one(Customer).type == "extension"


def test_a_customer_with_extensions_or_dids_stays(client: FlaskClient) -> None:
    acme, padaria = things.office("acme"), things.trunk("padaria")
    things.extension(acme, "100")
    things.allocate(things.did("551140001000"), padaria)
    response = client.post(f"/customers/{acme.id}/delete")
    assert response.status_code == 409
    assert alert(response.text).endswith("Extensions: acme-100.")
    response = client.post(f"/customers/{padaria.id}/delete")
    assert response.status_code == 409
    assert alert(response.text).endswith("Allocated DIDs: 551140001000 → padaria.")
    assert things.count(Customer) == 2


def test_a_price_plan_is_chosen(client: FlaskClient) -> None:
    plan = PricePlan(name="Varejo")
    store.save(plan)
    plan_id = str(plan.id)
    db.session.commit()
    page = client.get("/customers/new").text
    assert f'<option value="{plan_id}">Varejo</option>' in page
    client.post("/customers/new", data=TRUNK | {"price_plan_id": plan_id})
    assert str(things.one(Customer).price_plan_id) == plan_id


def test_nothing_typed_is_lost_in_an_error(client: FlaskClient) -> None:
    customer = things.trunk("padaria")
    typed = {
        "version": "1",
        "name": "x" * 81,
        "code": "São",
        "type": "extension",
        "price_plan_id": "",
        "caller_id": "a",
        "number_rules": "own",
        "area_code": "x",
        "max_channels": "x",
        "calls_per_second": "x",
        "max_price_per_minute": "x",
        "daily_limit": "x",
        "credit_limit": "x",
        "blocked_list_id": "",
        "allowed_list_id": "",
        "allowed_caller_ids": "a\nb",
        "phone_networks": "here\nthere",
        "trunk_ip": "here\nthere",
        "trunk_port": "x",
        "trunk_transport": "tcp",
        "qualify_frequency": "x",
        "codecs": "mp3",
    }
    response = client.post(f"/customers/{customer.id}/edit", data=typed)
    assert response.status_code == 422
    assert filled_in(response.text) == typed


def test_two_kinds_of_things_cannot_have_one_name_in_asterisk(client: FlaskClient) -> None:
    """A customer `trunk` with extension 100 and a trunk of the customer `100` would both be the endpoint trunk-100."""
    things.extension(things.office("trunk"), "100")
    response = client.post("/customers/new", data=TRUNK | {"code": "100"})
    assert response.status_code == 422
    assert alert(response.text) == "Something else in Asterisk's tables already has this name; choose another one."
    assert "New customer" in response.text
    assert "/delete" not in response.text
    assert things.count(Customer) == 1


def test_the_type_of_a_customer_with_dids_stays(client: FlaskClient) -> None:
    customer = things.trunk("padaria")
    things.allocate(things.did("551140001000"), customer)
    path = f"/customers/{customer.id}/edit"
    response = client.post(path, data=filled_in(client.get(path).text) | {"type": "extension"})
    assert response.status_code == 422
    assert error_at(response.text, "type") == "This customer has DIDs; take them back before you change the type."
    assert things.one(Customer).type == "trunk"


def test_a_new_customer_dials_as_usual(client: FlaskClient) -> None:
    """Phones are dialled by people, a PBX knows the country code; what was chosen counts."""
    for code, values, expected in (
        ("one", OFFICE | {"number_rules": ""}, "brazil"),
        ("two", OFFICE | {"number_rules": "e164"}, "e164"),
        ("three", TRUNK | {"number_rules": ""}, "e164"),
    ):
        assert client.post("/customers/new", data=values | {"code": code}).status_code == 302
        assert things.one(Customer, code=code).number_rules == expected, code
