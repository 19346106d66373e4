"""The rows behind a thing in Asterisk's tables, beside what they should be and what each node uses."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, abort, render_template

from webapp.asterisk.read import Column, Sides, owner_of, sides
from webapp.ext import db
from webapp.nodes.operations import explained
from webapp.permissions import may, permission
from webapp.proof import operations as proof
from webapp.realtime.kinds import KINDS

bp = Blueprint("realtime", __name__, url_prefix="/realtime")


@bp.get("/<kind>/<uuid:id>")
@permission("realtime.read")
def show(kind: str, id: uuid.UUID) -> Any:
    if kind not in KINDS:
        abort(404)
    model, options = KINDS[kind]
    thing = db.get_or_404(model, id, options=options)

    def answers(part: proof.Part, row: Sides, column: Column) -> tuple[str, Any]:
        if part.check and part.check.asked_at < thing.updated_at:
            return "unknown", None  # What was so then says nothing about what is entered now.
        return proof.answer_of(part, row.table, row.key, column.name)

    return render_template(
        "realtime/show.html",
        thing=thing,
        rows=sides(db.session(), thing),
        proof=proof.last(owner_of(thing)) if may("proof.read") else None,
        answers=answers,
        explained=explained,
    )
