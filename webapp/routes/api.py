"""Routes, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.routes import operations
from webapp.routes.lists import ROUTES
from webapp.routes.models import Route
from webapp.routes.schemas import RouteSchema

resource(
    "routes",
    Route,
    RouteSchema,
    listing=ROUTES,
    save=operations.save,
)
