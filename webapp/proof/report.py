"""A proof as lines of text, for a shell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webapp.proof.operations import Part, Proof

_WORDS = {"missing": "missing", "left_over": "left over", "different": "different"}


def lines(proof: Proof) -> Iterator[str]:
    """What is wrong in Asterisk's tables, which rows there are none of ours, and what each node uses wrongly."""
    for part in proof.parts:
        yield from _lines(part)
        if not part.node and proof.by_hand:
            names = ", ".join(f"{table} {key}" for table, keys in proof.by_hand.items() for key in keys[:10])
            count = sum(map(len, proof.by_hand.values()))
            yield f"made by hand: {count} rows, which are left alone: {names}"


def _lines(part: Part) -> Iterator[str]:
    check = part.check
    if check is None or part.state == "asked":
        yield f"{part.node} could not be checked: {'it does not answer' if part.alive else 'its agent is away'}."
    elif part.reason:
        yield f"{part.node or 'The tables'} could not be checked: {part.reason}."
    elif not check.differences:
        yield f"{part.node} uses what it should." if part.node else "Asterisk's tables are what they should be."
    else:
        where = f"{part.node}: " if part.node else ""
        yield from (where + line(finding) for finding in check.findings)
        if check.differences > len(check.findings):
            yield f"{where}{check.differences} differences, of which these are the first."


def line(finding: Mapping[str, Any]) -> str:
    """One finding: different: ps_endpoints x (gateway:...): context is a, should be b."""
    whose = f" ({finding['owner']})" if finding["owner"] else ""
    what = f"{_WORDS[finding['what']]}: {finding['table']} {finding['key']}{whose}"
    fields = [_field(**field) for field in finding["fields"]]
    return f"{what}: {'; '.join(fields)}" if fields else what


def _field(name: str, there: Any, wanted: Any) -> str:
    if wanted == "***":
        return f"{name} is another one"
    return f"{name} is {_value(there)}, should be {_value(wanted)}"


def _value(value: Any) -> str:
    return "empty" if value is None else str(value)
