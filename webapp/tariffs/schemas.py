"""What is valid for price plans, tariffs, and the lines of a provider's deck."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from webapp.validation import N_, DialledNumber, DisplayName, Moment, Money, Note, Percent, Prefix, Schema, Whole


def _now() -> dt.datetime:
    """Now, to the second: what a form shows is what is stored."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


Seconds = Annotated[Whole, Field(ge=0, le=3600)]
Step = Annotated[Whole, Field(ge=1, le=3600)]

# What the lines of price plans and those of decks have in common.
PREFIX: Any = Field(
    title=N_("Prefix"), description=N_("What the numbers begin with, country code first. The longest prefix counts.")
)
DESCRIPTION: Any = Field("", title=N_("Description"))
MINIMUM: Any = Field(
    30, title=N_("Minimum (s)"), description=N_("An answered call is charged for so many seconds at the least …")
)
INCREMENT: Any = Field(6, title=N_("Increment (s)"), description=N_("… and beyond them in steps of so many."))
CONNECT_FEE: Any = Field(Decimal(0), title=N_("Connect fee"), description=N_("Charged once for each answered call."))
VALID_FROM: Any = Field(
    default_factory=_now,
    title=N_("Valid from"),
    description=N_("A date, with a time if you like. Empty: from now on."),
)


class PricePlanSchema(Schema):
    name: DisplayName = Field(title=N_("Name"))
    inbound_plan_id: uuid.UUID | None = Field(
        None,
        title=N_("Price plan for inbound calls"),
        description=N_("By its tariffs, the customers pay for calls to their own numbers. None: these are free."),
    )
    onnet_charged: bool = Field(
        False,
        title=N_("Charge calls between customers"),
        description=N_("Calls to numbers of other customers are charged as any other. Otherwise they are free."),
    )

    REFUSALS = {
        "uq_price_plans_name": ("name", N_("Another price plan has this name.")),
        "fk_price_plans_inbound_plan_id_price_plans": ("inbound_plan_id", N_("This price plan no longer exists.")),
    }


class PlanCopySchema(Schema):
    """A price plan made from another one."""

    name: DisplayName = Field(title=N_("Name"), description=N_("What the new plan is called."))
    percent: Percent = Field(
        Decimal(0),
        title=N_("Change of prices (%)"),
        description=N_("Added to prices and connect fees; with a minus sign taken off. Costs stay as they are."),
    )

    REFUSALS = {
        **PricePlanSchema.REFUSALS,
        "ck_tariffs_price_fits": ("percent", N_("Some of the prices would become too large.")),
    }


class LookupSchema(Schema):
    """A question: which line counts for a number at a time?"""

    number: DialledNumber = Field(title=N_("Number"))
    at: Moment = Field(default_factory=_now, title=N_("At"))


class TariffSchema(Schema):
    price_plan_id: uuid.UUID = Field(title=N_("Price plan"), json_schema_extra={"widget": "hidden"})
    prefix: Prefix = PREFIX
    description: Note = DESCRIPTION
    cost_per_minute: Money = Field(
        Decimal(0),
        title=N_("Cost per minute"),
        description=N_("What a minute costs us, to compare with the price. 0: what the cheapest provider charges."),
    )
    price_per_minute: Money = Field(title=N_("Price per minute"))
    minimum_seconds: Seconds = MINIMUM
    increment_seconds: Step = INCREMENT
    connect_fee: Money = CONNECT_FEE
    valid_from: Moment = VALID_FROM

    REFUSALS = {
        "uq_tariffs_price_plan_id_prefix_valid_from": (
            "valid_from",
            N_("The price plan already has a tariff for this prefix from this moment on."),
        ),
        "fk_tariffs_price_plan_id_price_plans": ("price_plan_id", N_("This price plan no longer exists.")),
    }


class ProviderTariffSchema(Schema):
    provider_id: uuid.UUID = Field(title=N_("Provider"), json_schema_extra={"widget": "hidden"})
    prefix: Prefix = PREFIX
    description: Note = DESCRIPTION
    cost_per_minute: Money = Field(title=N_("Cost per minute"))
    minimum_seconds: Seconds = MINIMUM
    increment_seconds: Step = INCREMENT
    connect_fee: Money = CONNECT_FEE
    valid_from: Moment = VALID_FROM

    REFUSALS = {
        "uq_provider_tariffs_provider_id_prefix_valid_from": (
            "valid_from",
            N_("The provider already has a tariff for this prefix from this moment on."),
        ),
        "fk_provider_tariffs_provider_id_providers": ("provider_id", N_("This provider no longer exists.")),
    }
