"""Who is where: what is made of Asterisk's answers, and what the database then says."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from deploy.embedded.postgres import Postgres
from tests.agent.fake_ami import FakeAmi, error
from tests.agent.test_outbox import read, write
from webapp.agent import contacts, database
from webapp.agent.ami import Ami

PHONE, GATEWAY = uuid.UUID(int=1), uuid.UUID(int=2)

# As Asterisk 22 prints it; a contact that does not answer has no time.
FIXED = """
  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

  Contact:  gateway-GW_SP/sip:192.0.2.20:5060              01ce88f057 Avail         12.345
  Contact:  gateway-GW_RJ/sip:192.0.2.21:5062;transport=tcp 2c979b4579 Unavail        -nan
  Contact:  trunk-a_customer_with_a_name_that_fills_the_whole_line/sip:192.0.2.100:5060 a403bf2788 NonQual        nan

Objects found: 3"""


def listed(event: str, *items: dict[str, Any]) -> list[str | bytes]:
    begin = "Response: Success\nActionID: {id}\nEventList: start\nMessage: A listing follows"
    end = f"Event: {event}Complete\nActionID: {{id}}\nEventList: Complete\nListItems: {len(items)}"
    lines = (f"Event: {event}\nActionID: {{id}}\n" + "\n".join(f"{k}: {v}" for k, v in item.items()) for item in items)
    return [begin, *lines, end]


def phone(aor: str = "acme-100", **more: Any) -> dict[str, Any]:
    return {
        "ObjectName": f"{aor};@28c334231a750f36",
        "ViaAddr": "203.0.113.9",
        "ViaPort": 5062,
        "Uri": f"sip:{aor}@10.0.0.5:5060",
        "UserAgent": "Yealink SIP-T46S",
        "Status": "Reachable",
        "RoundtripUsec": 4321,
    } | more


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("contacts", template=empty_database)
    yield cluster.url("contacts")
    cluster.drop_database("contacts")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = database.engine(url, "pbx1")
    write(engine, "TRUNCATE live_contacts, live_registrations, asterisk.ps_aors, asterisk.ps_registrations")
    owners = {"phone": f"extension:{PHONE}", "gateway": f"gateway:{GATEWAY}"}
    write(
        engine,
        "INSERT INTO asterisk.ps_aors (id, owner)"
        " VALUES ('acme-100', :phone), ('gateway-GW_SP', :gateway), ('by_hand', NULL)",
        **owners,
    )
    write(engine, "INSERT INTO asterisk.ps_registrations (id, owner) VALUES ('gateway-GW_SP', :gateway)", **owners)
    yield engine
    engine.dispose()


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAmi]:
    fake = FakeAmi()
    fake.answers["PJSIPShowContacts"] = error("No Contacts found")
    fake.answers["PJSIPShowRegistrationsOutbound"] = listed("OutboundRegistrationDetail")
    fake.answers["Command"] = ["Response: Success\nActionID: {id}\nMessage: Command output follows\nOutput: "]
    await fake.start()
    yield fake
    await fake.stop()


SEEN = "SELECT aor, thing_id, address, user_agent, state, rtt::float FROM live_contacts ORDER BY aor"


async def test_a_phone(engine: Engine, asterisk: FakeAmi, ami: Ami) -> None:
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", phone())
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, SEEN) == [("acme-100", PHONE, "203.0.113.9:5062", "Yealink SIP-T46S", "reachable", 4.3)]


@pytest.mark.parametrize(
    ("status", "microseconds", "state", "rtt"),
    [
        ("Unreachable", "N/A", "unreachable", None),
        ("NonQualified", "N/A", "unchecked", None),
        ("", "", "unchecked", None),
    ],
)
async def test_how_a_phone_answers(
    engine: Engine, asterisk: FakeAmi, ami: Ami, status: str, microseconds: str, state: str, rtt: float | None
) -> None:
    found = phone(Status=status, RoundtripUsec=microseconds)
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", found)
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, "SELECT state, rtt FROM live_contacts") == [(state, rtt)]


async def test_a_phone_may_say_what_it_likes_of_itself(engine: Engine, asterisk: FakeAmi, ami: Ami) -> None:
    hostile = phone("by_hand", UserAgent="<script>\0" + "x" * 5000, ViaAddr="", ViaPort="", Uri="sip:;;;")
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", hostile)
    await contacts.look(engine, "pbx1", ami)
    [(aor, thing, address, agent, *_)] = read(engine, SEEN)
    assert (aor, thing, address) == ("by_hand", None, "")
    assert agent.startswith("<script>x")
    assert len(agent) < 256


async def test_gateways_and_pbxs(engine: Engine, asterisk: FakeAmi, ami: Ami) -> None:
    output = "\n".join(f"Output: {line}" for line in FIXED.splitlines())
    asterisk.answers["Command"] = [f"Response: Success\nActionID: {{id}}\nMessage: Command output follows\n{output}"]
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, SEEN) == [
        ("gateway-GW_RJ", None, "192.0.2.21:5062", "", "unreachable", None),
        ("gateway-GW_SP", GATEWAY, "192.0.2.20:5060", "", "reachable", 12.3),
        (
            "trunk-a_customer_with_a_name_that_fills_the_whole_line",
            None,
            "192.0.2.100:5060",
            "",
            "unchecked",
            None,
        ),
    ]
    [command] = [action["Command"] for action in asterisk.received if action["Action"] == ["Command"]]
    assert command == [contacts.FIXED]


async def test_registrations(engine: Engine, asterisk: FakeAmi, ami: Ami) -> None:
    found = {"ObjectName": "gateway-GW_SP", "Status": "Rejected"}
    asterisk.answers["PJSIPShowRegistrationsOutbound"] = listed("OutboundRegistrationDetail", found)
    await contacts.look(engine, "pbx1", ami)
    query = "SELECT name, thing_id, state, since FROM live_registrations"
    [(name, thing, state, since)] = read(engine, query)
    assert (name, thing, state) == ("gateway-GW_SP", GATEWAY, "rejected")
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, query)[0][3] == since
    asterisk.answers["PJSIPShowRegistrationsOutbound"] = listed(
        "OutboundRegistrationDetail", found | {"Status": "Registered"}
    )
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, query)[0][2:3] == ("registered",)
    assert read(engine, query)[0][3] > since


async def test_what_is_gone_is_gone_and_what_stays_is_not_written_again(
    engine: Engine, asterisk: FakeAmi, ami: Ami
) -> None:
    write(
        engine,
        "INSERT INTO live_contacts (node, aor, uri, state, since)"
        " VALUES ('pbx1', 'old', 'sip:old', 'unchecked', now()), ('pbx2', 'other', 'sip:other', 'unchecked', now())",
    )
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", phone())
    rows = "SELECT node, aor, xmin::text, since FROM live_contacts ORDER BY node"
    await contacts.look(engine, "pbx1", ami)
    before = read(engine, rows)
    assert [row[:2] for row in before] == [("pbx1", "acme-100"), ("pbx2", "other")]
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, rows) == before


async def test_that_a_phone_no_longer_answers_is_known_since_then(engine: Engine, asterisk: FakeAmi, ami: Ami) -> None:
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", phone())
    await contacts.look(engine, "pbx1", ami)
    [(before,)] = read(engine, "SELECT since FROM live_contacts")
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", phone(Status="Unreachable"))
    await contacts.look(engine, "pbx1", ami)
    [(state, since)] = read(engine, "SELECT state, since FROM live_contacts")
    assert state == "unreachable"
    assert since > before


@pytest.mark.parametrize("action", ["PJSIPShowContacts", "PJSIPShowRegistrationsOutbound", "Command"])
async def test_without_an_answer_nothing_is_known(engine: Engine, asterisk: FakeAmi, ami: Ami, action: str) -> None:
    asterisk.answers["PJSIPShowContacts"] = listed("ContactList", phone())
    await contacts.look(engine, "pbx1", ami)
    asterisk.answers[action] = error("Permission denied")
    await contacts.look(engine, "pbx1", ami)
    assert read(engine, SEEN) == []
