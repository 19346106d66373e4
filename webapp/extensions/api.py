"""Extensions, for programs."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_openapi import Tag

from webapp.api import Identified, Secret, bp, resource
from webapp.ext import db
from webapp.extensions import operations
from webapp.extensions.lists import EXTENSIONS
from webapp.extensions.models import Extension
from webapp.extensions.schemas import ExtensionSchema
from webapp.permissions import permission

resource(
    "extensions",
    Extension,
    ExtensionSchema,
    listing=EXTENSIONS,
)

TAGS: list[Tag | dict[str, Any]] = [Tag(name="extensions")]


@bp.post("/extensions/<uuid:id>/secret", tags=TAGS, responses={200: Secret})
@permission("extensions.reveal")
def reveal_secret_of_extension(path: Identified) -> Response:
    """The secret of a phone, which is shown nowhere else; that it was asked for is recorded."""
    return jsonify(secret=operations.reveal(db.get_or_404(Extension, path.id)))
