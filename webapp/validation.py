"""What valid input is: the base of the schemas, the field types they share, and the words of a refusal.

One schema per thing validates the form, the API and the import, so a bad value is refused alike everywhere.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from flask_babel import get_timezone, gettext
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError


def N_(message: str) -> str:
    """Mark a message for the translators; it is translated where it is shown."""
    return message


class Schema(BaseModel):
    """The base of every schema: unknown keys are refused, texts are trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    # Database constraint -> (field, message): rules between rows, kept by the database, told at a field.
    REFUSALS: ClassVar[dict[str, tuple[str, str]]] = {}


def refuse(message: str, **values: Any) -> PydanticCustomError:
    """A refusal in the operator's words; `message` may hold {names} of `values`.

    pydantic would fill in the message before it can be translated, so it travels beside its values.
    """
    return PydanticCustomError("refused", "{message}", {"message": message, **values})


def at(field: str, message: str, **values: Any) -> PydanticCustomError:
    """A refusal by a rule over several fields, told at one of them."""
    return PydanticCustomError("refused", "{message}", {"message": message, "field": field, **values})


def matching(pattern: str, message: str) -> Callable[[str], str]:
    """A rule: the whole text matches `pattern`, or it is refused with `message`."""
    compiled = re.compile(pattern)

    def rule(text: str) -> str:
        if not compiled.fullmatch(text):
            raise refuse(message)
        return text

    return rule


@dataclass(frozen=True)
class Html:
    """What helps to type a text right. Passwords get no maxlength: a browser would cut off what is pasted, unseen."""

    maxlength: int
    inputmode: str = ""


def _phone_digits(value: Any) -> Any:
    """Leave out what people put between digits, and the plus sign: +55 (11) 4000-1234 is 551140001234."""
    return re.sub(r"[\s().-]", "", value).removeprefix("+") if isinstance(value, str) else value


def _without_zone(text: str) -> str:
    """fe80::1%eth0 means something on one host only, and PostgreSQL does not know it."""
    if "%" in text:
        raise ValueError(text)
    return text


def _prefix_digits(value: Any) -> Any:
    """+55 (11) is 5511. A hyphen stays, and is refused: 5511-19 may mean a prefix, and may mean nine of them."""
    return re.sub(r"[\s()]", "", value).removeprefix("+") if isinstance(value, str) else value


def _moment(value: Any) -> dt.datetime:
    """An instant, written as ISO 8601 or as in Brazil; without an offset it is meant in the operator's time zone."""
    try:
        if isinstance(value, str):
            iso = re.sub(r"^(\d{1,2})/(\d{1,2})/(\d{4})", lambda m: f"{m[3]}-{m[2]:0>2}-{m[1]:0>2}", value.strip())
            value = dt.datetime.fromisoformat(iso)
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime.combine(value, dt.time())
        # Others are mistakes of typing, and near the ends of the calendar a time zone leads out of it.
        if isinstance(value, dt.datetime) and 2000 <= value.year < 2100:
            return value if value.tzinfo else value.replace(tzinfo=operators_zone())
    except ValueError:
        pass
    raise refuse(N_("Use a date, with a time if you like: 2026-12-31, 31/12/2026 or 31/12/2026 14:30."))


def operators_zone() -> ZoneInfo:
    """The time zone in which the operator reads and writes times."""
    return ZoneInfo(str(get_timezone()))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(_without_zone(text)))
    except ValueError:
        raise refuse(N_("This is not an IP address.")) from None


def _network(text: str) -> str:
    """An address as it is, a network as CIDR; 10.0.0.7/24 is refused, for it names a host and a network."""
    try:
        network = ipaddress.ip_network(_without_zone(text))
    except ValueError:
        raise refuse(N_("“{text}” is not an IP address or network (CIDR)."), text=text) from None
    if network.prefixlen < (8 if network.version == 4 else 32):
        raise refuse(N_("The network {text} is too wide."), text=text)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _whole(value: Any) -> Any:
    """In a text nothing but digits: pydantic would take 5.000 for 5, which in Portuguese is five thousand."""
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
        raise refuse(N_("Use a whole number."))
    return value


def _split(value: Any) -> Any:
    """A list may come as text, with commas, blanks or line breaks between its items."""
    return [item for item in re.split(r"[\s,;]+", value) if item] if isinstance(value, str) else value


def _split_lines(value: Any) -> Any:
    """The same for items that hold blanks: +55 11 4000-1234 is one number."""
    items = re.split(r"[\r\n,;]", value) if isinstance(value, str) else []
    return [item for item in items if item.strip()] if isinstance(value, str) else value


def _listed_prefix(value: Any) -> Any:
    """+5511 is 5511. A blank within stays, and is refused: 55 11 may mean one prefix, and may mean two."""
    return value.strip().removeprefix("+") if isinstance(value, str) else value


def _distinct(items: list[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _pattern(text: str) -> str:
    """A dialling pattern in Asterisk's language, kept without the underscore that starts it there."""
    text = text.removeprefix("_").upper()
    if not re.fullmatch(r"(?:[0-9*#+XZN]|\[(?:[0-9]-[0-9]|[0-9*#])+\])+[.!]?|[.!]", text):
        raise refuse(
            N_("Use digits, X (0-9), Z (1-9), N (2-9), sets such as [2-5], and at the end . or ! for “the rest”.")
        )
    if any(a > b for a, b in re.findall(r"(\d)-(\d)", text)):
        raise refuse(N_("A set such as [2-5] goes from the smaller to the larger digit."))
    return text


SipName = Annotated[
    str,
    Html(40),
    AfterValidator(
        matching(
            r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}",
            N_("Use letters without accents, digits, dot, hyphen and underscore; 40 at the most."),
        )
    ),
]
CustomerCode = Annotated[
    str,
    Html(20),
    AfterValidator(str.lower),
    AfterValidator(
        matching(
            r"[a-z0-9][a-z0-9.-]{0,19}",
            N_("Use letters without accents, digits, dot and hyphen; 20 at the most."),
        )
    ),
    # Gateways and trunks have such names in Asterisk, where the phones of this customer would be taken for them.
    AfterValidator(matching(r"(?!(trunk|gateway)(-|$)).*", N_("A code cannot begin with “trunk-” or “gateway-”."))),
]
# What is not seen, or makes what follows it look like something else: line breaks, controls, and signs that turn round
# the direction in which is read, so that one name passes for another.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
PLAIN = AfterValidator(matching(rf"[^{_UNSEEN}]*", N_("Line breaks and control characters are not allowed.")))
DisplayName = Annotated[str, Field(min_length=1, max_length=80), PLAIN]
Note = Annotated[str, Field(max_length=120), PLAIN]
CallerName = Annotated[
    str,
    Field(max_length=40),
    AfterValidator(matching(rf'[^{_UNSEEN}"<>\\]*', N_('The characters " < > and \\ are not allowed here.'))),
]
_e164 = matching(
    r"[1-9][0-9]{7,14}",
    N_("Write the whole number with country and area code, 8 to 15 digits, such as 551140001234."),
)
E164 = Annotated[str, Html(30, "tel"), BeforeValidator(_phone_digits), AfterValidator(_e164)]
E164OrNothing = Annotated[
    str,
    Html(30, "tel"),
    BeforeValidator(_phone_digits),
    AfterValidator(lambda number: _e164(number) if number else ""),
]
DialledNumber = Annotated[
    str,
    Html(30, "tel"),
    BeforeValidator(_phone_digits),
    AfterValidator(matching(r"[0-9]{1,20}", N_("Use the digits of a telephone number, 20 at the most."))),
]
Digits = Annotated[
    str, Html(15, "numeric"), AfterValidator(matching(r"[0-9]{0,15}", N_("Use digits only, 15 at the most.")))
]
Prefix = Annotated[
    str,
    Html(30, "tel"),
    BeforeValidator(_prefix_digits),
    AfterValidator(matching(r"[0-9]{1,15}", N_("Use 1 to 15 digits, country code first, such as 5511."))),
]
PrefixesOrNone = Annotated[
    list[
        Annotated[
            str,
            BeforeValidator(_listed_prefix),
            AfterValidator(matching(r"[0-9]{1,15}", N_("Use 1 to 15 digits, country code first, such as 5511."))),
        ]
    ],
    Field(max_length=2000),
    BeforeValidator(_split_lines),
    AfterValidator(_distinct),
]
Prefixes = Annotated[PrefixesOrNone, Field(min_length=1)]
_email = matching(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
    N_("Write e-mail addresses such as noc@example.com."),
)
EMails = Annotated[
    list[Annotated[str, AfterValidator(_email)]],
    Field(max_length=20),
    BeforeValidator(_split_lines),
    AfterValidator(_distinct),
]
E164s = Annotated[
    list[Annotated[str, BeforeValidator(_phone_digits), AfterValidator(_e164)]],
    Field(max_length=500),
    BeforeValidator(_split_lines),
    AfterValidator(_distinct),
]
DialString = Annotated[
    str, Html(15, "tel"), AfterValidator(matching(r"[0-9*#]{0,15}", N_("Use digits, * and # only, 15 at the most.")))
]
AreaCode = Annotated[
    str, Html(5, "numeric"), AfterValidator(matching(r"[0-9]{0,5}", N_("Use digits only, 5 at the most.")))
]
ExtensionNumber = Annotated[str, Html(6, "numeric"), AfterValidator(matching(r"[0-9]{2,6}", N_("Use 2 to 6 digits.")))]
Pattern = Annotated[str, Field(max_length=80), AfterValidator(_pattern)]
IpAddress = Annotated[str, Html(45), AfterValidator(_address)]
IpNetworks = Annotated[
    list[Annotated[str, AfterValidator(_network)]],
    Field(max_length=50),
    BeforeValidator(_split),
    AfterValidator(_distinct),
]
HostName = Annotated[
    str,
    Field(max_length=253),
    AfterValidator(
        matching(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.|$))*", N_("This is not a host name."))
    ),
]
NodeName = Annotated[str, Html(40), AfterValidator(matching(r"[A-Za-z0-9-]{1,40}", N_("Choose one of the options.")))]
DialCodes = Annotated[
    list[Annotated[str, AfterValidator(matching(r"[0-9*#]{2,8}", N_("Use 2 to 8 digits for each.")))]],
    Field(min_length=1, max_length=50),
    BeforeValidator(_split),
    AfterValidator(_distinct),
]
Whole = Annotated[int, BeforeValidator(_whole)]
Channels = Annotated[Whole, Field(ge=0, le=10_000)]  # Calls at the same time; 0: no limit.
CallsPerSecond = Annotated[Whole, Field(ge=0, le=1000)]  # 0: no limit.
Port = Annotated[Whole, Field(ge=1, le=65535)]
TRANSPORTS: JsonDict = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}  # Of SIP, as forms offer them.
SRTP_NEEDS_TLS = N_("Encrypted media needs TLS: over another transport its keys could be read on the way.")
QualifyFrequency = Annotated[Whole, Field(ge=0, le=3600)]  # Seconds between two OPTIONS; 0: none.
SipSecret = Annotated[
    str,
    AfterValidator(
        matching(r"[!-~]{8,80}", N_("Use 8 to 80 letters without accents, digits and signs, without blanks."))
    ),
]
ProviderPassword = Annotated[
    str,
    AfterValidator(matching(r"[!-~]{0,80}", N_("Use letters without accents, digits and signs, without blanks."))),
]
SipUser = Annotated[
    str,
    Html(80),
    AfterValidator(
        matching(r"[A-Za-z0-9_.+*#~!$&-]{0,80}", N_("Use letters without accents, digits and . _ + * # - only."))
    ),
]
CODECS = ("alaw", "ulaw", "g729", "g722", "gsm", "ilbc", "opus")


def _codec(text: str) -> str:
    if text not in CODECS:
        raise refuse(N_("“{text}” is not a codec we know. Known: {known}."), text=text, known=", ".join(CODECS))
    return text


Codecs = Annotated[
    list[Annotated[str, AfterValidator(str.lower), AfterValidator(_codec)]],
    Field(min_length=1),
    BeforeValidator(_split),
    AfterValidator(_distinct),
]
Percent = Annotated[Decimal, Field(ge=-100, le=1000, decimal_places=2)]
Moment = Annotated[dt.datetime, BeforeValidator(_moment)]
Money = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=8)]

# The words for what pydantic itself refuses. Values in braces come from pydantic's error context.
_MESSAGES = {
    "missing": N_("This field is required."),
    "none_required": N_("This field must be empty."),
    "extra_forbidden": N_("There is no such field."),
    "int_parsing": N_("Use a whole number."),
    "int_type": N_("Use a whole number."),
    "int_parsing_size": N_("The number is too large."),
    "int_from_float": N_("Use a whole number."),
    "decimal_parsing": N_("Use a number."),
    "decimal_type": N_("Use a number."),
    "decimal_max_places": N_("Use {decimal_places} decimal places at the most."),
    "decimal_max_digits": N_("The number is too long."),
    "decimal_whole_digits": N_("The number is too large."),
    "finite_number": N_("Use a number."),
    "greater_than_equal": N_("Use {ge} or more."),
    "less_than_equal": N_("Use {le} or less."),
    "string_too_short": N_("This field is required."),
    "string_too_long": N_("Use {max_length} characters at the most."),
    "string_type": N_("Use text."),
    "list_type": N_("Use a list."),
    "too_short": N_("Give at least one."),
    "too_long": N_("Give {max_length} at the most."),
    "bool_parsing": N_("Choose yes or no."),
    "bool_type": N_("Choose yes or no."),
    "literal_error": N_("Choose one of the options."),
    "uuid_parsing": N_("Choose one of the options."),
    "uuid_type": N_("Choose one of the options."),
}


def messages(error: ValidationError) -> dict[str, list[str]]:
    """Field -> what is wrong with it, translated. Rules over several fields are under the empty name."""
    found: dict[str, list[str]] = {}
    for item in error.errors(include_url=False, include_input=False):
        values = item.get("ctx", {})
        field = values.get("field") or (str(item["loc"][0]) if item["loc"] else "")
        message = values["message"] if item["type"] == "refused" else _MESSAGES.get(item["type"], item["msg"])
        text = translated(message, values)
        if text not in found.setdefault(field, []):
            found[field].append(text)
    return found


def translated(template: str, values: dict[str, Any]) -> str:
    """A marked message in the reader's language, with its {names} filled in."""
    return str(gettext(template)).format(**values)
