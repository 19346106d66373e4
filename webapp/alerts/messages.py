"""What an alert says, in the language of whoever is told. The agents ask here, so nothing here needs Flask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from babel.numbers import format_currency
from babel.support import Translations

_TRANSLATIONS = Path(__file__).parent.parent / "translations"


def N_(message: str) -> str:
    """Mark a message for the translators."""
    return message


ACTIONS = {
    "alert": N_("Nothing is stopped: the rule only alerts."),
    "block_international": N_("Its calls to other countries are stopped until somebody releases it."),
    "block_all": N_("All its calls out are stopped until somebody releases it. Emergency numbers pass."),
}


@dataclass(frozen=True)
class Message:
    subject: str
    text: str


def message(kind: str, about: Mapping[str, Any], language: str, company: str) -> Message:
    """An alert as an e-mail."""
    _ = Translations.load(_TRANSLATIONS, [language]).gettext
    if kind == "test":
        subject = _("Test alert")
        text = _("This is a test, sent by {username}. Alerts arrive here.").format(**about)
    else:
        subject = _("Fraud: {customer} – {rule}").format(**about)
        consequence = ACTIONS[about["action"]]
        money = format_currency(Decimal(about["amount"]), about["currency"], locale=language)
        lines = [
            _("The rule “{rule}” hit the customer {customer} ({customer_code}).").format(**about),
            _("Within {window_minutes} minutes: {calls} calls, {minutes} minutes, {money}.").format(
                **about, minutes=round(about["seconds"] / 60), money=money
            ),
            _(consequence),
            _("Look at it under “Fraud”, and release it there if it is honest."),
        ]
        text = "\n\n".join(lines)
    return Message(f"[{company or 'Asterisk Admin'}] {subject}", text + "\n")
