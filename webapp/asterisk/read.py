"""The rows a thing has in Asterisk's tables, to be looked at."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from webapp.asterisk.projection import owner
from webapp.asterisk.rows import TABLES
from webapp.asterisk.sync import Values, present

_SECRET = frozenset({"password"})


def rows_of(session: Session, thing: Any) -> dict[str, list[Values]]:
    """Table -> the rows of a thing, as the database holds them, but for secrets; tables without one are left out."""
    found = {}
    for kind in TABLES:
        rows = present(session, kind, [owner(thing)])
        if rows:
            found[kind.TABLE] = [_without_secrets(values) for values in rows.values()]
    return found


def _without_secrets(values: Values) -> Values:
    return {name: "***" if name in _SECRET and value else value for name, value in values.items()}
