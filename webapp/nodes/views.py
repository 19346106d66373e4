"""The nodes: how each is, the badge of every page that says so in short, and what became of a save."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from webapp import store
from webapp.forms import CHANGED_MEANWHILE
from webapp.nodes import operations, receipts
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("nodes", __name__)
bp.after_app_request(receipts.keep)
bp.add_app_template_global(receipts.latest, "latest_receipt")


@bp.get("/settings/nodes/")
@permission("nodes.read")
def index() -> Any:
    return render_template("nodes/index.html", nodes=operations.states(), explained=operations.explained)


@bp.post("/settings/nodes/<name>/enabled")
@permission("nodes.write")
def switch(name: str) -> Any:
    """The button says which of both it wants, so that two who press it at once want the same."""
    enabled = request.form.get("enabled") == "yes"
    try:
        operations.switch(name, enabled)
    except store.Stale:
        flash(gettext(CHANGED_MEANWHILE), "warning")
        return redirect(url_for(".index"))
    on, off = gettext("%(name)s is enabled.", name=name), gettext("%(name)s is disabled.", name=name)
    return saved(on if enabled else off, ".index")


@bp.route("/settings/nodes/<name>/delete", methods=["GET", "POST"])
@permission("nodes.write")
def delete(name: str) -> Any:
    node = operations.state_of(name)
    if request.method == "POST":
        try:
            operations.remove(node.name)
            return saved(gettext("%(name)s was deleted.", name=node.name), ".index")
        except operations.StillThere:
            node = operations.state_of(name)
    return render_template("nodes/delete.html", node=node), 200 if node.gone else 409


@bp.get("/sync/badge")
@permission("nodes.read")
def badge() -> Any:
    """What pages ask for every few seconds; nothing if they show it already."""
    kind, words = operations.badge(operations.states())
    shown = request.args.get("shown", "")
    if shown == words:
        return "", 204
    return render_template("nodes/_badge.html", kind=kind, words=words, news=bool(shown))


@bp.get("/sync/receipts/<request_id>")
@permission("nodes.read")
def receipt(request_id: str) -> Any:
    """What the message after a save asks for every second; nothing if it says so already and more is to come."""
    told = receipts.told(request_id)
    if not told.settled and request.args.get("shown") == told.words:
        return "", 204
    return render_template("nodes/_receipt.html", told=told)
