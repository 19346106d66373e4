"""How values travel: Asterisk must read back exactly what was meant, whatever it is."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_customer, make_extension, make_gateway, make_trunk
from tests.projection.written import BLANKS, read_by_asterisk
from webapp.asterisk.projection import PROJECTIONS, owner, project
from webapp.asterisk.projection.dialplan import gosub
from webapp.asterisk.rows import TABLES, Aor, Identify, encode
from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway

# PostgreSQL holds any character but NUL. The signs that mean something are made likely.
TEXTS = st.text(st.one_of(st.sampled_from(";^ 3B5E\t"), st.characters(codec="utf-8", exclude_characters="\0")))

quick = settings(deadline=None, database=None, max_examples=200)


@quick
@given(TEXTS)
def test_a_text_is_read_as_it_was_meant_but_for_blanks_around_it(text: str) -> None:
    """Asterisk strips blanks whatever one does, which is why the schemas refuse or trim them."""
    meant = text.strip(BLANKS)

    assert read_by_asterisk(encode(text)) == ([meant] if meant else [])


@quick
@given(st.lists(TEXTS.map(lambda text: text.strip(BLANKS)).filter(bool), max_size=5))
def test_an_option_given_several_times_is_read_that_often(values: list[str]) -> None:
    stored = Identify(id="x", endpoint="x", match=tuple(values)).stored()["match"]

    assert read_by_asterisk(str(stored or "")) == values


@quick
@given(TEXTS)
def test_no_sign_is_left_that_asterisk_would_take_for_its_own(text: str) -> None:
    """A bare ^ at the end makes Asterisk's decoder read beyond the text (main/config.c)."""
    assert ";" not in encode(text)
    assert re.search(r"\^(?!3B|5E)", encode(text)) is None


def test_yes_no_numbers_and_nothing() -> None:
    stored = Aor(id="x", remove_existing=True, qualify_frequency=30).stored()

    assert stored["remove_existing"] == "yes"
    assert stored["qualify_frequency"] == 30
    assert stored["contact"] is None
    assert Identify(id="x", endpoint="x", match=()).stored()["match"] is None


def test_a_key_is_the_stored_value() -> None:
    """Otherwise a row would look missing and left over at the same time."""
    row = gosub("numbers", "1;2", "to-trunk")

    assert row.key() == ("numbers", "1^3B2", 1)
    assert Aor(id="a^b").key() == (Aor(id="a^b").stored()["id"],)


def test_each_kind_of_row_has_its_table() -> None:
    assert len({kind.TABLE for kind in TABLES}) == len(TABLES)
    for kind in TABLES:
        assert set(kind.KEY) <= set(kind.columns())


# ---- dialplan rows


def test_a_dialplan_row_is_one_gosub() -> None:
    assert gosub("numbers", "551140001000", "to-phone", "acme-100", 7).stored() == {
        "context": "numbers",
        "exten": "551140001000",
        "priority": 1,
        "app": "Gosub",
        "appdata": "to-phone,s,1(acme-100,7)",
    }


ALLOWED = frozenset(string.ascii_letters + string.digits + "_.-")


@quick
@given(st.text(st.one_of(st.sampled_from("aZ09_.-,()$"), st.characters())))
def test_an_argument_holds_letters_digits_and_harmless_signs_or_is_refused(text: str) -> None:
    if set(text) <= ALLOWED:
        assert gosub("numbers", "1", "to-phone", text).appdata == f"to-phone,s,1({text})"
    else:
        with pytest.raises(ValueError, match="not allowed in a dialplan argument"):
            gosub("numbers", "1", "to-phone", text)


@pytest.mark.parametrize("hostile", ["x,y", "x)", "${SHELL(id)}", "$[1]", "x;y", "x\n", "\n", "x y", "x|y", "x&y", "½"])
def test_hostile_arguments_are_refused(hostile: str) -> None:
    with pytest.raises(ValueError, match="not allowed in a dialplan argument"):
        gosub("numbers", "1", "to-phone", "harmless", hostile)


# ---- owners


def test_a_rows_owner_names_the_thing_it_was_made_for() -> None:
    gateway, customer = make_gateway(), make_trunk()

    assert owner(gateway) == f"gateway:{gateway.id}"
    assert owner(customer) == f"customer:{customer.id}"
    assert owner(make_extension()).startswith("extension:")
    assert set(PROJECTIONS) == {Gateway, Customer, Extension, Did}


def test_a_things_rows_have_different_keys() -> None:
    gateway = make_gateway(registration=True, username="us", password="pass")
    for thing in (gateway, make_trunk(), make_extension(customer=make_customer())):
        keys = [(row.TABLE, row.key()) for row in project(thing)]
        assert len(set(keys)) == len(keys)
