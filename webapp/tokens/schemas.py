"""What is valid for a token."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from webapp.validation import N_, DisplayName, Schema, Whole


class TokenSchema(Schema):
    name: DisplayName = Field(
        title=N_("Name"), description=N_("The program that will use it. The audit log calls it by this name.")
    )
    role: Literal["viewer", "operator", "admin"] = Field(
        "viewer",
        title=N_("Role"),
        description=N_("What the program may do: no more than it needs."),
        json_schema_extra={
            "choices": {"viewer": N_("Viewer"), "operator": N_("Operator"), "admin": N_("Administrator")}
        },
    )
    expires_in_days: Annotated[Whole, Field(ge=0, le=3650)] = Field(
        90,
        title=N_("Valid for (days)"),
        description=N_("0 for a token that never expires. If such a token gets lost, it lets others in for good."),
    )

    REFUSALS = {
        "uq_api_tokens_name": ("name", N_("Another token has this name, or had it before it was revoked.")),
        "role_above_own": ("role", N_("A token cannot do more than you may do yourself.")),
    }
