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
    """What is settled, read once in a request; while the database is away, what is settled at first."""
    if "settings" not in g:
        g.settings = _read()
    return cast(SettingsSchema, g.settings)


def _read() -> SettingsSchema:
    columns = [getattr(CompanySettings, name) for name in SettingsSchema.model_fields]
    try:
        row = db.session.execute(select(*columns).where(CompanySettings.id == THE_ONE)).mappings().one()
    except OperationalError:
        db.session.rollback()  # Else whoever asks next is told of this failure and not of its own.
        return SettingsSchema()
    return SettingsSchema.model_construct(**row)


def stored() -> CompanySettings:
    """The row itself, to be changed and saved."""
    return db.session.get_one(CompanySettings, THE_ONE)
