"""The web as production runs it, and operators who use it as a browser does, by its pages and forms."""

from __future__ import annotations

import html
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

from deploy.embedded.process import free_port
from tests.bench.carrier import Carrier
from tests.calls.exchange import ENCRYPTION_KEY, SECRET_KEY, until
from tests.conftest import PASSWORD, make_user
from webapp.ext import db

WORKERS, THREADS = 2, 8  # As in deploy/embedded/run.py.


@contextmanager
def web(url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Host, port and, by its process, the first of gunicorn's processes."""
    port = free_port()
    counted = folder / f"metrics-{port}"
    counted.mkdir()
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET_KEY,
        "ENCRYPTION_KEY": ENCRYPTION_KEY,
        "API_RATE_LIMIT": "1000000",
        "API_LOGIN_LIMIT": "1000000",
        "PROMETHEUS_MULTIPROC_DIR": str(counted),
    }
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--worker-class", "gthread"]
    command += [
        "--workers",
        str(WORKERS),
        "--threads",
        str(THREADS),
        "--bind",
        f"127.0.0.1:{port}",
        "webapp:create_app()",
    ]
    with (folder / f"web-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: _answers(port), "the web to answer", 90)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        return Browser(f"127.0.0.1:{port}").get("/healthz")[0] == 200
    except OSError:
        return False


def operators(made: Carrier, count: int) -> list[str]:
    """So many people who may change things; their names."""
    with made.app.app_context():
        names = [f"operator{n}" for n in range(count)]
        for name in names:
            make_user(name, "operator")
        db.session.remove()
    return names


class _Fields(HTMLParser):
    """What a browser would send of a page's form: of the one that has been given a field of this name."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[list[tuple[str, str]]] = []
        self._select: str | None = None
        self._chosen: str | None = None
        self._first: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append([])
        if not self.forms:
            return
        if tag == "input" and name and given.get("type") not in ("submit", "button", "file"):
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                on = "on" if given.get("type") == "checkbox" and "value" not in given else value
                self.forms[-1].append((name, on))
        elif tag == "select" and name:
            self._select, self._chosen, self._first = name, None, None
        elif tag == "option" and self._select:
            self._first = value if self._first is None else self._first
            if "selected" in given:
                self._chosen = value
                self.forms[-1].append((self._select, value))
        elif tag == "textarea" and name:
            self._text = name
            self.forms[-1].append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            if self._chosen is None and self._first is not None:
                self.forms[-1].append((self._select, self._first))
            self._select = None
        elif tag == "textarea":
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text:
            name, before = self.forms[-1].pop()
            self.forms[-1].append((name, (before + html.unescape(data)).removeprefix("\n")))


Form = list[tuple[str, str]]


class Browser:
    """One person: a connection that stays open, and a session."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._connection = http.client.HTTPConnection(host, timeout=60)
        self._cookies: dict[str, str] = {}
        self.token = ""  # What the API wants to see.

    def get(self, path: str) -> tuple[int, str]:
        return self.send("GET", path)

    def sign_in(self, name: str) -> None:
        form = self.form("/login", "password")
        status = self.post("/login", filled(form, username=name, password=PASSWORD))
        if status != 302:
            raise RuntimeError(f"sign-in answered {status}")

    def form(self, path: str, field: str) -> Form:
        """The fields of the page's form that has this one, as they are."""
        status, text = self.get(path)
        fields = _Fields()
        fields.feed(text)
        found = [form for form in fields.forms if field in dict(form)]
        if not found:
            raise RuntimeError(f"{path} answered {status} without a form that has {field}")
        return found[0]

    def post(self, path: str, form: Form) -> int:
        """302 is what a form that was taken answers."""
        return self.send("POST", path, urlencode(form))[0]

    def send(
        self, method: str, path: str, body: str = "", kind: str = "application/x-www-form-urlencoded"
    ) -> tuple[int, str]:
        """Status and text of the answer. A program has a token where a browser has cookies."""
        headers = {"Content-Type": kind} if body else {}
        if not path.startswith("/api/"):
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        elif self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, body or None, headers)
                answer = self._connection.getresponse()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # gunicorn has closed a connection that was idle.
                self._connection.close()
                if attempt == 2:
                    raise
        text = answer.read().decode(errors="replace")
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key] = rest.partition(";")[0]
        return answer.status, text


def filled(form: Form, **changes: str | None) -> Form:
    """A form with other values in it; None ticks a box off."""
    kept = [(name, value) for name, value in form if name not in changes]
    return kept + [(name, value) for name, value in changes.items() if value is not None]
