"""The list of call records that no call could be made of."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import select

from webapp.calls.models import UnratedCdr
from webapp.listing import Column, ListOf

UNRATED = ListOf(
    query=select(UnratedCdr),
    columns=[
        Column("noticed_at", lazy_gettext("Noticed"), UnratedCdr.noticed_at),
        Column("start", lazy_gettext("Start")),
        Column("node", lazy_gettext("Node")),
        Column("number", lazy_gettext("Number")),
        Column("reason", lazy_gettext("Why"), UnratedCdr.code),
        Column("tries", lazy_gettext("Tried again"), UnratedCdr.tries, end=True),
    ],
    order=[UnratedCdr.noticed_at, UnratedCdr.cdr_id],
    default="-noticed_at",
    search=[UnratedCdr.reason],
)
