"""Dialling patterns in words, for those who do not read Asterisk's."""

from __future__ import annotations

import re

from flask_babel import gettext, ngettext

# A number as it is dialled in Brazil; what a pattern leaves open is filled in from it.
_TYPICAL = "551140001234"


def in_words(pattern: str) -> str:
    """What numbers a pattern takes: “Numbers that begin with 55, then at least one more digit.”"""
    if pattern in (".", "!"):
        return str(gettext("Every number."))
    if re.fullmatch(r"[0-9*#+]+", pattern):
        return str(gettext("The number %(digits)s, and no other.", digits=pattern))
    parts = [_word(part) for part in re.findall(r"\[[^\]]*\]|[0-9*#+]+|X+|Z+|N+|[.!]", pattern)]
    words = str(gettext(", then ")).join(parts)
    if pattern.endswith((".", "!")):
        return str(gettext("Numbers that begin with %(parts)s.", parts=words))
    return str(gettext("Numbers that begin with %(parts)s, and end there.", parts=words))


def _word(part: str) -> str:
    count = len(part)
    match part[0]:
        case "X":
            return str(ngettext("any digit", "any %(num)s digits", count))
        case "Z":
            return str(ngettext("a digit from 1 to 9", "%(num)s digits from 1 to 9", count))
        case "N":
            return str(ngettext("a digit from 2 to 9", "%(num)s digits from 2 to 9", count))
        case "[":
            return str(gettext("one of %(digits)s", digits=part[1:-1]))
        case ".":
            return str(gettext("at least one more digit"))
        case "!":
            return str(gettext("whatever follows, or nothing"))
    return part


def example(pattern: str) -> str:
    """A number that the pattern takes."""
    number = ""
    for part in re.findall(r"\[[^\]]*\]|.", pattern):
        typical = _TYPICAL[len(number) : len(number) + 1] or "4"
        if part in ".!":
            number += _TYPICAL[len(number) :] or "4"
        elif part == "X":
            number += typical
        elif part in "ZN":
            number += max(typical, "12"["ZN".index(part)])
        else:
            number += part.strip("[]")[0]
    return number
