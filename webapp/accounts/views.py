"""Signing in and out, and the choice of language."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext, lazy_gettext, refresh
from flask_login import current_user, login_user, logout_user

from webapp.accounts.forms import LoginForm
from webapp.accounts.models import User
from webapp.accounts.operations import authenticate
from webapp.ext import db, login
from webapp.pages import LANGUAGES
from webapp.permissions import permission, public
from webapp.resume import onward

bp = Blueprint("accounts", __name__)
log = structlog.get_logger()

login.login_view = "accounts.sign_in"
login.login_message = lazy_gettext("Please sign in.")
login.login_message_category = "info"
login.session_protection = "basic"


@login.user_loader  # type: ignore[untyped-decorator]  # flask_login has no types
def load_user(user_id: str) -> User | None:
    if request.path.startswith("/api/"):
        return None  # Programs show a token: a session would let other sites' pages speak for its owner.
    user = db.session.get(User, uuid.UUID(user_id))
    return user if user and user.enabled else None


@bp.route("/login", methods=["GET", "POST"])
@public
def sign_in() -> Any:
    form = LoginForm(next=request.args.get("next", ""))
    if current_user.is_authenticated:
        return onward(_inside(form.next.data))
    if form.validate_on_submit():
        user = authenticate((form.username.data or "").replace("\x00", ""), form.password.data or "")
        if user:
            language = user.language or session.get("language", "")
            session.clear()
            login_user(user)
            session["language"] = language
            log.info("signed in", user=user.username)
            return onward(_inside(form.next.data))
        log.warning("sign-in refused", user=(form.username.data or "")[:80], address=request.remote_addr)
        flash(gettext("The user name or the password is wrong."), "danger")
    return render_template("accounts/login.html", form=form), 422 if form.is_submitted() else 200


@bp.post("/logout")
@permission("session")
def logout() -> Any:
    logout_user()
    session.clear()
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
    try:
        parts = urlsplit(target or "")
    except ValueError:  # Such as a bracket that is not closed.
        return url_for("dashboard.index")
    harmless = not parts.scheme and not parts.netloc and parts.path.startswith("/") and "\\" not in parts.path
    return target if target and harmless and not target.startswith("//") else url_for("dashboard.index")
