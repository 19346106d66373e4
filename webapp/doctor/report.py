"""What was found, for people and for programs."""

from __future__ import annotations

import datetime as dt
import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

import click

from webapp.doctor.findings import Finding, counted

WIDTH = 120
_MARKS = {"ok": "ok", "warning": "warning", "fault": "FAULT", "unknown": "?"}
_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red", "unknown": "cyan"}


def lines(found: dict[str, list[Finding]]) -> Iterator[str]:
    """By subject, in columns; what to do stands below what is wrong. Terminals show colours, click drops them else."""
    column = max((len(each.what) for findings in found.values() for each in findings), default=0)
    for subject, findings in found.items():
        yield click.style(subject, bold=True)
        for each in findings:
            mark = click.style(f"{_MARKS[each.state]:<8}", fg=_COLOURS[each.state])
            first, *more = textwrap.wrap(each.found, WIDTH - column - 12, break_on_hyphens=False) or [""]
            yield f"  {mark}{each.what:<{column}}  {first}".rstrip()
            yield from (" " * (column + 12) + line for line in more)
            # Commands are to be copied, so they are not broken.
            if each.to_do:
                yield " " * (column + 12) + f"→ {each.to_do}"
        yield ""
    yield summary([each for findings in found.values() for each in findings])


def summary(findings: list[Finding]) -> str:
    count = {state: sum(each.state == state for each in findings) for state in _MARKS}
    if count["ok"] == len(findings):
        return f"All is well: {counted(len(findings), 'thing', 'things')} looked at."
    words = [
        counted(count["fault"], "fault", "faults"),
        counted(count["warning"], "warning", "warnings"),
        f"{count['unknown']} not looked at",
        f"{count['ok']} well",
    ]
    return ", ".join(word for word in words if not word.startswith("0 ")) + "."


def as_json(found: dict[str, list[Finding]]) -> str:
    findings = [{"subject": subject, **asdict(each)} for subject, all_ in found.items() for each in all_]
    states = {each["state"] for each in findings}
    worst = next((state for state in ("fault", "unknown", "warning") if state in states), "ok")
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return json.dumps({"state": worst, "checked_at": now, "findings": findings}, ensure_ascii=False, indent=2)
