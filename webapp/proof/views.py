"""The page that proves that Asterisk has what was said, and sets right what it has not."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext

from webapp import store
from webapp.nodes.operations import explained
from webapp.permissions import permission
from webapp.proof import operations
from webapp.realtime.kinds import KINDS

bp = Blueprint("proof", __name__, url_prefix="/settings/proof")


@bp.get("/")
@permission("proof.read")
def index() -> Any:
    proof = operations.last()
    found = operations.lines(proof)
    return render_template(
        "proof/index.html", proof=proof, lines=found, things=operations.things(found), explained=explained
    )


@bp.get("/state")
@permission("proof.read")
def state() -> Any:
    """How far it is, which the page asks for while agents are at it; when they are done the page is loaded anew."""
    proof = operations.last(operations.owner_or_404(request.args.get("scope", "")))
    if proof.working:
        return render_template("proof/_state.html", proof=proof, explained=explained)
    return "", 200, {"HX-Refresh": "true"}


@bp.post("/ask")
@permission("proof.write")
def ask() -> Any:
    scope = operations.owner_or_404(request.form.get("scope", ""))
    operations.ask(scope)
    return redirect(_page(scope))


@bp.post("/repair")
@permission("proof.write")
def repair() -> Any:
    scope = operations.owner_or_404(request.form.get("scope", ""))
    try:
        receipt = operations.repair(scope)
    except store.Refused as refused:
        flash(gettext(operations.IN_THE_WAY, constraint=refused.constraint), "danger")
        return redirect(_page(scope))
    if not receipt.changes and not receipt.orders:
        flash(gettext("There is nothing to repair."), "success")
    else:
        flash(ngettext("%(num)s row set right.", "%(num)s rows set right.", len(receipt.changes)), "success")
    return redirect(_page(scope))


def _page(scope: str) -> str:
    """The page of everything, or of the rows behind one thing."""
    name, _, id = scope.partition(":")
    area = next((area for area, (kind, _) in KINDS.items() if kind.__name__.lower() == name), None)
    return url_for("realtime.show", kind=area, id=id) if area else url_for(".index")
