"""What pages and programs ask of a bill: to be read, held against our calls, and forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from webapp import store
from webapp.ext import db
from webapp.imports import mapping, receiving, working
from webapp.imports.models import KEEP_DAYS, ImportFile
from webapp.imports.operations import NotNow, Unfit
from webapp.imports.reading import Unreadable
from webapp.imports.staging import stage_file
from webapp.invoice_checks import kind
from webapp.invoice_checks.models import InvoiceCheck, InvoiceLine
from webapp.invoice_checks.schemas import BillSchema, InvoiceCheckSchema, ToleranceSchema
from webapp.providers.models import Provider
from webapp.validation import translated


def bring_in(wanted: InvoiceCheckSchema) -> InvoiceCheck:
    """Take a bill, and check it if it is known which column is what. Unfit if it cannot be taken."""
    try:
        if db.session.get(Provider, wanted.provider_id) is None:
            raise Unfit(provider_id=gettext("Choose one of the options."))
        asked = wanted.model_dump(include=set(BillSchema.model_fields))
        check = InvoiceCheck(**receiving.described(wanted, kind.BILL), **asked)
        _forget_files()
        store.record("create", "invoice_checks", check.id, str(check), file_name=check.file_name, **asked)
        receiving.store_with_file(check, wanted)
    except Unreadable as error:
        raise Unfit(file=translated(error.sentence, error.values)) from None
    except mapping.WrongColumns as wrong:
        raise Unfit(columns=str(wrong)) from None
    finally:
        wanted.file.close()  # A large one is on the disk.
    if check.state == "reading":
        working.start(check, read)
    return check


def check_again(
    check: InvoiceCheck,
    columns: Mapping[str, int | str] | None = None,
    has_header: bool | None = None,
    **tolerances: Any,
) -> None:
    """Read the bill once more, with what is given another way. Unfit if the columns cannot be so, else NotNow."""
    try:
        chosen, named = mapping.chosen(
            kind.BILL,
            check.header,
            check.columns if columns is None else columns,
            check.has_header if has_header is None else has_header,
        )
    except mapping.WrongColumns as wrong:
        raise Unfit(columns=str(wrong)) from None
    changed = {name: value for name, value in tolerances.items() if name in ToleranceSchema.model_fields}
    if not working.claim(check, "reading", *mapping.REMAPPED, columns=chosen, has_header=named, **changed):
        raise NotNow(gettext("Nothing was done: somebody else is at it, or was before you."))
    working.start(check, read)


def read(check: InvoiceCheck, progress: working.Progress) -> None:
    """Understand each line, and find its call."""

    def work(session: Session) -> None:
        stage_file(session, check, kind.of(check), progress)
        session.execute(select(func.check_invoice(check.id)))
        done = {"state": "ready", "progress": progress.lines, "total": progress.lines}
        session.execute(update(InvoiceCheck).where(InvoiceCheck.id == check.id).values(done))

    store.bulk(work)


def forget(check: InvoiceCheck) -> None:
    """Delete a check with its lines and its file; NotNow while it is being read."""
    if check.working:
        raise NotNow(gettext("It is being read. Wait until that is done."))

    def work(session: Session) -> None:
        session.execute(delete(InvoiceCheck).where(InvoiceCheck.id == check.id))
        session.execute(delete(InvoiceLine).where(InvoiceLine.check_id == check.id))
        session.execute(delete(ImportFile).where(ImportFile.import_id == check.id))
        store.record("delete", "invoice_checks", check.id, str(check), provider_id=check.provider_id)

    store.bulk(work)


def _forget_files() -> None:
    """Let go of the files of some days ago. What was found in them stays."""
    old = InvoiceCheck.created_at < func.now() - func.make_interval(0, 0, 0, KEEP_DAYS)
    db.session.execute(delete(ImportFile).where(ImportFile.import_id.in_(select(InvoiceCheck.id).where(old))))
