"""SIP spellings shared by the projections."""

from __future__ import annotations

import hashlib
import ipaddress
from functools import cache
from itertools import count

# The places of the cache of identifies: its maximum_objects in sorcery.conf. They are told apart in so many groups.
PLACES, GROUPS = 20_011, 256

REALM = "asterisk"  # As which Asterisk asks for secrets: default_realm in pjsip.conf.


def uri(host: str, port: int, user: str = "", transport: str = "udp") -> str:
    """A SIP URI. UDP on port 5060 is what a URI means by itself, but saying it does no harm."""
    address = f"[{host}]" if _is_ipv6(host) else host
    suffix = "" if transport == "udp" else f";transport={transport}"
    return f"sip:{user + '@' if user else ''}{address}:{port}{suffix}"


def allow(codecs: list[str]) -> str:
    """Only these codecs, in this order. (Asterisk ignores a `disallow` column.)"""
    return ",".join(["!all", *codecs])


def media_encryption(srtp: bool) -> str | None:
    """SRTP with its keys in the SDP (RFC 4568), which nobody but the peers reads where SIP goes over TLS."""
    return "sdes" if srtp else None


def digest(user: str, secret: str) -> str:
    """What a phone's answers are held against instead of its secret (HA1, RFC 2617)."""
    return hashlib.md5(f"{user}:{REALM}:{secret}".encode()).hexdigest()  # noqa: S324 - it is what phones speak


@cache
def identify_id(name: str) -> str:
    """An id for the identify of an endpoint, by which Asterisk comes to it quickly.

    For each call that comes in, Asterisk takes all identifies out of its cache, place by place, and puts each into a
    list sorted by id, looking from the front for where it belongs. So the later its place, the less should its id be:
    it then belongs to the front. With 1 200 trunks that saves a seventh of what a call takes (docs/benchmarks.md).
    """
    return next(
        id
        for number in count()
        for group in range(GROUPS)
        if _place(id := f"{group:02x}{number or ''}-{name}") * GROUPS // PLACES == GROUPS - 1 - group
    )


def _place(id: str) -> int:
    """Where in the cache an object is: ast_str_hash() of Asterisk. Were it elsewhere, calls would just take longer."""
    place = 5381
    for byte in id.encode():
        place = (place * 33 ^ byte) & 0xFFFFFFFF
    return (place & 0x7FFFFFFF) % PLACES


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
