"""A phone for the proof of the installation: phone.py SERVER USER PASSWORD [answer].

It registers and prints the status lines of the answers. With `answer` it stays, prints "talking" when a call has come
in and was answered, and hangs up when its standard input ends.
"""

import hashlib
import os
import re
import secrets
import select
import socket
import sys


class Phone:
    def __init__(self, server: str, user: str, password: str) -> None:
        self.server, self.user, self.password = server, user, password
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((server, 5060))
        self.socket.settimeout(20)
        self.host, self.port = self.socket.getsockname()
        self.call_id = os.environ.get("CALL_ID", secrets.token_hex(8))
        self.tag = secrets.token_hex(4)
        self.invite = ""

    def register(self, number: int, authorization: str = "") -> str:
        name = self.user.replace('"', "%22")
        lines = [
            f"REGISTER sip:{self.server} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            "Max-Forwards: 70",
            f"From: <sip:{name}@{self.server}>;tag={self.tag}",
            f"To: <sip:{name}@{self.server}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} REGISTER",
            f"Contact: <sip:{name}@{self.host}:{self.port}>",
            "Expires: 600",
            *([authorization] if authorization else []),
            "Content-Length: 0",
        ]
        self.socket.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = self.socket.recv(8192).decode()
        print(answer.splitlines()[0], flush=True)
        return answer

    def sign_in(self) -> None:
        said = dict(re.findall(r'(realm|nonce|opaque)="([^"]*)"', self.register(1)))
        uri = f"sip:{self.server}"
        secret = digest(f"{self.user}:{said['realm']}:{self.password}")
        response = digest(f"{secret}:{said['nonce']}:00000001:abc:auth:{digest(f'REGISTER:{uri}')}")
        fields = {"username": self.user, **said, "uri": uri, "response": response, "cnonce": "abc"}
        quoted = ", ".join('{}="{}"'.format(name, value.replace('"', '\\"')) for name, value in fields.items())
        self.register(2, f"Authorization: Digest {quoted}, qop=auth, nc=00000001, algorithm=MD5")

    def take_call(self) -> None:
        talking = False
        while True:
            ready, _, _ = select.select([self.socket, sys.stdin], [], [])
            if sys.stdin in ready:
                return self.hang_up()
            request = self.socket.recv(8192).decode()
            if request.startswith("INVITE "):
                self.invite = request
                self.answer(request, self.sdp())
            elif request.startswith("ACK ") and not talking:
                # Only now Asterisk knows of the call what is needed to end it.
                talking = True
                print("talking", flush=True)
            elif request.startswith(("OPTIONS ", "BYE ")):
                self.answer(request, "")

    def answer(self, request: str, body: str) -> None:
        kept = [line for line in request.splitlines() if re.match("(Via|From|To|Call-ID|CSeq):", line)]
        kept = [f"{line};tag={self.tag}" if line.startswith("To:") and "tag=" not in line else line for line in kept]
        kept += [f"Contact: <sip:{self.user}@{self.host}:{self.port}>", f"Content-Length: {len(body)}"]
        kept += ["Content-Type: application/sdp"] if body else []
        self.socket.send(("SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + "\r\n\r\n" + body).encode())

    def sdp(self) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )

    def hang_up(self) -> None:
        header = {line.split(":")[0]: line.split(":", 1)[1].strip() for line in self.invite.splitlines() if ":" in line}
        contact = re.search("<(.*?)>", header["Contact"])
        assert contact
        lines = [
            f"BYE {contact[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            "Max-Forwards: 70",
            f"From: {header['To']};tag={self.tag}",
            f"To: {header['From']}",
            f"Call-ID: {header['Call-ID']}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
        ]
        self.socket.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        while not (answer := self.socket.recv(8192).decode()).startswith("SIP/2.0 "):
            pass  # Asterisk asks whether we are there.
        print(answer.splitlines()[0], flush=True)


def digest(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - what SIP asks for


if __name__ == "__main__":
    phone = Phone(*sys.argv[1:4])
    phone.sign_in()
    if sys.argv[4:]:
        phone.take_call()
