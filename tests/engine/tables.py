"""Asterisk's tables, the audit log and the outbox as they are, whoever wrote them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from webapp.asterisk.rows import TABLES
from webapp.ext import db

Tables = dict[str, list[dict[str, Any]]]

NAMES = tuple(kind.TABLE for kind in TABLES)


def asterisk_tables(where: str = "true") -> Tables:
    """Table -> all its rows, in the order of their texts; tables without such rows are left out."""
    found = {name: query(f"SELECT * FROM asterisk.{name} t WHERE {where} ORDER BY t::text") for name in NAMES}  # noqa: S608 - fixed texts
    return {name: rows for name, rows in found.items() if rows}


def rows_of(owner: str) -> dict[str, list[str]]:
    """Table -> the keys of an owner's rows."""
    keys = {kind.TABLE: "exten" if kind.TABLE == "extensions" else "id" for kind in TABLES}
    tables = asterisk_tables(f"t.owner = '{owner}'")
    return {name: [row[keys[name]] for row in rows] for name, rows in tables.items()}


def query(statement: str, **values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in db.session.execute(text(statement), values).mappings()]


def value(statement: str, **values: Any) -> Any:
    return db.session.scalar(text(statement), values)


def execute(statement: str, **values: Any) -> None:
    """What somebody does by hand, behind the program's back."""
    db.session.execute(text(statement), values)
    db.session.commit()


def outbox() -> list[tuple[str, str, str]]:
    """What is owed: node, action, object."""
    rows = query("SELECT node, action, object FROM outbox WHERE done_at IS NULL ORDER BY id")
    return [(row["node"], row["action"], row["object"]) for row in rows]


def audit() -> list[tuple[str, str, str, dict[str, Any], dict[str, Any]]]:
    """Who did what to which: action, kind, label, before, after."""
    rows = query("SELECT action, kind, label, before, after FROM audit_log ORDER BY id")
    return [(row["action"], row["kind"], row["label"], row["before"], row["after"]) for row in rows]
