"""What the page of live calls says, while real calls go on."""

from __future__ import annotations

from typing import Any

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import DESK, Carrier
from tests.calls.exchange import AgentProcess, query, until
from webapp import store
from webapp.customers.models import Customer
from webapp.dashboard import operations as dashboard
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.live import operations as live
from webapp.live.models import LiveCall

PHONE = ("office-489", "secret-of-489")  # One that no other test calls.

NOW = """
    SELECT * FROM live_channels WHERE node IN (SELECT node FROM live_nodes WHERE looked_at > now() - interval '15 s')
    ORDER BY started_at, uniqueid
"""


def going_on(carrier: Carrier, *states: str) -> list[Any]:
    """The calls, when they are in these states."""

    def find() -> list[Any] | None:
        found = query(carrier.url, NOW)
        return found if sorted(call.state for call in found) == sorted(states) else None

    until(lambda: find() is not None, f"calls to be {states}")
    return find() or []


def channels(asterisk: Asterisk) -> int:
    """How many Asterisk says there are."""
    return int(asterisk.rx("core show channels count").split()[0])


def test_a_call_out_rings_is_answered_and_ends(carrier: Carrier, asterisk: Asterisk) -> None:
    with carrier.first.ring(), carrier.acme.start_call("552133340001", hold=60) as calling:
        [call] = going_on(carrier, "ringing")
        assert (call.direction, call.dst, call.answered_at) == ("outbound", "552133340001", None)
        assert (call.customer_id, call.gateway_id) == (carrier.ids["acme"], carrier.ids["first"])
        assert call.provider_id == carrier.ids["provider"]
        calling.hang_up()
        going_on(carrier)
    with carrier.first.answer(), carrier.acme.start_call("552133340002", hold=60) as calling:
        [call] = going_on(carrier, "answered")
        assert call.answered_at >= call.started_at
        assert channels(asterisk) == 2
        calling.hang_up()
        going_on(carrier)
    until(lambda: channels(asterisk) == 0, "the channels to be gone")


def test_each_direction_and_as_many_as_asterisk_has(carrier: Carrier, asterisk: Asterisk) -> None:
    carrier.did("551140009701", "acme")
    carrier.settled()
    with (
        carrier.first.answer(expect_calls=2),
        carrier.acme.answer() as acme,
        carrier.second.start_call("01140009701", caller="552199990000", hold=60) as first,
        carrier.desk.start_call("552133340003", auth=DESK, hold=60) as second,
        carrier.beta.start_call("552133340004", hold=60) as third,
    ):
        calls = {call.direction + call.dst: call for call in going_on(carrier, *["answered"] * 3)}
        assert acme.invites
        assert len(calls) * 2 == channels(asterisk)
        inbound = calls["inbound551140009701"]
        assert (inbound.customer_id, inbound.gateway_id) == (carrier.ids["acme"], carrier.ids["second"])
        assert (inbound.src, inbound.did) == ("552199990000", "551140009701")
        assert calls["outbound552133340003"].customer_id == carrier.ids["office"]
        assert calls["outbound552133340004"].customer_id == carrier.ids["beta"]
        for calling in (first, second, third):
            calling.hang_up()
        going_on(carrier)
    until(lambda: channels(asterisk) == 0, "the channels to be gone")


def test_the_dashboard_agrees_with_asterisk_and_with_who_calls(carrier: Carrier, asterisk: Asterisk) -> None:
    """Forty calls that go on for a while; then none."""
    with (
        carrier.first.answer(expect_calls=40),
        carrier.acme.traffic("55213335[call_number]", "551140001234", rate=10, calls=40, hold=20) as traffic,
    ):
        going_on(carrier, *["answered"] * 40)
        assert channels(asterisk) == 80, "each has a channel of who calls and one of who is called"
        now = dashboard.stats().calls_now
        assert (now.count, now.answered, now.outbound, now.inbound) == (40, 40, 40, 0)
        assert live.calls_of(LiveCall.customer_id, [db.session.get_one(Customer, carrier.ids["acme"])]) == {
            carrier.ids["acme"]: 40
        }
        traffic.wait_for_exit(timeout=60)
        going_on(carrier)
    until(lambda: channels(asterisk) == 0, "the channels to be gone")
    db.session.rollback()  # To see what was committed since.
    assert dashboard.stats().calls_now.count == 0


def test_an_agent_that_comes_back_says_what_goes_on_and_nothing_else(carrier: Carrier, agent: AgentProcess) -> None:
    with carrier.first.answer(), carrier.acme.start_call("552133340005", hold=60) as calling:
        [before] = going_on(carrier, "answered")
        agent.stop()
        try:
            query(
                carrier.url,
                "INSERT INTO live_channels (node, uniqueid, direction, state, started_at)"
                " VALUES ('pbx1', 'pbx1-1.1', 'inbound', 'ringing', now()) RETURNING node",
            )
        finally:
            agent.start()
        assert going_on(carrier, "answered") == [before]
        calling.hang_up()
        going_on(carrier)


def test_a_phone_calls_a_phone(carrier: Carrier) -> None:
    store.save(Extension(customer_id=carrier.ids["office"], extension="489", secret=PHONE[1]))
    assert carrier.reception.register(*PHONE) == 200
    with carrier.reception.ring(), carrier.desk.start_call("489", auth=DESK, hold=60) as calling:
        [call] = going_on(carrier, "ringing")
        assert (call.direction, call.dst, call.did) == ("internal", "office-489", "")
        assert (call.customer_id, call.gateway_id) == (carrier.ids["office"], None)
        calling.hang_up()
        going_on(carrier)
    carrier.reception.unregister(*PHONE)


def test_a_call_that_was_sent_on_is_two(carrier: Carrier) -> None:
    """Each is told by the number it was to, though they share much."""
    carrier.did("551140009702", "acme")
    carrier.settled()
    with (
        carrier.acme.forward("sip:552133340006@198.51.100.7"),
        carrier.first.answer(),
        carrier.second.start_call("01140009702", caller="552199990000", hold=60) as calling,
    ):
        inbound, outbound = sorted(going_on(carrier, "answered", "answered"), key=lambda call: str(call.direction))
        assert (inbound.direction, inbound.gateway_id) == ("inbound", carrier.ids["second"])
        assert (inbound.dst, inbound.did) == ("551140009702", "551140009702")
        assert (outbound.direction, outbound.dst) == ("outbound", "552133340006")
        assert {inbound.customer_id, outbound.customer_id} == {carrier.ids["acme"]}
        assert outbound.gateway_id == carrier.ids["first"]
        calling.hang_up()
        going_on(carrier)
