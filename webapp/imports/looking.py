"""What an import would do, as far as it is shown: the first lines of each sort."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from webapp.ext import db
from webapp.imports.comparing import compared
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import

SHOWN = 20  # Lines of each sort in the preview.


def sample(import_: Import, outcome: str) -> list[dict[str, Any]]:
    """The first lines of an outcome."""
    kind = KINDS[import_.kind]
    found = compared(import_, kind).subquery()
    query = select(found).where(found.c.outcome == outcome).order_by(found.c.line).limit(SHOWN)
    return [dict(row) for row in db.session.execute(query).mappings()]


def rejected(import_: Import) -> list[Any]:
    """The first lines that were refused, each with what is wrong."""
    line = KINDS[import_.kind].line
    query = select(line.line, line.errors).where(line.import_id == import_.id, line.errors.is_not(None))
    return list(db.session.execute(query.order_by(line.line).limit(5 * SHOWN)))


def names(import_: Import, outcomes: dict[str, list[dict[str, Any]]]) -> dict[uuid.UUID, str]:
    """The names of all that the lines shown refer to by id."""
    ids = {v for lines in outcomes.values() for line in lines for v in line.values() if isinstance(v, uuid.UUID)}
    found: dict[uuid.UUID, str] = {}
    for name, id in KINDS[import_.kind].named():
        found |= dict(db.session.execute(select(id, name).where(id.in_(ids))).all()) if ids else {}
    return found
