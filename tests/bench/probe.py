"""One party that says one thing at a time, to see what Asterisk makes of it now. SIPp would take longer to start."""

from __future__ import annotations

import hashlib
import itertools
import re
import socket
import time
from types import TracebackType
from typing import Self

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 9 RTP/AVP 8 0\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
)
PROBES = "5521999990001"  # Who calls.

_numbers = itertools.count(1)


class Probe:
    """Calls and registers from an address of the loopback interface."""

    def __init__(self, address: str, asterisk: tuple[str, int]) -> None:
        self.address = address
        self.asterisk = asterisk
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self, number: str, patience: float = 3) -> int:
        """The status that a call to a number ends with, 0 for none in time. One that is answered is hung up at once."""
        name = f"{self.port}-{next(_numbers)}"
        invite = self._request("INVITE", f"sip:{number}@127.0.0.1", name, 1, body=SDP.format(self.address))
        self._send(invite)
        status, answer = self._final(name, "INVITE", patience)
        if not status:
            self._send(self._request("CANCEL", f"sip:{number}@127.0.0.1", name, 1))
            return 0
        tag = re.search(r"^To:.*?(;tag=[^\s;]+)", answer, re.M | re.I)
        to = tag[1] if tag else ""
        self._send(self._request("ACK", f"sip:{number}@127.0.0.1", name, 1, to=to))
        if status == 200:
            contact = re.search(r"^Contact:\s*<([^>]+)>", answer, re.M | re.I)
            self._send(self._request("BYE", contact[1] if contact else f"sip:{number}@127.0.0.1", name, 2, to=to))
        return status

    def register(self, user: str, secret: str, patience: float = 3) -> int:
        """The status of a registration with this secret; it is challenged first."""
        name = f"{self.port}-{next(_numbers)}"
        uri = "sip:127.0.0.1"
        self._send(self._request("REGISTER", uri, name, 1, user=user))
        status, answer = self._final(name, "REGISTER", patience)
        found = re.search(r'realm="([^"]*)".*', answer), re.search(r'nonce="([^"]*)"', answer)
        if status != 401 or not all(found):
            return status
        realm, nonce = (match[1] for match in found if match)
        opaque = re.search(r'opaque="([^"]*)"', answer)
        secrets = _md5(f"{user}:{realm}:{secret}"), _md5(f"REGISTER:{uri}")
        response = _md5(f"{secrets[0]}:{nonce}:00000001:0a4f113b:auth:{secrets[1]}")
        credentials = (
            f'Authorization: Digest username="{user}",realm="{realm}",nonce="{nonce}",uri="{uri}",'
            f'response="{response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="0a4f113b"'
            + (f',opaque="{opaque[1]}"' if opaque else "")
        )
        self._send(self._request("REGISTER", uri, name, 2, user=user, more=credentials))
        return self._final(name, "REGISTER", patience, 2)[0]

    def _send(self, text: str) -> None:
        self._socket.sendto(text.encode(), self.asterisk)

    def _final(self, name: str, method: str, patience: float, sequence: int = 1) -> tuple[int, str]:
        """The final response to a request of ours; nothing else is listened to."""
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                text = self._socket.recv(65535).decode(errors="replace")
            except TimeoutError:
                break
            if f"Call-ID: {name}\r\n" in text and f"CSeq: {sequence} {method}" in text:
                status = int(text.split(" ", 2)[1]) if text.startswith("SIP/2.0") else 0
                if status >= 200:
                    return status, text
        return 0, ""

    def _request(
        self, method: str, uri: str, name: str, sequence: int, user: str = PROBES, to: str = "", body: str = "",
        more: str = "",
    ) -> str:  # fmt: skip
        here = f"{self.address}:{self.port}"
        # CANCEL, and ACK to a refusal, belong to the transaction of the INVITE.
        branch = f"z9hG4bK-{name}-{'INVITE' if method == 'CANCEL' or (method == 'ACK') else method}-{sequence}"
        target = uri if method != "REGISTER" else f"sip:{user}@127.0.0.1"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch={branch};rport",
            f"From: <sip:{user}@{self.address}>;tag={name}",
            f"To: <{target}>{to}",
            f"Call-ID: {name}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{user}@{here}>",
            "Max-Forwards: 70",
            *([more] if more else []),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - SIP's digest
