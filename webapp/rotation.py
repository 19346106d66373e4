"""A new ENCRYPTION_KEY: which stored secrets need which key, and all of them brought under the first one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Text, column, select, type_coerce, update, values

from webapp import encryption, store
from webapp.encryption import EncryptedText, WrongKey
from webapp.ext import Base, db

PAGE = 1000  # Secrets that are read, and written, at a time.


@dataclass
class Stored:
    """The secrets of one column, by what they are encrypted under."""

    name: str
    first: int = 0  # Under the first key of ENCRYPTION_KEY,
    older: int = 0  # under another of its keys,
    unreadable: int = 0  # and under none.


def look() -> list[Stored]:
    """How it is, column by column."""
    found = []
    for secret in _columns():
        counted = Stored(f"{secret.table.name}.{secret.name}")
        for _, text in _each(secret):
            which = _which(text)
            setattr(counted, which, getattr(counted, which) + 1)
        found.append(counted)
    return found


def rotate() -> list[Stored]:
    """Encrypt anew what is under an older key, and say how it is then.

    It goes page by page: what a stop leaves, the next run finds. Whoever saves meanwhile is not hindered, for a secret
    that has changed since it was read is left as it is.
    """
    for secret in _columns():
        for page in _pages(secret):
            _write(secret, [(id, text) for id, text in page if _which(text) == "older"])
    return look()


def _columns() -> list[Column[Any]]:
    tables = Base.metadata.sorted_tables
    return [each for table in tables for each in table.columns if isinstance(each.type, EncryptedText)]


def _which(text: str) -> str:
    if encryption.under_first_key(text):
        return "first"
    try:
        encryption.decrypt(text)
    except WrongKey:
        return "unreadable"
    return "older"


def _each(secret: Column[Any]) -> Iterator[Any]:
    for page in _pages(secret):
        yield from page


def _pages(secret: Column[Any]) -> Iterator[Sequence[Any]]:
    """The id of each thing that has a secret, with the secret as it is stored."""
    [id] = secret.table.primary_key
    text = _as_stored(secret)
    query = select(id, text).where(text != "").order_by(id).limit(PAGE)
    page = db.session.execute(query).all()
    while page:
        yield page
        page = db.session.execute(query.where(id > page[-1][0])).all()


def _write(secret: Column[Any], found: Sequence[tuple[Any, str]]) -> None:
    if not found:
        return
    [id] = secret.table.primary_key
    fresh = values(column("id", id.type), column("before", Text), column("now", Text), name="fresh")
    fresh = fresh.data([(key, text, encryption.encrypt(encryption.decrypt(text))) for key, text in found])
    mine = (id == fresh.c.id, _as_stored(secret) == fresh.c.before)
    same = {each.name: each for each in secret.table.columns if each.onupdate is not None}  # Nothing was changed.
    store.aside(update(secret.table).where(*mine).values({**same, secret.name: fresh.c.now}))


def _as_stored(secret: Column[Any]) -> Any:
    return type_coerce(secret, Text)
