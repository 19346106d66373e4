"""SIP spellings shared by the projections."""

from __future__ import annotations

import hashlib
import ipaddress

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


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
