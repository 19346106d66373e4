"""What every answer says to a browser, and where an answer may lead."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.calls.exchange import settings
from tests.conftest import PASSWORD, make_user, signed_in
from tests.security.conftest import token_of
from tests.security.rules import addresses
from tests.web import things
from webapp import create_app

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)[\s>]|<style[\s>]|\sstyle=|<[^>]*\son[a-z]+=|javascript:|<iframe|<object|<embed"
)


def _fenced_in(answer: TestResponse) -> str:
    """What is missing from an answer; empty if nothing is."""
    headers = answer.headers
    sent = dict(part.strip().split(" ", 1) for part in headers.get("Content-Security-Policy", " ").split(";"))
    wanted = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if sent != POLICY:
        return f"policy {sent}"
    if "microphone=()" not in headers.get("Permissions-Policy", ""):
        return "Permissions-Policy"
    if "X-Powered-By" in headers or re.search(r"\d", headers.get("Server", "")):
        return "it says what it runs on"
    return next((name for name, value in wanted.items() if headers.get(name) != value), "")


def test_every_answer_is_fenced_in_and_kept_by_nobody(app: Flask, admin: FlaskClient) -> None:
    """Of every address, to whoever asks: pages, forms that are refused, errors, files, redirects and the API."""
    things.extension(things.office("acme"))
    headers = token_of(app, "ada")
    asked, wrong = 0, []
    for each in addresses(app):
        if each.method == "HEAD" or (each.permission == "session" and each.method == "POST"):
            continue  # The latter may end the session.
        for browser, more in ((admin, headers if each.is_api else {}), (app.test_client(), {})):
            answer = browser.open(each.path, method=each.method, headers=more)
            asked += 1
            missing = _fenced_in(answer)
            if not missing and "no-store" not in answer.headers.get("Cache-Control", ""):
                missing = "no-store"
            if not missing and answer.mimetype == "text/html" and (found := INLINE.search(answer.text)):
                missing = found[0]
            if missing:
                wrong.append((each.method, each.path, missing))
            answer.close()
    assert asked > 300
    assert wrong == []


def test_errors_and_files_are_fenced_in_too(app: Flask, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        admin.get("/nowhere"),
        admin.get("/api/v1/nowhere"),
        admin.put("/customers/"),
        admin.post("/login", data=b"x" * (2 * 1024 * 1024), content_type="application/x-www-form-urlencoded"),
        admin.get("/static/app.js"),
        admin.get("/static/nothing.js"),
        admin.get("/customers"),
    ]
    monkeypatch.setitem(app.view_functions, "providers.index", lambda: 1 / 0)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    asked.append(admin.get("/providers/"))
    assert [answer.status_code for answer in asked] == [404, 404, 405, 413, 200, 404, 308, 500]
    for answer in asked:
        assert _fenced_in(answer) == ""
        answer.close()
    assert "division" not in asked[-1].text  # What went wrong stands in the log only.


def test_a_page_with_a_secret_is_kept_by_nobody(admin: FlaskClient) -> None:
    phone = things.extension(things.office("acme"), secret="secret-of-the-phone")
    revealed = admin.post(f"/extensions/{phone.id}/secret")
    made = admin.post("/tokens/new", data={"name": "t", "role": "viewer", "expires_in_days": "1"})
    admin.post("/profile/second-factor/begin")
    shown = admin.get("/profile/second-factor")
    for answer, mark in ((revealed, "secret-of-the-phone"), (made, "aa_"), (shown, "<svg")):
        assert mark in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


def test_over_tls_browsers_come_over_tls_only(database_url: str) -> None:
    plain = create_app(settings(database_url)).test_client()
    tls = create_app(settings(database_url).model_copy(update={"https": True})).test_client()
    assert "Strict-Transport-Security" not in plain.get("/healthz").headers
    for path in ("/healthz", "/nowhere", "/static/app.js", "/api/v1/nowhere"):
        answer = tls.get(path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        answer.close()
    [cookie] = tls.get("/login").headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie


# ---- where it leads

OUT = [
    "https://elsewhere.example/",
    "//elsewhere.example/",
    "///elsewhere.example/",
    "////elsewhere.example",
    "/\\elsewhere.example",
    "\\\\elsewhere.example",
    "/\t/elsewhere.example",
    "/\t//elsewhere.example",
    "\t//elsewhere.example",
    " //elsewhere.example",
    "/\n/elsewhere.example",
    "/\r\nLocation: https://elsewhere.example",
    "http:elsewhere.example",
    "http:/elsewhere.example",
    "https:///elsewhere.example",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//elsewhere.example\\@localhost/",
    "//localhost@elsewhere.example/",
    "/%2f/elsewhere.example",
    "/.//elsewhere.example",
    "//[::1",
    "\u2028//elsewhere.example",
    "/\u00a0/elsewhere.example",
]


def _stays(answer: TestResponse) -> bool:
    """A browser takes a backslash for a slash, and leaves out tabs and line breaks."""
    location = re.sub(r"[\t\r\n]", "", answer.headers.get("Location", "/")).replace("\\", "/")
    return answer.status_code < 400 and bool(re.match(r"/(?!/)", location))


@pytest.mark.parametrize("target", OUT)
def test_no_sign_in_leads_out(app: Flask, admin: FlaskClient, target: str) -> None:
    stranger = app.test_client()
    data = {"username": "ada", "password": PASSWORD, "next": target}
    assert _stays(stranger.post("/login", data=data))
    assert _stays(stranger.get("/login", query_string={"next": target}))  # Who is signed in already.
    assert _stays(stranger.post("/language", data={"language": "en", "next": target}))
    assert _stays(app.test_client().get("/login/code", query_string={"next": target}))
    assert _stays(app.test_client().post("/logout", headers={"Referer": quote(target, safe=":/\\@")}))


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "localhost@elsewhere.example", "elsewhere.example:80", "localhost"]
)
def test_no_host_that_a_request_names_comes_back(app: Flask, admin: FlaskClient, host: str) -> None:
    """Neither in a redirect nor in a page: what is cached, or sent on, would lead others there."""
    stranger = app.test_client()
    for path in ("/customers", "/", "/login", "/api/v1/docs", "/api/v1/customers", "/nowhere", "/api/v1/openapi.json"):
        for headers in (
            {"Host": host},
            {"X-Forwarded-Host": host, "X-Forwarded-Proto": "gopher", "X-Forwarded-Prefix": f"//{host}"},
            {"Forwarded": f"host={host}", "X-Original-URL": "/users/", "X-Rewrite-URL": "/users/"},
        ):
            answer = stranger.get(path, headers=headers)
            assert "elsewhere" not in answer.text + str(answer.headers), (path, headers)
            assert _stays(answer) or answer.status_code in (400, 401, 404), (path, headers)


def test_who_asks_is_not_who_a_header_says(app: Flask, admin: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    """Without PROXIES, an address in a header is nobody's: it would give a new try at each password."""
    spoofed = {"X-Forwarded-For": "192.0.2.9", "X-Real-IP": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    app.test_client().post("/login", data={"username": "ada", "password": "wrong"}, headers=spoofed)
    errors = capsys.readouterr().err
    assert "192.0.2.9" not in errors
    assert '"address": "127.0.0.1"' in errors


def test_a_part_of_a_file_is_not_to_be_had(admin: FlaskClient) -> None:
    """Ranges and conditions mean nothing to what is made anew for each request."""
    things.office("acme")
    whole = admin.get("/customers/export.csv").text
    for headers in (
        {"Range": "bytes=0-3"},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Mon, 01 Jan 2035 00:00:00 GMT"},
    ):
        answer = admin.get("/customers/export.csv", headers=headers)
        assert (answer.status_code, answer.text) == (200, whole)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../config.py",
        "/static/..%2fconfig.py",
        "/static/%2e%2e/config.py",
        "/static/%252e%252e/config.py",
        "/static/....//config.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/..\\config.py",
        "/static/vendor/../../config.py",
        "/static/app.js%00.py",
        "/static/",
        "/static/vendor",
        "/imports/../static/app.js",
        "/imports/..%2f..%2fetc%2fpasswd/rejected.csv",
        "/.env",
        "/.git/config",
    ],
)
def test_no_path_leads_to_a_file_that_is_no_pages(admin: FlaskClient, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code in (404, 308)
    assert "SECRET_KEY" not in answer.text
    assert "root:" not in answer.text


def test_the_name_of_a_file_holds_nothing_that_was_typed(app: Flask, admin: FlaskClient) -> None:
    hostile = 'a"; filename="evil.exe'
    plan = things.price_plan(hostile)
    things.tariff(plan)
    make_user("rita", "operator")
    signed_in(app, "rita")
    asked = 0
    for each in addresses(app):
        if each.method == "GET" and "export." in each.path and not each.is_api:
            answer = admin.get(each.path.replace("00000000-0000-0000-0000-000000000007", str(plan.id)))
            if answer.status_code == 200:
                asked += 1
                disposition = answer.headers["Content-Disposition"]
                assert re.fullmatch(r'attachment; filename="[a-z-]+-[0-9-]{10}\.(csv|xlsx)"', disposition), each.path
            answer.close()
    assert asked > 12
