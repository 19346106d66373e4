"""Values that nobody may enter, with the words of their refusal: the same on a page, in the API and in an import.

Each value stands as it is typed. Of the rest of a thing, `GOOD` has enough to be accepted; {braces} name things that
have to be there. Not here, because pages and programs differ by nature: decimal marks, which a page takes in the
reader's language (tests/web/test_typed.py), and switches, which a browser sends or leaves out. What else is refused by
one and not by another stands below, each with its reason: NOT_ON_PAGES, NOT_IN_FILES, ONLY_IN_FILES.
"""

from __future__ import annotations

NOBODY = "00000000-0000-0000-0000-000000000000"
REQUIRED = "This field is required."
OPTION = "Choose one of the options."
WHOLE = "Use a whole number."
NUMBER = "Use a number."
CONTROL = "Line breaks and control characters are not allowed."
E164 = "Write the whole number with country and area code, 8 to 15 digits, such as 551140001234."
CODEC = "“{}” is not a codec we know. Known: alaw, ulaw, g729, g722, gsm, ilbc, opus."
CODE = "Use letters without accents, digits, dot and hyphen; 20 at the most."
RESERVED = "A code cannot begin with “trunk-” or “gateway-”."
SIP_NAME = "Use letters without accents, digits, dot, hyphen and underscore; 40 at the most."
ADDRESS = "This is not an IP address."
NETWORK = "“{}” is not an IP address or network (CIDR)."
SINGLE = "Give at least one single address: that is where the customer's calls go."
DIGITS = "Use digits only, 15 at the most."
DIAL_STRING = "Use digits, * and # only, 15 at the most."
HOST = "This is not a host name."
USER = "Use letters without accents, digits and . _ + * # - only."
PASSWORD = "Use letters without accents, digits and signs, without blanks."
SECRET = "Use 8 to 80 letters without accents, digits and signs, without blanks."
CALLER_NAME = 'The characters " < > and \\ are not allowed here.'
EXTENSION = "Use 2 to 6 digits."
PREFIX = "Use 1 to 15 digits, country code first, such as 5511."
MOMENT = "Use a date, with a time if you like: 2026-12-31, 31/12/2026 or 31/12/2026 14:30."
MAIL = "Write e-mail addresses such as noc@example.com."
URL = "Write an address such as https://example.com/alerts, without user and password."
CURRENCY = "Write the three letters of a currency, such as BRL."
ZONE = "Choose a time zone such as America/Sao_Paulo."
EMERGENCY = "Use 2 to 8 digits for each."
ADDED = "Use digits, {country} and {area} only."
USERNAME = "Use letters without accents, digits, dot, hyphen, underscore and @; 60 at the most."
GUESSED = "Everybody guesses this password first; choose another one."
OWN_NAME = "The password must not be the user name."
PATTERN = "Use digits, X (0-9), Z (1-9), N (2-9), sets such as [2-5], and at the end . or ! for “the rest”."

GOOD: dict[str, dict[str, str]] = {
    "customers": {"code": "padaria", "name": "Padaria", "type": "trunk", "trunk_ip": "10.9.0.1"},
    "extensions": {"customer_id": "{office}", "extension": "200", "secret": "hush-hush-hush"},
    "dids": {"number": "551140009000", "provider_id": "{provider}"},
    "allocations": {"customer_id": "{office}", "destination": "100"},
    "providers": {"name": "Norte"},
    "gateways": {"name": "GW9", "provider_id": "{provider}", "ip_address": "10.9.0.2"},
    "routes": {"name": "Brazil", "pattern": "55.", "gateway_id": "{gateway}", "enabled": "y"},
    "price-plans": {"name": "Wholesale"},
    "tariffs": {"price_plan_id": "{plan}", "prefix": "5511", "price_per_minute": "0.10"},
    "provider-tariffs": {"provider_id": "{provider}", "prefix": "5511", "cost_per_minute": "0.05"},
    "number-rules": {"pattern": "0.", "strip": "1", "prepend": "{{country}}"},
    "destination-lists": {"name": "Cheap", "prefixes": "55"},
    "fraud-rules": {"name": "Dear calls", "kind": "spending", "max_amount": "50"},
    "alerts": {"emails": "noc@example.com", "webhook_url": "https://example.com/"},
    "settings": {"company_name": "Acme", "currency": "BRL", "time_zone": "America/Sao_Paulo"},
    "users": {"username": "rui.andrade", "role": "viewer", "password": "a word of his own"},
    "tokens": {"name": "billing", "role": "viewer", "expires_in_days": "30"},
}


def _money(field: str) -> list[tuple[str, str, str]]:
    return [
        (field, "cheap", NUMBER),
        (field, "-0.01", "Use 0 or more."),
        (field, "0.123456789", "Use 8 decimal places at the most."),
        (field, "123456789", "The number is too large."),
        (field, "1e9", "The number is too large."),
        (field, "NaN", NUMBER),
        (field, "Infinity", NUMBER),
        (field, "$ 1", NUMBER),
        (field, "1.2.3", NUMBER),
        (field, "1.234,56", NUMBER),
    ]


def _name(taken: str, message: str) -> list[tuple[str, str, str]]:
    return [
        ("name", "", REQUIRED),
        ("name", "   ", REQUIRED),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "two\nlines", CONTROL),
        ("name", "nothing\x00here", CONTROL),
        ("name", "a\x7fb", CONTROL),
        ("name", "a\tb", CONTROL),
        ("name", "a\x85b", CONTROL),
        ("name", "gnp\u202eexe", CONTROL),
        ("name", taken, message),
    ]


# The lines of price plans and those of providers.
_LINE = [
    ("prefix", "", REQUIRED),
    ("prefix", "+", PREFIX),
    ("prefix", "55a", PREFIX),
    ("prefix", "5511-19", PREFIX),
    ("prefix", "5" * 16, PREFIX),
    ("prefix", "55.", PREFIX),
    ("prefix", "*55", PREFIX),
    ("prefix", "٥٥", PREFIX),
    ("prefix", "5\x005", PREFIX),
    ("description", "x" * 121, "Use 120 characters at the most."),
    ("description", "two\nlines", CONTROL),
    ("minimum_seconds", "-1", "Use 0 or more."),
    ("minimum_seconds", "3601", "Use 3600 or less."),
    ("minimum_seconds", "1.5", WHOLE),
    ("minimum_seconds", "1.000", WHOLE),
    ("minimum_seconds", "1_0", WHOLE),
    ("minimum_seconds", "٣٠", WHOLE),
    ("minimum_seconds", "half a minute", WHOLE),
    ("minimum_seconds", "9" * 5000, "The number is too large."),
    ("increment_seconds", "0", "Use 1 or more."),
    ("increment_seconds", "3601", "Use 3600 or less."),
    *_money("cost_per_minute"),
    *_money("connect_fee"),
]

BAD_VALUES: dict[str, list[tuple[str, str, str]]] = {
    "customers": [
        ("trunk_transport", "sctp", OPTION),
        ("code", "", REQUIRED),
        ("code", "pão", CODE),
        ("code", "a b", CODE),
        ("code", "-a", CODE),
        ("code", "x" * 21, CODE),
        ("code", "a\x00b", CODE),
        ("code", "trunk-a", RESERVED),
        ("name", "", REQUIRED),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "two\nlines", CONTROL),
        ("name", "nothing\x00here", CONTROL),
        ("type", "", REQUIRED),
        ("type", "friend", OPTION),
        ("price_plan_id", "cheap", OPTION),
        ("price_plan_id", NOBODY, "This price plan no longer exists."),
        ("caller_id", "4000-123", E164),
        ("caller_id", "011 4000 1234", E164),
        ("caller_id", "<script>", E164),
        ("trunk_ip", "", SINGLE),
        ("trunk_ip", "10.9.0.0/24", SINGLE),
        ("trunk_ip", "10.9.0.256", NETWORK.format("10.9.0.256")),
        ("trunk_ip", "10.9.0.1/24", NETWORK.format("10.9.0.1/24")),
        ("trunk_ip", "sip.example.com", NETWORK.format("sip.example.com")),
        ("trunk_ip", "0.0.0.0/0", "The network 0.0.0.0/0 is too wide."),
        ("trunk_ip", "\n".join(f"10.9.1.{n}" for n in range(51)), "Give 50 at the most."),
        ("trunk_ip", "10.0.0.1", "10.0.0.1 already belongs to the gateway GW1."),
        ("trunk_port", "0", "Use 1 or more."),
        ("trunk_port", "65536", "Use 65535 or less."),
        ("trunk_port", "sip", WHOLE),
        ("trunk_port", "5060.0", WHOLE),
        ("trunk_port", "9" * 5000, "The number is too large."),
        ("qualify_frequency", "-1", "Use 0 or more."),
        ("qualify_frequency", "3601", "Use 3600 or less."),
        ("max_channels", "-1", "Use 0 or more."),
        ("max_channels", "10001", "Use 10000 or less."),
        ("max_channels", "many", WHOLE),
        ("calls_per_second", "-1", "Use 0 or more."),
        ("calls_per_second", "1001", "Use 1000 or less."),
        ("calls_per_second", "0.5", WHOLE),
        ("max_price_per_minute", "-0.01", "Use 0 or more."),
        ("max_price_per_minute", "dear", NUMBER),
        ("max_price_per_minute", "NaN", NUMBER),
        ("daily_limit", "-1", "Use 0 or more."),
        ("daily_limit", "0.123456789", "Use 8 decimal places at the most."),
        ("allowed_caller_ids", "551140001234\n190", E164),
        ("allowed_caller_ids", "<script>", E164),
        ("allowed_caller_ids", "\n".join(f"55114000{n:04}" for n in range(501)), "Give 500 at the most."),
        ("blocked_list_id", "dear", OPTION),
        ("blocked_list_id", NOBODY, "This destination list no longer exists."),
        ("allowed_list_id", NOBODY, "This destination list no longer exists."),
        ("phone_networks", "10.9.0.1/24", NETWORK.format("10.9.0.1/24")),
        ("phone_networks", "sip.example.com", NETWORK.format("sip.example.com")),
        ("phone_networks", "0.0.0.0/0", "The network 0.0.0.0/0 is too wide."),
        ("phone_networks", "!10.9.0.1", NETWORK.format("!10.9.0.1")),
        ("phone_networks", "\n".join(f"10.9.1.{n}" for n in range(51)), "Give 50 at the most."),
        ("codecs", "alaw, mp3", CODEC.format("mp3")),
    ],
    "extensions": [
        ("customer_id", "", REQUIRED),
        ("customer_id", "acme", OPTION),
        ("customer_id", NOBODY, "Choose a customer of type “extensions”."),
        ("customer_id", "{trunk}", "Choose a customer of type “extensions”."),
        ("extension", "", REQUIRED),
        ("extension", "1", EXTENSION),
        ("extension", "1234567", EXTENSION),
        ("extension", "20a", EXTENSION),
        ("extension", "2 0", EXTENSION),
        ("extension", "١٠٠", EXTENSION),
        ("extension", "100", "The customer already has this extension."),
        ("name", "x" * 41, "Use 40 characters at the most."),
        ("name", 'João "Jo"', CALLER_NAME),
        ("name", "<b>Jo", CALLER_NAME),
        ("name", "two\nlines", CALLER_NAME),
        ("secret", "short", SECRET),
        ("secret", "with blanks in it", SECRET),
        ("secret", "não-é-assim", SECRET),
        ("secret", "x" * 81, SECRET),
    ],
    "dids": [
        ("number", "", REQUIRED),
        ("number", "4000-123", E164),
        ("number", "0551140001234", E164),
        ("number", "5511400012345678", E164),
        ("number", "55 11 CALL-ME", E164),
        ("number", "551140001000", "One of these numbers is already there."),
        ("count", "0", "Use 1 or more."),
        ("count", "10001", "Use 10000 or less."),
        ("count", "ten", WHOLE),
        ("count", "1.0", WHOLE),
        ("status", "allocated", OPTION),
        ("provider_id", "", REQUIRED),
        ("provider_id", "Norte", OPTION),
        ("provider_id", NOBODY, "This provider no longer exists."),
        ("gateway_id", "GW1", OPTION),
        ("gateway_id", NOBODY, "This gateway no longer exists."),
        ("description", "x" * 121, "Use 120 characters at the most."),
        ("description", "a\tb", CONTROL),
    ],
    "allocations": [
        ("customer_id", "", REQUIRED),
        ("customer_id", "acme", OPTION),
        ("customer_id", NOBODY, "This customer no longer exists."),
        ("customer_id", "Customer acme", OPTION),
        ("destination", "", "Say which extension of the customer rings."),
        ("destination", "999", "The customer has no such extension."),
        ("destination", "1", EXTENSION),
        ("destination", "1000000", EXTENSION),
        ("destination", "10a", EXTENSION),
        ("destination", "acme-100", EXTENSION),
        ("destination", "100 200", EXTENSION),
        ("destination", "\x00", EXTENSION),
    ],
    "providers": [
        ("name", "", REQUIRED),
        ("name", "   ", REQUIRED),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "two\nlines", CONTROL),
        ("name", "nothing\x00here", CONTROL),
        ("name", "Sul", "Another provider has this name."),
        ("type", "friendship", OPTION),
        *_money("cost_per_minute"),
    ],
    "gateways": [
        ("name", "", REQUIRED),
        ("name", "GW 9", SIP_NAME),
        ("name", "São", SIP_NAME),
        ("name", "x" * 41, SIP_NAME),
        ("name", "GW1", "Another gateway has this name."),
        ("provider_id", "", REQUIRED),
        ("provider_id", "Norte", OPTION),
        ("provider_id", NOBODY, "This provider no longer exists."),
        ("ip_address", "", REQUIRED),
        ("ip_address", "10.9.0.300", ADDRESS),
        ("ip_address", "sip.example.com", ADDRESS),
        ("max_channels", "-1", "Use 0 or more."),
        ("max_channels", "10001", "Use 10000 or less."),
        ("caller_id_format", "e.164", OPTION),
        ("ip_address", "fe80::1%eth0", ADDRESS),
        ("ip_address", "10.9.0.0/24", ADDRESS),
        ("ip_address", "10.1.0.1", "10.1.0.1 already belongs to the customer Customer padaria-velha (padaria-velha)."),
        ("port", "0", "Use 1 or more."),
        ("port", "70000", "Use 65535 or less."),
        ("port", "5060a", WHOLE),
        ("transport", "sctp", OPTION),
        ("srtp", "true", "Encrypted media needs TLS: over another transport its keys could be read on the way."),
        ("source_ips", "10.9.0.0/7", NETWORK.format("10.9.0.0/7")),
        ("source_ips", "::/0", "The network ::/0 is too wide."),
        ("domain", "not a host", HOST),
        ("domain", "x" * 254, "Use 253 characters at the most."),
        ("username", "user name", USER),
        ("password", "with blank", PASSWORD),
        ("codecs", "opus mp3", CODEC.format("mp3")),
        ("tech_prefix", "12a", DIAL_STRING),
        ("inbound_strip", "16", "Use 15 or less."),
        ("inbound_prepend", "+55", DIGITS),
        ("qualify_frequency", "1.5", WHOLE),
    ],
    "routes": [
        ("name", "", REQUIRED),
        ("name", "x" * 81, "Use 80 characters at the most."),
        ("name", "two\nlines", CONTROL),
        ("pattern", "", REQUIRED),
        ("pattern", "abc", PATTERN),
        ("pattern", "55.1", PATTERN),
        ("pattern", "[]", PATTERN),
        ("pattern", "55$1", PATTERN),
        ("pattern", "[5-2].", "A set such as [2-5] goes from the smaller to the larger digit."),
        ("pattern", "5" * 81, "Use 80 characters at the most."),
        ("gateway_id", "", REQUIRED),
        ("gateway_id", "GW1", OPTION),
        ("gateway_id", NOBODY, "This gateway no longer exists."),
        ("gateway_id", "{disabled}", "This gateway is disabled."),
        ("priority", "0", "Use 1 or more."),
        ("priority", "10000", "Use 9999 or less."),
        ("priority", "first", WHOLE),
        ("priority", "1.0", WHOLE),
        ("strip", "-1", "Use 0 or more."),
        ("strip", "16", "Use 15 or less."),
        ("prepend", "0xx", DIGITS),
    ],
    "price-plans": _name("Retail", "Another price plan has this name."),
    "tariffs": [
        *_LINE,
        ("price_per_minute", "", REQUIRED),
        *_money("price_per_minute"),
        ("valid_from", "2026-01-01T00:00Z", "The price plan already has a tariff for this prefix from this moment on."),
    ],
    "provider-tariffs": [
        *_LINE,
        ("cost_per_minute", "", REQUIRED),
        ("valid_from", "2026-01-01T00:00Z", "The provider already has a tariff for this prefix from this moment on."),
    ],
    "number-rules": [
        ("customer_id", "acme", OPTION),
        ("customer_id", NOBODY, "This customer no longer exists."),
        ("position", "0", "Use 1 or more."),
        ("position", "1000", "Use 999 or less."),
        ("position", "first", WHOLE),
        ("position", "1.0", WHOLE),
        ("pattern", "", REQUIRED),
        ("pattern", "abc", PATTERN),
        ("pattern", "55.1", PATTERN),
        ("pattern", "[5-2].", "A set such as [2-5] goes from the smaller to the larger digit."),
        ("pattern", "5" * 81, "Use 80 characters at the most."),
        ("strip", "-1", "Use 0 or more."),
        ("strip", "16", "Use 15 or less."),
        ("prepend", "0xx", ADDED),
        ("prepend", "+55", ADDED),
        ("prepend", "{{city}}", ADDED),
        ("prepend", "{{country", ADDED),
        ("prepend", "1" * 31, "Use 30 characters at the most."),
        ("description", "x" * 121, "Use 120 characters at the most."),
        ("description", "nothing\x00here", CONTROL),
    ],
    "destination-lists": [
        *_name("Dear", "Another destination list has this name."),
        ("prefixes", "", REQUIRED),
        ("prefixes", "55 11", PREFIX),
        ("prefixes", "55-11", PREFIX),
        ("prefixes", "5511\nabc", PREFIX),
        ("prefixes", "5" * 16, PREFIX),
        ("prefixes", "5\x005", PREFIX),
        ("prefixes", "\n".join(map(str, range(2001))), "Give 2000 at the most."),
    ],
    "fraud-rules": [
        *_name("Abroad", "Another rule has this name."),
        ("kind", "", REQUIRED),
        ("kind", "theft", OPTION),
        ("customer_id", "acme", OPTION),
        ("customer_id", NOBODY, "This customer no longer exists."),
        ("destinations", "mars", OPTION),
        ("prefixes", "55-11", PREFIX),
        ("prefixes", "\n".join(map(str, range(2001))), "Give 2000 at the most."),
        ("window_minutes", "0", "Use 1 or more."),
        ("window_minutes", "1441", "Use 1440 or less."),
        ("window_minutes", "1.5", WHOLE),
        ("max_calls", "-1", "Use 0 or more."),
        ("max_calls", "1000001", "Use 1000000 or less."),
        ("max_minutes", "many", WHOLE),
        *_money("max_amount"),
        ("short_seconds", "0", "Use 1 or more."),
        ("known_days", "366", "Use 365 or less."),
        ("night_from", "24:00", "Use a time such as 22:00."),
        ("night_from", "6", "Use a time such as 22:00."),
        ("night_until", "22:00", "The night must end at another time than it begins."),
        ("action", "shout", OPTION),
    ],
    "alerts": [
        ("emails", "noc", MAIL),
        ("emails", "noc@example.com\nBcc: all@example.com", MAIL),
        ("emails", "João <j@example.com>", MAIL),
        ("emails", "\n".join(f"n{n}@example.com" for n in range(21)), "Give 20 at the most."),
        ("language", "fr", OPTION),
        ("webhook_url", "ftp://example.com/", URL),
        ("webhook_url", "file:///etc/passwd", URL),
        ("webhook_url", "https://me:secret@example.com/", URL),
        ("webhook_url", "https://example.com/\r\nX: y", URL),
        ("webhook_url", "https://example.com\\@10.0.0.1/", URL),
        ("webhook_url", "https://" + "x" * 500, "Use 500 characters at the most."),
    ],
    "settings": [
        ("max_call_seconds", "59", "Use 60 or more."),
        ("max_call_seconds", "86401", "Use 86400 or less."),
        ("company_name", "x" * 41, "Use 40 characters at the most."),
        ("company_name", "two\nlines", CONTROL),
        ("company_name", "nothing\x00here", CONTROL),
        ("currency", "R$", CURRENCY),
        ("currency", "REAL", CURRENCY),
        ("currency", "XYZ", CURRENCY),
        ("time_zone", "Brasília", ZONE),
        ("time_zone", "UTC", ZONE),
        ("time_zone", "Etc/GMT+3", ZONE),
        ("time_zone", "../../etc/passwd", ZONE),
        ("country_code", "0", "Use 1 to 3 digits."),
        ("country_code", "1234", "Use 1 to 3 digits."),
        ("country_code", "+55", "Use 1 to 3 digits."),
        ("area_code", "1a", "Use digits only, 5 at the most."),
        ("area_code", "123456", "Use digits only, 5 at the most."),
        ("emergency_numbers", ",", "Give at least one."),
        ("emergency_numbers", "190, 1", EMERGENCY),
        ("emergency_numbers", "19O", EMERGENCY),
        ("emergency_numbers", " ".join(str(n) for n in range(100, 151)), "Give 50 at the most."),
        ("quarantine_days", "-1", "Use 0 or more."),
        ("quarantine_days", "366", "Use 365 or less."),
        ("quarantine_days", "ten", WHOLE),
        ("quarantine_days", "30.0", WHOLE),
        ("call_requests_days", "0", "Use 1 or more."),
        ("call_requests_days", "366", "Use 365 or less."),
        ("default_max_channels", "-1", "Use 0 or more."),
        ("default_max_channels", "10001", "Use 10000 or less."),
        ("default_calls_per_second", "1001", "Use 1000 or less."),
        ("default_calls_per_second", "0.5", WHOLE),
        ("default_max_price_per_minute", "dear", NUMBER),
        ("default_daily_limit", "-1", "Use 0 or more."),
        ("default_blocked_list_id", "dear", OPTION),
        ("default_blocked_list_id", NOBODY, "This destination list no longer exists."),
        ("default_allowed_list_id", NOBODY, "This destination list no longer exists."),
    ],
    "users": [
        ("username", "", REQUIRED),
        ("username", "joão", USERNAME),
        ("username", "rui andrade", USERNAME),
        ("username", "-rui", USERNAME),
        ("username", "x" * 61, USERNAME),
        ("username", "rui\x00", USERNAME),
        ("username", "<script>", USERNAME),
        ("username", "olga", "Another user has this name."),
        ("username", "OLGA", "Another user has this name."),
        ("role", "root", OPTION),
        ("role", "Administrator", OPTION),
        ("language", "fr", OPTION),
        ("theme", "pink", OPTION),
        ("password", "", REQUIRED),
        ("password", "too short", "Use 10 characters or more."),
        ("password", "abcd" * 19, "This password is too long: use 72 letters without accents at the most."),
        ("password", "ãçéí" * 10, "This password is too long: use 72 letters without accents at the most."),
        ("password", "Password123", GUESSED),
        ("password", "ababababab", GUESSED),
        ("password", "rui.andrade", OWN_NAME),
        ("password", "Rui.Andrade", OWN_NAME),
    ],
    "tokens": [
        *_name("reports", "Another token has this name, or had it before it was revoked."),
        ("role", "root", OPTION),
        ("expires_in_days", "-1", "Use 0 or more."),
        ("expires_in_days", "3651", "Use 3650 or less."),
        ("expires_in_days", "never", WHOLE),
        ("expires_in_days", "30.0", WHOLE),
    ],
}

_MOMENTS = [
    ("valid_from", "yesterday", MOMENT),
    ("valid_from", "2026-02-30", MOMENT),
    ("valid_from", "30/02/2026", MOMENT),
    ("valid_from", "2026-01-01 25:00", MOMENT),
    ("valid_from", "1999-12-31", MOMENT),
    ("valid_from", "2100-01-01", MOMENT),
]
# A page says how its reader writes a moment. Programs and files have one spelling for everybody.
NOT_ON_PAGES = {"tariffs": _MOMENTS, "provider-tariffs": _MOMENTS}

# For each kind of file: the cells of a line that is good, and which of the things above its lines are.
IN_FILES: dict[str, tuple[dict[str, str], list[str]]] = {
    "dids": (
        {"number": "551140005000", "provider_id": "Sul", "customer_id": "acme", "destination": "100"},
        ["dids", "allocations"],
    ),
    "tariffs": ({"prefix": "3500", "price_per_minute": "0.10", "cost_per_minute": "0.05"}, ["tariffs"]),
    "provider_tariffs": ({"prefix": "3500", "cost_per_minute": "0.05"}, ["provider-tariffs"]),
}

_BY_NAME = "A file names what a page lets choose, and a program gives by its id."
_TARGET = "What a file is for is chosen before it is read."
_UPDATES = "A file may say something new of what is already there."
# (field, value), or (field, None) for all of a field: why a file does not refuse it, or with other words.
NOT_IN_FILES: dict[str, dict[tuple[str, str | None], str]] = {
    "dids": {
        ("number", "551140001000"): _UPDATES,
        ("count", None): "Each line is one number.",
        ("status", "allocated"): "A file may say so of a number that somebody has, as our own does.",
        ("provider_id", "Norte"): _BY_NAME,
        ("provider_id", NOBODY): _BY_NAME,
        ("gateway_id", "GW1"): _BY_NAME,
        ("gateway_id", NOBODY): _BY_NAME,
    },
    "allocations": {
        ("customer_id", None): _BY_NAME + " A number need not be given to anybody.",
        ("destination", "\x00"): "A file with such a sign near its beginning is no table at all.",
    },
    "tariffs": {
        ("price_plan_id", None): _TARGET,
        ("valid_from", "2026-01-01T00:00Z"): _UPDATES,
    },
    "provider-tariffs": {
        ("provider_id", None): _TARGET,
        ("valid_from", "2026-01-01T00:00Z"): _UPDATES,
    },
}
for _entity in ("tariffs", "provider-tariffs"):
    NOT_IN_FILES[_entity] |= {
        ("prefix", "5\x005"): "A file with such a sign near its beginning is no table at all.",
        **{
            (field, "1.234,56"): "Of a point and a comma in a cell, the last is the decimal sign in every language."
            for field in ("cost_per_minute", "price_per_minute", "connect_fee")
        },
    }

# What only a file can say wrong.
ONLY_IN_FILES: dict[str, list[tuple[str, str, str]]] = {
    "dids": [
        ("provider_id", "Norte", "There is no such provider."),
        ("gateway_id", "GW9", "There is no such gateway."),
        ("customer_id", "nobody", "There is no customer with this code."),
        ("status", "sold", "There is no such status."),
        ("status", "available", "A number with a customer is allocated."),
    ],
}
