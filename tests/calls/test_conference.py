"""Conferences between numbers, held by a real Asterisk and its agent."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from flask_babel import force_locale

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import Carrier
from tests.calls.exchange import AgentProcess, query, until
from tests.calls.rtp import Voice
from tests.calls.sip import five_free_ports
from tests.calls.test_limits import Change, change, customer
from webapp import routing, store
from webapp.agent.conference import drop
from webapp.conferences import operations
from webapp.conferences.models import Conference
from webapp.conferences.schemas import ConferenceSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.routes.models import Route
from webapp.tariffs.models import PricePlan, Tariff

__all__ = ["change"]

PHONE = ("office-488", "secret-of-488")  # One that no other test calls.
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
PATIENCE = 60


@pytest.fixture(autouse=True)
def _english(carrier: Carrier) -> Iterator[None]:
    """There is no request whose reader has a language."""
    with force_locale("en"):
        yield


@pytest.fixture(scope="module")
def plan_id() -> dict[str, uuid.UUID]:
    """Where the plan's is kept once it is made."""
    return {}


@pytest.fixture
def office(carrier: Carrier, change: Change, plan_id: dict[str, uuid.UUID]) -> uuid.UUID:
    """A customer with a phone and a price plan. Numbers that begin with 552148 leave by the second gateway."""
    if not plan_id:
        plan = PricePlan(name="Conferences")
        store.save(plan)
        rate = {"minimum_seconds": 60, "increment_seconds": 60, "valid_from": LONG_AGO}
        store.save(
            Tariff(price_plan_id=plan.id, prefix="5521", price_per_minute=Decimal("0.5"), **rate),
            Extension(customer_id=carrier.ids["office"], extension="488", secret=PHONE[1]),
            Route(name="conferences", pattern="552148.", gateway_id=carrier.ids["second"], priority=1),
        )
        plan_id["plan"] = plan.id
    change(customer(carrier, "office"), price_plan_id=plan_id["plan"])
    carrier.settled()
    return customer(carrier, "office").id


def hold(customer_id: uuid.UUID, *numbers: str, **values: Any) -> uuid.UUID:
    wanted = ConferenceSchema(name="Board; meeting", customer_id=customer_id, numbers=list(numbers), **values)
    return operations.hold(wanted).id


def found(id: uuid.UUID) -> Conference:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Conference, id)


def states(id: uuid.UUID) -> list[str]:
    return [each.state for each in found(id).participants]


def wait_for(id: uuid.UUID, *wanted: str) -> None:
    until(lambda: states(id) == list(wanted), f"participants to be {wanted}", PATIENCE)


def wait_for_end(id: uuid.UUID) -> str:
    until(lambda: found(id).ended_at, "the conference to end", PATIENCE)
    return found(id).end_reason


def outcomes(id: uuid.UUID) -> list[str]:
    """When the records of all calls are there."""
    until(lambda: all(line.outcome for line in operations.lines(found(id))), "the records of the calls", PATIENCE)
    return [line.outcome for line in operations.lines(found(id))]


def rooms(asterisk: Asterisk) -> str:
    return asterisk.rx("confbridge list")


def test_three_are_called_and_hear_each_other(carrier: Carrier, asterisk: Asterisk, office: uuid.UUID) -> None:
    """One phone and two numbers outside. One is dropped, another leaves, and the room is closed."""
    phone = carrier.stranger
    assert phone.register(*PHONE) == 200
    parties, notes = (phone, carrier.first, carrier.second), (440, 620, 950)
    with ExitStack() as stack:
        voices = [
            stack.enter_context(Voice(party.address, five_free_ports(party.address) + 4, hertz))
            for party, hertz in zip(parties, notes, strict=True)
        ]
        answering = [
            stack.enter_context(party.answer(media_port=voice.port, expect_calls=2))
            for party, voice in zip(parties, voices, strict=True)
        ]
        id = hold(office, "488", "552133450001", "+55 (21) 4845-0002", record=True)
        wait_for(id, "joined", "joined", "joined")
        assert [each.called_number for each in answering[1:]] == ["552133450001", "77552148450002"]
        for voice, each in zip(voices, answering, strict=True):
            voice.sing_to(each.invite.body)
        for voice in voices:
            for hertz in notes:
                if hertz != voice.hertz:
                    until(lambda v=voice, h=hertz: v.hears(h), f"{voice.hertz} to hear {hertz}", PATIENCE)  # type: ignore[misc]  # mypy knows no defaults of lambda
            assert not voice.hears(voice.hertz)
        assert str(id) in rooms(asterisk)
        live = "SELECT direction FROM live_channels ORDER BY direction"
        until(
            lambda: [call.direction for call in query(carrier.url, live)] == ["internal", "outbound", "outbound"],
            "three live calls",
        )
        recording = asterisk.spool_path / "monitor" / found(id).recording
        until(lambda: recording.exists() and recording.stat().st_size > 10_000, "the recording")

        dropped = found(id).participants[1].id
        operations.drop(id, dropped)
        wait_for(id, "joined", "over", "joined")
        operations.call(id, "552133450001")
        with pytest.raises(operations.Impossible):
            operations.call(id, "552133450001")
        wait_for(id, "joined", "over", "joined", "joined")
        answering[2].hang_up()
        wait_for(id, "joined", "over", "over", "joined")
        operations.close(id)
        assert wait_for_end(id) == "closed"
    assert states(id) == ["over"] * 4
    assert str(id) not in rooms(asterisk)
    assert outcomes(id) == ["left"] * 4
    prices = [line.price for line in operations.lines(found(id))]
    assert prices == [0, Decimal("0.5"), Decimal("0.5"), Decimal("0.5")]
    calls = "SELECT direction FROM calls WHERE request IN (SELECT id::text FROM conference_participants) ORDER BY 1"
    assert [call.direction for call in query(carrier.url, calls)] == ["internal", "outbound", "outbound", "outbound"]
    strays = "SELECT dcontext, channel FROM asterisk.cdr WHERE channel LIKE '%;1' AND dcontext <> 'conference-call'"
    assert query(carrier.url, strays) == []


def test_who_is_not_reached_is_shown_and_no_other_record_is_a_call(carrier: Carrier, office: uuid.UUID) -> None:
    before = query(carrier.url, "SELECT count(*) FROM calls")[0][0]
    with carrier.first.refuse(486, ring=True), carrier.second.refuse(480, ring=True):
        id = hold(office, "552133450003", "552148450004", caller_id="551140001234")
        assert wait_for_end(id) == "nobody"
        assert outcomes(id) == ["busy", "no_answer"]
    carrier.settled()
    assert query(carrier.url, "SELECT count(*) FROM calls")[0][0] == before + 2
    assert query(carrier.url, "SELECT count(*) FROM unrated_cdrs") == [(0,)]
    assert query(carrier.url, "SELECT count(*) FROM calls WHERE unrated <> '' AND dst LIKE '55214845%'") == [(0,)]


def test_a_number_that_would_be_refused_is_told_before_anybody_is_called(carrier: Carrier, office: uuid.UUID) -> None:
    requests = "SELECT count(*) FROM asterisk.call_requests"
    before = query(carrier.url, requests)
    with pytest.raises(operations.Impossible) as refused:
        hold(office, "488", "551133450005", "190", "00")
    tariff, emergency, nowhere = refused.value.errors["numbers"]
    assert tariff == f"551133450005: {routing.REASONS['no_tariff']}"
    assert emergency.startswith("190: ")
    assert nowhere.startswith("00: ")
    db.session.rollback()
    assert query(carrier.url, "SELECT 1 FROM conferences WHERE '551133450005' = ANY (numbers)") == []
    assert query(carrier.url, requests) == before


def test_limits_count(carrier: Carrier, change: Change) -> None:
    change(customer(carrier, "acme"), max_channels=2)
    carrier.settled()
    with carrier.first.answer(expect_calls=3), carrier.acme.start_call("552133450006", hold=60) as calling:
        calling.wait_for(200)
        id = hold(carrier.ids["acme"], "552133450007", "552133450008")
        until(lambda: sorted(states(id)) == ["joined", "over"], "one to be in the room", PATIENCE)
        until(lambda: "refused" in [line.outcome for line in operations.lines(found(id))], "the record", PATIENCE)
        assert {line.reason for line in operations.lines(found(id))} == {"", "channels"}
        calling.hang_up()
        operations.close(id)
        assert wait_for_end(id) == "closed"
    with pytest.raises(operations.Impossible) as refused:
        hold(carrier.ids["acme"], "552133450007", "552133450008", "552133450009")
    assert refused.value.errors == {"numbers": [f"552133450009: {routing.REASONS['channels']}"]}


def test_time_is_up_without_the_agent(carrier: Carrier, agent: AgentProcess, office: uuid.UUID) -> None:
    """And what the agent missed it finds out when it is back, without calling anybody again."""
    with carrier.first.answer() as answering:
        id = hold(office, "552133450010", max_minutes=1)
        query(
            carrier.url,
            "UPDATE conferences SET created_at = now() - interval '50 s' WHERE id = :id RETURNING 1",
            id=id,
        )
        wait_for(id, "joined")
        agent.stop()
        try:
            answering.wait(PATIENCE)
        finally:
            agent.start()
        assert wait_for_end(id) == "time"
        assert len(answering.invites) == 1
    assert outcomes(id) == ["left"]


def test_a_call_file_that_lay_about_calls_nobody(carrier: Carrier, asterisk: Asterisk, office: uuid.UUID) -> None:
    participant, before = uuid.uuid4(), query(carrier.url, "SELECT count(*) FROM calls")
    now = int(time.time())
    lines = [
        "Channel: Local/552133450011@conference-call/n",
        "Context: conference",
        "Extension: s",
        "Priority: 1",
        "MaxRetries: 0",
        f"Setvar: PARTICIPANT={participant}",
        f"Setvar: CUSTOMER_ID={office}",
        f"Setvar: CALL_BEFORE={now - 1}",
        f"Setvar: ENDS={now + 600}",
    ]
    with carrier.first.answer() as answering:
        drop(asterisk.spool_path / "outgoing", f"{participant}.call", "\n".join([*lines, ""]))
        records = "SELECT 1 FROM asterisk.cdr WHERE dcontext = 'conference-call' AND dst = '552133450011'"
        until(lambda: query(carrier.url, records), "the call file to be taken")
        assert answering.invites == []
    requests = "SELECT 1 FROM asterisk.call_requests WHERE id = :id"
    assert query(carrier.url, requests, id=str(participant)) == []
    assert query(carrier.url, "SELECT count(*) FROM calls") == before
