"""Routes, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.routes import operations
from webapp.routes.models import Route
from webapp.routes.schemas import RouteSchema

resource(
    "routes",
    Route,
    RouteSchema,
    order=[Route.priority, Route.name],
    search=[Route.name, Route.pattern],
    save=operations.save,
)
