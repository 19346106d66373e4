"""The SIP parties of the call tests, calling each other without an Asterisk between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.sip import Peer, SipFailure, kill_all, parse_message

ADDRESS = "127.0.9.1"
SECRET = 'p"<&w d'


@pytest.fixture
def callee(tmp_path: Path) -> Iterator[Peer]:
    yield Peer(ADDRESS, workdir=tmp_path)
    kill_all()


@pytest.fixture
def caller(tmp_path: Path) -> Peer:
    return Peer("127.0.9.2", asterisk=(ADDRESS, 5060), workdir=tmp_path)


def test_a_call_is_answered_and_the_caller_hangs_up(caller: Peer, callee: Peer) -> None:
    with callee.answer() as answering:
        result = caller.call("5511988887777", caller="1140041100", headers={"Privacy": "id"})
        answering.wait()

    assert result.answered
    assert result.provisional == (180,)
    assert not result.other_side_hung_up
    assert answering.called_number == "5511988887777"
    assert answering.caller_number == "1140041100"
    assert answering.invite.headers["privacy"] == "id"
    assert "c=IN IP4 127.0.9.2" in answering.invite.body
    assert [request.method for request in answering.requests] == ["INVITE", "ACK", "BYE"]


def test_the_called_party_hangs_up(caller: Peer, callee: Peer) -> None:
    with callee.answer(ring=False, hang_up_after=0.1) as answering:
        result = caller.call("200", hold=10)
        answering.wait()

    assert result.other_side_hung_up
    assert result.provisional == ()


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_call_is_refused(caller: Peer, callee: Peer, status: int) -> None:
    with callee.refuse(status, reason="Q.850;cause=1") as refusing:
        result = caller.call("200", expect=status)
        refusing.wait()

    assert result.status == status
    assert result.cause == 1
    assert not result.answered


def test_the_caller_gives_up(caller: Peer, callee: Peer) -> None:
    with callee.ring() as ringing:
        caller.call("200", give_up_after=0.2, expect=487)
        ringing.wait()

    assert [request.method for request in ringing.requests] == ["INVITE", "CANCEL", "ACK"]


def test_either_side_hangs_up_when_told(caller: Peer, callee: Peer) -> None:
    with callee.answer(ring_for=0.1, expect_calls=2) as answering:
        with caller.start_call("200") as calling:
            assert calling.wait_for(180, timeout=2).headers["CSeq"] == "1 INVITE"
            calling.wait_for(200)
            calling.hang_up()
            assert not calling.wait().other_side_hung_up
        with caller.start_call("200") as calling:
            calling.wait_for(200)
            answering.hang_up()
            assert calling.wait().other_side_hung_up
        answering.wait()


def test_a_call_is_withdrawn_and_refused_while_it_rings(caller: Peer, callee: Peer) -> None:
    with callee.ring(expect_calls=2) as ringing:
        with caller.start_call("200") as calling:
            calling.wait_for(180)
            calling.hang_up()
            assert calling.wait().status == 487
        with caller.start_call("200") as calling:
            calling.wait_for(180)
            ringing.hang_up()
            assert calling.wait().status == 480
        ringing.wait()


def test_several_calls_at_once(caller: Peer, callee: Peer) -> None:
    with callee.answer(expect_calls=3) as answering:
        calls = [caller.start_call(number, hold=0.5) for number in ("1", "2", "3")]
        assert all(calling.wait().answered for calling in calls)
        answering.wait()

    assert sorted(invite.called_number for invite in answering.invites) == ["1", "2", "3"]


def test_calls_and_registrations_need_the_password(caller: Peer, callee: Peer) -> None:
    with callee.registrar("acme", SECRET) as registrar:
        assert caller.call("200", auth=("acme", SECRET)).answered
        assert caller.register("acme", SECRET, expires=60) == 200
        assert caller.unregister("acme", SECRET) == 200
        caller.call("200", auth=("acme", "wrong"), expect=401)
        caller.call("200", expect=401)
        assert caller.register("acme", "wrong") == 401
        registered = registrar.wait_for_registration()
        unregistered = registrar.wait_for_unregistration()

    assert registered.headers["Contact"] == "<sip:acme@127.0.9.2:5060>"
    assert registered.expires == 60
    assert len(registrar.registrations) == 2
    assert unregistered is not registered


def test_a_phone_registers_and_then_answers_at_the_same_port(caller: Peer, callee: Peer) -> None:
    with callee.registrar("acme", SECRET):
        assert caller.register("acme", SECRET) == 200
    callee.asterisk = (caller.address, caller.port)
    with caller.answer():
        assert callee.call("acme").answered


def test_options(caller: Peer, callee: Peer) -> None:
    with callee.answer() as answering:
        assert caller.options() == 200

    assert answering.wait_for("OPTIONS").method == "OPTIONS"


def test_an_unexpected_outcome_explains_itself(caller: Peer, callee: Peer) -> None:
    with pytest.raises(SipFailure) as failure, callee.refuse(486):
        caller.call("200")

    assert "the call got 486, not 200" in str(failure.value)
    assert "<--   SIP/2.0 486" in str(failure.value)
    assert "<--   INVITE sip:200@127.0.9.1:5060" in failure.value.__notes__[0]


def test_waiting_in_vain_ends(callee: Peer) -> None:
    with callee.answer() as answering, pytest.raises(SipFailure, match="not 1 calls came"):
        answering.wait(timeout=0.1)


def test_two_parties_cannot_have_one_port(callee: Peer) -> None:
    with callee.answer(), pytest.raises(SipFailure, match=r"127\.0\.9\.1:5060 is in use"):
        callee.ring()


def test_whatever_still_runs_is_stopped_with_a_bye(caller: Peer, callee: Peer) -> None:
    answering = callee.answer()
    calling = caller.start_call("200")
    calling.wait_for(200)

    kill_all()

    assert calling.process.poll() is not None
    assert answering.process.poll() is not None
    assert "BYE" in [message.method for message in calling.messages]


def test_headers_ignore_case_and_the_number_is_the_user_part() -> None:
    message = parse_message(
        'INVITE sip:+5511@host;user=phone SIP/2.0\r\nFrom: "A" <sip:1100@acme:5060>;tag=1\r\n'
        "CSeq: 7 INVITE\r\nCall-ID: a@b\r\n\r\nv=0\r\n",
        sent=False,
    )

    assert (message.called_number, message.caller_number) == ("+5511", "1100")
    assert (message.method, message.status, message.headers["call-id"]) == ("INVITE", 0, "a@b")
    assert message.body == "v=0\r\n"
