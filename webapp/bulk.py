"""What is done to many rows of a list at once: a page that says what will happen, then all of it or nothing.

The list sends a GET with the action and the rows that were ticked, or with all=1 and its own filters. The page it gets
names the rows and what goes along with them, and its POST is good for exactly these.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request
from flask_babel import format_decimal, gettext, lazy_gettext

from webapp import store
from webapp.ext import Managed, db
from webapp.forms import KINDS
from webapp.listing import ListOf
from webapp.validation import N_

MOST = 10_000  # Things in one go.
NAMED = 20  # So many of them are named.

PARTS = {"customer_dids": N_("Former allocations"), "tariffs": N_("Tariffs")}


def nothing(_things: Sequence[Any]) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Action:
    """One thing that can be done to many."""

    name: str
    label: Any  # The words of its button: a lazy text.
    do: Callable[[Sequence[Any]], object]
    obstacles: Callable[[Sequence[Any]], Iterable[str]] = nothing  # What is in the way, by name.
    warnings: Callable[[Sequence[Any]], Iterable[str]] = nothing  # What else will happen.
    danger: bool = False
    called: Callable[[Any], str] = str  # What a thing is called there.


def bulk_page(listing: ListOf, actions: Sequence[Action]) -> Any:
    """The page that asks before something is done to the rows selected, and the deed itself."""
    action = next((action for action in actions if action.name == request.args.get("action")), None) or abort(404)
    back = listing.url(listing.index, **listing.chosen())
    things = selected(listing)
    if not things:
        flash(gettext("Nothing was selected."), "warning")
        return redirect(back)
    names, seal = [action.called(thing) for thing in things], _seal(things)
    obstacles = [_too_many()] if len(things) > MOST else list(action.obstacles(things))
    warnings = [] if obstacles else list(action.warnings(things))
    notice = ""
    if request.method == "POST" and not obstacles:
        notice = _attempt(action, things) if request.form.get("seal") == seal else gettext(CHANGED)
        if not notice:
            flash(gettext("%(label)s: done for %(count)s.", label=action.label, count=figure(len(names))), "success")
            return redirect(back)
    page = render_template(
        "bulk.html",
        action=action,
        names=names[:NAMED],
        count=figure(len(names)),
        more=figure(max(0, len(names) - NAMED)),
        obstacles=_few(obstacles),
        warnings=warnings,
        notice=notice,
        seal=seal,
        back=back,
    )
    return page, 409 if obstacles or notice else 200


CHANGED = N_("What you selected has changed in the meantime. Nothing was done; look at it again.")


def selected(listing: ListOf) -> Sequence[Any]:
    """The rows that were ticked, or all that the filters leave; 404 if they cannot be told."""
    chosen = listing.chosen()
    try:
        if request.args.get("all"):
            query = listing.narrow(listing.things, chosen)
        else:
            ids = [uuid.UUID(text) for text in request.args.getlist("id")]
            query = listing.things.where(listing.kind.id.in_(ids))
        query = listing.sort(query, chosen.get("sort", ""))
    except ValueError:
        abort(404)
    return db.session.scalars(query.limit(MOST + 1)).all()


def _seal(things: Sequence[Managed]) -> str:
    """Tells one selection from another, so that nothing is done to what nobody saw."""
    return hashlib.sha256("".join(sorted(str(thing.id) for thing in things)).encode()).hexdigest()


def _attempt(action: Action, things: Sequence[Managed]) -> str:
    """Do it; if it could not be done, why."""
    try:
        action.do(things)
    except store.Stale:
        return str(gettext(CHANGED))
    except (store.InUse, store.Refused):
        return str(gettext("Something else came to depend on one of them just now. Nothing was done."))
    return ""


def _too_many() -> str:
    return str(gettext("No more than %(count)s can be changed at once. Narrow the list down.", count=figure(MOST)))


def _few(sentences: list[str]) -> list[str]:
    more = len(sentences) - NAMED
    return [*sentences[:NAMED], gettext("and %(count)s more", count=figure(more))] if more > 0 else sentences


def figure(number: int) -> str:
    """A number in the reader's spelling; nothing for zero."""
    return str(format_decimal(number)) if number else ""


# ---- the actions that many lists have


def _dependents(things: Sequence[Managed]) -> Iterable[str]:
    for thing, relationship, count in store.dependents(things):
        kind = gettext(KINDS[relationship.property.mapper.class_.__tablename__])
        yield gettext("%(name)s: %(kind)s (%(count)s)", name=thing, kind=kind, count=figure(count))


def _losses(things: Sequence[Managed]) -> Iterable[str]:
    yield gettext("They will be deleted for good. This cannot be undone.")
    for kind, count in store.parts(things):
        yield gettext("Deleted along with them: %(kind)s (%(count)s).", kind=gettext(PARTS[kind]), count=figure(count))


DELETE = Action(
    "delete",
    lazy_gettext("Delete"),
    do=lambda things: store.delete(*things),
    obstacles=_dependents,
    warnings=_losses,
    danger=True,
)
ENABLE = Action("enable", lazy_gettext("Enable"), do=lambda things: store.change(things, enabled=True))
DISABLE = Action("disable", lazy_gettext("Disable"), do=lambda things: store.change(things, enabled=False))
