"""What the documentation says is so: nothing that has a name is left out, links lead somewhere, the examples work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

import pytest
from flask import Flask
from flask_openapi import OpenAPI
from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

from tests.api.conftest import Program
from tests.conftest import make_user
from webapp.config import AgentSettings, Settings
from webapp.routing import REASONS
from webapp.settings.schemas import SettingsSchema

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
API = (PROJECT / "docs/api.md").read_text()
DIALPLAN = (PROJECT / "docs/dialplan.md").read_text()

# A line of the example: post AREA 'BODY', where '$NAME' stands for the id of a thing made before.
POST = re.compile(r"^    post (\S+) +'(\{.*\})'", re.MULTILINE)
NAMES = {
    "providers/": "PROVIDER",
    "gateways/": "GATEWAY",
    "price-plans/": "PLAN",
    "customers/": "CUSTOMER",
    "extensions/": "EXTENSION",
    "dids/": "DID",
}


def text(page: str) -> str:
    return (PROJECT / page).read_text()


def test_every_setting_is_explained() -> None:
    names = {name.upper() for name in (*Settings.model_fields, *AgentSettings.model_fields)}
    for page in ("docs/settings.md", ".env.example"):
        assert [name for name in sorted(names) if name not in text(page)] == [], page
    assert [name for name in SettingsSchema.model_fields if f"`{name}`" not in text("docs/settings.md")] == []


def test_every_value_of_asterisks_files_is_explained() -> None:
    files = [path.read_text() for path in PROJECT.glob("asterisk-conf/*.conf")]
    places = {name for file in files for name in re.findall(r"@([A-Z_]+)@", file)}
    assert [name for name in sorted(places) if f"`{name}`" not in text("docs/settings.md")] == []


def test_every_refusal_is_explained() -> None:
    assert [reason for reason in REASONS if f"`{reason}`" not in DIALPLAN] == []


def test_every_address_of_the_api_is_named(app: Flask) -> None:
    paths = [path.removeprefix("/api/v1/") for path in cast(OpenAPI, app).api_doc["paths"]]
    unnamed = [
        path
        for path in paths
        if path not in API and path.replace("/{id}", "/") not in API and f"{path.split('/')[0]}/`" not in API
    ]
    assert unnamed == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^    .*", "", page.read_text(), flags=re.MULTILINE)  # Without what is to be typed.
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_example_works(app: Flask, session: scoped_session[Session]) -> None:
    make_user("olga", "operator")
    program, ids = Program(app, "olga"), dict[str, str]()
    lines = POST.findall(API)
    assert len(lines) > 9
    for path, body in lines:
        for name, id in ids.items():
            path, body = path.replace(f"${name}", id), body.replace(f"'${name}'", id)
        if path == "conference/":
            continue  # It takes a server that is there; tests/calls holds one.
        answer = program.post(f"/{path}", json.loads(body))
        assert answer.status_code in (200, 201), (path, answer.json)
        if path in NAMES:
            made = answer.json["items"][0] if "items" in answer.json else answer.json
            ids[NAMES[path]] = made["id"]
