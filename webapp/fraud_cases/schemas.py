"""What is valid for the release of a case."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from webapp.validation import N_, Schema, Whole


class ReleaseSchema(Schema):
    exempt_hours: Annotated[Whole, Field(ge=0, le=720)] = Field(
        0,
        title=N_("And for so many hours no rule stops the customer"),
        description=N_("0: calls that begin from now on count as before."),
    )
