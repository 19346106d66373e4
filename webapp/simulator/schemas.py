"""What may be asked of a call that nobody makes, and what is answered."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from webapp.validation import N_, PLAIN, Channels, ExtensionNumber, Html, Moment, Schema, Whole, matching


def _caller_digits(value: Any) -> Any:
    """Without what people put between digits. A plus sign stays, for it says that the country comes first."""
    return re.sub(r"[\s().-]", "", value) if isinstance(value, str) else value


Dialled = Annotated[str, Field(min_length=1, max_length=80), Html(80, "tel"), PLAIN]
CallerNumber = Annotated[
    str,
    Html(30, "tel"),
    BeforeValidator(_caller_digits),
    AfterValidator(matching(r"\+?[0-9]{0,20}", N_("Use the digits of a telephone number, 20 at the most."))),
]


class SimulationSchema(Schema):
    """A call as it might be made."""

    customer_id: uuid.UUID = Field(title=N_("Customer"))
    number: Dialled = Field(title=N_("Number as it is dialled"))
    seconds: Annotated[Whole, Field(ge=1, le=86400)] = Field(
        60, title=N_("Talked (s)"), description=N_("Price and cost are those of a call of so many seconds.")
    )
    caller: CallerNumber = Field(
        "", title=N_("Caller number"), description=N_("That the PBX or phone sends; empty: none.")
    )
    extension: ExtensionNumber | None = Field(
        None, title=N_("Extension that calls"), description=N_("A phone may have a number of its own to show.")
    )
    channels: Channels = Field(
        0, title=N_("Calls at once"), description=N_("That the customer has then, this one included.")
    )
    at: Moment | None = Field(
        None,
        title=N_("Moment"),
        description=N_("By the tariffs of this moment; all else is as it is now. Empty: now."),
    )

    REFUSALS = {
        "fk_simulations_customer": ("customer_id", N_("This customer no longer exists.")),
        "fk_simulations_extension": ("extension", N_("The customer has no such extension.")),
    }


class SimulatedStep(BaseModel):
    """A rule about dialled numbers, and what it made of this one."""

    rule: str
    pattern: str
    before: str
    after: str


class SimulatedTariff(BaseModel):
    """The line of a price plan by which a call is charged."""

    price_plan_id: uuid.UUID
    price_plan: str
    prefix: str
    destination: str
    price_per_minute: Decimal
    connect_fee: Decimal
    minimum_seconds: int
    increment_seconds: int


class SimulatedLeg(BaseModel):
    """A gateway that is tried, what it is sent, and what the call would cost there."""

    gateway_id: uuid.UUID
    gateway: str
    provider_id: uuid.UUID
    provider: str
    number: str = Field(description="As it is sent there.")
    caller_id: str = Field(description="As that gateway gets it; empty if the call is anonymous.")
    max_channels: int = Field(description="Calls at once that it takes; 0: any number.")
    cost_source: str = Field(description="`deck`, `tariff` or `provider`; empty if it costs nothing.")
    cost_prefix: str
    cost_per_minute: Decimal
    cost_connect_fee: Decimal
    cost_minimum_seconds: int
    cost_increment_seconds: int
    cost_billed_seconds: int
    cost: Decimal
    margin_per_minute: Decimal = Field(description="Price per minute less cost per minute.")
    margin: Decimal = Field(description="Price less cost.")


class SimulatedDid(BaseModel):
    """Whose number was called, and where it rings."""

    id: uuid.UUID
    customer_id: uuid.UUID
    customer: str
    customer_enabled: bool = Field(description="Calls to a disabled customer are refused.")
    extension: str | None = Field(description="The phone that rings; null: the customer's PBX.")


class SimulatedPhone(BaseModel):
    """The phone of the same customer that rings."""

    id: uuid.UUID
    extension: str
    name: str


class Simulation(BaseModel):
    """What would become of a call, and what it would come to. Nothing is dialled, and nothing is kept."""

    customer_id: uuid.UUID
    dialled: str
    at: dt.datetime = Field(description="By the tariffs of which moment.")
    seconds: int
    emergency: bool = Field(description="Whether it is an emergency number: no rule changes it, and it is free.")
    steps: list[SimulatedStep] = Field(description="How the number that is meant came about.")
    verdict: str = Field(description="`route`, `did`, `internal` or `refused`.")
    reason: str = Field(description="Why it is refused.")
    reason_words: str = Field(description="The same in a sentence.")
    cause: int = Field(description="Q.850 cause of a refusal; else 0.")
    sip_status: int | None = Field(description="With which the caller is refused.")
    number: str = Field(description="As it was understood: E.164 digits if a rule knows it. Of a phone its SIP user.")
    caller_id: str = Field(description="The number that the call presents; empty for none.")
    max_seconds: int = Field(description="It is cut off after so many seconds; 0: never.")
    tariff: SimulatedTariff | None = Field(description="By which it is charged; null if it is free or has no price.")
    unrated: str = Field(description="`no_price_plan` or `no_tariff` where there is no price; else empty.")
    billed_seconds: int = Field(description="Seconds that are charged.")
    price: Decimal = Field(description="What `seconds` would come to; 0 where the call is refused.")
    legs: list[SimulatedLeg] = Field(description="The gateways, in the order in which they are tried.")
    did: SimulatedDid | None = Field(description="With verdict `did`.")
    phone: SimulatedPhone | None = Field(description="With verdict `internal`.")
