"""The rows behind a thing in Asterisk's tables, read-only."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, abort, render_template
from sqlalchemy.orm import joinedload

from webapp.asterisk.read import rows_of
from webapp.customers.models import Customer
from webapp.dids.models import Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.permissions import permission

bp = Blueprint("realtime", __name__, url_prefix="/realtime")

# The things that have rows there, named as their areas; an extension's name takes its customer.
KINDS: dict[str, tuple[type[Any], list[Any]]] = {
    "customers": (Customer, []),
    "extensions": (Extension, [joinedload(Extension.customer)]),
    "gateways": (Gateway, []),
    "dids": (Did, []),
}


@bp.get("/<kind>/<uuid:id>")
@permission("realtime.read")
def show(kind: str, id: uuid.UUID) -> Any:
    if kind not in KINDS:
        abort(404)
    model, options = KINDS[kind]
    thing = db.get_or_404(model, id, options=options)
    return render_template("realtime/show.html", thing=thing, tables=rows_of(db.session(), thing))
