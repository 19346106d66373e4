"""What number is meant by what a customer dials: the decision table of Brazil, and rules that operators write."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from tests.factories import make_customer, make_extension, make_gateway, make_provider, make_route
from webapp import store
from webapp.customers.models import Customer
from webapp.dialling.models import NumberRule
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.settings.models import THE_ONE, CompanySettings


@pytest.fixture
def office(session: scoped_session[Session]) -> Customer:
    """A customer in São Paulo (area 11) whose people dial as people in Brazil do, and a way out for all they dial."""
    provider = make_provider()
    gateway = make_gateway("gw", provider_id=provider.id)
    office = make_customer("office", number_rules="brazil", caller_id="551140001999")
    store.save(provider, gateway, office, make_route("everything", "!", gateway_id=gateway.id))
    return office


def meant(customer: Customer, dialled: str | None) -> str | None:
    """The number that is meant; its steps must say the same."""
    number, steps = _ask(customer, dialled)
    assert [step["before"] for step in steps] == ([dialled] if steps else [])
    assert [step["after"] for step in steps] == ([number] if steps else [])
    assert steps or number == dialled
    return number


def rule(customer: Customer, dialled: str) -> str:
    """The rule that fitted; empty for none."""
    steps = _ask(customer, dialled)[1]
    return str(steps[0]["rule"]) if steps else ""


def _ask(customer: Customer, dialled: str | None) -> tuple[str | None, list[dict[str, str]]]:
    statement = text("SELECT n.* FROM customers c, normalise_number(c, :dialled) n WHERE c.id = :id")
    number, steps = db.session.execute(statement, {"id": customer.id, "dialled": dialled}).one()
    return number, steps


def route(customer: Customer, dialled: str, caller: str = "", endpoint: str = "") -> dict[str, Any]:
    statement = text("SELECT * FROM route_call(:id, :dialled, :caller, :endpoint)")
    values = {"id": customer.id, "dialled": dialled, "caller": caller, "endpoint": endpoint}
    return dict(db.session.execute(statement, values).mappings().one())


# ---- Brazil, as dialled in São Paulo

CASES = [
    # with country code: 55 and 10 or 11 digits
    ("551140001234", "551140001234"),
    ("5511987654321", "5511987654321"),
    ("552133331234", "552133331234"),
    ("5521987654321", "5521987654321"),
    ("555533331234", "555533331234"),  # area 55
    ("5555987654321", "5555987654321"),
    ("551187654321", "551187654321"),  # a mobile number of the old length gets no digit
    ("+551140001234", "551140001234"),
    ("+5511987654321", "5511987654321"),
    ("+5555987654321", "5555987654321"),
    # + is every country's
    ("+12125551234", "12125551234"),
    ("+442071234567", "442071234567"),
    ("+4930123456", "4930123456"),  # as long as a Brazilian number with its area
    ("+351211234567", "351211234567"),
    # area code and number
    ("1140001234", "551140001234"),
    ("11987654321", "5511987654321"),
    ("2133331234", "552133331234"),
    ("21987654321", "5521987654321"),
    ("9933331234", "559933331234"),
    ("99987654321", "5599987654321"),
    ("5533331234", "555533331234"),  # area 55, Rio Grande do Sul, and not the country
    ("55987654321", "5555987654321"),
    ("1187654321", "551187654321"),  # old length
    ("1178123456", "551178123456"),  # trunked radio
    # local
    ("40001234", "551140001234"),
    ("33331234", "551133331234"),
    ("22221234", "551122221234"),
    ("55551234", "551155551234"),  # 55 begins a local number
    ("987654321", "5511987654321"),
    ("955551234", "5511955551234"),
    ("87654321", "551187654321"),  # old length
    ("78123456", "551178123456"),
    # long distance
    ("01140001234", "551140001234"),
    ("011987654321", "5511987654321"),
    ("02133331234", "552133331234"),
    ("05533331234", "555533331234"),
    ("055987654321", "5555987654321"),
    # long distance with carrier code
    ("0151140001234", "551140001234"),
    ("01511987654321", "5511987654321"),
    ("0212133331234", "552133331234"),  # 21 is a carrier and an area
    ("02121987654321", "5521987654321"),
    ("0415533331234", "555533331234"),
    ("04155987654321", "5555987654321"),
    ("0551140001234", "551140001234"),  # 55 as the carrier: the country is not written after a single 0
    ("0155140001234", "555140001234"),  # carrier 15, area 51
    # international with carrier code
    ("001512125551234", "12125551234"),
    ("0021442071234567", "442071234567"),
    ("0014351211234567", "351211234567"),
    ("0015551140001234", "551140001234"),
    ("001549301234567", "49301234567"),
    # international without one: nobody can tell, so it stays as it is, or the carrier code is taken to be there
    ("0012125551234", "0012125551234"),
    ("00442071234", "00442071234"),
    ("00", "00"),
    ("001", "001"),
    # numbers without an area
    ("08001234567", "08001234567"),
    ("0800123456", "0800123456"),
    ("08007021234", "08007021234"),
    ("03001234567", "03001234567"),
    ("03031234567", "03031234567"),
    ("05001234567", "05001234567"),
    ("09001234567", "09001234567"),
    # short national numbers
    ("40041234", "40041234"),
    ("40011234", "40011234"),
    ("40021234", "40021234"),
    ("40031234", "40031234"),
    ("40071234", "40071234"),
    ("40201234", "40201234"),
    ("30031234", "30031234"),
    ("30041234", "30041234"),
    ("40051234", "551140051234"),  # an ordinary local number
    ("40091234", "551140091234"),
    ("30051234", "551130051234"),
    ("1140041234", "551140041234"),  # with its area it is written in full
    # emergency and service codes
    ("190", "190"),
    ("192", "192"),
    ("112", "112"),
    ("100", "100"),
    ("181", "181"),
    ("10315", "10315"),
    ("10621", "10621"),
    ("1052", "1052"),
    # collect calls
    ("909040001234", "909040001234"),
    ("9090987654321", "9090987654321"),
    ("90151140001234", "90151140001234"),
    ("901511987654321", "901511987654321"),
    # features
    ("*21*1140001234#", "*21*1140001234#"),
    ("*144", "*144"),
    ("#9", "#9"),
    # what nobody has
    ("0", "0"),
    ("00000000", "00000000"),
    ("0000000000", "0000000000"),
    ("11111111", "11111111"),
    ("1011112222", "1011112222"),  # there is no area 10
    ("01011112222", "01011112222"),
    ("1112345678", "1112345678"),  # no number begins with 1
    ("12125551234", "12125551234"),  # North America without its +: no number of ours has 11 digits and no 9
    ("551", "551"),
    ("5511", "5511"),
    ("55114000123", "55114000123"),
    ("55118765432109", "55118765432109"),
]


def test_how_people_in_brazil_dial(office: Customer) -> None:
    assert len(CASES) == len(dict(CASES)) > 90
    assert {dialled: meant(office, dialled) for dialled, _ in CASES} == dict(CASES)


def test_route_call_goes_by_the_number_that_is_meant(office: Customer) -> None:
    answers = {dialled: route(office, dialled) for dialled, _ in CASES}

    assert {dialled: answer["number"] for dialled, answer in answers.items()} == dict(CASES)
    assert {answer["verdict"] for answer in answers.values()} == {"route"}
    assert all(answer["legs"].split(":")[3] == answer["number"] for answer in answers.values())


def test_e164_is_taken_as_it_is(office: Customer) -> None:
    """What customers did who were there before there were rules."""
    office.number_rules = "e164"
    store.save(office)

    for dialled, _ in CASES:
        assert meant(office, dialled) == dialled.removeprefix("+")
        assert route(office, dialled)["number"] == dialled.removeprefix("+")


def test_to_understand_a_number_twice_changes_nothing(office: Customer) -> None:
    """What a PBX sends in full means the same as what its people dialled."""
    ambiguous = {"4930123456"}  # Berlin without its +.
    for _, number in CASES:
        if number not in ambiguous:
            assert meant(office, number) == number


def test_55_is_the_country_or_the_area_by_its_length_alone(office: Customer) -> None:
    """Every area, with fixed and mobile numbers, in all the ways to write them."""
    areas = [f"{a}{b}" for a, b in itertools.product(range(1, 10), repeat=2)]
    numbers = [f"{first}{'1234567'}" for first in range(2, 10)] + [f"9{second}1234567" for second in range(10)]
    cases: dict[str, str] = {}
    for area, number in itertools.product(areas, numbers):
        full = f"55{area}{number}"
        before = {full, f"+{full}", f"{area}{number}", f"0{area}{number}", f"041{area}{number}"}
        cases |= dict.fromkeys(before, full)
    assert len(cases) == 81 * 18 * 5
    statement = text("SELECT d, (normalise_number(c, d)).number FROM unnest(:dialled) d, customers c WHERE c.id = :id")
    found = db.session.execute(statement, {"id": office.id, "dialled": list(cases)})
    assert {dialled: number for dialled, number in found} == cases  # noqa: C416 - dict() takes no rows


def test_no_two_rules_of_brazil_fit_one_number_but_short_national_ones(session: scoped_session[Session]) -> None:
    rules = db.session.execute(text("SELECT pattern, description FROM brazilian_rules ORDER BY position")).all()
    overlaps = {
        (first.pattern, second.pattern)
        for first, second in itertools.combinations(rules, 2)
        if _same_number(first.pattern, second.pattern)
    }

    short = {rule.pattern for rule in rules if rule.description.startswith("Short national number")}
    assert overlaps == {(pattern, "NXXXXXXX") for pattern in short}


def _same_number(first: str, second: str) -> bool:
    """Whether some number fits both patterns. Those that end in ! take any length from theirs on."""
    return any(
        all(a & b for a, b in zip(x, y, strict=True))
        for length in range(1, 20)
        for x, y in itertools.product(_digits(first, length), _digits(second, length))
    )


def _digits(pattern: str, length: int) -> Iterator[list[set[str]]]:
    """The digits that each place of a number of this length may have; nothing if no such number fits."""
    digits = set("0123456789")
    kinds = {"X": digits, "Z": digits - {"0"}, "N": digits - {"0", "1"}}
    places = []
    for place in re.findall(r"\[.*?\]|[0-9XZN]", pattern):
        if place.startswith("["):
            places.append({digit for digit in digits if re.fullmatch(place, digit)})
        else:
            places.append(kinds.get(place, {place}))
    if pattern.endswith("!"):
        places += [digits] * (length - len(places))
    if len(places) == length:
        yield places


def test_every_rule_of_brazil_is_needed_and_tried(office: Customer) -> None:
    """Each of them decides some case of the table above."""
    deciding = {rule(office, dialled) for dialled, _ in CASES} - {""}

    every = set(db.session.scalars(text("SELECT description FROM brazilian_rules")))
    assert deciding == every | {"International number with +"}


# ---- the area


def test_a_local_number_is_in_the_customers_area_else_the_companys(office: Customer) -> None:
    assert meant(office, "33331234") == "551133331234"
    office.area_code = "21"
    store.save(office)
    assert meant(office, "33331234") == "552133331234"
    assert meant(office, "1133331234") == "551133331234"


def test_without_any_area_a_local_number_is_none(office: Customer) -> None:
    company = db.session.get_one(CompanySettings, THE_ONE)
    company.area_code = ""
    store.save(company)

    assert meant(office, "33331234") == "33331234"
    assert meant(office, "1133331234") == "551133331234"


# ---- what comes before the rules


def test_an_extension_and_an_emergency_number_come_before_the_rules(office: Customer) -> None:
    _rules(office, ("1XX", 0, "55"), ("XXXX", 0, "55"))
    store.save(make_extension("4000", office))

    assert route(office, "4000")["verdict"] == "internal"
    assert route(office, "4001")["number"] == "554001"
    assert route(office, "190")["number"] == "190"
    assert route(office, "191")["number"] == "191"
    assert route(office, "195")["number"] == "55195"


def test_the_emergency_numbers_are_those_of_the_settings(office: Customer) -> None:
    company = db.session.get_one(CompanySettings, THE_ONE)
    company.emergency_numbers = ["112", "117"]
    office.enabled = False
    store.save(company, office)

    assert route(office, "117")["verdict"] == "route"
    assert route(office, "190")["reason"] == "customer_disabled"


def test_a_number_of_ours_is_found_however_it_is_dialled(office: Customer) -> None:
    _own_number(office, "551140001000")

    for dialled in ("551140001000", "+551140001000", "1140001000", "01140001000", "0411140001000", "40001000"):
        answer = route(office, dialled)
        assert (answer["verdict"], answer["number"]) == ("did", "551140001000")


def test_a_customer_presents_its_number_as_it_writes_it(office: Customer) -> None:
    _own_number(office, "551140001000")

    for caller in ("551140001000", "+551140001000", "1140001000", "40001000", "01140001000"):
        assert route(office, "2133331234", caller)["caller_id"] == "551140001000", caller
    for caller in ("1140001001", "2140001000", "0001000", "x" * 10_000, "1140001000\n", "", "anonymous"):
        assert route(office, "2133331234", caller)["caller_id"] == "551140001999", caller[:20]


def _own_number(customer: Customer, number: str) -> None:
    provider = make_provider("numbers")
    did = Did(number=number, provider_id=provider.id)
    store.save(provider, did)
    store.save(make_extension("100", customer))
    operations.allocate(did, AllocationSchema(customer_id=customer.id, destination="100"))


# ---- rules of operators


def _rules(customer: Customer, *rules: tuple[str, int, str]) -> None:
    """Give a customer rules of its own: pattern, digits to cut, digits to add."""
    customer.number_rules = "own"
    store.save(
        customer,
        *(
            NumberRule(customer_id=customer.id, position=n, pattern=pattern, strip=strip, prepend=prepend)
            for n, (pattern, strip, prepend) in enumerate(rules, 1)
        ),
    )


def test_the_first_rule_that_fits_is_the_only_one(office: Customer) -> None:
    _rules(office, ("0.", 1, "351"), ("X.", 0, "99"), ("351.", 3, ""))

    assert meant(office, "0211234567") == "351211234567"
    assert meant(office, "211234567") == "99211234567"


def test_the_order_is_that_of_the_positions(office: Customer) -> None:
    _rules(office, ("0.", 1, "1"), ("00.", 2, "2"))
    first, second = db.session.query(NumberRule).order_by(NumberRule.position)
    assert meant(office, "005") == "105"
    first.position, second.position = 2, 1
    store.save(first, second)
    assert meant(office, "005") == "25"


def test_a_rule_may_name_the_country_and_the_area(office: Customer) -> None:
    office.area_code = "21"
    _rules(office, ("2XXXXXXXX", 0, "{country}"), ("XXXXXX", 0, "{country}{area}0"), ("XXXX", 0, "{area}{area}"))

    assert meant(office, "211234567") == "55211234567"
    assert meant(office, "123456") == "55210123456"
    assert meant(office, "1234") == "21211234"


def test_rules_are_those_of_the_customer_or_of_the_company_and_never_of_another(office: Customer) -> None:
    neighbour = make_customer("neighbour")
    store.save(neighbour)
    _rules(neighbour, ("X.", 0, "1"))
    store.save(NumberRule(position=1, pattern="X.", prepend="2"))
    for choice, expected in (("own", "55"), ("company", "255"), ("e164", "55"), ("brazil", "55")):
        office.number_rules = choice
        store.save(office)
        assert meant(office, "55") == expected, choice
    assert meant(neighbour, "55") == "155"


def test_a_rule_that_would_leave_nothing_of_the_number_does_not_fit(office: Customer) -> None:
    _rules(office, ("9!", 3, "55"), ("9!", 0, "77"))

    assert meant(office, "9123") == "553"
    assert meant(office, "912") == "77912"


def test_a_rule_may_make_a_number_too_long_to_dial(office: Customer) -> None:
    _rules(office, ("X.", 0, "123456789012345"))

    assert route(office, "1" * 17)["verdict"] == "route"
    assert route(office, "1" * 18)["reason"] == "invalid_number"


@pytest.mark.parametrize("prepend", ["x", "{", "{city}", "+55", "{area", "5 5", "{{area}}", "55\n"])
def test_the_database_takes_no_other_signs_in_what_is_put_before(office: Customer, prepend: str) -> None:
    with pytest.raises(store.Refused, match="ck_number_rules_prepend"):
        store.save(NumberRule(position=1, pattern="X.", prepend=prepend))


def test_no_number_at_all(office: Customer) -> None:
    assert meant(office, None) is None
    assert meant(office, "") == ""
    assert meant(office, "+") == ""


def test_a_customer_is_deleted_with_its_rules(office: Customer) -> None:
    _rules(office, ("X.", 0, "1"))
    store.delete(office)
    assert db.session.query(NumberRule).count() == 0


def test_there_is_one_row_of_settings(session: scoped_session[Session]) -> None:
    with pytest.raises(store.Refused, match="pk_settings"):
        store.save(CompanySettings(id=THE_ONE))
    with pytest.raises(store.Refused, match="ck_settings_one"):
        store.save(CompanySettings(id=uuid.uuid4()))
