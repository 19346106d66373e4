"""What a page says when something is wrong: with the request, with us, or with the database."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError, ProgrammingError
from werkzeug.test import TestResponse

from tests.calls.exchange import settings
from tests.web import things
from webapp import create_app, store
from webapp.providers.models import Provider

LANGUAGES = pytest.mark.parametrize("language", ["en", "pt_BR"])

TITLES = {
    400: {"en": "Your session has ended", "pt_BR": "Sua sessão terminou"},
    403: {"en": "You may not do this", "pt_BR": "Você não pode fazer isto"},
    404: {"en": "Nothing here", "pt_BR": "Não há nada aqui"},
    405: {"en": "Not this way", "pt_BR": "Assim não"},
    413: {"en": "Too large", "pt_BR": "Grande demais"},
    500: {"en": "Something went wrong on our side", "pt_BR": "Algo deu errado do nosso lado"},
    503: {"en": "The database does not answer", "pt_BR": "O banco de dados não responde"},
}


UNREADABLE = {"en": "A stored secret cannot be read", "pt_BR": "Um segredo guardado não pode ser lido"}


def check_page(response: TestResponse, code: int, language: str, titles: dict[str, str] | None = None) -> None:
    """The page has its title in this language, its way back, and the number to find it in the log by."""
    assert response.status_code == code
    text, request_id = response.text, response.headers["X-Request-Id"]
    assert f'<h1 class="page-title">{(titles or TITLES[code])[language]}</h1>' in text
    assert f'<html lang="{language.replace("_", "-")}">' in text
    assert re.fullmatch(r"[0-9a-f]{12}", request_id)
    assert f"<code>{request_id}</code>" in text
    assert 'href="/"' in text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def speak(client: FlaskClient, language: str) -> None:
    client.post("/language", data={"language": language})


@LANGUAGES
def test_what_is_not_there(client: FlaskClient, language: str) -> None:
    speak(client, language)
    for path in ("/nowhere", f"/customers/{uuid4()}", f"/dids/{uuid4()}/allocate", "/customers/7", "/static/no.js"):
        check_page(client.get(path), 404, language)


@LANGUAGES
def test_the_wrong_way(client: FlaskClient, language: str) -> None:
    speak(client, language)
    check_page(client.put("/customers/"), 405, language)


@LANGUAGES
def test_what_is_not_allowed(viewer: FlaskClient, language: str) -> None:
    speak(viewer, language)
    check_page(viewer.get("/customers/new"), 403, language)


@LANGUAGES
def test_a_form_without_its_token(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    speak(client, language)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    check_page(client.post("/customers/new", data={"code": "acme"}), 400, language)


@LANGUAGES
def test_what_is_too_large(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    speak(client, language)
    check_page(client.post("/customers/new", data={"name": "x" * 2_000_000}), 413, language)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    check_page(client.post("/customers/new", data={"name": "x" * 2_000_000}), 413, language)


@LANGUAGES
def test_a_mistake_of_ours(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    speak(client, language)

    def fail() -> None:
        raise RuntimeError("nobody should read this on a page")

    monkeypatch.setitem(app.view_functions, "customers.index", fail)
    response = client.get("/customers/")
    check_page(response, 500, language)
    assert "nobody should read this" not in response.text


@LANGUAGES
def test_a_database_that_hesitates(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    speak(client, language)

    def wait(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("canceling statement due to lock timeout"))

    monkeypatch.setattr(store, "save", wait)
    response = client.post("/providers/new", data={"name": "Norte", "type": "both"})
    check_page(response, 503, language)
    assert "lock timeout" not in response.text
    monkeypatch.undo()
    assert things.count(Provider) == 0


@LANGUAGES
def test_a_database_that_is_away(client: FlaskClient, language: str) -> None:
    """Nobody can even be asked who is signed in."""
    speak(client, language)
    nowhere = "postgresql://nobody:nothing@127.0.0.1:9/nowhere"
    app = create_app(settings(nowhere))
    browser = app.test_client()
    with client.session_transaction() as signed_in:
        values = dict(signed_in)
    with browser.session_transaction() as session:
        session.update(values)
    for path in ("/", "/customers/", f"/customers/{uuid4()}"):
        check_page(browser.get(path), 503, language)
    check_page(browser.get("/nowhere"), 404, language)
    assert app.test_client().get("/healthz").status_code == 200


@LANGUAGES
def test_a_secret_under_another_key(client: FlaskClient, other_key: Callable[[], None], language: str) -> None:
    """What needs no secret goes on; what needs one says so, and nothing is lost."""
    speak(client, language)
    gateway = things.gateway(username="us", password="hush")
    phone = things.extension(things.office("acme"))
    other_key()
    for path in ("/gateways/", "/extensions/", f"/extensions/{phone.id}"):
        assert client.get(path).status_code == 200, path
    check_page(client.post(f"/extensions/{phone.id}/secret"), 503, language, UNREADABLE)
    check_page(client.get(f"/gateways/{gateway.id}/edit"), 503, language, UNREADABLE)
    check_page(client.post(f"/extensions/{phone.id}/enabled"), 503, language, UNREADABLE)
    assert things.asterisk("SELECT enabled FROM public.extensions") is True


def test_a_user_who_cannot_be_read(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as from a table that a migration has yet to change."""

    def fail(*_: object) -> None:
        raise ProgrammingError("SELECT", {}, Exception("no such column"))

    monkeypatch.setattr("webapp.ext.login._user_callback", fail)
    check_page(client.get("/"), 500, "en")


def test_every_answer_is_fenced_in(client: FlaskClient) -> None:
    headers = client.get("/").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    with client.get("/static/app.js") as response:
        assert "no-store" not in response.headers.get("Cache-Control", "")
