"""What the audit log shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import select

from webapp.accounts.models import AuditEntry
from webapp.audit.operations import ACTIONS, KINDS
from webapp.listing import Column, Filter, ListOf, PeriodFilter
from webapp.paging import Words

# Each of its orders and filters has an index, for the log only grows. What changed, and in which request, has no order
# that tells anything.
AUDIT = ListOf(
    query=select(AuditEntry),
    columns=[
        Column("at", lazy_gettext("When"), AuditEntry.at),
        Column("username", lazy_gettext("Who"), AuditEntry.username),
        Column("action", lazy_gettext("Action"), AuditEntry.action),
        Column("kind", lazy_gettext("What"), AuditEntry.kind),
    ],
    order=[AuditEntry.at, AuditEntry.id],
    default="-at",
    search=[Words(AuditEntry.words, AuditEntry.id)],
    filters=[
        Filter("who", lazy_gettext("Who"), AuditEntry.username),
        Filter(
            "kind",
            lazy_gettext("What"),
            AuditEntry.kind,
            words={name: lazy_gettext(kind.label) for name, kind in KINDS.items()},
        ),
        Filter(
            "action",
            lazy_gettext("Action"),
            AuditEntry.action,
            words={name: lazy_gettext(label) for name, label in ACTIONS.items()},
        ),
        PeriodFilter("since", lazy_gettext("From day"), AuditEntry.at),
        PeriodFilter("until", lazy_gettext("To day"), AuditEntry.at, end=True),
        Filter("thing_id", "", AuditEntry.thing_id, type="hidden"),
    ],
    export={
        "at": AuditEntry.at,
        "username": AuditEntry.username,
        "action": AuditEntry.action,
        "kind": AuditEntry.kind,
        "thing_id": AuditEntry.thing_id,
        "label": AuditEntry.label,
        "before": AuditEntry.before,
        "after": AuditEntry.after,
        "request_id": AuditEntry.request_id,
    },
)
