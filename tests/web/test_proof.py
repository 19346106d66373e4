"""The proof that Asterisk has what was said: asking for it, what it shows, and setting right what it found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Counting
from tests.web import things
from tests.web.html import alert, rows
from tests.web.test_nodes import node, owed
from webapp.accounts.models import AuditEntry
from webapp.ext import db
from webapp.proof.models import MOST

HOSTILE = "<script>alert(1)</script>"
PROOF = "/settings/proof/"


def change(statement: str, **values: Any) -> None:
    """Somebody changes Asterisk's tables by hand."""
    db.session.execute(text(f"SET CONSTRAINTS ALL IMMEDIATE; {statement}"), values)
    db.session.commit()


def found_at(name: str, *findings: dict[str, Any], scope: str = "", differences: int | None = None) -> None:
    """The agent of a node answers."""
    values = {"findings": json.dumps(findings), "differences": len(findings) if differences is None else differences}
    change(
        "UPDATE sync_checks SET finished_at = now(), findings = CAST(:findings AS jsonb), differences = :differences"
        " WHERE node = :node AND scope = :scope",
        **values,
        node=name,
        scope=scope,
    )


def finding(table: str, key: str, what: str = "different", owner: str = "", **fields: Any) -> dict[str, Any]:
    pairs = [{"name": name, "there": there, "wanted": wanted} for name, (there, wanted) in fields.items()]
    return {"table": table, "key": key, "owner": owner, "what": what, "fields": pairs}


def states(page: str) -> list[str]:
    """Each part with its state, without when and by whom it was checked."""
    return [row.partition(" 20")[0] for row in rows(page.partition('id="proof-state"')[2].partition("</table>")[0])]


def test_everything_as_it_should_be(client: FlaskClient) -> None:
    things.gateway()
    node("gone", "1 hour")
    node("off", enabled=False)
    node("pbx1")
    assert states(client.get(PROOF).text) == [
        "Tables of Asterisk Never checked –",
        "gone Never checked –",
        "pbx1 Never checked –",
    ]

    assert client.post(f"{PROOF}ask").location == PROOF
    page = client.get(PROOF).text
    assert states(page) == ["Tables of Asterisk As it should be", "gone Agent away", "pbx1 Checking"]
    assert "Everything is as it should be" not in page
    assert "HX-Refresh" not in client.get(f"{PROOF}state").headers

    change("UPDATE sync_checks SET done = 3, total = 7 WHERE node = 'pbx1'")
    assert states(client.get(f"{PROOF}state").text)[2] == "pbx1 Checking: 3 of 7"
    found_at("pbx1")
    assert client.get(f"{PROOF}state").headers["HX-Refresh"] == "true"
    found_at("gone")
    assert "Everything is as it should be" in client.get(PROOF).text


def test_a_node_that_could_not_be_checked_says_why(client: FlaskClient) -> None:
    node("pbx1")
    client.post(f"{PROOF}ask")
    change(
        "UPDATE sync_checks SET finished_at = now(), error = 'Asterisk cannot read the database' WHERE node = 'pbx1'"
    )
    page = client.get(PROOF).text
    assert states(page)[1].startswith(
        "pbx1 Could not be checked Asterisk cannot read the database. Look at its database connection."
    )
    assert "Everything is as it should be" not in page


def test_what_is_different_is_told_side_by_side_and_repaired(client: FlaskClient, viewer: FlaskClient) -> None:
    phone = things.extension(things.office(), "100")
    owner = f"extension:{phone.id}"
    node("pbx1")
    change("UPDATE asterisk.ps_endpoints SET context = :text WHERE id = 'acme-100'", text=HOSTILE)
    change("UPDATE asterisk.ps_auths SET md5_cred = 'not-the-secret' WHERE id = 'acme-100'")
    change("DELETE FROM asterisk.extensions WHERE exten = 'acme-100'")
    change("INSERT INTO asterisk.ps_aors (id, owner) VALUES ('stray', 'gateway:gone'), ('mine', NULL)")
    client.post(f"{PROOF}ask")
    found_at(
        "pbx1",
        finding("ps_endpoints", "acme-100", owner=owner, allow=("!all,ulaw", "!all,alaw,ulaw")),
        finding("ps_endpoint_id_ips", HOSTILE, "left_over"),
        finding("contacts", "acme-99;@1", "left_over"),
    )

    page = client.get(PROOF).text
    differences = page.partition("Differences</h2>")[2]
    assert rows(differences.partition("</table>")[0]) == [
        "Contact of a phone that is gone acme-99;@1 – – – Right Left over",
        "extensions phones/acme-100/1 acme-100 – – Missing Right",
        "ps_aors stray What was deleted – – Left over Right",
        "ps_auths acme-100 acme-100 md5_cred *** Another one Right",
        f"ps_endpoint_id_ips {HOSTILE} – – – Right Left over",
        "ps_endpoints acme-100 acme-100 allow !all,alaw,ulaw Right Different !all,ulaw",
        f"ps_endpoints acme-100 acme-100 context from-internal Different {HOSTILE} Right",
    ]
    assert HOSTILE not in page
    assert "not-the-secret" not in page
    assert "secret-of-a-phone" not in page
    assert "ps_aors: 1 row" in page
    assert "mine" in page
    assert "Repair" not in viewer.get(PROOF).text

    client.post(f"{PROOF}repair")
    page = client.get(PROOF).text
    assert "4 rows set right." in page
    assert states(page) == ["Tables of Asterisk As it should be", "pbx1 Checking"]
    assert set(owed("pbx1")) == {
        "refresh_endpoint",
        "refresh_auth",
        "expire_aor",
        "populate_identify",
        "forget_contacts",
    }
    assert things.asterisk("SELECT count(*) FROM asterisk.ps_aors WHERE id = 'mine'") == 1
    entry = db.session.query(AuditEntry).filter_by(action="repair").one()
    assert entry.after == {"rows": 4, "nodes": ["pbx1"]}
    assert entry.username == "olga"
    db.session.commit()

    found_at("pbx1")
    client.post(f"{PROOF}repair")
    assert "There is nothing to repair." in client.get(PROOF).text
    change("DELETE FROM asterisk.ps_aors WHERE id = 'mine'")


def test_the_rows_of_one_thing_are_proved_and_repaired_alone(client: FlaskClient) -> None:
    first, second = things.gateway("GW1", "10.0.0.1"), things.gateway("GW2", "10.0.0.2")
    node("pbx1")
    address, scope = f"/realtime/gateways/{first.id}", f"gateway:{first.id}"
    change("UPDATE asterisk.ps_aors SET contact = 'sip:192.0.2.1:5060', qualify_frequency = NULL")
    page = client.get(address).text
    assert "contact sip:10.0.0.1:5060 Different sip:192.0.2.1:5060 Not known" in rows(page)
    assert "qualify_frequency 60 Different nothing Not known" in rows(page)

    assert client.post(f"{PROOF}ask", data={"scope": scope}).location == address
    found_at("pbx1", finding("ps_endpoints", "gateway-GW1", owner=scope, context=("x", "from-trunk")), scope=scope)
    page = client.get(address).text
    assert "contact sip:10.0.0.1:5060 Different sip:192.0.2.1:5060 Right" in rows(page)
    assert "context from-trunk Right Different x" in rows(page)
    change("UPDATE gateways SET updated_at = now() + interval '1 minute'")
    assert "context from-trunk Right Not known" in rows(client.get(address).text)

    assert client.post(f"{PROOF}repair", data={"scope": scope}).location == address
    assert things.asterisk("SELECT contact FROM asterisk.ps_aors WHERE id = 'gateway-GW1'") == "sip:10.0.0.1:5060"
    assert things.asterisk("SELECT contact FROM asterisk.ps_aors WHERE id = 'gateway-GW2'") == "sip:192.0.2.1:5060"
    assert owed("pbx1") == ["refresh_endpoint", "refresh_aor", "qualify"]
    entry = db.session.query(AuditEntry).filter_by(action="repair").one()
    assert entry.after == {"rows": 1, "nodes": ["pbx1"], "owner": scope}
    db.session.commit()
    client.post(f"{PROOF}repair", data={"scope": f"gateway:{second.id}"})


def test_rows_that_are_missing_or_left_over(client: FlaskClient) -> None:
    gateway = things.gateway("GW1", "10.0.0.1")
    change("DELETE FROM asterisk.ps_aors")
    change("INSERT INTO asterisk.ps_auths (id, password, owner) VALUES ('x', 'hush', :o)", o=f"gateway:{gateway.id}")
    page = client.get(f"/realtime/gateways/{gateway.id}").text
    assert "contact sip:10.0.0.1:5060 Missing" in rows(page)
    assert "password – Left over ***" in rows(page)
    client.post(f"{PROOF}repair")


def test_a_row_made_by_hand_in_the_place_of_ours_is_left_alone(client: FlaskClient) -> None:
    things.gateway("GW1", "10.0.0.1")
    change("UPDATE asterisk.ps_aors SET owner = NULL")
    client.post(f"{PROOF}ask")
    client.post(f"{PROOF}repair")
    assert alert(client.get(PROOF).text).startswith("A row made by hand stands where one of ours belongs.")
    change("DELETE FROM asterisk.ps_aors")
    client.post(f"{PROOF}repair")


def test_where_more_is_wrong_than_is_kept_the_node_begins_afresh(client: FlaskClient) -> None:
    node("pbx1")
    client.post(f"{PROOF}ask")
    found_at("pbx1", finding("ps_aors", "x", "missing"), differences=MOST + 1)
    assert "There are more; these are the first." in client.get(PROOF).text
    client.post(f"{PROOF}repair")
    assert owed("pbx1") == ["start_afresh"]


@pytest.mark.parametrize("scope", ["x", "gateway:1", "user:00000000-0000-0000-0000-000000000007", "gateway:\0"])
def test_what_is_no_owner_of_rows_is_not_there(client: FlaskClient, scope: str) -> None:
    assert client.post(f"{PROOF}ask", data={"scope": scope}).status_code == 404
    assert client.get(f"{PROOF}state", query_string={"scope": scope}).status_code == 404


def test_many_differences_take_no_more_queries(app: Flask, client: FlaskClient, counting: Counting) -> None:
    office = things.office()
    phones = [(f"acme-{number}", things.extension(office, str(number)).id) for number in range(100, 105)]
    node("pbx1")
    client.post(f"{PROOF}ask")

    def queries(count: int) -> int:
        mine = phones[:count]
        found_at("pbx1", *(finding("ps_aors", name, owner=f"extension:{id}", contact=("a", "b")) for name, id in mine))
        with counting() as statements:
            assert client.get(PROOF).text.count("<td>contact</td>") == count
        return len(statements)

    assert queries(1) == queries(5)
