"""Every address of the product, as an attacker would list them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import AnyConverter, BaseConverter, Rule

NOTHING = str(uuid.UUID(int=7))  # Nothing has such an id.
SOMETHING = {"UUIDConverter": NOTHING, "IntegerConverter": "1"}


@dataclass(frozen=True)
class Address:
    """A method and a path, with the permission that its view asks for."""

    method: str
    path: str
    endpoint: str
    permission: str

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")


def addresses(app: Flask) -> Iterator[Address]:
    """All of them but static files, HEAD included."""
    for rule in sorted(app.url_map.iter_rules(), key=str):
        if rule.endpoint == "static":
            continue
        permission = vars(app.view_functions[rule.endpoint])["permission"]
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield Address(method, path_of(rule), rule.endpoint, permission)


def path_of(rule: Rule, id: str = NOTHING) -> str:
    """A path that the rule answers to."""
    values = {name: _something(converter, id) for name, converter in rule._converters.items()}
    built = rule.build(values)
    assert built, rule
    return built[1]


def _something(converter: BaseConverter, id: str) -> str:
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    if type(converter).__name__ == "UUIDConverter":
        return id
    return SOMETHING.get(type(converter).__name__, "x")
