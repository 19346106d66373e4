"""What strangers learn and what they cost: next to nothing."""

from __future__ import annotations

import hashlib
import itertools
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import BLOCK, RECEPTION, Carrier
from tests.calls.exchange import query, until
from tests.calls.sip import Peer
from webapp import store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.extensions.models import Extension

SECRET = "secret-of-the-guarded"
GUARDED, MOVED = f"{BLOCK}.71", f"{BLOCK}.72"  # Where the phone is, and where it moves.
_numbers = itertools.count(1)


@dataclass
class Scanner:
    """Somebody who sends requests one by one and looks closely at the answers."""

    asterisk: tuple[str, int]
    address: str = f"{BLOCK}.98"
    sock: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def __post_init__(self) -> None:
        self.sock.bind((self.address, 0))
        self.sock.settimeout(10)

    def ask(self, method: str, user: str, authorization: str = "") -> str:
        """The first answer to a request as this user, for itself or the number 100."""
        here, there = (":".join(map(str, address)) for address in (self.sock.getsockname(), self.asterisk))
        number = next(_numbers)
        target = f"sip:{there}" if method == "REGISTER" else f"sip:100@{there}"
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK-{number};rport",
            f"From: <sip:{user}@{there}>;tag={number}",
            f"To: <sip:{user}@{there}>",
            f"Call-ID: {number}@{here}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{user}@{here}>",
            "Max-Forwards: 70",
            *{
                "SUBSCRIBE": ["Event: presence"],
                "PUBLISH": ["Event: presence"],
                "NOTIFY": ["Event: message-summary"],
            }.get(method, []),
            *([authorization] if authorization else []),
            "Content-Length: 0",
        ]
        self.sock.sendto("\r\n".join([*lines, "", ""]).encode(), self.asterisk)
        while f"Call-ID: {number}@" not in (answer := self.sock.recv(10_000).decode()):
            pass  # An answer to what was asked before, once more.
        return answer

    def guess(self, method: str, user: str, password: str) -> str:
        """The answer to a request with a password."""
        challenge = self.ask(method, user)
        realm, nonce = (re.search(f'{name}="([^"]*)"', challenge) for name in ("realm", "nonce"))
        assert realm
        assert nonce
        uri = "sip:x"
        first, second = (_md5(text) for text in (f"{user}:{realm[1]}:{password}", f"{method}:{uri}"))
        response = _md5(f"{first}:{nonce[1]}:00000001:me:auth:{second}")
        return self.ask(
            method,
            user,
            f'Authorization: Digest username="{user}", realm="{realm[1]}", nonce="{nonce[1]}", uri="{uri}", '
            f'response="{response}", cnonce="me", nc=00000001, qop=auth, algorithm=MD5',
        )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  # what SIP has


def alike(answer: str, user: str) -> str:
    """What an answer says, without what is another in every answer: what was asked, and made-up tags and nonces."""
    head = answer.replace(f"sip:{user}@", "sip:USER@")
    head = re.sub(r"(?m)^(Via|Call-ID): .*$", r"\1", head)
    head = re.sub(r"tag=[\w.-]+", "tag", head)
    return re.sub(r'(nonce|opaque)="([^"]*)"', lambda m: f'{m[1]}="{re.sub("[0-9a-f]", "x", m[2])}"', head)


@pytest.fixture
def scanner(carrier: Carrier) -> Iterator[Scanner]:
    scanner = Scanner(carrier.first.asterisk)
    yield scanner
    scanner.sock.close()


@pytest.fixture
def guarded(carrier: Carrier) -> Iterator[Customer]:
    """A customer whose phones may be at one address only."""
    customer = Customer(code="guarded", name="Guarded", type="extension", phone_networks=[GUARDED])
    store.save(customer)
    store.save(
        Extension(customer_id=customer.id, extension="100", secret=SECRET),
        Extension(customer_id=customer.id, extension="199", secret=SECRET, enabled=False),
    )
    carrier.settled()
    yield customer
    store.delete(*db.session.query(Extension).filter_by(customer_id=customer.id))
    store.delete(customer)
    carrier.settled()


def _told(asterisk: Asterisk, event: str, user: str, address: str) -> None:
    """The security log says so in a line, for whoever bans."""
    log = asterisk.directory / "log" / "security"
    line = f'SecurityEvent="{event}".*AccountID="{user}".*RemoteAddress="IPV4/UDP/{re.escape(address)}/'
    until(lambda: re.search(line, log.read_text()), f"{event} in the security log")


def test_phones_register_and_call_only_from_where_they_may_be(
    carrier: Carrier, guarded: Customer, asterisk: Asterisk
) -> None:
    there = Peer(GUARDED, asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    elsewhere = Peer(MOVED, asterisk=carrier.first.asterisk, workdir=carrier.first.workdir)
    phone = ("guarded-100", SECRET)

    assert there.register(*phone) == 200
    assert elsewhere.register(*phone) == 401
    there.call("100999", auth=phone, expect=404)  # It is heard, and there is no such number.
    elsewhere.call("100999", auth=phone, expect=401)

    guarded.phone_networks = [MOVED]
    store.save(guarded)
    carrier.settled()
    assert there.register(*phone) == 401
    assert elsewhere.register(*phone) == 200

    guarded.phone_networks = []
    store.save(guarded)
    carrier.settled()
    assert there.register(*phone) == 200

    _told(asterisk, "FailedACL", phone[0], MOVED)


METHODS = ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "MESSAGE", "NOTIFY", "REFER", "INFO", "UPDATE", "X")


def test_strangers_get_one_answer_whoever_they_say_they_are(
    carrier: Carrier, guarded: Customer, scanner: Scanner, asterisk: Asterisk
) -> None:
    """A phone that is there, one that is disabled, one that may not be here, nobody's, and peers with addresses."""
    users = (RECEPTION[0], "guarded-199", "guarded-100", "office-999", "trunk-acme", "gateway-first", "100")
    requests = query(carrier.url, "SELECT count(*) FROM asterisk.call_requests")

    for method in METHODS:
        answers = {alike(scanner.ask(method, user), user) for user in users}
        assert len(answers) == 1, answers
        [answer] = answers
        assert answer.startswith("SIP/2.0 401 Unauthorized")
        assert 'WWW-Authenticate: Digest realm="asterisk",nonce="' in answer
        assert re.findall("(?m)^(?:Server|User-Agent): (.*)\r$", answer) == ["Asterisk"]
    for method in ("REGISTER", "INVITE"):
        answers = {alike(scanner.guess(method, user, "not the secret"), user) for user in users}
        assert len(answers) == 1, answers
    # Not even the right secret tells of a phone that may not be here.
    assert alike(scanner.guess("REGISTER", users[2], SECRET), users[2]) == alike(
        scanner.guess("REGISTER", users[3], SECRET), users[3]
    )
    for method in ("BYE", "CANCEL"):
        assert {scanner.ask(method, user).partition("\r\n")[0][:11] for user in users} == {"SIP/2.0 481"}

    assert query(carrier.url, "SELECT count(*) FROM asterisk.call_requests") == requests
    assert "0 active channels" in asterisk.rx("core show channels count")
    for event, user in (("InvalidAccountID", "office-999"), ("ChallengeResponseFailed", RECEPTION[0])):
        _told(asterisk, event, user, scanner.address)


# How often Asterisk has looked into the tables of its SIP objects.
READS = """
    SELECT relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables
    WHERE schemaname = 'asterisk' AND relname IN ('ps_endpoints', 'ps_auths', 'ps_aors', 'ps_endpoint_id_ips')
"""
CALLS = 20


def test_a_flood_of_guesses_leaves_calls_alone_and_reads_little(carrier: Carrier, asterisk: Asterisk) -> None:
    """200 requests a second for five seconds: 500 users, each asked for and then tried with a password."""
    number = "551140000800"
    carrier.did(number, "acme")
    carrier.settled()
    before = dict(query(carrier.url, READS))

    with (
        carrier.acme.answer(expect_calls=CALLS) as pbx,
        carrier.stranger.scan("office-[call_number]", rate=100, scans=500) as flood,
        carrier.first.traffic(number, "5521[call_number]", rate=4, calls=CALLS, hold=1) as calls,
    ):
        flood.wait_for_exit(120)
        calls.wait_for_exit(60)
        pbx.wait(60)
        answers = [(answer.status, str(answer.headers["CSeq"])) for answer in flood.messages if not answer.sent]

    assert [call.disposition for call in carrier.ended(number, CALLS)] == ["ANSWERED"] * CALLS
    assert {status for status, _ in answers} == {401}
    asked, tried = (sum(cseq == f"{n} REGISTER" for _, cseq in answers) for n in (1, 2))
    assert asked + tried > 500  # Else that was no flood.

    # The user of the From header is looked for, and that of the credentials: nothing else, and never all of a table.
    def reads() -> dict[str, int]:
        asterisk.rx("realtime load canary id 1")  # PostgreSQL counts what was read when something is read again.
        return {table: count - before[table] for table, count in query(carrier.url, READS)}

    found = until(lambda: (found := reads())["ps_endpoints"] >= asked + 2 * tried and found, "the reads to be counted")
    # Reads before the flood are counted late, too, some forty in each table; one more for each request would be more.
    late = asked // 2
    assert found["ps_endpoints"] < asked + 2 * tried + late
    assert sum(found.values()) - found["ps_endpoints"] < late

    assert carrier.reception.register(*RECEPTION) == 200
    assert carrier.reception.unregister(*RECEPTION) == 200
