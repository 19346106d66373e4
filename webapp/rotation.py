"""A new ENCRYPTION_KEY: which stored secrets need which key, all of them brought under the first one, and what is done
for those whose key is lost."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Text, column, select, type_coerce, update, values
from sqlalchemy.orm import joinedload

from webapp import encryption, store
from webapp.asterisk.projection import owner
from webapp.asterisk.rows import Auth, decode
from webapp.asterisk.sync import present
from webapp.encryption import EncryptedText, WrongKey
from webapp.ext import Base, db
from webapp.extensions.models import Extension
from webapp.extensions.schemas import new_secret
from webapp.gateways.models import Gateway

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


def renew_phones(users: Collection[str]) -> list[tuple[str, str]]:
    """Give these phones new secrets, if theirs cannot be read; SIP user and secret of each."""
    query = (
        select(Extension)
        .options(joinedload(Extension.customer))
        .where(Extension.id.in_(_unreadable(Extension.__table__.c.secret)))
    )
    phones = [phone for phone in db.session.scalars(query).all() if phone.sip_user in users]
    renewed = [(phone, new_secret()) for phone in phones]
    for phone, secret in renewed:
        phone.secret = secret
    store.save(*phones)
    return [(phone.sip_user, secret) for phone, secret in renewed]


def take_back_passwords() -> list[tuple[str, bool]]:
    """Gateways whose password cannot be read get it from where Asterisk reads it; the name of each, and whether it is
    there. It is not if the gateway is disabled: then it has none, and registers no more until one is entered."""
    taken = []
    for gateway in db.session.scalars(
        select(Gateway).where(Gateway.id.in_(_unreadable(Gateway.__table__.c.password)))
    ).all():
        rows = present(db.session(), Auth, [owner(gateway)]).values()
        gateway.password = next((decode(str(row["password"])) for row in rows), "")
        gateway.registration = gateway.registration and bool(gateway.password)
        taken.append((gateway.name, bool(gateway.password)))
        store.save(gateway)
    return taken


def _unreadable(secret: Any) -> list[uuid.UUID]:
    return [id for id, text in _each(secret) if _which(text) == "unreadable"]


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
