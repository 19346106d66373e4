"""Sending an alert to a webhook. Who may settle its address must not reach by us what only we can reach.

So the name is resolved once, each address it has must be one of the Internet, and the connection goes to the very
address that was looked at. Redirects are not followed, and of the answer nothing but the status is read.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

SECONDS = 10.0  # For each step; ...
LONGEST_SECONDS = 30.0  # ... and for all of it.

# Addresses that hold others: whatever translates them may lead back to us.
_HOLDING = [ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]


class NotSent(Exception):
    """Why it was not taken, in a sentence without secrets."""


def send(url: str, secret: str, body: Mapping[str, Any], allow_private: bool) -> None:
    """POST it as JSON with its signature. NotSent if it is not taken."""
    try:
        parts = urlsplit(url)
        host, given = parts.hostname or "", parts.port
    except ValueError as error:  # Such as a port that there cannot be.
        raise NotSent(str(error)) from None
    is_safe = parts.scheme == "https"
    if not is_safe and not allow_private:
        raise NotSent("only https is allowed (WEBHOOK_ALLOW_PRIVATE)")
    port = given or (443 if is_safe else 80)
    content = json.dumps(body, ensure_ascii=False).encode()
    address = _address(host, port, allow_private)
    connection = _Connection(host, port, address, ssl.create_default_context() if is_safe else None)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    stop = threading.Timer(LONGEST_SECONDS, connection.cut)
    stop.daemon = True
    stop.start()
    try:
        connection.request("POST", target, content, _headers(secret, content))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(f"{host}: {error or type(error).__name__}") from None
    finally:
        stop.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise NotSent(f"{host} answered {status}")


def signature(secret: str, timestamp: str, content: bytes) -> str:
    """What proves that we sent it, and when."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()


def is_public(address: str) -> bool:
    """Whether it is an address of the Internet: not ours, not our network's, not one that is made into such a one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in _HOLDING):
            return False
    return ip.is_global and not ip.is_multicast


def _address(host: str, port: int, allow_private: bool) -> str:
    """The address to connect to. NotSent if the name has none, or one that is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"{host}: {error}") from None
    addresses = [str(each[4][0]) for each in found]
    if not allow_private and not all(map(is_public, addresses)):
        raise NotSent(f"{host} is not an address on the Internet (WEBHOOK_ALLOW_PRIVATE)")
    return addresses[0]


def _headers(secret: str, content: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "asterisk-admin",
        "X-Asterisk-Admin-Timestamp": timestamp,
        "X-Asterisk-Admin-Signature": f"sha256={signature(secret, timestamp, content)}",
    }


class _Connection(http.client.HTTPConnection):
    """To an address that was looked at, for a host by its name. Without `context` it is not encrypted."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self.default_port = 443 if context else 80  # So that the Host header bears no port that is the usual one.
        self._address = address
        self._context = context

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), SECONDS)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host) if self._context else plain

    def cut(self) -> None:
        """Let whoever waits for the other side wait no longer."""
        with suppress(OSError):  # It may have ended by itself.
            if self.sock:
                self.sock.shutdown(socket.SHUT_RDWR)
