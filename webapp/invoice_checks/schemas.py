"""What is valid of a bill and its lines."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from webapp.imports.schemas import ColumnsSchema, FileSchema, TextPart, UuidPart
from webapp.settings import operations as settings
from webapp.settings.schemas import TimeZone
from webapp.validation import N_, PLAIN, Schema, Whole, operators_zone, refuse

MOST_SECONDS = 31 * 24 * 3600

_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?!\d)")
_YEAR_FIRST = re.compile(r"(\d{4})[/.-]?(\d{2})[/.-]?(\d{2})")
_TIME = re.compile(r"(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?")
_LENGTH = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)")


def _moment(value: Any, info: ValidationInfo) -> dt.datetime:
    """A moment as bills write it: day first or ISO 8601; without an offset in the time zone of the file."""
    zone: ZoneInfo = (info.context or {}).get("zone") or operators_zone()
    try:
        text = str(value).strip()
        if day_first := _DAY_FIRST.match(text):
            day, month, year = day_first.groups()
            year = year if len(year) == 4 else f"20{year}"
        elif year_first := _YEAR_FIRST.match(text):
            year, month, day = year_first.groups()
        else:
            raise ValueError(text)
        rest = text[(day_first or year_first).end() :].lstrip(" T,")  # type: ignore[union-attr]  # one of them is there
        time = _TIME.fullmatch(rest)
        if not time:
            raise ValueError(text)
        hour, minute, second, offset = time.groups()
        read = dt.datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=zone)
        if offset:
            read = dt.datetime.fromisoformat(read.replace(tzinfo=None).isoformat() + offset)
        if 2000 <= read.year < 2100:
            return read
    except ValueError:
        pass
    raise refuse(N_("Use a date with its time, such as 31/12/2026 14:30:00 or 2026-12-31 14:30:00."))


def _seconds(value: Any) -> int:
    """Whole seconds, or h:mm:ss."""
    text = re.sub(r"[.,]0+$", "", str(value).strip())
    if re.fullmatch(r"\d{1,7}", text) and int(text) <= MOST_SECONDS:
        return int(text)
    if length := _LENGTH.fullmatch(text):
        hours, minutes, seconds = map(int, length.groups())
        if hours <= MOST_SECONDS // 3600:
            return hours * 3600 + minutes * 60 + seconds
    raise refuse(N_("Use whole seconds, or h:mm:ss."))


def _number(text: str) -> str:
    if not re.search(r"\d", text):
        raise refuse(N_("This is no telephone number."))
    return text


Written = Annotated[str, Field(max_length=80), PLAIN]


class InvoiceLineSchema(Schema):
    """A line of a bill."""

    started_at: Annotated[dt.datetime, BeforeValidator(_moment)] = Field(title=N_("Start"))
    time: str = Field("", title=N_("Time, if it stands by itself"))
    number: Annotated[Written, AfterValidator(_number)] = Field(title=N_("Called number"))
    caller: Written | None = Field(None, title=N_("Caller"))
    seconds: Annotated[int, BeforeValidator(_seconds)] = Field(title=N_("Billed seconds"))
    amount: Annotated[Decimal, Field(max_digits=16, decimal_places=8)] | None = Field(None, title=N_("Amount"))

    @model_validator(mode="before")
    @classmethod
    def _put_day_and_time_together(cls, values: Any) -> Any:
        """A spreadsheet gives a day its midnight, and a time the first day that it knows."""
        if isinstance(values, dict) and values.get("time") and values.get("started_at"):
            day, time = (str(values[name]).replace("T", " ").split() for name in ("started_at", "time"))
            return {**values, "started_at": f"{day[0]} {time[-1]}"} if day and time else values
        return values


class ToleranceSchema(Schema):
    """How the times of a bill are meant, and by how much it may differ."""

    time_zone: Annotated[TimeZone, TextPart] = Field(
        default_factory=lambda: settings.current_or_first().time_zone,
        title=N_("Time zone of the file"),
        description=N_("Empty: the company's."),
        json_schema_extra={"attributes": {"list": "time-zones"}},
    )
    tolerance_seconds: Annotated[Whole, Field(ge=0, le=600), TextPart] = Field(
        60, title=N_("Start may differ (s)"), description=N_("So far apart may both clocks be.")
    )
    tolerance_duration: Annotated[Whole, Field(ge=0, le=60), TextPart] = Field(
        1, title=N_("Duration may differ (s)"), description=N_("Who hears the end later counts a second more.")
    )
    tolerance_amount: Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=8), TextPart] = Field(
        Decimal("0.01"), title=N_("Amount may differ"), description=N_("Of each call, in the company's currency.")
    )


class BillSchema(ToleranceSchema):
    """Whose bill it is."""

    provider_id: Annotated[uuid.UUID, UuidPart] = Field(title=N_("Provider"))


class InvoiceCheckSchema(FileSchema, BillSchema):
    """The file of a bill, whose it is, and by how much it may differ."""


class ChangeSchema(ColumnsSchema):
    """What is to be another way; what is left out stays as it is."""

    time_zone: TimeZone | None = Field(None, description="Of the times in the file.")
    tolerance_seconds: Annotated[Whole, Field(ge=0, le=600)] | None = None
    tolerance_duration: Annotated[Whole, Field(ge=0, le=60)] | None = None
    tolerance_amount: Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=8)] | None = None
