"""Gateways, for programs."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_openapi import Tag

from webapp.api import Identified, Secret, bp, resource
from webapp.ext import db
from webapp.gateways import operations
from webapp.gateways.lists import GATEWAYS
from webapp.gateways.models import Gateway
from webapp.gateways.schemas import GatewaySchema
from webapp.permissions import permission

resource(
    "gateways",
    Gateway,
    GatewaySchema,
    listing=GATEWAYS,
)

TAGS: list[Tag | dict[str, Any]] = [Tag(name="gateways")]


@bp.post("/gateways/<uuid:id>/password", tags=TAGS, responses={200: Secret})
@permission("gateways.reveal")
def reveal_password_of_gateway(path: Identified) -> Response:
    """The password that the provider gave us, which is shown nowhere else; that it was asked for is recorded."""
    return jsonify(secret=operations.reveal(db.get_or_404(Gateway, path.id)))
