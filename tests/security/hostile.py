"""What an attacker types, and the whitelists of what may stand in Asterisk's tables after it."""

from __future__ import annotations

import re

# Each has a mark of its own, or is known by itself, wherever it comes out again.
HOSTILE = (
    "'; DROP TABLE public.users; --",
    "' OR '1'='1",
    "\\'; SELECT pg_sleep(9); --",
    "%' ESCAPE '!",
    "$$; DROP TABLE customers; $$",
    "a;context=from-internal",
    "a^3Bcontext=from-internal",
    "^22 <5511>",
    'a" <5511999999999>',
    "${SHELL(touch /tmp/owned)}",
    "$[1+1]",
    "${DB(x)},s,1)&System(id)",
    "a)&Local/5511@from-internal",
    "a,b|c&d",
    "PJSIP/5511@gateway-x",
    "a\r\nAction: Originate\r\nApplication: System\r\nData: id\r\n\r\n",
    "a\nApplication: System\nData: id",
    "a\rb",
    "a\x00b",
    "a\x1b[2J\x1b[31mred",
    '"}\n{"event": "signed in", "user": "admin"}',
    "=HYPERLINK(1)",
    "+cmd|' /C calc'!A0",
    "-1+1|x",
    "@SUM(1)",
    "\t=1",
    "\x85next line",
    "a\u2028b",
    "<script>alert('owned')</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{1337*31337}}",
    "{% include 'base.html' %}{{config}}",
    "%(user)s %s {0} {user.password_hash}",
    "../../../../etc/passwd",
    "\u202egnp.exe",
    "раураl",  # Cyrillic letters that look like others.
    "a\u0301" * 300,
    "x" * 5000,
    "9" * 5000,
    "[" * 80,
    "(a+)+$",
    "1e400",
    "١٢٣",
    "::ffff:10.0.0.1",
    "sip:x@elsewhere.example;lr",
)

# How each column of Asterisk's may look, however hostile what was typed. ps_* values are decoded by Asterisk: what is
# special there is written ^5E and ^3B.
_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_TEXT = r"(?:[^\x00-\x1f\x7f\"<>\\;^]|\^5E|\^3B)*"
_HOST = r"(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\])"
_URI = rf"sip:(?:(?:[A-Za-z0-9_.+*#~!$&-]|\^5E)*@)?{_HOST}:[0-9]{{1,5}}(?:\^3Btransport=(?:tcp|tls))?(?:\^3Blr)?"
_NETWORK = r"[0-9a-f.:]+(?:/[0-9]{1,3})?"
_SWITCH = "yes|no"
_NUMBER = r"[0-9]{1,6}"
COLUMNS: dict[str, dict[str, str]] = {
    "ps_endpoints": {
        "id": _ID,
        "context": "from-trunk|from-internal",
        "aors": _ID,
        "allow": r"!all(?:,[a-z0-9]+)+",
        "accountcode": _ID,
        "set_var": r"[A-Z_]+=[0-9a-f-]*(?:;[A-Z_]+=[0-9a-f-]*)*",
        "auth": _ID,
        "outbound_auth": _ID,
        "transport": "transport-(?:udp|tcp|tls)",
        "outbound_proxy": _URI,
        "from_user": "",
        "from_domain": _HOST,
        "callerid": rf'"{_TEXT}" <[0-9]{{2,6}}>',
        "identify_by": "ip|username",
        "media_encryption": "sdes",
        "deny": "0[.]0[.]0[.]0/0;::/0",
        "permit": rf"{_NETWORK}(?:;{_NETWORK})*",
        **dict.fromkeys(("direct_media", "rtp_symmetric", "force_rport"), _SWITCH),
        **dict.fromkeys(("rewrite_contact", "allow_transfer", "allow_subscribe"), _SWITCH),
    },
    "ps_aors": {
        "id": _ID,
        "contact": rf"{_URI}(?:,{_URI})*",
        "remove_existing": _SWITCH,
        **dict.fromkeys(("max_contacts", "minimum_expiration", "maximum_expiration", "qualify_frequency"), _NUMBER),
    },
    "ps_auths": {
        "id": _ID,
        "auth_type": "userpass|md5",
        "md5_cred": "[0-9a-f]{32}",
        "username": r"(?:[A-Za-z0-9_.+*#~!$&-])+",
        "password": r"(?:[!-:<-\]_-~]|\^5E|\^3B)+",
    },
    "ps_endpoint_id_ips": {"id": _ID, "endpoint": _ID, "match": rf"{_NETWORK}(?:;{_NETWORK})*"},
    "ps_registrations": {
        **dict.fromkeys(("id", "endpoint", "outbound_auth"), _ID),
        **dict.fromkeys(("client_uri", "server_uri", "outbound_proxy"), _URI),
        "contact_user": r"[A-Za-z0-9_.+*#~!$&-]+",
        "transport": "transport-(?:udp|tcp|tls)",
        **dict.fromkeys(("line", "auth_rejection_permanent"), _SWITCH),
        **dict.fromkeys(
            ("expiration", "retry_interval", "forbidden_retry_interval", "max_random_initial_delay"), _NUMBER
        ),
        "node": r"[A-Za-z0-9-]*",
    },
    "extensions": {
        "context": "from-trunk|phones",
        "exten": r"[1-9][0-9]{7,14}|[a-z0-9][a-z0-9.-]*-[0-9]{2,6}",
        "priority": "1",
        "app": "Gosub",
        "appdata": r"(?:to-phone|to-trunk|refuse-suspended),s,1\([A-Za-z0-9_.-]*(?:,[A-Za-z0-9_.-]*){0,5}\)",
    },
}


def fits(table: str, column: str, value: object) -> bool:
    """Whether a value may stand there."""
    return value is None or re.fullmatch(COLUMNS[table][column], str(value)) is not None
