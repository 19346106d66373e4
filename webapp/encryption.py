"""Secrets that Asterisk need not read lie encrypted in the database, under the keys of ENCRYPTION_KEY (Fernet).

The first key encrypts, all of them decrypt, so that a new one can be put before the old one and what is stored follows
(webapp/rotation.py). A process without keys, as the agent is, reads a secret as it is stored and can write none.
"""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

_keys: list[Fernet] = []  # Those of this process.


class WrongKey(Exception):
    """A stored secret was encrypted under none of our keys."""

    def __init__(self) -> None:
        super().__init__("ENCRYPTION_KEY has not the key under which a stored secret was encrypted")


class EncryptedText(TypeDecorator[str]):
    """A text that is encrypted where it is stored. An empty one stays empty, for that there is none is no secret."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: object) -> str | None:
        return encrypt(value) if value else value

    def process_result_value(self, value: Any, _dialect: object) -> str | None:
        return decrypt(value) if value and _keys else value


def parse(keys: str) -> list[Fernet]:
    """The keys of a setting; ValueError if one makes no sense."""
    return [Fernet(key.strip()) for key in keys.split(",")]


def use(keys: str) -> None:
    """From now on these are the keys of this process."""
    _keys[:] = parse(keys)


def encrypt(secret: str) -> str:
    if not _keys:
        raise RuntimeError("a process without ENCRYPTION_KEY stores no secrets")
    return _keys[0].encrypt(secret.encode()).decode()


def decrypt(stored: str) -> str:
    """WrongKey if none of our keys is the right one."""
    try:
        return MultiFernet(_keys).decrypt(stored).decode()
    except InvalidToken:
        raise WrongKey from None


def under_first_key(stored: str) -> bool:
    """Whether it needs none of the further keys."""
    try:
        _keys[0].decrypt(stored)
    except InvalidToken:
        return False
    return True
