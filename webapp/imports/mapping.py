"""Which column of a file is which field: as its first line names them, or as an operator says."""

from __future__ import annotations

import re
import unicodedata

from flask_babel import force_locale, gettext

from webapp import store
from webapp.ext import db
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.models import Import
from webapp.pages import LANGUAGES

REMAPPED = ("mapping", "ready", "failed")  # In which states the columns may still be chosen.


def heading(text: str) -> str:
    """The head of a column without accents, capitals and signs."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def named(kind: Kind, header: list[str]) -> dict[str, int]:
    """Field -> position, as the header names them. A field that two columns could be is left open."""
    words: dict[str, str] = {}
    for name in reversed(kind.fields):  # What is asked for first wins a word that two of them know.
        known = [name, name.removesuffix("_id"), *kind.synonyms.get(name, "").split("|")]
        for language in LANGUAGES:
            with force_locale(language):
                known.append(gettext(kind.schema.model_fields[name].title or name))
        words |= {heading(each): name for each in known}
    found: dict[str, int] = {}
    twice = set()
    for position, cell in enumerate(header):
        field = words.get(heading(cell))
        if field and field in found:
            twice.add(field)
        elif field:
            found[field] = position
    return {name: position for name, position in found.items() if name not in twice}


def missing(import_: Import) -> list[str]:
    """The fields that every line must have and that no column was found for."""
    kind = KINDS[import_.kind]
    return [n for n in kind.fields if kind.schema.model_fields[n].is_required() and n not in import_.columns]


def unused(import_: Import) -> list[str]:
    """The columns of the file that are not brought in."""
    taken = set(import_.columns.values())
    names = import_.header[0] if import_.has_header else []
    return [name.strip() for position, name in enumerate(names) if position not in taken and name.strip()]


def choose(import_: Import, chosen: dict[str, str]) -> bool:
    """Take an operator's word for which column is what; False if something that is needed is still missing."""
    if import_.state not in REMAPPED:
        return False  # What was applied is undone by what its columns were.
    kind = KINDS[import_.kind]
    wide = max(map(len, import_.header))
    import_.columns = {
        name: int(chosen[name])
        for name in kind.fields
        if re.fullmatch(r"[0-9]{1,3}", chosen.get(name, "")) and int(chosen[name]) < wide
    }
    import_.has_header = "has_header" in chosen
    if missing(import_):
        db.session.rollback()
        return False
    store.save()
    return True
