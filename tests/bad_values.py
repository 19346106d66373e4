"""Values that nobody may enter, with the words of their refusal: the same on a page, in the API and in an import.

Each value stands as it is typed. Of the rest of a thing, `GOOD` has enough to be accepted; {braces} name things that
have to be there. Not here, because pages and programs differ by nature: decimal marks and dates, which a page takes
in the reader's language (tests/web/test_typed.py), and switches, which a browser sends or leaves out.
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
PATTERN = "Use digits, X (0-9), Z (1-9), N (2-9), sets such as [2-5], and at the end . or ! for “the rest”."

GOOD: dict[str, dict[str, str]] = {
    "customers": {"code": "padaria", "name": "Padaria", "type": "trunk", "trunk_ip": "10.9.0.1"},
    "extensions": {"customer_id": "{office}", "extension": "200", "secret": "hush-hush-hush"},
    "dids": {"number": "551140009000", "provider_id": "{provider}"},
    "allocations": {"customer_id": "{office}", "destination": "100"},
    "providers": {"name": "Norte"},
    "gateways": {"name": "GW9", "provider_id": "{provider}", "ip_address": "10.9.0.2"},
    "routes": {"name": "Brazil", "pattern": "55.", "gateway_id": "{gateway}", "enabled": "y"},
}

BAD_VALUES: dict[str, list[tuple[str, str, str]]] = {
    "customers": [
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
        ("trunk_port", "9" * 5000, "The number is too large."),
        ("qualify_frequency", "-1", "Use 0 or more."),
        ("qualify_frequency", "3601", "Use 3600 or less."),
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
        ("secret", "", REQUIRED),
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
        ("cost_per_minute", "cheap", NUMBER),
        ("cost_per_minute", "-0.01", "Use 0 or more."),
        ("cost_per_minute", "0.1234567", "Use 6 decimal places at the most."),
        ("cost_per_minute", "1234567", "The number is too large."),
        ("cost_per_minute", "NaN", NUMBER),
        ("cost_per_minute", "Infinity", NUMBER),
        ("cost_per_minute", "$ 1", NUMBER),
        ("cost_per_minute", "1.234,56", NUMBER),
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
        ("ip_address", "fe80::1%eth0", ADDRESS),
        ("ip_address", "10.9.0.0/24", ADDRESS),
        ("ip_address", "10.1.0.1", "10.1.0.1 already belongs to the customer Customer padaria-velha (padaria-velha)."),
        ("port", "0", "Use 1 or more."),
        ("port", "70000", "Use 65535 or less."),
        ("port", "5060a", WHOLE),
        ("transport", "sctp", OPTION),
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
        ("strip", "-1", "Use 0 or more."),
        ("strip", "16", "Use 15 or less."),
        ("prepend", "0xx", DIGITS),
    ],
}
