"""What is valid for a route."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import Field

from webapp.validation import N_, Digits, DisplayName, Pattern, Schema, Whole


class RouteSchema(Schema):
    name: DisplayName = Field(title=N_("Name"))
    pattern: Pattern = Field(
        title=N_("Pattern"),
        description=N_("Digits, X (0-9), Z (1-9), N (2-9), sets such as [2-5]; at the end . (one or more) or ! (any)."),
    )
    gateway_id: uuid.UUID = Field(title=N_("Gateway"))
    priority: Annotated[Whole, Field(ge=1, le=9999)] = Field(
        100,
        title=N_("Priority"),
        description=N_("The lowest is tried first; of equals, the cheapest provider."),
    )
    strip: Annotated[Whole, Field(ge=0, le=15)] = Field(
        0, title=N_("Digits to cut"), description=N_("Cut from the start of the dialled number …")
    )
    prepend: Digits = Field("", title=N_("Digits to add"), description=N_("… and put before it."))
    enabled: bool = Field(True, title=N_("Enabled"))

    REFUSALS = {
        "uq_routes_name": ("name", N_("Another route has this name.")),
        "fk_routes_gateway_id_gateways": ("gateway_id", N_("This gateway no longer exists.")),
        "ck_routes_gateway_enabled": ("gateway_id", N_("This gateway is disabled.")),
    }
