"""The steps of a save, to do something at one of them. The program itself knows nothing of this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from webapp.ext import db

# Step -> the event by which it is known, and for a statement the beginning of it.
POINTS = {
    "flushed": ("after_flush", ""),
    "projected": ("before_cursor_execute", "INSERT INTO asterisk.ps_endpoints"),
    "rows written": ("after_cursor_execute", "INSERT INTO asterisk.ps_endpoints"),
    "audited": ("after_cursor_execute", "INSERT INTO audit_log"),
    "orders given": ("after_cursor_execute", "INSERT INTO outbox"),
    "before the commit": ("before_commit", ""),
    "after the commit": ("after_commit", ""),
}


@contextmanager
def at(point: str, deed: Callable[[], object]) -> Iterator[None]:
    """Do it once, when a save comes to that point."""
    name, beginning = POINTS[point]
    done = False

    def reached(*arguments: Any) -> None:
        nonlocal done
        if not done and (not beginning or arguments[2].startswith(beginning)):
            done = True
            deed()

    target = db.engine if beginning else db.session
    event.listen(target, name, reached)
    try:
        yield
    finally:
        event.remove(target, name, reached)
