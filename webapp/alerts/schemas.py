"""What is valid for whom to tell."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from webapp.validation import N_, EMails, Schema, refuse

_URL = re.compile(r"https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(/[!-~]*)?")


def _url(text: str) -> str:
    if text and not _URL.fullmatch(text):
        raise refuse(N_("Write an address such as https://example.com/alerts, without user and password."))
    return text


class AlertSettingsSchema(Schema):
    emails: EMails = Field(
        [],
        title=N_("E-mail to"),
        description=N_("One address in each line."),
        json_schema_extra={"widget": "lines"},
    )
    language: Literal["pt_BR", "en"] = Field(
        "pt_BR",
        title=N_("Language of the messages"),
        json_schema_extra={"choices": {"pt_BR": "Português", "en": "English"}},
    )
    webhook_url: Annotated[str, Field(max_length=500), AfterValidator(_url)] = Field(
        "",
        title=N_("Webhook"),
        description=N_(
            "Alerts are sent there with POST, as JSON, signed with WEBHOOK_SECRET of the agents. Over https, to an "
            "address on the Internet."
        ),
    )
