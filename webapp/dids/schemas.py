"""What is valid for DIDs: one, a range of them, and the giving of one to a customer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pydantic.config import JsonDict

from webapp.validation import E164, N_, ExtensionNumber, Note, Schema, Whole, at, refuse

MOST_IN_A_RANGE = 10_000
FREE_STATUSES: JsonDict = {"available": N_("Available"), "reserved": N_("Reserved"), "blocked": N_("Blocked")}


FreeStatus = Literal["available", "reserved", "blocked"]


class _Origin(Schema):
    provider_id: uuid.UUID = Field(title=N_("Provider"))
    gateway_id: uuid.UUID | None = Field(
        None, title=N_("Gateway"), description=N_("Where the provider delivers its calls.")
    )
    description: Note = Field("", title=N_("Description"))

    REFUSALS = {
        "uq_dids_number": ("number", N_("One of these numbers is already there.")),
        "fk_dids_provider_id_providers": ("provider_id", N_("This provider no longer exists.")),
        "fk_dids_gateway_id_gateways": ("gateway_id", N_("This gateway no longer exists.")),
    }


class _Numbers(Schema):
    number: E164 = Field(title=N_("First number"), description=N_("With country and area code, such as 551140001000."))
    count: Annotated[Whole, Field(ge=1, le=MOST_IN_A_RANGE)] = Field(
        1, title=N_("How many"), description=N_("1 for a single number, up to 10 000 for a range.")
    )
    status: FreeStatus = Field("available", title=N_("Status"), json_schema_extra={"choices": FREE_STATUSES})

    @model_validator(mode="after")
    def _stays_in_its_length(self) -> _Numbers:
        if len(str(int(self.number) + self.count - 1)) > len(self.number):
            raise at("count", N_("So many numbers do not follow this one."))
        return self


class DidRangeSchema(_Origin, _Numbers):
    """New numbers: the first, and how many they are, itself included."""


class DidSchema(_Origin):
    """What may be changed of a number that somebody has."""


class FreeDidSchema(_Origin):
    """What may be changed of a number that nobody has. Giving it to a customer is an allocation."""

    status: FreeStatus = Field("available", title=N_("Status"), json_schema_extra={"choices": FREE_STATUSES})


class AllocationSchema(Schema):
    customer_id: uuid.UUID = Field(title=N_("Customer"))
    destination: ExtensionNumber | None = Field(
        None,
        title=N_("Extension"),
        description=N_("The phone that rings, for a customer with extensions; empty for a trunk."),
        json_schema_extra={"attributes": {"inputmode": "numeric"}},
    )

    REFUSALS = {
        "ck_dids_free": ("customer_id", N_("This number is blocked or in quarantine.")),
        "uq_customer_dids_current": ("customer_id", N_("Somebody else gave this number away just now.")),
        "fk_customer_dids_customer_id_customers": ("customer_id", N_("This customer no longer exists.")),
        "ck_customer_dids_needs_extension": ("destination", N_("Say which extension of the customer rings.")),
        "ck_customer_dids_extension_exists": ("destination", N_("The customer has no such extension.")),
        "ck_customer_dids_trunk_has_no_extension": (
            "destination",
            N_("A customer with a trunk has no extensions; leave this empty."),
        ),
    }


def _known(what: str, message: str) -> Callable[[Any, ValidationInfo], Any]:
    """A rule: a name is one of those in the context, and means what it stands for there."""

    def look_up(value: Any, info: ValidationInfo) -> Any:
        names: dict[str, Any] = (info.context or {}).get(what, {})
        if value is None:
            return None
        for written in (value.strip(), value.strip().casefold()):
            if written in names:
                return names[written]
        raise refuse(message)

    return look_up


class DidLineSchema(Schema):
    """A line of a file of numbers. It names what it belongs to; the names are looked up in the context."""

    number: E164 = Field(title=N_("Number"))
    provider_id: Annotated[uuid.UUID, BeforeValidator(_known("providers", N_("There is no such provider.")))] = Field(
        title=N_("Provider")
    )
    gateway_id: Annotated[uuid.UUID | None, BeforeValidator(_known("gateways", N_("There is no such gateway.")))] = (
        Field(None, title=N_("Gateway"))
    )
    status: Annotated[str | None, BeforeValidator(_known("statuses", N_("There is no such status.")))] = Field(
        None, title=N_("Status")
    )
    description: Note = Field("", title=N_("Description"))
    customer_id: Annotated[
        uuid.UUID | None, BeforeValidator(_known("customers", N_("There is no customer with this code.")))
    ] = Field(None, title=N_("Customer"))
    destination: ExtensionNumber | None = Field(None, title=N_("Extension"))

    @model_validator(mode="after")
    def _belongs_together(self) -> DidLineSchema:
        if self.customer_id and self.status not in (None, "allocated"):
            raise at("status", N_("A number with a customer is allocated."))
        if self.destination and not self.customer_id:
            raise at("customer_id", N_("Say which customer has it."))
        return self


def _ids(value: Any) -> Any:
    """Ids may come as one text, with commas between them: so a form sends what was chosen in a list."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


class ManySchema(Schema):
    """Many numbers of ours: those chosen, or all from one on."""

    ids: Annotated[list[uuid.UUID], Field(max_length=MOST_IN_A_RANGE), BeforeValidator(_ids)] = Field(
        [], title=N_("Chosen numbers")
    )
    number: E164 | None = Field(
        None, title=N_("First number"), description=N_("With country and area code, such as 551140001000.")
    )
    count: Annotated[Whole, Field(ge=1, le=MOST_IN_A_RANGE)] = Field(
        1, title=N_("How many"), description=N_("1 for a single number, up to 10 000 for a range.")
    )

    @model_validator(mode="after")
    def _says_which(self) -> ManySchema:
        if bool(self.ids) == bool(self.number):
            raise at("number", N_("Choose numbers from the list, or give the first of a range."))
        if self.number and len(str(int(self.number) + self.count - 1)) > len(self.number):
            raise at("count", N_("So many numbers do not follow this one."))
        return self


class ManyAllocatedSchema(AllocationSchema, ManySchema):
    """Many numbers, and to whom they are given."""
