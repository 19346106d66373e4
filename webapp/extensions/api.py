"""Extensions, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.extensions.lists import EXTENSIONS
from webapp.extensions.models import Extension
from webapp.extensions.schemas import ExtensionSchema

resource(
    "extensions",
    Extension,
    ExtensionSchema,
    listing=EXTENSIONS,
)
