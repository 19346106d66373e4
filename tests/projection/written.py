"""What a projection writes, and what Asterisk makes of it when it reads."""

from __future__ import annotations

import re
from typing import Any

from webapp.asterisk.projection import project
from webapp.asterisk.rows import Stored

# What ast_strip() takes off both ends of a value: everything up to the blank (include/asterisk/strings.h).
BLANKS = "".join(map(chr, range(33)))


def written(thing: Any) -> dict[str, list[dict[str, Stored]]]:
    """Table -> its rows as the database holds them, without the columns that stay empty."""
    tables: dict[str, list[dict[str, Stored]]] = {}
    for row in project(thing):
        columns: dict[str, Stored] = {name: value for name, value in row.stored().items() if value is not None}
        tables.setdefault(row.TABLE, []).append(columns)
    return tables


def read_by_asterisk(value: str) -> list[str]:
    """The values of an option, as res_config_pgsql finds them in a column.

    It splits at every semicolon, strips each piece of blanks, leaves out what is then empty, and decodes ^XX
    (realtime_multi_pgsql() in res_config_pgsql.c, ast_realtime_decode_chunk() in config.c).
    """
    pieces = [piece.strip(BLANKS) for piece in value.split(";")]
    return [_decoded(piece) for piece in pieces if piece]


def _decoded(piece: str) -> str:
    return re.sub(r"\^([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), piece)
