"""What becomes of calls while a table is locked or the network to the database is cut, when Asterisk is killed,
and when what arrives is no SIP."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, text

from deploy.embedded.asterisk import Asterisk
from deploy.embedded.postgres import Postgres
from tests.calls.conftest import BLOCK, DESK, Carrier
from tests.calls.exchange import query, running_asterisk, until
from tests.calls.sip import Calling, Peer, SipFailure
from tests.faults.network import Cable
from webapp.ext import db

SOAK = bool(os.environ.get("SOAK"))
PATIENCE = 60


@contextmanager
def locked(url: str, *tables: str) -> Iterator[None]:
    """Somebody holds these tables, as ALTER TABLE does."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
        yield
    engine.dispose()


def it_went_on(call: Calling) -> None:
    """A call that was in progress all the time ends only now."""
    call.hang_up()
    result = call.wait()
    assert result.answered
    assert not result.other_side_hung_up


def reaches(peer: Peer, number: str) -> bool:
    try:
        return peer.call(number, expect=None).answered
    except SipFailure:
        return False


TABLES = [
    ["asterisk.extensions"],
    ["asterisk.call_requests"],
    ["customers"],
    ["asterisk.ps_endpoints", "asterisk.ps_aors", "asterisk.ps_auths", "asterisk.ps_endpoint_id_ips"],
]


@pytest.mark.parametrize("tables", TABLES if SOAK else TABLES[:2], ids=" ".join)
def test_a_table_is_locked(carrier: Carrier, tables: list[str]) -> None:
    """Calls in progress go on, nobody is told that a number does not exist, and all is well as soon as it is free."""
    number = {"asterisk.extensions": "551140000801", "customers": "551140000802"}.get(tables[0], "551140000803")
    number = number if len(tables) == 1 else "551140000804"
    carrier.did(number, "acme")
    with carrier.acme.answer() as pbx, carrier.first.answer(), carrier.first.start_call(number) as call:
        pbx.wait_for("ACK")
        db.session.remove()
        with locked(carrier.url, *tables):
            inward = carrier.second.call(number.removeprefix("55").rjust(11, "0"), expect=None).status
            unknown = carrier.first.call("551140000899", expect=None).status
            outward = carrier.acme.call("552133338001", expect=None).status
            time.sleep(5 if SOAK else 0)
            assert 404 not in (inward, outward), "a number that is there was said not to exist"
            assert inward in (200, 503)
            assert outward in (200, 503)
            if tables == ["asterisk.extensions"]:
                assert (inward, unknown) == (503, 503)
            if tables[0] in ("customers", "asterisk.call_requests"):
                assert outward == 503
        until(lambda: reaches(carrier.acme, "552133338001"), "calls out to work again", PATIENCE)
        until(lambda: reaches(carrier.second, number.removeprefix("55").rjust(11, "0")), "calls in", PATIENCE)
        it_went_on(call)
    assert carrier.desk.register(*DESK) == 200
    carrier.settled()


def test_the_network_to_the_database_is_cut(carrier: Carrier, cluster: Postgres, cable: Cable) -> None:
    """Nobody answers Asterisk, nor refuses it. It must not wait as long as TCP would."""
    carrier.did("551140000810", "acme")
    far_away = SimpleNamespace(port=cable.port)
    with running_asterisk(far_away, "calls", "pbx9") as asterisk:  # type: ignore[arg-type]  # it needs the port only
        asterisk.rx("module load cdr_pgsql.so")  # Else the agent does it.
        here = ("127.0.0.1", int(asterisk.values["SIP_PORT"]))
        first, acme = replace(carrier.first, asterisk=here), replace(carrier.acme, asterisk=here)
        with acme.answer() as pbx, first.start_call("551140000810") as call:
            pbx.wait_for("ACK")
            cable.cut()
            began = time.monotonic()
            assert first.call("551140000810", expect=None, give_up_after=45).status == 503
            assert time.monotonic() - began < 45
            cable.mend()
            until(lambda: reaches(first, "551140000810"), "calls to work again", PATIENCE)
            it_went_on(call)
        # Three calls have ended. What Asterisk could not store is in its journal; at least the last one it stored.
        stored = "SELECT count(*) FROM asterisk.cdr WHERE node = 'pbx9' AND answer <> ''"
        until(lambda: query(carrier.url, stored)[0][0] >= 1, "calls to be stored again", PATIENCE)


def test_asterisk_is_killed_between_invite_and_answer(carrier: Carrier, asterisk: Asterisk) -> None:
    """The call goes with it, and nothing else: what was on the live page is gone, and calls work."""
    db.session.remove()
    live = "SELECT count(*) FROM live_channels WHERE dst = '552133338020'"
    with carrier.first.ring() as callee, carrier.acme.start_call("552133338020", give_up_after=3):
        callee.wait_for("INVITE")
        until(lambda: query(carrier.url, live)[0][0], "the call to be seen", PATIENCE)
        asterisk.kill()
    asterisk.start()
    asterisk.wait_booted()
    until(lambda: not query(carrier.url, live)[0][0], "the call to be gone", PATIENCE)
    up = "SELECT 1 FROM nodes WHERE asterisk_up AND detail = ''"
    until(lambda: query(carrier.url, up), "the node to be up", PATIENCE)
    with carrier.first.answer():
        until(lambda: reaches(carrier.acme, "552133338021"), "calls to work again", PATIENCE)
    carrier.cdrs("552133338021", 1)
    carrier.settled()


def message(*headers: str, method: str = "INVITE", user: str = "551140000830", body: str = "") -> bytes:
    """A request that would do, but for the headers that are given."""
    names = {header.partition(":")[0] for header in headers}
    usual = {
        "Via": f"SIP/2.0/UDP {BLOCK}.11:5060;branch=z9hG4bK{time.monotonic_ns()}",
        "From": f"<sip:1100@{BLOCK}.11>;tag=1",
        "To": f"<sip:{user}@127.0.0.1>",
        "Call-ID": f"garbage-{time.monotonic_ns()}",
        "CSeq": f"1 {method}",
        "Contact": f"<sip:1100@{BLOCK}.11>",
        "Max-Forwards": "70",
        "Content-Length": str(len(body)),
    }
    lines = [f"{method} sip:{user}@127.0.0.1 SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in usual.items() if name not in names]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n" + body).encode("utf-8", "surrogateescape")


VIA = f"Via: SIP/2.0/UDP {BLOCK}.11:5060;branch=z9hG4bK"
GARBAGE = [
    b"",
    b"\0" * 1000,
    b"\xff" * 60_000,
    b"\r\n" * 5000,
    b"INVITE",
    b"INVITE sip:1 SIP/2.0\r\n",
    b"SIP/2.0 200 OK\r\n\r\n",
    b"SIP/2.0 99999999999999 \xff\r\n\r\n",
    message()[:200],
    message("Subject: " + "x" * 50_000),
    message(*[f"{VIA}{n}" for n in range(500)]),
    message(*[f"X-{n}: {n}" for n in range(2000)]),
    message("Content-Length: 999999"),
    message("Content-Length: -1"),
    message("Content-Length: 99999999999999999999"),
    message("Content-Length: x", body="v=0"),
    message("Content-Type: application/sdp", body="v=0\r\n" + "a=rtpmap:" * 5000),
    message("Content-Type: application/sdp", body="v=0\r\no=\r\ns=\r\nm=audio 99999999 RTP/AVP " + "8 " * 3000),
    message('Content-Type: multipart/mixed; boundary=""', body="--\r\n--\r\n"),
    message("CSeq: 99999999999 INVITE"),
    message("CSeq: -1 BYE"),
    message("Max-Forwards: 0"),
    message("Max-Forwards: -5"),
    message("From: <sip:\0@\0>;tag=\0"),
    message('From: "' + "\\" * 2000),
    message("From: \udcff\udcfe <sip:\udcff@x>;tag=2"),
    message("To: <sip:'; DROP TABLE customers; --@x>"),
    message("Contact: *", "Expires: 4294967296", method="REGISTER"),
    message("Authorization: Digest " + 'a="b",' * 3000, method="REGISTER"),
    message('Authorization: Digest username="\udcff", realm="', method="REGISTER"),
    message(user="%00%ff%", method="OPTIONS"),
    message(user="5" * 8000),
    message(user="${SHELL(reboot)}&PJSIP/1"),
    message(user="1,1)&System(reboot)"),
    message("Replaces: x;to-tag=;from-tag="),
    message("Require: 100rel, timer, \0", "Session-Expires: 0", "Min-SE: -1"),
    message("Diversion: " + "<sip:1@x>," * 500),
    message(method="X" * 500),
]


def test_what_is_no_sip(carrier: Carrier, asterisk: Asterisk) -> None:
    """From a stranger and from a gateway: Asterisk goes on, and so do calls."""
    carrier.did("551140000830", "acme")
    process = asterisk.pid
    with carrier.acme.answer() as pbx, carrier.first.start_call("551140000830") as call:
        pbx.wait_for("ACK")
        for host in (f"{BLOCK}.98", f"{BLOCK}.12"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((host, 0))
                for _ in range(20 if SOAK else 1):
                    for garbage in GARBAGE:
                        sender.sendto(garbage, carrier.first.asterisk)
        assert carrier.stranger.options() in (200, 401, 404)
        until(lambda: reaches(carrier.first, "551140000830"), "calls to go on", PATIENCE)
        it_went_on(call)
    assert asterisk.pid == process
    assert asterisk.is_running


@pytest.mark.skipif(not SOAK, reason="takes half a minute: make soak")
def test_scanners_at_500_requests_a_second(carrier: Carrier, asterisk: Asterisk) -> None:
    """Calls are made and go on meanwhile."""
    carrier.did("551140000840", "acme")
    over = threading.Event()
    sent = 0

    def scan() -> None:
        nonlocal sent
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((f"{BLOCK}.97", 0))
            while not over.is_set():
                for _ in range(50):
                    method = ("REGISTER", "INVITE", "OPTIONS")[sent % 3]
                    sender.sendto(message(user=str(100 + sent % 900), method=method), carrier.first.asterisk)
                    sent += 1
                time.sleep(max(0, began + sent / 500 - time.monotonic()))

    thread = threading.Thread(target=scan)
    thread.start()
    try:
        with carrier.acme.answer(), carrier.first.start_call("551140000840", hold=600) as going_on:
            going_on.wait_for(200, PATIENCE)
            answered = [reaches(carrier.first, "551140000840") for _ in range(20)]
            going_on.hang_up()
            assert going_on.wait().answered
    finally:
        over.set()
        thread.join()
    assert sent > 2000
    assert answered.count(False) <= 1, "calls were lost"
