"""Sending an alert as an e-mail, by the server that the settings name."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate

from webapp.agent.webhook import NotSent
from webapp.alerts.messages import Message
from webapp.config import AgentSettings

SECONDS = 20.0


def send(settings: AgentSettings, id: int, to: Sequence[str], message: Message) -> str:
    """Give it to the server. NotSent if it is not taken; who of several is not known there is answered."""
    if not settings.smtp_host:
        raise NotSent("SMTP_HOST is not set for the agent")
    try:
        mail = _mail(settings, id, to, message)
        server = _server(settings)
        try:
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            unknown = server.send_message(mail)
        finally:
            with suppress(OSError, smtplib.SMTPException):  # It has been taken, however the server says good-bye.
                server.quit()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotSent(f"{settings.smtp_host}: {_reason(error)}") from None
    return f"refused: {', '.join(unknown)}" if unknown else ""


def _mail(settings: AgentSettings, id: int, to: Sequence[str], message: Message) -> EmailMessage:
    """ValueError if a line break would make further headers of it."""
    mail = EmailMessage()
    mail["From"] = settings.smtp_from
    mail["To"] = ", ".join(to)
    mail["Subject"] = message.subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<alert-{id}@{settings.node}.asterisk-admin>"  # The same if it is sent twice.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _server(settings: AgentSettings) -> smtplib.SMTP:
    address = (settings.smtp_host, settings.smtp_port)
    context = ssl.create_default_context()
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*address, timeout=SECONDS, context=context)
    server = smtplib.SMTP(*address, timeout=SECONDS)
    if settings.smtp_tls == "starttls":
        server.starttls(context=context)
    return server


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        told = error.smtp_error
        return f"{error.smtp_code} {told.decode(errors='replace') if isinstance(told, bytes) else told}"
    return str(error) or type(error).__name__
