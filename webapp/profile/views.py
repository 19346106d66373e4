"""One's own account: language and theme, the password, the second step of signing in, the sessions."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask_babel import gettext, lazy_gettext, ngettext, refresh
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import Length

from webapp.accounts import operations, second_factor, sessions, tries
from webapp.accounts.forms import REQUIRED
from webapp.accounts.models import User, UserSession
from webapp.accounts.schemas import SAME_AS_NAME, PasswordChangeSchema, PreferencesSchema
from webapp.forms import form_for
from webapp.pages import saved
from webapp.permissions import permission

bp = Blueprint("profile", __name__, url_prefix="/profile")

PreferencesForm = form_for(PreferencesSchema)
PasswordForm = form_for(PasswordChangeSchema)


class ConfirmForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    code = StringField(lazy_gettext("Code"), [REQUIRED, Length(max=40)])


class RemoveForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    password = PasswordField(lazy_gettext("Password"), [REQUIRED, Length(max=200)])


@bp.route("/", methods=["GET", "POST"])
@permission("session")
def index() -> Any:
    user = _me()
    form = PreferencesForm(obj=user)
    if form.validate_on_submit() and form.save(user):
        session["language"] = user.language
        refresh()
        return saved(gettext("Your preferences were saved."), ".index")
    page = render_template(
        "profile/index.html",
        form=form,
        factor=second_factor.of(user),
        sessions=sessions.of(user),
        current=sessions.current_id(),
    )
    return page, 422 if form.errors else 200


@bp.route("/password", methods=["GET", "POST"])
@permission("session")
def password() -> Any:
    user, form = _me(), PasswordForm()
    if form.validate_on_submit():
        new = form.valid.password
        if reason := _doubt(user, form.valid.current):
            form.current.errors = [reason]
        elif new.lower() == user.username:
            form.password.errors = [gettext(SAME_AS_NAME)]
        else:
            user.set_password(new)
            operations.save(user)
            sessions.begin(user)
            flash(gettext("Your password was changed. Other sessions of yours were ended."), "success")
            return redirect(url_for(".index"))
    return render_template("profile/password.html", form=form), 422 if form.errors else 200


def _doubt(user: User, password: str) -> str:
    """Why this is not the user's password; empty if it is. Somebody at a screen left alone may not guess for long."""
    try:
        operations.count_try(user.username)
    except tries.TooManyTries:
        return str(gettext("Too many tries. Wait a few minutes and try again."))
    if not user.has_password(password):
        return str(gettext("The password is wrong."))
    operations.forget_tries(user)
    return ""


# ---- the second step


@bp.route("/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@permission("session")
def second_factor_page() -> Any:
    """Where it stands. Posted: the first code of the app, which turns it on."""
    user, form = _me(), ConfirmForm()
    factor = second_factor.of(user)
    if factor and not factor.confirmed and form.validate_on_submit():
        if codes := second_factor.confirm(user, form.code.data or ""):
            return render_template("profile/recovery_codes.html", codes=codes)
        form.code.errors = [gettext("The code is wrong. Is the clock of your telephone right?")]
    return _second_factor(user, form, RemoveForm(formdata=None)), 422 if form.errors else 200


@bp.post("/second-factor/begin")
@permission("session")
def begin_second_factor() -> Any:
    second_factor.begin(_me())
    return redirect(url_for(".second_factor"))


@bp.post("/second-factor/remove")
@permission("session")
def remove_second_factor() -> Any:
    user, form = _me(), RemoveForm()
    if form.validate_on_submit():
        reason = _doubt(user, form.password.data or "")
        if not reason:
            second_factor.remove(user)
            return saved(gettext("You now sign in with the password alone."), ".index")
        form.password.errors = [reason]
    return _second_factor(user, ConfirmForm(formdata=None), form), 422


def _second_factor(user: User, confirm: ConfirmForm, remove: RemoveForm) -> str:
    factor = second_factor.of(user)
    secret = second_factor.secret(factor) if factor and not factor.confirmed else ""
    picture = second_factor.picture(user, secret) if secret else ""
    return render_template(
        "profile/second_factor.html", factor=factor, secret=secret, picture=picture, confirm=confirm, remove=remove
    )


# ---- sessions


@bp.post("/sessions/<uuid:id>/end")
@permission("session")
def end_session(id: uuid.UUID) -> Any:
    return _ended(sessions.end(_me(), UserSession.id == id))


@bp.post("/sessions/end")
@permission("session")
def end_sessions() -> Any:
    """All but the one this is."""
    return _ended(sessions.end(_me(), UserSession.id != sessions.current_id()))


def _ended(count: int) -> Any:
    return saved(ngettext("%(num)s session was ended.", "%(num)s sessions were ended.", count), ".index")


def _me() -> User:
    """The user himself, whom flask_login hides behind a proxy."""
    return current_user._get_current_object()  # type: ignore[no-any-return]  # flask_login has no types
