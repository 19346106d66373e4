"""Which column of a file is which field: as its first line names them, or as an operator says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Mapping, Sequence
from typing import Any

from flask_babel import force_locale, gettext

from webapp.imports.kinds import Kind
from webapp.imports.models import BroughtIn, Cells
from webapp.pages import LANGUAGES
from webapp.validation import N_, translated

REMAPPED = ("mapping", "ready", "failed")  # In which states the columns may still be chosen.


class WrongColumns(Exception):
    """What was said of the columns cannot be: why, in a sentence."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(translated(sentence, values))


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


def missing(kind: Kind, columns: Container[str]) -> list[str]:
    """The fields that every line must have and that no column was found for."""
    return [name for name in kind.fields if kind.schema.model_fields[name].is_required() and name not in columns]


def unused(import_: BroughtIn) -> list[str]:
    """The columns of the file that are not brought in."""
    taken = set(import_.columns.values())
    names = import_.header[0] if import_.has_header else []
    return [name.strip() for position, name in enumerate(names) if position not in taken and name.strip()]


def chosen(
    kind: Kind, header: Sequence[Cells], columns: Mapping[str, int | str], has_header: bool
) -> tuple[dict[str, int], bool]:
    """Field -> position, and whether the first line names the columns, as somebody says. WrongColumns if he errs.

    Who calls a column by its heading says with it that there are headings.
    """
    if unknown := sorted(columns.keys() - set(kind.fields)):
        raise WrongColumns(N_("There is no field {names}."), names=", ".join(unknown))
    found = {name: _position(header, columns[name]) for name in kind.fields if name in columns}
    if lacking := missing(kind, found):
        raise WrongColumns(N_("Say which column is {names}."), names=", ".join(lacking))
    return found, has_header or any(isinstance(column, str) for column in columns.values())


def _position(header: Sequence[Cells], column: int | str) -> int:
    if isinstance(column, int):
        found = [column] if 0 <= column < max(map(len, header)) else []
    else:
        heads = list(enumerate(header[0]))
        alike = [position for position, cell in heads if heading(cell) == heading(column) != ""]
        found = [position for position, cell in heads if cell.strip() == column.strip()] or alike
    if len(found) != 1:
        one_of = N_("The file has more than one column {column}.") if found else N_("The file has no column {column}.")
        raise WrongColumns(one_of, column=column)
    return found[0]
