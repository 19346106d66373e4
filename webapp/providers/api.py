"""Providers, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.providers.models import Provider
from webapp.providers.schemas import ProviderSchema

resource("providers", Provider, ProviderSchema, order=[Provider.name, Provider.id], search=[Provider.name])
