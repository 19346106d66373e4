"""Numbers and moments as people type and read them, in the reader's language and time zone.

A program writes 1234.56 and 2026-12-31T14:30:00-03:00, and so do the API and the database. A page in Portuguese shows
1234,56 and 31/12/2026 14:30, and takes them back as they are. What is shown is always understood as the same value.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import get_decimal_symbol
from flask_babel import get_locale, get_timezone, gettext


class Unclear(ValueError):
    """What was typed has no meaning, or two of them; the text says so in the reader's language."""


def zone() -> ZoneInfo:
    """The operator's time zone."""
    return _zone_of(get_timezone())


@cache
def _zone_of(zone: dt.tzinfo | None) -> ZoneInfo:
    return ZoneInfo(str(zone or "UTC"))


# ---- numbers

_SWAPPED = str.maketrans(",.", ".,")


def shown_number(value: Decimal | int) -> str:
    """A number for a field: all of its decimals that are not zero at the end, and no groups."""
    text = f"{Decimal(value):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(".", _point())


def figure(value: Decimal | int | float, places: int = 0) -> str:
    """A number to be read, with groups and so many decimals: 1,234.5. (Tables hold hundreds; babel takes long.)"""
    text = f"{value:,.{places}f}"
    return text.translate(_SWAPPED) if _point() == "," else text


def number(text: str) -> str:
    """A number that may have decimals, as a program writes it. What is none comes back as it is, to be refused.

    Groups must have three digits. The mark of the other language is taken as a decimal point where it cannot be
    that of a group (0.05 in Portuguese). Where it can (1.234), a price would be wrong by a thousand, so we ask.
    """
    point, group = _marks()
    if _grouped(text):
        if text.count(group) == 1 and point not in text:
            whole, fraction = text.replace(group, ""), text.replace(group, point)
            raise Unclear(
                gettext(
                    "“%(text)s” can be read in two ways. Write %(whole)s or %(fraction)s.",
                    text=text,
                    whole=whole,
                    fraction=fraction,
                )
            )
        return text.replace(group, "").replace(point, ".")
    if re.fullmatch(r"[+-]?[0-9]*[.,][0-9]+", text):
        return text.replace(",", ".")
    return text


def whole_number(text: str) -> str:
    """A number without decimals, as a program writes it: 1.234 is a thousand and more in Portuguese, as 1,234 is in
    English. The mark that is not that of the groups is refused: pydantic would take 5.000 for 5."""
    point, group = _marks()
    if _grouped(text) and point not in text:
        return text.replace(group, "")
    if re.search(r"[.,]", text):
        raise Unclear(gettext("Use a whole number."))
    return text


def _grouped(text: str) -> bool:
    """Whether all groups have three digits, and at least one group is marked."""
    point, group = map(re.escape, _marks())
    return bool(re.fullmatch(rf"[+-]?[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+(?:{point}[0-9]+)?", text))


def _marks() -> tuple[str, str]:
    """The decimal point and the mark between groups."""
    return (",", ".") if _point() == "," else (".", ",")


def _point() -> str:
    return _point_of(get_locale())


@cache
def _point_of(locale: Locale | None) -> str:
    return get_decimal_symbol(locale or "en")


# ---- moments


def shown_day(day: dt.date) -> str:
    """31/12/2026, or in English 2026-12-31: whether day or month comes first, its readers do not agree on."""
    return f"{day:%d/%m/}{day.year:04}" if _day_first() else day.isoformat()


def shown_moment(moment: dt.datetime) -> str:
    """A moment for a field: exact, with seconds if it has any, and with its offset in the hour that comes twice."""
    local = moment.astimezone(zone())
    has_seconds = local.second or local.microsecond
    time = local.time().isoformat("auto" if has_seconds else "minutes")
    comes_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    return f"{shown_day(local.date())} {time}{local.isoformat()[-6:] if comes_twice else ''}"


def when(moment: dt.datetime | None) -> str:
    """A moment for a page, to the minute; empty for none."""
    local = moment and moment.astimezone(zone())
    return f"{shown_day(local.date())} {local:%H:%M}" if local else ""


def moment_example() -> str:
    return shown_moment(dt.datetime(2026, 12, 31, 14, 30, tzinfo=zone()))


_DAY_FIRST = r"(?P<day>[0-9]{1,2})/(?P<month>[0-9]{1,2})/(?P<year>[0-9]{4})"
_YEAR_FIRST = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
_TIME = (
    r"(?:[ T]+(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)\s*(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def moment(text: str) -> str:
    """A moment as a program writes it, with its offset. ISO 8601 is understood in every language.

    A date alone is the start of that day. A time that the clocks leave out is refused; of one that comes twice,
    the first is meant unless an offset says otherwise.
    """
    found = re.fullmatch(_YEAR_FIRST + _TIME, text)
    if not found and _day_first():
        found = re.fullmatch(_DAY_FIRST + _TIME, text)
    try:
        if found:
            return _instant(found).isoformat()
    except (ValueError, OverflowError) as error:
        if isinstance(error, Unclear):
            raise
    raise Unclear(gettext("Write date and time like this: %(example)s.", example=moment_example()))


def _instant(found: re.Match[str]) -> dt.datetime:
    day = f"{found['year']}-{found['month']:0>2}-{found['day']:0>2}"
    time = found["time"] and ("0" if found["time"][1] == ":" else "") + found["time"]
    if found["offset"]:
        return dt.datetime.fromisoformat(f"{day}T{time}{found['offset']}")
    local = dt.datetime.fromisoformat(f"{day}T{time or '00:00'}").replace(tzinfo=zone())
    exists = local.astimezone(dt.UTC).astimezone(zone())  # Later than what was typed, where clocks are put forward.
    if time and exists.replace(tzinfo=None) != local.replace(tzinfo=None):
        raise Unclear(gettext("This time does not exist: the clocks are put forward then."))
    return exists


def _day_first() -> bool:
    return str(get_locale() or "en") != "en"
