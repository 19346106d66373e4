"""What pages and programs ask of an import: the one place that says whether it can be done now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext

from webapp.ext import db
from webapp.imports import applying, comparing, mapping, receiving, working
from webapp.imports.kinds import KINDS
from webapp.imports.models import UNDO_DAYS, Import
from webapp.imports.reading import Unreadable
from webapp.imports.schemas import ImportSchema
from webapp.validation import translated


class Unfit(Exception):
    """What was sent cannot be taken: field -> why."""

    def __init__(self, **errors: str) -> None:
        super().__init__(*errors.values())
        self.errors = {field: [sentence] for field, sentence in errors.items()}


class NotNow(Exception):
    """An import is not, or no longer, in the state for it: why, in a sentence."""


def bring_in(wanted: ImportSchema) -> Import:
    """Take a file, and read it if it is known which column is what. Unfit if it cannot be taken."""
    kind = KINDS[wanted.kind]
    try:
        if kind.targets and db.session.get(kind.targets, wanted.target_id) is None:
            raise Unfit(target_id=gettext("Choose one of the options."))
        import_ = receiving.receive(wanted)
    except Unreadable as error:
        raise Unfit(file=translated(error.sentence, error.values)) from None
    except mapping.WrongColumns as wrong:
        raise Unfit(columns=str(wrong)) from None
    finally:
        wanted.file.close()  # A large one is on the disk.
    if import_.state == "reading":
        working.start(import_, comparing.read)
    return import_


def choose_columns(import_: Import, columns: Mapping[str, int | str] | None, has_header: bool | None) -> None:
    """Read the file by these columns. Unfit if it has no such ones, or one that is needed is not named."""
    try:
        chosen, named = mapping.chosen(
            KINDS[import_.kind],
            import_.header,
            import_.columns if columns is None else columns,
            import_.has_header if has_header is None else has_header,
        )
    except mapping.WrongColumns as wrong:
        raise Unfit(columns=str(wrong)) from None
    _go_on(import_, "reading", comparing.read, *mapping.REMAPPED, columns=chosen, has_header=named)


def read_again(import_: Import) -> None:
    """Compare once more: whoever did it has died, or what is stored has changed."""
    _go_on(import_, "reading", comparing.read, "ready")


def apply(import_: Import) -> None:
    """Store what the file says, as a whole."""
    if import_.state == "ready" and not import_.counts:
        raise NotNow(gettext(working.OUTDATED))
    if not applying.may_be_applied(import_):
        raise NotNow(gettext("Nothing was applied: there is nothing to apply, or lines are refused."))
    _go_on(import_, "applying", applying.apply, "ready")


def undo(import_: Import) -> None:
    """Set back what it did."""
    if import_.undo_until and not import_.undoable:
        raise NotNow(
            gettext("It can no longer be undone: what was there before is kept for %(days)s days.", days=UNDO_DAYS)
        )
    _go_on(import_, "undoing", applying.undo, "applied")


def _go_on(import_: Import, doing: str, step: working.Step, *states: str, **values: Any) -> None:
    if not working.claim(import_, doing, *states, **values):
        raise NotNow(gettext("Nothing was done: somebody else is at it, or was before you."))
    working.start(import_, step)
