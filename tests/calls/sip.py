"""SIP parties for the call tests: SIPp behind a few plain words."""

import itertools
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self, TypeVar

SCENARIOS = Path(__file__).parent / "scenarios"

# SIPp is told to end by itself after this many seconds: a test run that was killed must leave none behind.
LIFETIME = 600
FOREVER = 2.0 * LIFETIME

# No party sends media by itself (rtp.py does): calls have to stay up without.
SDP = """\
v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000"""

PROVISIONALS = "\n".join(f'<recv response="{status}" optional="true" next="outcome"/>' for status in range(180, 200))
# Challenges, and 487 which is what a cancelled call waits for, have their own places in the scenarios.
REFUSALS = "\n".join(
    f'<recv response="{status}" optional="true" next="refused"/>'
    for status in range(300, 700)
    if status not in (401, 407, 487)
)

# SIPp checks the digest of the password, but neither the realm nor that it gave out the nonce.
VERIFY = '<verifyauth assign_to="right" username="[user]" password="[password]"/>'

Auth = tuple[str, str]  # SIP user and password, without square brackets: SIPp takes these for its keywords
T = TypeVar("T")

_started: list["Running"] = []
_numbers = itertools.count(1)
# SIPp opens ports for control, audio and video in any case, so each process gets five of its own. The range lies
# between Asterisk's media ports (5000 to 31000 without rtp.conf) and those that the kernel hands out.
_ports = itertools.cycle(range(31100, 32700, 5))


class Scenario(Template):
    """The text of a SIPp scenario. `$` belongs to SIPp, so the words to fill in begin with a percent sign."""

    delimiter = "%"


class SipFailure(AssertionError):
    """Something went otherwise than the test expects. The text ends with what SIPp saw."""


@dataclass(frozen=True)
class SipMessage:
    """One message that SIPp sent or received. `headers` ignores case and gives the first of equal headers."""

    sent: bool
    start_line: str
    headers: Message
    body: str

    @property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        version, code, *_ = self.start_line.split(" ")
        return int(code) if version == "SIP/2.0" else 0

    @property
    def method(self) -> str:
        """The method of the request, or of the request that this is a response to."""
        return str(self.headers["CSeq"]).split()[1]

    @property
    def call_id(self) -> str:
        return str(self.headers["Call-ID"])

    @property
    def called_number(self) -> str:
        """The user part of the request URI."""
        return user_part(self.start_line)

    @property
    def caller_number(self) -> str:
        """The user part of the From header."""
        return user_part(str(self.headers["From"]))

    @property
    def expires(self) -> int:
        """The seconds that a REGISTER asks for. 0 unregisters."""
        return int(self.headers["Expires"])


def user_part(uri: str) -> str:
    """The user in a line that holds a SIP URI, "" when the URI has none."""
    found = re.search(r"sips?:([^@;> ]*)@", uri)
    return found[1] if found else ""


def read_messages(log: Path) -> list[SipMessage]:
    """The messages in a SIPp message log, without one that SIPp has not written to its end."""
    if not log.exists():
        return []
    content = log.read_bytes()
    messages = []
    for entry in re.finditer(rb"^UDP message (sent|received) \D(\d+)\D+:\n\n", content, re.MULTILINE):
        text = content[entry.end() : entry.end() + int(entry[2])]
        if len(text) == int(entry[2]):
            messages.append(parse_message(text.decode(), sent=entry[1] == b"sent"))
    return messages


def parse_message(text: str, *, sent: bool) -> SipMessage:
    head, _, body = text.partition("\r\n\r\n")
    start_line, _, headers = head.partition("\r\n")
    return SipMessage(sent, start_line, HeaderParser().parsestr(headers), body)


@dataclass(frozen=True)
class CallResult:
    """How a call went for the party that placed it.

    `status` is the final one, and 408 when nobody answered the INVITE at all (RFC 3261, 8.1.3.1).
    `reason` is the Reason header of the refusal, or of the BYE with which the other side hung up.
    """

    status: int
    provisional: tuple[int, ...]
    reason: str | None
    other_side_hung_up: bool

    @property
    def answered(self) -> bool:
        return self.status == 200

    @property
    def cause(self) -> int | None:
        """The Q.850 cause in `reason`."""
        found = re.search(r"Q\.850\s*;\s*cause=(\d+)", self.reason or "")
        return int(found[1]) if found else None


def final_response(method: str, messages: list[SipMessage]) -> SipMessage | None:
    """The last final response: that to the request with credentials, when the first one was challenged."""
    final = [m for m in messages if not m.sent and m.method == method and m.status >= 200]
    return final[-1] if final else None


def result_of(messages: list[SipMessage]) -> CallResult:
    """Read the result of a call out of its caller's messages."""
    received = [message for message in messages if not message.sent]
    final = final_response("INVITE", messages)
    bye = next((m for m in received if m.method == "BYE" and not m.status), None)
    ended_by = bye or final
    return CallResult(
        status=final.status if final else 408,
        provisional=tuple(m.status for m in received if m.method == "INVITE" and 0 < m.status < 200),
        reason=ended_by.headers["Reason"] if ended_by else None,
        other_side_hung_up=bye is not None,
    )


class Running:
    """A SIPp process, and what it has sent and received so far.

    As a context manager it is stopped at the end, and an exception on the way gets SIPp's logs as a note.
    """

    def __init__(self, scenario: Path, address: str, port: int | None, options: list[str]) -> None:
        """Start SIPp at this port, or at any free one."""
        if port and is_bound(address, port):
            raise SipFailure(f"{address}:{port} is in use: stop the party that has it")
        ports = five_free_ports(address)
        port = port or ports
        self.address = address
        self.port = port
        self._title = f"SIPp {scenario.stem} at {address}:{port}"
        self._messages = scenario.with_suffix(".messages")
        self._errors = scenario.with_suffix(".errors")
        self._ended = scenario.with_suffix(".ended")
        self._output = scenario.with_suffix(".output")
        command = ["sipp", "-sf", str(scenario), "-i", address, "-p", str(port), "-bind_local", "-nostdin"]
        command += ["-ci", address, "-cp", str(ports + 1), "-mp", str(ports + 2)]
        command += ["-timeout", f"{LIFETIME}s", "-trace_msg", "-message_file", str(self._messages)]
        command += ["-trace_err", "-error_file", str(self._errors)]
        command += ["-trace_logs", "-log_file", str(self._ended), *options]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output)
        _started.append(self)

    @property
    def messages(self) -> list[SipMessage]:
        """Everything sent and received, in this order, except what the tests say to SIPp themselves."""
        return [message for message in read_messages(self._messages) if message.method != "HANGUP"]

    @property
    def requests(self) -> list[SipMessage]:
        """The requests received."""
        return [message for message in self.messages if not message.sent and not message.status]

    def wait_for(self, what: str | int, timeout: float = 10) -> SipMessage:
        """The first message received that is a request of this method or a response of this status."""

        def find() -> SipMessage | None:
            received = (message for message in self.messages if not message.sent)
            return next((m for m in received if what == (m.status or m.method)), None)

        return self._until(find, f"nothing like {what} was received within {timeout} s", timeout)

    def wait_for_exit(self, timeout: float) -> None:
        """Wait until SIPp has come to the end of its scenario."""
        self._until(lambda: not self._alive, f"SIPp did not end within {timeout} s", timeout)
        # SIPp also fails when nobody answers it, which is a result and no failure of the test.
        nobody_there = all(message.sent for message in self.messages)
        if self.process.returncode and not (self.messages and nobody_there):
            raise SipFailure(f"SIPp met something unexpected\n{self.report()}")

    def hang_up(self) -> None:
        """End the calls in progress: BYE when they are answered; before that CANCEL, or 480 by the called."""
        # SIPp cannot be told to end one call. Its scenarios wait for a request that exists nowhere else.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for invite in self._calls_in_progress():
                control.sendto(hangup_request(invite), (self.address, self.port))

    def stop(self) -> None:
        """Hang up, and end SIPp."""
        self.hang_up()
        deadline = time.monotonic() + 2
        while self._alive and self._calls_in_progress() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.process.kill()
        self.process.wait()
        if self in _started:
            _started.remove(self)

    def report(self) -> str:
        """What was said, and the tails of SIPp's logs: for whoever reads why a test failed."""
        said = [f"{'  -->' if m.sent else '<--  '} {m.start_line}" for m in self.messages][-60:]
        logs = [tail(self._messages, 4000), tail(self._errors, 1500), tail(self._output, 1500)]
        return "\n".join([f"{self._title}:", *said, *logs])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error and self._title not in str(error):
            error.add_note(self.report())
        self.stop()

    @property
    def _alive(self) -> bool:
        return self.process.poll() is None

    def _invites(self) -> list[SipMessage]:
        return [m for m in self.messages if m.method == "INVITE" and not m.status]

    def _ended_calls(self) -> set[str]:
        """The Call-IDs of the calls that came to the end of the scenario."""
        return set(self._ended.read_text().split()) if self._ended.exists() else set()

    def _calls_in_progress(self) -> list[SipMessage]:
        """The latest INVITE of every call that has not ended."""
        latest = {invite.call_id: invite for invite in self._invites()}
        ended = self._ended_calls()
        return [invite for call_id, invite in latest.items() if call_id not in ended]

    def _until(self, find: Callable[[], T | None], otherwise: str, timeout: float) -> T:
        """Wait until `find` finds something."""
        deadline = time.monotonic() + timeout
        while not (found := find()):
            if time.monotonic() > deadline:
                raise SipFailure(f"{otherwise}\n{self.report()}")
            time.sleep(0.02)
        return found


class Answering(Running):
    """A party that waits for calls, registrations and OPTIONS."""

    def __init__(self, scenario: Path, address: str, port: int, options: list[str], expect_calls: int) -> None:
        super().__init__(scenario, address, port, options)
        self._expect_calls = expect_calls
        self._until(lambda: is_bound(address, port), "SIPp does not listen", 30)

    @property
    def invites(self) -> list[SipMessage]:
        """The first INVITE of every call received."""
        first: dict[str, SipMessage] = {}
        for invite in self._invites():
            first.setdefault(invite.call_id, invite)
        return list(first.values())

    @property
    def invite(self) -> SipMessage:
        """The INVITE of the first call."""
        if not self.invites:
            raise SipFailure(f"no call came\n{self.report()}")
        return self.invites[0]

    @property
    def called_number(self) -> str:
        """The number that the first call was for."""
        return self.invite.called_number

    @property
    def caller_number(self) -> str:
        """The number that the first call came from."""
        return self.invite.caller_number

    @property
    def registrations(self) -> list[SipMessage]:
        """The REGISTER requests that were accepted."""
        accepted = {
            (message.call_id, message.headers["CSeq"])
            for message in self.messages
            if message.sent and message.status == 200 and message.method == "REGISTER"
        }
        return [m for m in self.requests if (m.call_id, m.headers["CSeq"]) in accepted]

    def wait_for_registration(self, timeout: float = 15) -> SipMessage:
        """The first REGISTER accepted that is no unregistration."""

        def find() -> SipMessage | None:
            return next((message for message in self.registrations if message.expires > 0), None)

        return self._until(find, f"no registration within {timeout} s", timeout)

    def wait_for_unregistration(self, timeout: float = 15) -> SipMessage:
        """The first REGISTER accepted that asks for no time."""

        def find() -> SipMessage | None:
            return next((message for message in self.registrations if message.expires == 0), None)

        return self._until(find, f"no unregistration within {timeout} s", timeout)

    def wait(self, timeout: float = 10) -> Self:
        """Wait until as many calls as expected have come and ended."""

        def all_ended() -> bool:
            ended = {invite.call_id for invite in self.invites} & self._ended_calls()
            return len(ended) >= self._expect_calls

        self._until(all_ended, f"not {self._expect_calls} calls came and ended within {timeout} s", timeout)
        return self


class Calling(Running):
    """A party in the call that it placed."""

    def hang_up(self) -> None:
        self._until(lambda: self.messages or not self._alive, "SIPp did not start", 30)
        super().hang_up()

    def wait(self, timeout: float = 30) -> CallResult:
        """Wait for the end of the call."""
        self.wait_for_exit(timeout)
        return result_of(self.messages)


@dataclass
class Peer:
    """One SIP party: a gateway, a trunk customer or a phone.

    Asterisk tells peers apart by their IP address, so each has a loopback address of its own. It receives
    calls at `port` and places them from any free port, as it may have to do both at once.
    """

    address: str
    port: int = 5060
    _: KW_ONLY
    asterisk: tuple[str, int] = ("127.0.0.1", 15060)
    workdir: Path

    def answer(
        self,
        *,
        ring: bool = True,
        ring_for: float = 0,
        hang_up_after: float | None = None,
        expect_calls: int = 1,
        auth: Auth | None = None,
        media_port: int | None = None,
    ) -> Answering:
        """Answer every call, after `ring_for` seconds, and wait for its end or hang up.

        With `auth` calls and registrations must bring this user's password. Without, all are welcome. Media is
        wanted at `media_port`, where somebody else may listen (rtp.py).
        """
        return self._listen(
            "answer",
            ring=ring,
            ring_for=ring_for,
            hang_up_after=hang_up_after,
            expect_calls=expect_calls,
            auth=auth,
            media_port=media_port,
        )

    def registrar(self, user: str, password: str) -> Answering:
        """A provider's registrar. It answers calls as well, and wants the same password for them."""
        return self.answer(auth=(user, password))

    def refuse(
        self,
        status: int,
        *,
        ring: bool = False,
        ring_for: float = 0,
        reason: str | None = None,
        expect_calls: int = 1,
    ) -> Answering:
        """Refuse every call with this status, and with `reason` as the Reason header."""
        return self._listen(
            "refuse",
            status=status,
            ring=ring,
            ring_for=ring_for,
            headers={"Reason": reason} if reason else None,
            expect_calls=expect_calls,
        )

    def forward(self, contact: str | None, *, status: int = 302, ring: bool = True, expect_calls: int = 1) -> Answering:
        """Send every call on to the user of this SIP URI; None names nobody."""
        headers = {"Contact": f"<{contact}>"} if contact else {}
        return self._listen(
            "refuse", status=status, ring=ring, ring_for=0.1, headers=headers, expect_calls=expect_calls
        )

    def ring(self, *, expect_calls: int = 1) -> Answering:
        """Ring until the caller gives up."""
        return self._listen("answer", ring_for=FOREVER, expect_calls=expect_calls)

    def _listen(
        self,
        outcome: str,
        *,
        expect_calls: int,
        ring_for: float,
        ring: bool = True,
        hang_up_after: float | None = None,
        status: int = 480,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        media_port: int | None = None,
    ) -> Answering:
        scenario = self._write(
            "answer",
            sdp=SDP.replace("[media_port]", str(media_port or "[media_port]")),
            outcome=outcome,
            alert="ring" if ring else "wait",
            ring_for=milliseconds(ring_for),
            hang_up_after=milliseconds(hang_up_after),
            status=status,
            headers=header_lines(headers or {}),
            verify=VERIFY if auth else "",
            unauthorised_call="challenge" if auth else "alert",
            unauthorised_registration="challenge" if auth else "accept",
        )
        user, password = auth or ("", "")
        keywords = ["-key", "user", user, "-key", "password", password]
        return Answering(scenario, self.address, self.port, keywords, expect_calls)

    def start_call(
        self,
        number: str,
        *,
        caller: str | None = None,
        auth: Auth | None = None,
        hold: float | None = None,
        give_up_after: float = 20,
        headers: Mapping[str, str] | None = None,
    ) -> Calling:
        """Place a call that goes on in the background, for `hold` seconds or until hang_up()."""
        user, password = auth or ("1100", "")
        scenario = self._write(
            "call",
            number=number,
            caller=caller or user,
            challenged="authenticate" if auth else "end",
            hold=milliseconds(hold),
            patience=milliseconds(give_up_after),
            headers=header_lines(headers or {}),
        )
        return Calling(scenario, self.address, None, self._client_options(user, password))

    def call(
        self,
        number: str,
        *,
        caller: str | None = None,
        auth: Auth | None = None,
        hold: float = 0.3,
        give_up_after: float = 20,
        headers: Mapping[str, str] | None = None,
        expect: int | None = 200,
    ) -> CallResult:
        """Place a call, stay in it for `hold` seconds, hang up.

        The caller's number is the user of `auth` unless given. A final status other than `expect` is a
        failure; None accepts any. A call that is not answered within `give_up_after` seconds is cancelled,
        which gives 487.
        """
        with self.start_call(
            number, caller=caller, auth=auth, hold=hold, give_up_after=give_up_after, headers=headers
        ) as calling:
            result = calling.wait(give_up_after + hold + 20)
            if expect not in (None, result.status):
                raise SipFailure(f"the call got {result.status}, not {expect}\n{calling.report()}")
            return result

    def traffic(self, number: str, caller: str, *, rate: int, calls: int, hold: float) -> Running:
        """So many calls, `rate` a second, each of `hold` seconds. [call_number] makes a number that is each call's own.
        Refusals and silence are no failures."""
        scenario = self._write("traffic", number=number, caller=caller, hold=milliseconds(hold))
        host, port = self.asterisk
        return Running(scenario, self.address, None, [f"{host}:{port}", "-m", str(calls), "-r", str(rate)])

    def scan(self, user: str, *, rate: int, scans: int) -> Running:
        """So many guesses of a user's password, `rate` a second, each of two requests; in `user` is [call_number]."""
        options = self._client_options("somebody", "1234")
        options += ["-m", str(scans), "-r", str(rate)]  # The last one counts.
        return Running(self._write("scan", user=user), self.address, None, options)

    def register(self, user: str, password: str, *, expires: int = 300, contact_port: int | None = None) -> int:
        """Register this address, and say with which status that ended."""
        contact = f"<sip:{user}@{self.address}:{contact_port or self.port}>"
        return self._request(
            "REGISTER",
            user=user,
            password=password,
            port=self.port,
            headers={"Contact": contact, "Expires": str(expires)},
        )

    def unregister(self, user: str, password: str, *, contact_port: int | None = None) -> int:
        return self.register(user, password, expires=0, contact_port=contact_port)

    def options(self, user: str = "sipp") -> int:
        """Ask Asterisk whether it is there, and say with which status it answered."""
        return self._request("OPTIONS", user=user)

    def _request(
        self,
        method: str,
        *,
        user: str,
        password: str | None = None,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Send a request outside of a call and return its final status, 408 when there is none."""
        scenario = self._write(
            "request",
            method=method,
            user=user,
            challenged="end" if password is None else "authenticate",
            headers=header_lines(headers or {}),
        )
        options = self._client_options(user, password or "")
        with Running(scenario, self.address, port, options) as running:
            running.wait_for_exit(15)
            response = final_response(method, running.messages)
            return response.status if response else 408

    def _write(self, scenario: str, **words: Any) -> Path:
        """Write this scenario into the working directory, with its words filled in."""
        text = Scenario((SCENARIOS / f"{scenario}.xml").read_text())
        path = self.workdir / f"{next(_numbers):03}-{scenario}-{self.address}.xml"
        path.write_text(text.substitute({"sdp": SDP} | words, provisionals=PROVISIONALS, refusals=REFUSALS))
        return path

    def _client_options(self, user: str, password: str) -> list[str]:
        host, port = self.asterisk
        return [f"{host}:{port}", "-m", "1", "-r", "1000", "-max_retrans", "4", "-au", user, "-ap", password]


def kill_all() -> None:
    """Stop every SIPp that was started and not stopped."""
    for running in _started.copy():
        running.stop()


def milliseconds(seconds: float | None) -> int:
    """A time for SIPp, to which 0 means no limit. None is longer than any test."""
    return max(1, round((FOREVER if seconds is None else seconds) * 1000))


def header_lines(headers: Mapping[str, str]) -> str:
    """The headers, each on a line of its own that begins where the header before ends."""
    return "".join(f"\n{name}: {value}" for name, value in headers.items())


def hangup_request(invite: SipMessage) -> bytes:
    """What makes our scenarios end the call of this INVITE, which they may answer with these headers."""
    names = ("Via", "From", "To", "Call-ID")
    lines = [f"{name}: {invite.headers[name]}" for name in names]
    cseq = invite.headers["CSeq"].split()[0]
    lines = ["HANGUP sip:sipp SIP/2.0", *lines, f"CSeq: {cseq} HANGUP", "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


def is_bound(address: str, port: int) -> bool:
    """Whether a program has this UDP port of this address."""
    local = f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
    return f" {local} " in Path("/proc/net/udp").read_text()


def five_free_ports(address: str) -> int:
    """The first of five UDP ports of this address that nobody has and that no SIPp of ours was given lately."""
    return next(first for first in _ports if all(is_free(address, first + n) for n in range(5)))


def is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, port))
        except OSError:
            return False
        return True


def tail(log: Path, characters: int) -> str:
    """The end of a log, "" when there is none."""
    return log.read_text(errors="replace")[-characters:] if log.exists() else ""
