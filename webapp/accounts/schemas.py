"""What is valid for a user, his preferences and his password."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from webapp.validation import N_, Schema, at, matching, refuse

LEAST = 10  # Characters of a password.
SAME_AS_NAME = N_("The password must not be the user name.")

# Those of ten characters and more that are guessed first.
_COMMON = """
    0123456789 1234567890 12345678910 123456789a 1234567891 123123123123 1234512345 9876543210 0987654321
    1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc q1w2e3r4t5 qazwsxedcrfv qwertyuiop qwerty12345 qwerty123456 asdfghjkl1
    asdfghjklç zxcvbnm123 abc1234567 abcd123456 abcdefghij a123456789 password12 password123 password1234
    p@ssw0rd123 p@ssword123 passw0rd123 passwort123 admin12345 admin123456 admin123admin adminadmin administrator
    administrador asterisk123 asterisk1234 asteriskadmin changeme123 changemenow iloveyou123 letmein123 letmein1234
    welcome123 welcome1234 trustno1234 senha12345 senha123456 senha12345678 minhasenha mudar12345 mudarsenha
    mudar@1234 brasil1234 flamengo10 flamengo123 corinthians corinthians1 palmeiras1 palmeiras10 saopaulofc
    teamo12345 jesuscristo deuseamor1 deusefiel1
"""
_COMMON_PASSWORDS = frozenset(_COMMON.split())


def _good_password(password: str) -> str:
    if len(password) < LEAST:
        raise refuse(N_("Use {least} characters or more."), least=LEAST)
    if len(password.encode()) > 72:  # bcrypt reads no more.
        raise refuse(N_("This password is too long: use 72 letters without accents at the most."))
    if password.lower() in _COMMON_PASSWORDS or len(set(password)) < 4:
        raise refuse(N_("Everybody guesses this password first; choose another one."))
    return password


NewPassword = Annotated[str, AfterValidator(_good_password)]
NewPasswordOrKept = Annotated[str, AfterValidator(lambda password: _good_password(password) if password else "")]
Username = Annotated[
    str,
    AfterValidator(str.lower),
    AfterValidator(
        matching(
            r"[a-z0-9][a-z0-9._@-]{0,59}",
            N_("Use letters without accents, digits, dot, hyphen, underscore and @; 60 at the most."),
        )
    ),
]
Language = Annotated[
    Literal["", "pt_BR", "en"],
    Field(
        title=N_("Language"),
        json_schema_extra={"choices": {"": N_("As the browser asks"), "pt_BR": "Português", "en": "English"}},
    ),
]
Theme = Annotated[
    Literal["system", "light", "dark"],
    Field(
        title=N_("Theme"),
        json_schema_extra={"choices": {"system": N_("As the computer"), "light": N_("Light"), "dark": N_("Dark")}},
    ),
]


class UserSchema(Schema):
    username: Username = Field(title=N_("User name"))
    role: Literal["viewer", "operator", "admin"] = Field(
        "viewer",
        title=N_("Role"),
        description=N_("Viewers read. Operators also change things. Administrators also manage users."),
        json_schema_extra={
            "choices": {"viewer": N_("Viewer"), "operator": N_("Operator"), "admin": N_("Administrator")}
        },
    )
    enabled: bool = Field(True, title=N_("Enabled"), description=N_("A user who is disabled cannot sign in."))
    language: Language = ""
    theme: Theme = "system"
    password: NewPasswordOrKept = Field(
        "",
        title=N_("Password"),
        description=N_("Leave it empty to keep the one that is stored."),
        json_schema_extra={"widget": "password"},
    )

    REFUSALS = {
        "uq_users_username": ("username", N_("Another user has this name.")),
        "users_no_password": ("password", N_("This field is required.")),
        "users_last_admin": ("", N_("This is the last administrator. Make somebody else one first.")),
        "users_own_account": ("", N_("You cannot delete yourself.")),
    }

    @model_validator(mode="after")
    def _password_is_no_name(self) -> UserSchema:
        if self.password and self.password.lower() == self.username:
            raise at("password", SAME_AS_NAME)
        return self


class PreferencesSchema(Schema):
    language: Language = ""
    theme: Theme = "system"


class PasswordChangeSchema(Schema):
    current: str = Field(
        min_length=1, max_length=200, title=N_("Current password"), json_schema_extra={"widget": "password"}
    )
    password: NewPassword = Field(title=N_("New password"), json_schema_extra={"widget": "password"})
    repeat: str = Field(max_length=200, title=N_("New password again"), json_schema_extra={"widget": "password"})

    @model_validator(mode="after")
    def _both_are_the_same(self) -> PasswordChangeSchema:
        if self.repeat != self.password:
            raise at("repeat", N_("The two are not the same."))
        return self
