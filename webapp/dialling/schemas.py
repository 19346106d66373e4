"""What is valid for a rule about dialled numbers."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AfterValidator, Field

from webapp.validation import N_, Note, Pattern, Schema, Whole, matching

Prepend = Annotated[
    str,
    Field(max_length=30),
    AfterValidator(matching(r"([0-9]|\{country\}|\{area\})*", N_("Use digits, {{country}} and {{area}} only."))),
]


class NumberRuleSchema(Schema):
    customer_id: uuid.UUID | None = Field(None, title=N_("Customer"))
    position: Annotated[Whole, Field(ge=1, le=999)] | None = Field(
        None,
        title=N_("Position"),
        description=N_("The first rule that fits a number is the only one that counts. Empty: after all others."),
    )
    pattern: Pattern = Field(
        title=N_("Pattern"),
        description=N_("Digits, X (0-9), Z (1-9), N (2-9), sets such as [2-5]; at the end . (one or more) or ! (any)."),
    )
    strip: Annotated[Whole, Field(ge=0, le=15)] = Field(
        0, title=N_("Digits to cut"), description=N_("Cut from the start of the dialled number …")
    )
    prepend: Prepend = Field(
        "",
        title=N_("Digits to add"),
        description=N_("… and put before it; {country} and {area} stand for the codes of customer and company."),
    )
    description: Note = Field("", title=N_("Description"), description=N_("What people dial so, in your words."))

    REFUSALS = {
        "fk_number_rules_customer_id_customers": ("customer_id", N_("This customer no longer exists.")),
    }
