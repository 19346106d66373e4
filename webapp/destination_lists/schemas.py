"""What is valid for a destination list."""

from __future__ import annotations

from pydantic import Field

from webapp.validation import N_, DisplayName, Prefixes, Schema


class DestinationListSchema(Schema):
    name: DisplayName = Field(title=N_("Name"))
    prefixes: Prefixes = Field(
        title=N_("Prefixes"),
        description=N_("What the numbers begin with, country code first, one in each line."),
        json_schema_extra={"widget": "lines"},
    )

    REFUSALS = {"uq_destination_lists_name": ("name", N_("Another destination list has this name."))}
