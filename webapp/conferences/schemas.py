"""What is valid for a conference."""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from webapp.simulator.schemas import CallerNumber
from webapp.validation import N_, DisplayName, Html, Schema, Whole, refuse

MOST = 30  # Numbers in one conference.


def _lines(value: Any) -> Any:
    """One number in each line: +55 11 4000-1234 holds blanks."""
    return [line for line in re.split(r"[\r\n,;]", value) if line.strip()] if isinstance(value, str) else value


def _dialled(value: Any) -> Any:
    """Without what people put between digits. What a call file holds is no more than this."""
    if not isinstance(value, str):
        return value
    number = re.sub(r"[ \t.()-]", "", value)
    if not re.fullmatch(r"\+?[0-9*#]{2,32}", number):
        raise refuse(N_("“{text}” is no number to call: digits, *, # and one + at the start."), text=value.strip()[:40])
    return number


DialledNumber = Annotated[str, Html(40, "tel"), BeforeValidator(_dialled)]


class ConferenceSchema(Schema):
    name: DisplayName = Field(title=N_("Name"))
    customer_id: uuid.UUID | None = Field(
        None, title=N_("Customer"), description=N_("By its routes the numbers are called, and it pays for the calls.")
    )
    numbers: Annotated[list[DialledNumber], Field(min_length=1, max_length=MOST), BeforeValidator(_lines)] = Field(
        title=N_("Numbers"),
        description=N_("One in each line, as the customer's phones dial them: extensions and telephone numbers."),
        json_schema_extra={"widget": "lines", "attributes": {"rows": 6}},
    )
    caller_id: CallerNumber = Field(
        "",
        title=N_("Caller number"),
        description=N_("That those who are called see: one of the customer's own, else its default is shown."),
    )
    max_minutes: Annotated[Whole, Field(ge=1, le=480)] = Field(
        120, title=N_("Ends after (min)"), description=N_("Who is still in the room then is hung up on.")
    )
    record: bool = Field(
        False,
        title=N_("Record"),
        description=N_("Everybody hears that it is recorded before joining. Whoever records has to ask the others."),
    )


class NumberSchema(Schema):
    """One more number for a conference that goes on."""

    number: DialledNumber = Field(title=N_("Number"))
