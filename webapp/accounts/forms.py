"""The sign-in form."""

from __future__ import annotations

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length


class LoginForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    username = StringField(
        lazy_gettext("User name"), [InputRequired(lazy_gettext("This field is required.")), Length(max=80)]
    )
    password = PasswordField(
        lazy_gettext("Password"), [InputRequired(lazy_gettext("This field is required.")), Length(max=200)]
    )
    next = HiddenField()
