"""Users: who may use the program, and as what."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, render_template
from flask_babel import gettext, ngettext
from flask_login import current_user

from webapp import details
from webapp.accounts import operations, second_factor, sessions
from webapp.accounts.models import User, UserSession
from webapp.accounts.schemas import UserSchema
from webapp.bulk import DISABLE, ENABLE, bulk_page
from webapp.export import csv_file
from webapp.ext import db
from webapp.forms import delete_page, find, form_for
from webapp.pages import saved
from webapp.permissions import permission
from webapp.users.lists import USERS

bp = Blueprint("users", __name__, url_prefix="/users")

UserForm = form_for(UserSchema)


def _oneself(users: Sequence[User]) -> Iterable[str]:
    if any(user.id == current_user.id for user in users):
        yield gettext("You cannot disable yourself.")


ACTIONS = (
    replace(ENABLE, do=operations.enable),
    replace(
        DISABLE,
        do=operations.disable,
        obstacles=_oneself,
        warnings=lambda _: [gettext("They are signed out everywhere, and their API tokens are refused.")],
    ),
)


@bp.get("/")
@permission("users.read")
def index() -> Any:
    return render_template("users/index.html", page=USERS.page(), actions=ACTIONS)


@bp.get("/export.csv")
@permission("users.read")
def export() -> Any:
    return csv_file(USERS, "users")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("users.write")
def bulk() -> Any:
    return bulk_page(USERS, ACTIONS)


@bp.get("/<uuid:id>")
@permission("users.read")
def show(id: uuid.UUID) -> Any:
    user = db.get_or_404(User, id)
    return render_template(
        "users/show.html",
        thing=user,
        changes=details.changes(user, UserSchema),
        factor=second_factor.of(user),
        sessions=sessions.of(user),
        current=sessions.current_id(),
    )


@bp.route("/new", methods=["GET", "POST"], defaults={"id": None})
@bp.route("/<uuid:id>/edit", methods=["GET", "POST"])
@permission("users.write")
def edit(id: uuid.UUID | None) -> Any:
    user = find(User, id)
    form = UserForm(obj=user)
    form.password.flags.required = id is None
    if form.validate_on_submit() and form.save(user, partial(operations.save, user)):
        return saved(gettext("User %(name)s saved.", name=user.username), ".index")
    return render_template("users/edit.html", user=user, form=form), 422 if form.errors else 200


@bp.post("/<uuid:id>/enabled")
@permission("users.write")
def switch(id: uuid.UUID) -> Any:
    return details.switch(db.get_or_404(User, id), UserSchema, operations.save)


@bp.route("/<uuid:id>/delete", methods=["GET", "POST"])
@permission("users.write")
def delete(id: uuid.UUID) -> Any:
    user = db.get_or_404(User, id)
    return delete_page(
        user, gettext("user"), ".index", ".show", remove=operations.delete_other, refusals=UserSchema.REFUSALS
    )


@bp.post("/<uuid:id>/sessions/end")
@permission("users.write")
def end_sessions(id: uuid.UUID) -> Any:
    return _ended(id, sessions.end(db.get_or_404(User, id)))


@bp.post("/<uuid:id>/sessions/<uuid:session_id>/end")
@permission("users.write")
def end_session(id: uuid.UUID, session_id: uuid.UUID) -> Any:
    return _ended(id, sessions.end(db.get_or_404(User, id), UserSession.id == session_id))


def _ended(id: uuid.UUID, count: int) -> Any:
    message = ngettext("%(num)s session was ended.", "%(num)s sessions were ended.", count)
    return saved(message, ".show", id=id)


@bp.post("/<uuid:id>/second-factor/remove")
@permission("users.write")
def remove_second_factor(id: uuid.UUID) -> Any:
    """For somebody who has lost the telephone and the recovery codes."""
    user = db.get_or_404(User, id)
    second_factor.remove(user)
    return saved(gettext("%(name)s now signs in with the password alone.", name=user.username), ".show", id=id)
