"""What a check says: what it looked at, how that is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault", "unknown"]


class NotLooked(Exception):
    """A check cannot be made; the text says why."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `to_do` is a sentence with the command to type; empty where all is well."""

    what: str
    state: State
    found: str
    to_do: str = ""


def ok(what: str, found: str) -> Finding:
    return Finding(what, "ok", found)


def warning(what: str, found: str, to_do: str) -> Finding:
    """Calls go on, but somebody should look at it."""
    return Finding(what, "warning", found, to_do)


def fault(what: str, found: str, to_do: str) -> Finding:
    """Something does not work, or is open to whoever comes by."""
    return Finding(what, "fault", found, to_do)


def unknown(what: str, found: str, to_do: str = "") -> Finding:
    """It could not be looked at."""
    return Finding(what, "unknown", found, to_do)


def counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def listed(names: list[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
