"""What is settled, for whoever needs to know."""

from __future__ import annotations

from typing import cast

from flask import g
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from webapp.ext import db
from webapp.settings.models import THE_ONE, CompanySettings
from webapp.settings.schemas import SettingsSchema


def current() -> SettingsSchema:
    """What is settled, read once in a request. OperationalError while the database is away."""
    if "settings" not in g:
        columns = [getattr(CompanySettings, name) for name in SettingsSchema.model_fields]
        row = db.session.execute(select(*columns).where(CompanySettings.id == THE_ONE)).mappings().one()
        g.settings = SettingsSchema.model_construct(**row)
    return cast(SettingsSchema, g.settings)


def current_or_first() -> SettingsSchema:
    """The same for what is only shown: while the database is away, what is settled at first.

    Whoever changes something must not ask here, for what the transaction has done so far is given up.
    """
    try:
        return current()
    except OperationalError:
        db.session.rollback()  # Else whoever asks next is told of this failure and not of its own.
        first = g.settings = SettingsSchema()  # An error page asks several times, and each would wait.
        return first


def stored() -> CompanySettings:
    """The row itself, to be changed and saved."""
    return db.session.get_one(CompanySettings, THE_ONE)
