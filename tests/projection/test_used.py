"""What Asterisk says it uses, read in the words of our rows."""

from __future__ import annotations

from typing import Any

import pytest

from webapp.asterisk.rows import TABLES
from webapp.asterisk.sync import Values
from webapp.asterisk.used import COLUMNS, Field, compared

READ = [
    ("ps_endpoints", "allow", "(alaw|ulaw)", "!all,alaw,ulaw"),
    ("ps_endpoints", "allow", "(nothing)", "!all"),
    ("ps_endpoints", "direct_media", "false", "no"),
    ("ps_endpoints", "media_encryption", "none", None),
    ("ps_endpoints", "media_encryption", "sdes", "sdes"),
    ("ps_endpoints", "rtp_symmetric", "true", "yes"),
    ("ps_endpoints", "callerid", "<unknown>", None),
    ("ps_endpoints", "callerid", '"José; x" <100>', '"José^3B x" <100>'),
    ("ps_endpoints", "callerid", "101", '"" <101>'),
    ("ps_endpoints", "set_var", "A=1,B=2,C=", "A=1;B=2;C="),
    ("ps_endpoints", "transport", "", None),
    ("ps_endpoints", "deny", "deny/permit", "0.0.0.0/0;::/0"),
    ("ps_endpoints", "deny", "", None),
    ("ps_aors", "contact", "sip:10.0.0.2:5060,sip:10.0.0.1:5060", "sip:10.0.0.1:5060,sip:10.0.0.2:5060"),
    ("ps_aors", "max_contacts", "1", 1),
    ("ps_auths", "password", "pa;ss^5Eword", "pa^3Bss^5E5Eword"),
    ("ps_auths", "md5_cred", "0123456789abcdef", "0123456789abcdef"),
    ("ps_endpoint_id_ips", "match", "10.0.0.1/255.255.255.255,10.1.0.0/255.255.0.0", "10.1.0.0/16;10.0.0.1"),
    ("ps_endpoint_id_ips", "match", ",10.0.0.1/32,2001:db8::/64", "10.0.0.1;2001:db8::/64"),
    ("ps_endpoint_id_ips", "match", "2001:db9::5/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::5"),
    ("ps_registrations", "line", "true", "yes"),
    ("ps_registrations", "expiration", "600", 600),
]


@pytest.mark.parametrize(("table", "column", "said", "wanted"), READ)
def test_what_is_the_same_in_other_words_is_no_difference(table: str, column: str, said: str, wanted: Any) -> None:
    assert differing(table, column, said, wanted) is None


@pytest.mark.parametrize(("table", "column", "said", "wanted"), READ)
def test_what_is_another_value_is_one(table: str, column: str, said: str, wanted: Any) -> None:
    other = 7 if isinstance(wanted, int) else "192.0.2.9" if column == "match" else "other"

    assert differing(table, column, said, other) == column


def differing(table: str, column: str, said: str, wanted: Any) -> str | None:
    """The column, if it is told as different; all others are as Asterisk says them when it has nothing to say."""
    nothing = compared(table, "x", "", {}, {})
    there = {field.name: field.there for field in nothing.fields} if nothing else {}
    found = compared(table, "x", "", {**there, column: wanted}, {COLUMNS[table][column][0]: said})
    assert found is None or [field.name for field in found.fields] == [column]
    return column if found else None


@pytest.mark.parametrize(("column", "header"), [("password", "Password"), ("md5_cred", "Md5Cred")])
def test_of_a_secret_it_is_told_only_that_it_differs(column: str, header: str) -> None:
    wanted: Values = {"auth_type": "userpass", "username": "a", column: "hush"}
    found = compared("ps_auths", "a", "", wanted, {"AuthType": "userpass", "Username": "a", header: "hash"})

    assert found
    assert found.fields == (Field(column, "***", "***"),)


def test_the_order_of_codecs_and_variables_counts() -> None:
    assert differing("ps_endpoints", "allow", "(alaw|ulaw)", "!all,ulaw,alaw")
    assert differing("ps_endpoints", "set_var", "A=1,B=2", "B=2;A=1")


def test_every_column_is_one_of_ours() -> None:
    ours = {kind.TABLE: set(kind.columns()) for kind in TABLES}

    assert [table for table, columns in COLUMNS.items() if set(columns) - ours[table]] == []
    assert set(ours) - set(COLUMNS) == {"extensions"}  # Looked up at every call.


def test_a_row_that_somebody_spoiled_by_hand_is_compared_all_the_same() -> None:
    assert differing("ps_endpoint_id_ips", "match", "10.0.0.1/32", "no address")
