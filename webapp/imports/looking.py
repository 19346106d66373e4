"""What an import would do, as far as it is shown: the first lines of each sort."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, stream_with_context
from flask_babel import get_locale, gettext
from sqlalchemy import select

from webapp.export import defused
from webapp.ext import db
from webapp.imports import keeping, reading
from webapp.imports.comparing import below_cost, compared
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import

SHOWN = 20  # Lines of each sort in the preview.


@dataclass(frozen=True)
class Preview:
    """Lines that are new and that change something, by outcome; that are refused; that would be sold below cost."""

    outcomes: dict[str, list[dict[str, Any]]]
    rejected: Sequence[Any]
    below: Sequence[Any]


def preview(import_: Import) -> Preview | None:
    """The first lines of each sort; None where nothing is compared, or that is outdated."""
    if import_.state != "ready" or not import_.counts:
        return None
    kind = KINDS[import_.kind]
    losing = below_cost(import_, kind)
    return Preview(
        outcomes={name: _sample(import_, name) for name in ("new", "changed") if import_.counts[name]},
        rejected=_rejected(import_) if import_.counts["rejected"] else [],
        below=db.session.execute(losing.order_by("line").limit(SHOWN)).all() if losing is not None else [],
    )


def _sample(import_: Import, outcome: str) -> list[dict[str, Any]]:
    """The first lines of an outcome."""
    kind = KINDS[import_.kind]
    found = compared(import_, kind).subquery()
    query = select(found).where(found.c.outcome == outcome).order_by(found.c.line).limit(SHOWN)
    return [dict(row) for row in db.session.execute(query).mappings()]


def _rejected(import_: Import) -> list[Any]:
    """The first lines that were refused, each with what is wrong."""
    line = KINDS[import_.kind].line
    query = select(line.line, line.errors).where(line.import_id == import_.id, line.errors.is_not(None))
    return list(db.session.execute(query.order_by(line.line).limit(5 * SHOWN)))


def names(import_: Import, preview: Preview) -> dict[uuid.UUID, str]:
    """The names of all that the lines shown refer to by id."""
    ids = {
        v for lines in preview.outcomes.values() for line in lines for v in line.values() if isinstance(v, uuid.UUID)
    }
    found: dict[uuid.UUID, str] = {}
    for name, id in KINDS[import_.kind].named():
        found |= dict(db.session.execute(select(id, name).where(id.in_(ids))).all()) if ids else {}
    return found


def rejected_csv(import_: Import) -> Response:
    """The lines that were refused, as they are in the file, with the reason at the end: to correct and send again."""
    name = f"rejected-{import_.created_at:%Y-%m-%d}.csv"
    return Response(
        stream_with_context(_rejected_lines(import_)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _rejected_lines(import_: Import) -> Iterator[str]:
    # Spreadsheets in Brazil take the comma for the decimal sign, and know UTF-8 by its mark only.
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if str(get_locale()).startswith("pt") else ",")
    out.write("\ufeff")
    line = KINDS[import_.kind].line
    wrong = select(line.line, line.errors).where(line.import_id == import_.id, line.errors.is_not(None))
    refused = db.session.execute(wrong.order_by(line.line).execution_options(yield_per=1000))
    with keeping.kept(db.session(), import_) as file, reading.lines(file) as lines:
        if import_.has_header:
            _, heads = next(lines, (1, []))  # A crash of the database takes the file with it.
            writer.writerow([*map(_harmless, heads), gettext("Reason")])
        for number, errors in refused:
            cells = next(cells for n, cells in lines if n == number)
            reason = " ".join(f"{each['column']}: {each['reason']}" for each in errors)
            writer.writerow([*map(_harmless, cells), _harmless(reason)])
            if out.tell() > 1 << 16:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet would take for a formula, as text. Amounts and numbers are no formulas, nor is what is
    told from one already."""
    is_figure = cell[:1] in ("+", "-") and cell[1:].strip(" ()-.,0123456789") == ""
    return cell if is_figure or cell.startswith("'") else defused(cell)
