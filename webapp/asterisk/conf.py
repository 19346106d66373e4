"""Fill the values of one host into the configuration files of asterisk-conf/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "asterisk-conf"

_PLACE = re.compile(r"@([A-Z][A-Z0-9_]*)@")


def fill(values: Mapping[str, str], target: Path, source: Path = SOURCE) -> None:
    """Write every .conf file of `source` to `target`, each @NAME@ replaced by its value.

    The files are readable to their owner only, for some hold secrets. Raises ValueError for a value that is missing
    or that would end the line or begin a comment, before anything is written.
    """
    texts = {path.name: _filled(path, values) for path in sorted(source.glob("*.conf"))}
    target.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = target / name
        path.touch()
        path.chmod(0o600)
        path.write_text(text)


def _filled(path: Path, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise ValueError(f"{path.name} needs a value for {name}.")
        if re.search(r"[\s;\"'\\]", values[name]):
            raise ValueError(f"{name} must not contain blanks, quotes, backslashes or semicolons.")
        return values[name]

    return _PLACE.sub(value, path.read_text())
