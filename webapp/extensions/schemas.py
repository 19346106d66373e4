"""What is valid for an extension."""

from __future__ import annotations

import secrets
import string
import uuid

from pydantic import Field

from webapp.validation import N_, CallerName, ExtensionNumber, Schema, SipSecret

_ALPHABET = string.ascii_letters + string.digits


def new_secret() -> str:
    """A secret nobody guesses: 20 letters and digits, about 119 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


class ExtensionSchema(Schema):
    customer_id: uuid.UUID = Field(title=N_("Customer"))
    extension: ExtensionNumber = Field(
        title=N_("Number"),
        description=N_("Unique within the customer; it is what the customer's other phones dial."),
        json_schema_extra={"attributes": {"inputmode": "numeric"}},
    )
    name: CallerName = Field("", title=N_("Name"), description=N_("Shown on the phones it calls."))
    secret: SipSecret = Field(
        default_factory=new_secret,
        title=N_("Secret"),
        description=N_("Leave it empty to keep the one that is stored."),
        json_schema_extra={"widget": "password"},
    )
    enabled: bool = Field(True, title=N_("Enabled"))

    REFUSALS = {
        "uq_extensions_customer_id_extension": ("extension", N_("The customer already has this extension.")),
        "fk_extensions_customer_id_customer_type_customers": (
            "customer_id",
            N_("Choose a customer of type “extensions”."),
        ),
        "fk_customer_dids_extension_id_customer_id_extensions": (
            "customer_id",
            N_("A DID of the present customer rings this extension; give the DID away first."),
        ),
    }
