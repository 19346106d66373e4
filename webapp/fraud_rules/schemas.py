"""What is valid for a rule against toll fraud, and how long past calls are tried."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from webapp.validation import N_, DisplayName, Html, Money, PrefixesOrNone, Schema, Whole, at, matching

ClockTime = Annotated[
    str,
    Html(5),
    AfterValidator(matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", N_("Use a time such as 22:00."))),
]
Limit = Annotated[Whole, Field(ge=0, le=1_000_000)]


class FraudRuleSchema(Schema):
    name: DisplayName = Field(title=N_("Name"))
    kind: Literal["spending", "destination", "burst", "night"] = Field(
        title=N_("What is counted"),
        json_schema_extra={
            "choices": {
                "spending": N_("All calls out"),
                "destination": N_("Calls to a country the customer did not call before"),
                "burst": N_("Short calls"),
                "night": N_("Calls at night"),
            }
        },
    )
    customer_id: uuid.UUID | None = Field(None, title=N_("Customer"))
    destinations: Literal["all", "international", "prefixes"] = Field(
        "international",
        title=N_("Destinations"),
        json_schema_extra={
            "choices": {
                "international": N_("Other countries"),
                "all": N_("All"),
                "prefixes": N_("Numbers with these prefixes"),
            }
        },
    )
    prefixes: PrefixesOrNone = Field(
        [],
        title=N_("Prefixes"),
        description=N_("What the numbers begin with, country code first, one in each line."),
        json_schema_extra={"widget": "lines"},
    )
    window_minutes: Annotated[Whole, Field(ge=1, le=1440)] = Field(
        15, title=N_("Within (min)"), description=N_("So far back is counted, every minute anew.")
    )
    max_calls: Limit | None = Field(None, title=N_("More calls than"))
    max_minutes: Limit | None = Field(None, title=N_("More minutes than"))
    max_amount: Money | None = Field(
        None,
        title=N_("More money than"),
        description=N_("What the customer is charged. Calls in progress count as far as they have come."),
    )
    short_seconds: Annotated[Whole, Field(ge=1, le=3600)] = Field(
        6, title=N_("Short is up to (s)"), description=N_("Answered, and over within so many seconds.")
    )
    known_days: Annotated[Whole, Field(ge=1, le=365)] = Field(
        90,
        title=N_("Not called for (days)"),
        description=N_("A country where no call was answered in so many days is new."),
    )
    night_from: ClockTime = Field("22:00", title=N_("Night from"))
    night_until: ClockTime = Field("06:00", title=N_("Night until"), description=N_("Where the company is."))
    action: Literal["alert", "block_international", "block_all"] = Field(
        "alert",
        title=N_("What happens then"),
        json_schema_extra={
            "choices": {
                "alert": N_("Only an alert"),
                "block_international": N_("Calls to other countries are stopped"),
                "block_all": N_("All calls out are stopped"),
            }
        },
    )

    REFUSALS = {
        "uq_fraud_rules_name": ("name", N_("Another rule has this name.")),
        "fk_fraud_rules_customer_id_customers": ("customer_id", N_("This customer no longer exists.")),
    }

    @model_validator(mode="after")
    def _has_a_limit(self) -> FraudRuleSchema:
        if self.max_calls is None and self.max_minutes is None and self.max_amount is None:
            raise at("max_calls", N_("Give at least one limit: calls, minutes or money."))
        return self

    @model_validator(mode="after")
    def _has_its_prefixes(self) -> FraudRuleSchema:
        if self.destinations == "prefixes" and not self.prefixes:
            raise at("prefixes", N_("Give at least one."))
        return self

    @model_validator(mode="after")
    def _night_takes_time(self) -> FraudRuleSchema:
        if self.night_from == self.night_until:
            raise at("night_until", N_("The night must end at another time than it begins."))
        return self


class FraudTestSchema(Schema):
    """How far back a rule is tried."""

    days: Literal[7, 30] = 7


class ArmSchema(Schema):
    """Whether to arm a rule that was not tried on past calls as it is now."""

    anyway: bool = False
