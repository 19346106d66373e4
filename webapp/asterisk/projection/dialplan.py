"""Thin dialplan rows: one Gosub into the hand-written subroutines of extensions.conf, with checked arguments."""

from __future__ import annotations

import re

from webapp.asterisk.rows import DialplanRow

# The contexts of extensions.conf that look rows up.
NUMBERS = "from-trunk"
PHONES = "phones"


def gosub(context: str, exten: str, subroutine: str, *arguments: object) -> DialplanRow:
    """The row that sends `exten` to a subroutine. Nothing that could be read as dialplan passes as an argument."""
    texts = [str(argument) for argument in arguments]
    for text in texts:
        if not re.fullmatch(r"[A-Za-z0-9_.-]*", text):
            raise ValueError(f"not allowed in a dialplan argument: {text!r}")
    return DialplanRow(
        context=context, exten=exten, priority=1, app="Gosub", appdata=f"{subroutine},s,1({','.join(texts)})"
    )
