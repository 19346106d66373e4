"""The tokens of programs: who has one, what it may do, when it was last used."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext, lazy_gettext

from webapp import store
from webapp.bulk import NAMED, Action, bulk_page
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import form_for
from webapp.pages import saved
from webapp.permissions import permission
from webapp.tokens import operations
from webapp.tokens.lists import STATES, TOKENS
from webapp.tokens.models import ApiToken
from webapp.tokens.schemas import TokenSchema
from webapp.typed import when
from webapp.users.lists import ROLES

bp = Blueprint("tokens", __name__, url_prefix="/tokens")

TokenForm = form_for(TokenSchema)


def _losses(tokens: Sequence[ApiToken]) -> Iterable[str]:
    """What will stop working: above all what was used last."""
    yield gettext("Programs that use these tokens are refused at once. This cannot be undone.")
    used = [(token.last_used_at, token) for token in tokens if token.state == "active" and token.last_used_at]
    for last_used_at, token in sorted(used, key=lambda pair: pair[0], reverse=True)[:NAMED]:
        yield gettext(
            "%(name)s, made by %(user)s, was last used on %(time)s.",
            name=token.name,
            user=token.username,
            time=when(last_used_at),
        )


REVOKE = Action("revoke", lazy_gettext("Revoke"), do=operations.revoke_all, warnings=_losses, danger=True)
ACTIONS = (REVOKE,)


@bp.get("/")
@permission("tokens.read")
def index() -> Any:
    return render_template("tokens/index.html", page=TOKENS.page(), actions=ACTIONS, roles=ROLES, states=STATES)


@bp.get("/export.csv")
@permission("tokens.read")
def export() -> Any:
    return csv_file(TOKENS, "tokens")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("tokens.write")
def bulk() -> Any:
    return bulk_page(TOKENS, ACTIONS)


@bp.route("/new", methods=["GET", "POST"])
@permission("tokens.write")
def edit() -> Any:
    form = TokenForm()
    if form.validate_on_submit():
        try:
            token, secret = operations.create(form.valid)
        except store.Refused as refused:
            form.refuse(refused)
        else:
            # In the answer itself: after a redirect it would have to come from a cookie, an address or the database.
            return render_template("tokens/created.html", token=token, secret=secret), 201
    return render_template("tokens/new.html", form=form), 422 if form.errors else 200


@bp.route("/<uuid:id>/revoke", methods=["GET", "POST"])
@permission("tokens.write")
def revoke(id: uuid.UUID) -> Any:
    token = db.get_or_404(ApiToken, id)
    if request.method == "POST":
        operations.revoke(token)
        return saved(gettext("Token %(name)s was revoked.", name=token.name), ".index")
    return render_template("tokens/revoke.html", token=token)
