"""Gateways, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.gateways.models import Gateway
from webapp.gateways.schemas import GatewaySchema

resource(
    "gateways", Gateway, GatewaySchema, order=[Gateway.name, Gateway.id], search=[Gateway.name, Gateway.ip_address]
)
