"""The tokens of programs: who has one, what it may do, when it was last used."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webapp import store
from webapp.ext import db
from webapp.forms import form_for
from webapp.pages import saved
from webapp.paging import matches, page
from webapp.permissions import permission
from webapp.tokens import operations
from webapp.tokens.models import ApiToken
from webapp.tokens.schemas import TokenSchema

bp = Blueprint("tokens", __name__, url_prefix="/tokens")

TokenForm = form_for(TokenSchema)


@bp.get("/")
@permission("tokens.read")
def index() -> Any:
    query = select(ApiToken).options(joinedload(ApiToken.user)).where(*matches(ApiToken.name))
    return render_template("tokens/index.html", page=page(query, ApiToken.name))


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
