"""The forms of signing in."""

from __future__ import annotations

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

REQUIRED = InputRequired(lazy_gettext("This field is required."))


class LoginForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    username = StringField(lazy_gettext("User name"), [REQUIRED, Length(max=80)])
    password = PasswordField(lazy_gettext("Password"), [REQUIRED, Length(max=200)])
    next = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    code = StringField(
        lazy_gettext("Code"),
        [REQUIRED, Length(max=40)],
        description=lazy_gettext("Six digits from your authenticator app, or one of your recovery codes."),
    )
    next = HiddenField()
