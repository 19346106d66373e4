"""What the company may settle."""

from __future__ import annotations

import uuid
import zoneinfo
from functools import cache
from typing import Annotated

from babel.numbers import is_currency
from pydantic import AfterValidator, Field

from webapp.validation import (
    N_,
    PLAIN,
    AreaCode,
    CallsPerSecond,
    Channels,
    DialCodes,
    Money,
    Schema,
    Whole,
    matching,
    refuse,
)


@cache
def time_zones() -> tuple[str, ...]:
    """The time zones of places people live in."""
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")))


def _time_zone(text: str) -> str:
    if text not in time_zones():
        raise refuse(N_("Choose a time zone such as America/Sao_Paulo."))
    return text


TimeZone = Annotated[str, AfterValidator(_time_zone)]


def _currency(text: str) -> str:
    if not is_currency(text):
        raise refuse(N_("Write the three letters of a currency, such as BRL."))
    return text


class SettingsSchema(Schema):
    company_name: Annotated[str, Field(max_length=40), PLAIN] = Field(
        "", title=N_("Company"), description=N_("Shown above the menu and in the title of every page.")
    )
    currency: Annotated[str, AfterValidator(str.upper), AfterValidator(_currency)] = Field(
        "BRL",
        title=N_("Currency"),
        description=N_("Three letters, such as BRL. Amounts are shown in it, none is converted."),
        json_schema_extra={"attributes": {"maxlength": 3}},
    )
    time_zone: TimeZone = Field(
        "America/Sao_Paulo",
        title=N_("Time zone"),
        description=N_("Times are shown in it."),
        json_schema_extra={"attributes": {"list": "time-zones"}},
    )
    price_places: Annotated[Whole, Field(ge=0, le=8)] = Field(
        4,
        title=N_("Decimals of a call"),
        description=N_("What a call costs and is sold for is rounded to so many places, half up."),
    )
    country_code: Annotated[str, AfterValidator(matching(r"[1-9][0-9]{0,2}", N_("Use 1 to 3 digits.")))] = Field(
        "55", title=N_("Country code"), description=N_("What number rules put in place of {country}.")
    )
    area_code: AreaCode = Field(
        "11",
        title=N_("Area code"),
        description=N_("Local numbers are in this area, unless the customer has another one."),
    )
    emergency_numbers: DialCodes = Field(
        ["112", "180", "188", "190", "191", "192", "193", "194", "197", "198", "199", "911"],
        title=N_("Emergency numbers"),
        description=N_("Every customer reaches them, one that is disabled too. They need a route."),
    )
    max_call_seconds: Annotated[Whole, Field(ge=60, le=86400)] = Field(
        14400,
        title=N_("Longest call (s)"),
        description=N_("A call out is ended after so many seconds; 14400 are four hours."),
    )
    prepaid_call_seconds: Annotated[Whole, Field(ge=60, le=86400)] = Field(
        3600,
        title=N_("Longest prepaid call (s)"),
        description=N_("The money for so long a call is put by when it begins; the shorter, the more calls at once."),
    )
    default_max_channels: Channels = Field(
        0,
        title=N_("Calls at once"),
        description=N_("In and out together, counted on each server by itself; 0: no limit."),
    )
    default_calls_per_second: CallsPerSecond = Field(
        0, title=N_("New calls per second"), description=N_("Calls out; 0: no limit.")
    )
    default_max_price_per_minute: Money | None = Field(
        None,
        title=N_("Highest price per minute"),
        description=N_("Numbers that are dearer for the customer cannot be called. Empty: no limit."),
    )
    default_daily_limit: Money | None = Field(
        None,
        title=N_("Limit per day"),
        description=N_("Once the calls out of a day come to so much, no more are placed. Empty: no limit."),
    )
    default_blocked_list_id: uuid.UUID | None = Field(
        None, title=N_("Blocked destinations"), description=N_("Numbers of this list cannot be called.")
    )
    default_allowed_list_id: uuid.UUID | None = Field(
        None,
        title=N_("Allowed destinations"),
        description=N_("Only numbers of this list can be called. In both lists, the longer prefix counts."),
    )
    quarantine_days: Annotated[Whole, Field(ge=0, le=365)] = Field(
        30,
        title=N_("DIDs rest (days)"),
        description=N_("How long a number rests after a customer gave it back; 0: it is free at once."),
    )
    call_requests_days: Annotated[Whole, Field(ge=1, le=365)] = Field(
        90,
        title=N_("Keep routing decisions (days)"),
        description=N_("Why each call went where it went is kept so long, and then deleted for good."),
    )
    conference_customer_id: uuid.UUID | None = Field(
        None,
        title=N_("Conferences are paid by"),
        description=N_("By the routes and at the cost of this customer numbers are called where none is named."),
    )

    REFUSALS = {
        "fk_settings_conference_customer_id_customers": (
            "conference_customer_id",
            N_("This customer no longer exists."),
        ),
        "fk_settings_default_blocked_list_id_destination_lists": (
            "default_blocked_list_id",
            N_("This destination list no longer exists."),
        ),
        "fk_settings_default_allowed_list_id_destination_lists": (
            "default_allowed_list_id",
            N_("This destination list no longer exists."),
        ),
    }
