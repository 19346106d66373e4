"""What is valid to ask for when calls are to be rated again."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from webapp.validation import N_, Moment, Schema, at

DIRECTIONS: JsonDict = {
    "": N_("All"),
    "inbound": N_("Inbound"),
    "outbound": N_("Outbound"),
    "internal": N_("Internal"),
    "onnet": N_("Between customers"),
}


class ReratingSchema(Schema):
    since: Moment = Field(title=N_("From"), description=N_("Calls that began then or later."))
    until: Moment | None = Field(
        None, title=N_("Until"), description=N_("Calls that began before. Empty: all that have ended by now.")
    )
    customer_id: uuid.UUID | None = Field(None, title=N_("Customer"), description=N_("Empty: those of all."))
    price_plan_id: uuid.UUID | None = Field(
        None,
        title=N_("Price plan"),
        description=N_("The plan by which they were rated. Leave it empty if the customer had the wrong one."),
    )
    direction: Literal["", "inbound", "outbound", "internal", "onnet"] = Field(
        "", title=N_("Direction"), json_schema_extra={"choices": DIRECTIONS}
    )

    @model_validator(mode="after")
    def _has_an_end_after_its_beginning(self) -> Self:
        if self.since >= (self.until or dt.datetime.now(dt.UTC)):
            raise at("until" if self.until else "since", N_("The period ends before it begins."))
        return self


class RerateSchema(ReratingSchema):
    preview: bool = Field(True, description="false: apply it as well, without waiting to be told.")
