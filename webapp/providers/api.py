"""Providers, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.providers.lists import PROVIDERS
from webapp.providers.models import Provider
from webapp.providers.schemas import ProviderSchema

resource(
    "providers",
    Provider,
    ProviderSchema,
    listing=PROVIDERS,
)
