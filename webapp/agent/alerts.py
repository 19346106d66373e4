"""The alerts: written with what they tell of, sent afterwards, at least once.

An agent takes some by putting off their next try, and sends them. If it dies meanwhile, another takes them then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, insert, select, text
from sqlalchemy.orm import Session

from webapp.agent import mail, webhook
from webapp.agent.webhook import NotSent
from webapp.alerts.messages import message
from webapp.alerts.models import Alert, AlertSettings
from webapp.config import AgentSettings
from webapp.settings.models import CompanySettings

log = structlog.get_logger()

PAUSE_SECONDS = 5.0
SHARE = 1
LONGEST_ERROR = 300

_GIVE_UP = text("""
    UPDATE public.alerts SET given_up_at = now()
    WHERE sent_at IS NULL AND given_up_at IS NULL AND tries > 0 AND created_at < now() - interval '1 day'
""")
_TAKE = text("""
    UPDATE public.alerts a
    SET tries = a.tries + 1, next_try_at = now() + least(30 * power(2, least(a.tries, 10)), 3600) * interval '1 second'
    WHERE a.id IN (
        SELECT id FROM public.alerts
        WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= now()
        ORDER BY next_try_at, id LIMIT 5 FOR UPDATE SKIP LOCKED)
    RETURNING a.id, a.channel, a.kind, a.about, a.created_at
""")
_SENT = text("UPDATE public.alerts SET sent_at = clock_timestamp(), error = :error WHERE id = :id")
_FAILED = text("UPDATE public.alerts SET error = :error WHERE id = :id")
_FORGET = text("DELETE FROM public.alerts WHERE created_at < now() - interval '90 days'")


def write(connection: Connection, kind: str, about: Mapping[str, Any]) -> None:
    """An alert by each way that is settled, with what else the transaction of the connection does."""
    row = connection.execute(select(AlertSettings.emails, AlertSettings.webhook_url)).one()
    channels = [way for way, settled in (("email", row.emails), ("webhook", row.webhook_url)) if settled]
    if channels:
        values = [{"channel": channel, "kind": kind, "about": dict(about)} for channel in channels]
        connection.execute(insert(Alert), values)


async def look(engine: Engine, settings: AgentSettings) -> None:
    """Send what is due."""
    await asyncio.to_thread(deliver, engine, settings)


def deliver(engine: Engine, settings: AgentSettings) -> None:
    """Send what is due, and write down what became of it."""
    with engine.begin() as connection:
        connection.execute(_GIVE_UP)
        due = connection.execute(_TAKE).all()
    if not due:
        return
    with Session(engine) as session:
        settled = session.scalars(select(AlertSettings)).one()
        company = session.scalar(select(CompanySettings.company_name)) or ""
        session.expunge_all()
    for alert in due:
        try:
            error, statement = _send(settings, settled, company, alert), _SENT
        except NotSent as reason:
            error, statement = str(reason), _FAILED
            log.warning("alert not sent", alert=alert.id, channel=alert.channel, reason=error)
        else:
            log.info("alert sent", alert=alert.id, channel=alert.channel)
        with engine.begin() as connection:
            connection.execute(statement, {"id": alert.id, "error": error[:LONGEST_ERROR]})


def forget_old(engine: Engine) -> None:
    """What was told long ago."""
    with engine.begin() as connection:
        connection.execute(_FORGET)


def _send(settings: AgentSettings, settled: AlertSettings, company: str, alert: Row[Any]) -> str:
    """What there is to note of it, if anything. NotSent if it was not taken."""
    if alert.channel == "email":
        if not settled.emails:
            raise NotSent("nobody is settled any more to send it to")
        return mail.send(
            settings, alert.id, settled.emails, message(alert.kind, alert.about, settled.language, company)
        )
    if not settled.webhook_url:
        raise NotSent("no webhook is settled any more")
    secret = settings.webhook_secret.get_secret_value()
    if not secret:
        raise NotSent("the agent has no WEBHOOK_SECRET to sign with")
    body = {"id": alert.id, "kind": alert.kind, "at": alert.created_at.isoformat(), "about": alert.about}
    webhook.send(settled.webhook_url, secret, body, settings.webhook_allow_private)
    return ""
