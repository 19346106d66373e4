"""Gateways, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.gateways.lists import GATEWAYS
from webapp.gateways.models import Gateway
from webapp.gateways.schemas import GatewaySchema

resource(
    "gateways",
    Gateway,
    GatewaySchema,
    listing=GATEWAYS,
)
