"""The simulator, for programs."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi import Tag

from webapp import store
from webapp.api import bp, refused
from webapp.forms import refusal
from webapp.permissions import permission
from webapp.simulator import operations
from webapp.simulator.schemas import Simulation, SimulationSchema


@bp.post(
    "/simulate",
    tags=[Tag(name="simulator", description="What would become of a call, and what it would come to.")],
    summary="Simulate a call",
    responses={200: Simulation},
)
@permission("simulator.read")
def simulate(body: SimulationSchema) -> Response:
    """The same functions answer that calls go by and are rated by. Amounts are texts, so that nobody rounds them."""
    try:
        found = operations.simulate(body)
    except store.Refused as broken:
        field, message = refusal(SimulationSchema, broken)
        return refused({field: [message]})
    return jsonify(found.model_dump(mode="json"))
