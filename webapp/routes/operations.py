"""What is done with routes besides filling in and saving."""

from __future__ import annotations

from collections.abc import Sequence

from webapp import store
from webapp.ext import db
from webapp.gateways.models import Gateway
from webapp.routes.models import Route


def save(route: Route) -> store.Receipt:
    """Store a route. One that is enabled needs a gateway that is; a gateway disabled later is passed over in calls."""
    gateway = db.session.get(Gateway, route.gateway_id)
    if route.enabled and gateway is not None and not gateway.enabled:
        raise store.Refused("ck_routes_gateway_enabled")
    return store.save(route)


def without_gateway(routes: Sequence[Route]) -> list[Route]:
    """Those that cannot be enabled, since their gateway is disabled."""
    return [route for route in routes if not route.gateway.enabled]
