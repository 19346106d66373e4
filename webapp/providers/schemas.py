"""What is valid for a provider."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from webapp.validation import N_, DisplayName, Money, Schema


class ProviderSchema(Schema):
    name: DisplayName = Field(title=N_("Name"))
    type: Literal["termination", "numbers", "both"] = Field(
        "both",
        title=N_("What we buy"),
        json_schema_extra={
            "choices": {
                "termination": N_("Termination of calls"),
                "numbers": N_("Telephone numbers"),
                "both": N_("Calls and numbers"),
            }
        },
    )
    cost_per_minute: Money = Field(
        Decimal(0),
        title=N_("Cost per minute"),
        description=N_("What an outbound minute costs where no tariff says otherwise."),
    )

    REFUSALS = {"uq_providers_name": ("name", N_("Another provider has this name."))}
