"""No secret lies about: web, agent and commands work and fail at their most talkative, then all is looked through.

Where a secret belongs is said in so many words; wherever else one of them is found, it has leaked.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from cryptography.fernet import Fernet

from deploy.embedded.postgres import Postgres
from deploy.embedded.process import free_port
from tests.agent.fake_ami import SECRET as AMI_SECRET
from tests.agent.test_outbox import Asterisk
from tests.calls.exchange import DB_PASSWORD, ENCRYPTION_KEY, query, until
from webapp.asterisk.conf import SOURCE

PROJECT = Path(__file__).parents[1]

ADMIN, USER = "hush-admin-password", "hush-user-password"
PHONE, GATEWAY, WRONG = "hush-phone-secret", "hush-gateway-password", "hush-typed-in-vain"
SECRET_KEY, METRICS_TOKEN = "hush-secret-key-of-the-web-process", "hush-metrics-token"
OTHER_KEY = Fernet.generate_key().decode()
PATIENCE = 90.0

# A row that somebody made by hand stands in the way of one gateway, and of another one the database will have nothing.
IN_THE_WAY = """
    INSERT INTO asterisk.ps_auths (id) VALUES ('gateway-TAKEN');
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not this one''; END';
    CREATE TRIGGER refuse BEFORE INSERT ON asterisk.ps_auths FOR EACH ROW WHEN (NEW.id = 'gateway-REFUSED')
        EXECUTE FUNCTION public.refuse();
    SELECT 1
"""
EVERYTHING = """
    SELECT oid::regclass::text AS name, query_to_xml(format('TABLE %s', oid::regclass), true, true, '')::text AS rows
    FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace IN ('public'::regnamespace, 'asterisk'::regnamespace)
"""


class Web:
    """The web as it runs in production, a browser and a program."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        self.command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--threads", "4"]
        self.command += ["--log-level", "debug", "--bind", self.address.removeprefix("http://"), "webapp:create_app()"]
        self.token = ""
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.answers: list[str] = []  # All but those that are asked for a secret.

    def ask(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> tuple[int, Any]:
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers["Content-Type"] = "application/json"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/api/v1{path}", data, headers, method=method)  # noqa: S310 - our own address
        status, text = self._open(urllib.request.build_opener(), request)
        return status, json.loads(text) if text else None

    def post(self, path: str, **values: str) -> int:
        """Send the form of a page."""
        _, page = self._open(self.browser, urllib.request.Request(self.address + path))  # noqa: S310
        self.answers.append(page)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token, page
        data = urllib.parse.urlencode({"csrf_token": token[1], **values}).encode()
        status, text = self._open(self.browser, urllib.request.Request(self.address + path, data))  # noqa: S310
        self.answers.append(text)
        return status

    def _open(self, opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def answers_at_all(self) -> bool:
        try:
            return self._open(self.browser, urllib.request.Request(f"{self.address}/healthz"))[0] == 200  # noqa: S310
        except (URLError, ConnectionError):
            return False


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("leaks", template=empty_database)
    url = cluster.url("leaks")
    query(url, IN_THE_WAY)
    yield url
    cluster.drop_database("leaks")


@pytest.fixture
def environment(url: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET_KEY,
        "ENCRYPTION_KEY": f"{ENCRYPTION_KEY},{OTHER_KEY}",
        "METRICS_TOKEN": METRICS_TOKEN,
        "ADMIN_PASSWORD": ADMIN,
        "NEW_PASSWORD": USER,
        "ASTERISK_DB_PASSWORD": DB_PASSWORD,
        "AMI_SECRET": AMI_SECRET,
        "NODE": "pbx1",
        "LOG_LEVEL": "DEBUG",
    }


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, cwd=log.parent, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def asterisk() -> Iterator[int]:
    """The port of one that does what it is told, in a thread of its own."""
    loop, fake = asyncio.new_event_loop(), Asterisk()
    loop.run_until_complete(fake.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield fake.port
    finally:
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_no_secret_is_found_where_it_does_not_belong(
    cluster: Postgres, url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    said: dict[str, str] = {}
    written = len(cluster.log_path.read_bytes())

    def command(*arguments: str, **changes: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "webapp.cli", *arguments],
            env=environment | changes,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        said[f"{' '.join(arguments)} {list(changes)}"] = done.stdout + done.stderr

    conf = tmp_path / "asterisk"
    places = {name for file in SOURCE.glob("*.conf") for name in re.findall("@([A-Z_]+)@", file.read_text())}
    command("create-admin")
    command("asterisk-password")
    command(
        "asterisk-conf", str(conf), **dict.fromkeys(places - environment.keys(), "1") | {"DB_PASSWORD": DB_PASSWORD}
    )
    web = Web(environment)
    with (
        asterisk() as port,
        running(web.command, environment, tmp_path / "web.log"),
        running(
            [sys.executable, "-m", "webapp.cli", "agent"],
            {name: value for name, value in environment.items() if "KEY" not in name} | {"AMI_PORT": str(port)},
            tmp_path / "agent.log",
        ),
    ):
        until(web.answers_at_all, "the web", PATIENCE)
        until(lambda: query(url, "SELECT 1 FROM nodes WHERE asterisk_up"), "the agent", PATIENCE)
        secrets = [*_work(web), ADMIN, USER, PHONE, GATEWAY, WRONG, SECRET_KEY, METRICS_TOKEN, DB_PASSWORD, AMI_SECRET]
        secrets += [ENCRYPTION_KEY, OTHER_KEY, cluster.password]
        owed = "SELECT 1 FROM outbox WHERE done_at IS NULL"
        until(lambda: not query(url, owed), "what was saved to be delivered", PATIENCE)
        query(url, "INSERT INTO sync_checks (node, scope, asked_by) VALUES ('pbx1', '', 'x') RETURNING 1")
        until(lambda: query(url, "SELECT 1 FROM sync_checks WHERE finished_at IS NOT NULL"), "the proof", PATIENCE)
        command("check", "--no-nodes", "--repair")
        command("check", "--no-nodes", ENCRYPTION_KEY=Fernet.generate_key().decode())
        command("rotate-keys", ENCRYPTION_KEY=f"{OTHER_KEY},{ENCRYPTION_KEY}")
        command("check-keys", ENCRYPTION_KEY=f"{OTHER_KEY},hush")
        command("migrate", SECRET_KEY="")
        command("migrate", DATABASE_URL=url.replace(f":{cluster.port}/", f":{free_port()}/"))
        command("reset-password", "vera")
        said["process list"] = "\n".join(_process_list())
        said["pg_stat_activity"] = str(query(url, "SELECT query FROM pg_stat_activity"))
        stored = {row.name: row.rows for row in query(url, EVERYTHING)}
    auths = "ps_auths" if "ps_auths" in stored else "asterisk.ps_auths"
    said |= stored | {auths: stored[auths].replace(GATEWAY, "")}  # Asterisk has to answer with it.
    said |= {name: (tmp_path / name).read_text() for name in ("web.log", "agent.log")}
    said["log of PostgreSQL"] = cluster.log_path.read_bytes()[written:].decode(errors="replace")
    said["answers"] = "\n".join(web.answers)

    assert stored[auths].count(GATEWAY) == 1
    assert "unexpected error" in said["web.log"], "a failure proves nothing that leaves no trace"
    assert "not this one" in said["log of PostgreSQL"]  # And not the statement: log_min_error_statement.
    assert '"event": "proof"' in said["agent.log"]
    assert len(said) > 50
    found = [(secret, where) for secret in secrets for where, text in said.items() if secret in text]
    assert found == []
    open_to_others = [file.name for file in conf.iterdir() if file.stat().st_mode & 0o077]
    assert open_to_others == []
    assert DB_PASSWORD in (conf / "res_pgsql.conf").read_text()


def _work(web: Web) -> list[str]:
    """Enter things with secrets, well and badly; the secrets that were made up on the way."""
    status, answer = web.ask("/auth/login", {"username": "admin", "password": ADMIN})
    assert status == 200, answer
    jwt = web.token = answer["access_token"]
    assert web.ask("/users/", {"username": "vera", "role": "viewer", "password": USER})[0] == 201
    provider = web.ask("/providers/", {"name": "Norte"})[1]["id"]
    customer = web.ask("/customers/", {"code": "office", "name": "Office", "type": "extension"})[1]["id"]
    phone = {"customer_id": customer, "extension": "100", "secret": PHONE}
    status, answer = web.ask("/extensions/", phone)
    assert status == 201, answer
    account = {"provider_id": provider, "ip_address": "192.0.2.1", "registration": True, "username": "us"}
    status, gateway = web.ask("/gateways/", {**account, "name": "GW", "password": GATEWAY})
    assert status == 201, gateway
    token = web.ask("/tokens/", {"name": "billing"})[1]["token"]

    # In vain: what makes no sense, what breaks a constraint, what a row made by hand forbids, what fails for good.
    refused = [
        web.ask("/extensions/", phone | {"secret": WRONG}),
        web.ask("/extensions/", phone | {"extension": "x", "secret": WRONG}),
        web.ask("/extensions/", f'{{"secret": "{WRONG}", '.encode()),
        web.ask("/gateways/", {**account, "name": "GW", "password": WRONG}),
        web.ask("/gateways/", {**account, "name": "TAKEN", "ip_address": "192.0.2.2", "password": WRONG}),
        web.ask("/gateways/", {**account, "name": "REFUSED", "ip_address": "192.0.2.3", "password": WRONG}),
        web.ask("/users/", {"username": "vera", "role": "viewer", "password": WRONG}),
        web.ask("/auth/login", {"username": "vera", "password": WRONG}),
    ]
    assert [status for status, _ in refused] == [422, 422, 422, 422, 422, 500, 422, 401]
    web.answers += [str(answer) for _, answer in refused]
    web.answers += [str(web.ask(path, None, "GET")) for path in ("/gateways/", "/extensions/", "/audit/", "/users/")]

    assert web.post("/login", username="admin", password=WRONG) == 422
    assert web.post("/login", username="admin", password=ADMIN) == 200
    form = {"provider_id": provider, "enabled": "y", "registration": "y", "username": "us", "password": WRONG}
    assert web.post("/gateways/new", **form, name="GW2", ip_address="x") == 422
    assert web.post("/gateways/new", **form, name="REFUSED", ip_address="192.0.2.4", port="5060") == 500
    revealed = web.ask(f"/gateways/{gateway['id']}/password")[1]
    assert revealed == {"secret": GATEWAY}
    return [jwt, token]


def _process_list() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # It has ended meanwhile.
