"""What the lists of checks and of their lines show, and by what they are searched, sorted and filtered."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, case, func, select, true
from sqlalchemy.orm import contains_eager

from webapp.invoice_checks.models import DIFFERING, InvoiceCheck, InvoiceLine
from webapp.listing import Column, Filter, ListOf
from webapp.providers.models import Provider

STATES = {
    "mapping": lazy_gettext("Columns to choose"),
    "reading": lazy_gettext("Reading"),
    "ready": lazy_gettext("Compared"),
    "failed": lazy_gettext("Failed"),
}
KINDS = {
    "missing": lazy_gettext("Not billed"),
    "extra": lazy_gettext("No such call"),
    "duration": lazy_gettext("Other duration"),
    "price": lazy_gettext("Other amount"),
    "equal": lazy_gettext("Equal"),
    "unread": lazy_gettext("Not understood"),
}


@dataclass(frozen=True, kw_only=True)
class KindFilter(Filter):
    """By what came of a line; those that differ are asked for together."""

    @property
    def hint(self) -> str:
        return "differing: missing, extra, duration and price together."

    def condition(self, value: str) -> ColumnElement[bool]:
        if value == "all":
            return true()
        if value == "differing":
            return self.column.in_(DIFFERING)
        return super().condition(value)


INVOICE_CHECKS = ListOf(
    query=select(InvoiceCheck).outerjoin(InvoiceCheck.provider),
    options=[contains_eager(InvoiceCheck.provider)],
    columns=[
        Column("file_name", lazy_gettext("File"), InvoiceCheck.file_name),
        Column("provider", lazy_gettext("Provider"), func.coalesce(Provider.name, "")),
        Column("state", lazy_gettext("State"), InvoiceCheck.state),
        Column("differing", lazy_gettext("Lines that differ"), InvoiceCheck.differing, end=True),
        Column("billed", lazy_gettext("Billed"), InvoiceCheck.billed, end=True),
        Column("cost", lazy_gettext("Cost"), InvoiceCheck.cost, end=True),
        Column("difference", lazy_gettext("Difference"), InvoiceCheck.difference, end=True),
        Column("created_at", lazy_gettext("When"), InvoiceCheck.created_at),
    ],
    order=[InvoiceCheck.created_at, InvoiceCheck.id],
    default="-created_at",
    search=[InvoiceCheck.file_name, Provider.name],
    filters=[
        Filter("provider_id", lazy_gettext("Provider"), InvoiceCheck.provider_id, things=Provider),
        Filter("state", lazy_gettext("State"), InvoiceCheck.state, words=STATES),
    ],
)

_START = func.coalesce(InvoiceLine.started_at, InvoiceLine.call_started_at, func.to_timestamp(0))
_NUMBER = func.coalesce(InvoiceLine.number, InvoiceLine.call_number, "")

LINES = ListOf(
    query=select(InvoiceLine),
    columns=[
        Column("line", lazy_gettext("Line"), InvoiceLine.position, end=True),
        Column("kind", lazy_gettext("What"), InvoiceLine.kind),
        Column("started_at", lazy_gettext("Start"), _START),
        Column("number", lazy_gettext("To"), _NUMBER),
        Column("seconds", lazy_gettext("Their seconds"), func.coalesce(InvoiceLine.seconds, 0), end=True),
        Column("call_seconds", lazy_gettext("Ours"), func.coalesce(InvoiceLine.call_billed_seconds, 0), end=True),
        Column("amount", lazy_gettext("Their amount"), func.coalesce(InvoiceLine.amount, 0), end=True),
        Column("cost", lazy_gettext("Our cost"), func.coalesce(InvoiceLine.cost, 0), end=True),
        Column("difference", lazy_gettext("Difference"), InvoiceLine.difference, end=True),
    ],
    order=[InvoiceLine.check_id, InvoiceLine.position],
    search=[InvoiceLine.number, InvoiceLine.caller, InvoiceLine.call_number],
    number=_NUMBER,
    filters=[
        KindFilter(
            "kind",
            lazy_gettext("What"),
            InvoiceLine.kind,
            words={"differing": lazy_gettext("What differs"), "all": lazy_gettext("All lines"), **KINDS},
            default="differing",
        )
    ],
    export={
        "line": case((InvoiceLine.kind != "missing", InvoiceLine.position)),
        "kind": InvoiceLine.kind,
        "started_at": InvoiceLine.started_at,
        "number": InvoiceLine.number,
        "caller": InvoiceLine.caller,
        "seconds": InvoiceLine.seconds,
        "amount": InvoiceLine.amount,
        "call_started_at": InvoiceLine.call_started_at,
        "call_number": InvoiceLine.call_number,
        "call_seconds": InvoiceLine.call_seconds,
        "call_billed_seconds": InvoiceLine.call_billed_seconds,
        "cost": InvoiceLine.cost,
        "difference": InvoiceLine.difference,
        "call_id": InvoiceLine.call_id,
    },
    index=".show",
)
