"""What was typed outlives the session: it goes along through the sign-in and comes back into its form, unsaved.

Nothing is kept here for whoever is not signed in, and nothing stands in an address: the page carries it, in a hidden
field. Passwords and secrets are left out and named to be typed again.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Flask, current_app, flash, g, redirect, render_template, request
from flask_babel import gettext
from flask_login import current_user, login_url

from webapp.accounts.forms import LoginForm
from webapp.ext import login

LONGEST = 64 * 1024  # Of what is carried.
RETYPE = "retype"  # The fields that have to be typed again.


def register(app: Flask) -> None:
    login.unauthorized_handler(signed_out)
    app.jinja_env.globals.update(carried=_carried)  # For the pages of the sign-in, which pass it on.


def signed_out() -> Any:
    """What whoever is not signed in gets to see: the way to the sign-in, with what was typed if it was a form."""
    if request.path.startswith("/sync/") and "HX-Request" in request.headers:
        return "", 286  # A page asks by itself: it gets nothing, and asks no more.
    if answer := interrupted():
        return answer
    flash(login.login_message, login.login_message_category)
    # What was sent cannot be asked for: after the sign-in it goes on where it was sent from.
    target = request.full_path.removesuffix("?") if request.method == "GET" else _path(request.referrer)
    return redirect(login_url(login.login_view, next_url=target))


def interrupted() -> Any:
    """The page that carries on what was typed in a form of ours; None if there is nothing to carry."""
    if not _carried():
        return None
    target = request.form.get("next", "/") if "carried" in request.form else request.path
    if current_user.is_authenticated:  # The session is another one by now, such as after a sign-in in another tab.
        return onward(target)
    form = LoginForm(formdata=None, next=target)
    return render_template("accounts/login.html", form=form), 401


def onward(target: str) -> Any:
    """Where the sign-in leads: to the page that was asked for, or back to a form with what was typed there."""
    try:
        fields = parse_qsl(_carried(), keep_blank_values=True, max_num_fields=1000)
    except ValueError:  # Not as we wrote it.
        fields = []
    if not fields:
        return redirect(target)
    flash(gettext("You are signed in again. What you typed is back, and not saved yet."), "info")
    g.pop("csrf_token", None)  # Signing in began a new session, which has a token of its own.
    return render_template("resume.html", action=_path(target), fields=fields)


def carries() -> bool:
    """Whether the sign-in has something to take along."""
    return bool(_carried())


def _carried() -> str:
    """The fields of a form of ours as one text, or what is being carried already; empty if this is none.

    Our forms, which show what they were sent and store nothing if asked to, are known by their field `version`.
    """
    if request.method != "POST" or not _sent_from_here():
        return ""
    if "carried" in request.form:
        return request.form["carried"] if len(request.form["carried"]) <= LONGEST else ""
    if "version" not in request.form:
        return ""
    fields: list[tuple[str, str]] = []
    for name, value in request.form.items(multi=True):
        if not _is_secret(name):
            fields.append((name, value))
        elif value and name != current_app.config["WTF_CSRF_FIELD_NAME"]:
            fields.append((RETYPE, name))
    carried = urlencode(fields)
    return carried if len(carried) <= LONGEST else ""


def _is_secret(name: str) -> bool:
    return any(word in name for word in ("password", "secret", "token"))


def _sent_from_here() -> bool:
    """Another site's page may send what it likes, and so may one at another port of this host, where our cookies go as
    well. We do not put it into a form of ours, which has a token and sends itself."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):  # None: by the user himself.
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _path(address: str | None) -> str:
    """The path of a page of ours; of anything else, that of the start page."""
    try:
        parts = urlsplit(address or "")
    except ValueError:  # Such as a bracket that is not closed.
        return "/"
    ours = (
        parts.netloc in ("", request.host) and parts.path.startswith("/") and not parts.path.startswith(("//", "/\\"))
    )
    return parts.path if ours else "/"
