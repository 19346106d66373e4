"""What the list of imports shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import func, select

from webapp.ext import db
from webapp.imports.kinds import KINDS
from webapp.imports.models import Import
from webapp.listing import Column, Filter, ListOf

STATES = {
    "mapping": lazy_gettext("Columns to choose"),
    "reading": lazy_gettext("Reading"),
    "ready": lazy_gettext("Compared"),
    "applying": lazy_gettext("Applying"),
    "applied": lazy_gettext("Applied"),
    "undoing": lazy_gettext("Undoing"),
    "undone": lazy_gettext("Undone"),
    "failed": lazy_gettext("Failed"),
}
_COUNTS = {name: Import.counts[name].as_integer() for name in ("new", "changed", "unchanged", "rejected")}


class WhoFilter(Filter):
    """All who have brought in files are offered, users and tokens, whether they are still there or not."""

    def _options(self) -> list[tuple[str, Any]]:
        return [(name, name) for name in db.session.scalars(select(self.column).distinct().order_by(self.column))]


IMPORTS = ListOf(
    query=select(Import),
    columns=[
        Column("file_name", lazy_gettext("File"), Import.file_name),
        Column("kind", lazy_gettext("What"), Import.kind),
        Column("state", lazy_gettext("State"), Import.state),
        Column("new", lazy_gettext("New"), func.coalesce(_COUNTS["new"], 0), end=True),
        Column("changed", lazy_gettext("Changed"), func.coalesce(_COUNTS["changed"], 0), end=True),
        Column("rejected", lazy_gettext("Rejected"), func.coalesce(_COUNTS["rejected"], 0), end=True),
        Column("username", lazy_gettext("By"), Import.username),
        Column("created_at", lazy_gettext("When"), Import.created_at),
    ],
    order=[Import.created_at, Import.id],
    default="-created_at",
    search=[Import.file_name],
    filters=[
        Filter("kind", lazy_gettext("What"), Import.kind, words={k: lazy_gettext(v.title) for k, v in KINDS.items()}),
        Filter("state", lazy_gettext("State"), Import.state, words=STATES),
        WhoFilter("username", lazy_gettext("By"), Import.username),
    ],
    export={
        "file_name": Import.file_name,
        "kind": Import.kind,
        "state": Import.state,
        **_COUNTS,
        "username": Import.username,
        "created_at": Import.created_at,
        "applied_at": Import.applied_at,
        "undone_at": Import.undone_at,
        "error": Import.error,
    },
)
