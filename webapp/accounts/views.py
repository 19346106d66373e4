"""Signing in and out, and the choice of language."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, flash, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext, lazy_gettext, refresh
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from webapp.accounts import second_factor, sessions
from webapp.accounts.forms import CodeForm, LoginForm
from webapp.accounts.models import User
from webapp.accounts.operations import authenticate, count_try, welcome
from webapp.accounts.tries import TooManyTries
from webapp.ext import db, login
from webapp.pages import LANGUAGES
from webapp.permissions import permission, public
from webapp.resume import carries, onward

bp = Blueprint("accounts", __name__)
log = structlog.get_logger()

login.login_view = "accounts.sign_in"
login.login_message = lazy_gettext("Please sign in.")
login.login_message_category = "info"
login.session_protection = None  # An address may change on the way; a session is a row that can be ended.

PATIENCE = 5 * 60  # Seconds from the password to the code.


@bp.route("/login", methods=["GET", "POST"])
@public
def sign_in() -> Any:
    form = LoginForm(next=request.args.get("next", ""))
    if current_user.is_authenticated:
        return onward(_inside(form.next.data))
    if not form.validate_on_submit():
        return render_template("accounts/login.html", form=form), 422 if form.is_submitted() else 200
    try:
        user = authenticate(form.username.data or "", form.password.data or "")
    except TooManyTries as wait:
        return _wait("accounts/login.html", form, wait)
    if user is None:
        flash(gettext("The user name or the password is wrong."), "danger")
        return render_template("accounts/login.html", form=form), 422
    if second_factor.is_on(user):
        session["half_signed_in"] = {"user": str(user.id), "version": user.version, "at": int(time.time())}
        if carries():  # Only a page can hold what was typed before the session ended.
            return render_template("accounts/code.html", form=CodeForm(formdata=None, next=form.next.data))
        return redirect(url_for(".code", next=form.next.data or None))
    return _enter(user, form.next.data, "password")


@bp.route("/login/code", methods=["GET", "POST"])
@public
def code() -> Any:
    """The second step, for those who have set it up."""
    form = CodeForm(next=request.args.get("next", ""))
    user = _half_signed_in()
    if user is None:
        return redirect(url_for(".sign_in", next=form.next.data or None))
    if not form.validate_on_submit():
        return render_template("accounts/code.html", form=form), 422 if form.is_submitted() else 200
    try:
        count_try(user.username)
    except TooManyTries as wait:
        return _wait("accounts/code.html", form, wait)
    used = second_factor.accept(user, form.code.data or "")
    if not used:
        log.warning("code refused", user=user.username, address=request.remote_addr)
        flash(gettext("The code is wrong, or it was used before."), "danger")
        return render_template("accounts/code.html", form=form), 422
    answer = _enter(user, form.next.data, used)
    if used == second_factor.RECOVERY and (factor := second_factor.of(user)):
        flash(gettext("A recovery code was used up. Left: %(count)s.", count=len(factor.recovery_codes)), "warning")
    return answer


def _half_signed_in() -> User | None:
    """Who has given the password a moment ago; None if that is too long ago, or the account has changed since."""
    half = session.get("half_signed_in")
    if current_user.is_authenticated or half is None or time.time() - half["at"] > PATIENCE:
        return None
    user = db.session.get(User, uuid.UUID(half["user"]))
    return user if user and user.enabled and user.version == half["version"] else None


def _enter(user: User, target: str | None, used: str) -> Any:
    welcome(user, used)
    sessions.begin(user)
    refresh()  # What is said from here on is said in the user's language.
    return onward(_inside(target))


def _wait(template: str, form: Any, wait: TooManyTries) -> Any:
    flash(gettext("Too many tries. Wait a few minutes and try again."), "danger")
    return render_template(template, form=form), 429, {"Retry-After": str(wait.seconds)}


@bp.get("/login/token")
@permission("session")
def token() -> Any:
    """A new CSRF token, for a form that was open while its user had to sign in again in another window."""
    return jsonify(csrf_token=generate_csrf())


@bp.post("/logout")
@permission("session")
def logout() -> Any:
    sessions.leave()
    return redirect(url_for("accounts.sign_in"))


@bp.post("/language")
@public
def language() -> Any:
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
        refresh()
    return redirect(_inside(request.form.get("next", "")))


def _inside(target: str | None) -> str:
    """A path of ours to go on to; anything that could lead elsewhere becomes the start page."""
    target = target or ""
    try:
        parts = urlsplit(target)
    except ValueError:  # Such as a bracket that is not closed.
        return url_for("dashboard.index")
    harmless = not parts.scheme and not parts.netloc and re.fullmatch(r"/(?!/)[^\\\x00-\x20]*", target)
    return target if harmless else url_for("dashboard.index")
