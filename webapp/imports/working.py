"""Work that goes on in a thread of its own after the request is answered; the row of the file says how far it is."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import structlog
from flask import Flask, current_app
from flask_babel import force_locale, get_locale, gettext
from psycopg2.errors import DiskFull
from sqlalchemy import and_, func, or_, update
from sqlalchemy.exc import DBAPIError, OperationalError

from webapp import store, who
from webapp.ext import db
from webapp.imports.models import HEARTBEAT_SECONDS, WORKING, BroughtIn, Import
from webapp.imports.reading import Unreadable
from webapp.validation import N_, translated

log = structlog.get_logger()

OUTDATED = N_("What is stored has changed since the preview. Nothing was done; look again.")


@dataclass
class Progress:
    """How many lines have been read; whoever works counts, and the heartbeat writes it down."""

    lines: int = 0


@dataclass(frozen=True)
class Asked:
    """Who asked for a step, in which request and language: the work goes on without a request."""

    username: str
    request_id: str
    language: str


Step = Callable[[Any, Progress], None]  # The thing is what was brought in: an import, or another file.


class Outdated(Exception):
    """What is stored is no longer what the preview was made of."""


def start(import_: BroughtIn, step: Step) -> None:
    """Go on with an import in a thread of its own."""
    app = cast(Any, current_app)._get_current_object()
    given = (app, import_.id, step, asked(), type(import_))
    threading.Thread(target=_in_thread, args=given, name=f"import {import_.id}", daemon=True).start()


def asked() -> Asked:
    """Who asks now, who need not be the one who brought the file in."""
    return Asked(who.username(), who.request_id(), str(get_locale()))


def _in_thread(app: Flask, id: uuid.UUID, step: Step, by: Asked, kind: type[Any]) -> None:
    with app.app_context(), _heartbeat(app, id, kind) as progress:
        perform(id, step, by, progress, kind)


def perform(id: uuid.UUID, step: Step, by: Asked, progress: Progress, kind: type[Any] = Import) -> None:
    """Do a step for whoever asked for it. What stops it is told in the row of that kind."""
    import_ = db.session.get_one(kind, id, populate_existing=True)
    db.session.expunge(import_)
    db.session.rollback()
    with force_locale(by.language), who.on_behalf_of(by.username, by.request_id):
        try:
            step(import_, progress)
        except Unreadable as error:
            _stopped(import_, translated(error.sentence, error.values))
        except Outdated:
            _stopped(import_, gettext(OUTDATED), counts={})  # Else it would be offered again, in vain.
        except store.Refused as refused:
            log.warning("import refused", constraint=refused.constraint)
            _stopped(import_, gettext("Somebody changed what this file is about at the same time. Nothing was done."))
        except OperationalError as error:
            log.warning("import stopped", id=str(id), reason=str(error.orig).strip())
            if isinstance(error.orig, DiskFull):
                _stopped(import_, gettext("The disk of the database is full. Nothing was done."))
            else:
                _stopped(import_, gettext("The database did not do it in time. Nothing was done; try again."))
        except store.Unsure:
            log.warning("import interrupted", id=str(id))
            _stopped(import_, gettext("The database did not do it in time. Nothing was done; try again."))
        except BaseException:
            log.exception("import failed", id=str(id))
            _stopped(import_, gettext("Something went wrong on our side. Nothing was done."))
            raise


def _stopped(import_: Any, sentence: str, **values: Any) -> None:
    """Nothing was done: an import is what it was before the step, with the reason."""
    state = {"reading": "failed", "applying": "ready", "undoing": "applied"}[import_.state]
    kind = type(import_)
    mine = (kind.id == import_.id, kind.state == import_.state)  # It may have been done, and only its answer lost.
    store.aside(update(kind).where(*mine).values(state=state, error=sentence, **values))


@contextmanager
def _heartbeat(app: Flask, id: uuid.UUID, kind: type[Any]) -> Iterator[Progress]:
    """Say every second that the work goes on, and how far it is."""
    progress, over = Progress(), threading.Event()

    def beat() -> None:
        with app.app_context():
            while not over.wait(1):
                alive = update(kind).where(kind.id == id, kind.state.in_(WORKING))
                try:
                    store.aside(alive.values(heartbeat=func.clock_timestamp(), progress=progress.lines))
                except DBAPIError as error:
                    log.warning("no heartbeat", id=str(id), reason=str(error.orig).strip())

    thread = threading.Thread(target=beat, name=f"heartbeat {id}", daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()


def claim(import_: Any, doing: str, *states: str, **values: Any) -> bool:
    """Take an import on, if it is in one of these states or whoever worked at it died. Only one of two gets it.

    Nobody may have taken it on since it was read, for what was seen of it would no longer count.
    """
    kind = type(import_)
    silent = kind.heartbeat < func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, HEARTBEAT_SECONDS)
    free = or_(kind.state.in_(states), and_(kind.state == doing, silent))
    taken = update(kind).where(kind.id == import_.id, kind.heartbeat == import_.heartbeat, free)
    begun = {"state": doing, "error": "", "heartbeat": func.clock_timestamp(), "progress": 0}
    return store.aside(taken.values(begun | values)) == 1
