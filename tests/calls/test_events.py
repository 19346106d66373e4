"""What Asterisk writes down for those who are logged in over AMI, as the agent is: nothing that nobody reads."""

from __future__ import annotations

import re
import socket

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import Carrier
from tests.calls.exchange import AMI_SECRET


def test_a_call_makes_no_events(carrier: Carrier, asterisk: Asterisk) -> None:
    """Each would be made into text for the agent, too, which wants none: a fifth of what a call costs."""
    carrier.did("551140001900", "acme")
    with socket.create_connection(("127.0.0.1", int(asterisk.values["AMI_PORT"])), timeout=10) as link:
        link.sendall(f"Action: Login\r\nUsername: agent\r\nSecret: {AMI_SECRET}\r\nEvents: on\r\n\r\n".encode())
        with carrier.acme.answer():
            carrier.first.call("551140001900")
        link.sendall(b"Action: Ping\r\n\r\n")
        said = ""
        while "Pong" not in said:
            said += link.recv(65536).decode(errors="replace")

    assert "Authentication accepted" in said
    assert re.findall(r"^Event: (\w+)\r\nPrivilege: call", said, re.MULTILINE) == []
