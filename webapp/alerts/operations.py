"""What is settled about alerts, and those that were given of late."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select

from webapp import store, who
from webapp.alerts.models import Alert, AlertSettings
from webapp.ext import db
from webapp.settings.models import THE_ONE

SHOWN = 50


class NobodyToTell(Exception):
    """No way is settled by which alerts go."""


def stored() -> AlertSettings:
    """The row itself, to be changed and saved."""
    return db.session.get_one(AlertSettings, THE_ONE)


def latest() -> Sequence[Alert]:
    """The last alerts, the latest first."""
    return db.session.scalars(select(Alert).order_by(Alert.id.desc()).limit(SHOWN)).all()


def send_test() -> None:
    """Have the agents send an alert by each way. NobodyToTell if there is none."""
    ways = channels(stored())
    if not ways:
        raise NobodyToTell
    about = {"username": who.username()}
    store.note(insert(Alert).values([{"channel": way, "kind": "test", "about": about} for way in ways]))


def channels(settings: AlertSettings) -> list[str]:
    """The ways by which alerts go."""
    ways = {"email": settings.emails, "webhook": settings.webhook_url}
    return [way for way, settled in ways.items() if settled]
