"""Each part is killed during traffic and started again, as a supervisor does it; nobody does anything else.

`make soak` does the same with more calls for a longer time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

from deploy.embedded.asterisk import Asterisk
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import free_port
from tests.calls.conftest import Carrier
from tests.calls.exchange import ENCRYPTION_KEY, SECRET_KEY, AgentProcess, query, until
from tests.calls.test_completeness import Traffic
from tests.conftest import PASSWORD, make_user
from webapp import store
from webapp.encryption import decrypt
from webapp.ext import db
from webapp.extensions.models import Extension

SOAK = bool(os.environ.get("SOAK"))
RATE = 10 if SOAK else 2  # Calls a second, both in and out.
SECONDS = 40 if SOAK else 8
AWAY = 1.0  # So long a supervisor waits before it starts again what ended.
PATIENCE = 90

# What may read whole tables: to begin afresh does it three times, a save or two of ours not at all.
READS = 6

USER = "office-190"


@pytest.fixture
def phone(carrier: Carrier) -> Iterator[uuid.UUID]:
    """The id of a phone that Asterisk has in its cache."""
    phone = Extension(customer_id=carrier.ids["office"], extension="190", secret="secret-number-0")
    store.save(phone)
    id = phone.id
    carrier.settled()
    assert carrier.stranger.register(USER, "secret-number-0") == 200
    yield id
    store.delete(db.session.get_one(Extension, id))
    carrier.settled()


@contextmanager
def calls(carrier: Carrier, mark: str) -> Iterator[Traffic]:
    """Traffic that has begun."""
    traffic = Traffic(carrier, mark, RATE, SECONDS)
    traffic.until_second(2)
    yield traffic
    traffic.answered()


def save(id: uuid.UUID, secret: str) -> None:
    """Change what Asterisk has in a cache, and leave no connection open."""
    phone = db.session.get_one(Extension, id)
    phone.secret = secret
    store.save(phone)
    let_go()


def let_go() -> None:
    db.session.remove()
    db.engine.dispose()


def all_is_well(carrier: Carrier, asterisk: Asterisk, secret: str, what: str, since: float = 0) -> None:
    """Wait until it is: nothing owed, the node up, Asterisk reads the database, and what was saved last counts.

    `what` was started at `since`, or just now.
    """
    began = since or time.monotonic()
    up = "SELECT name FROM nodes WHERE asterisk_up AND detail = '' AND seen_at > now() - interval '15 seconds'"
    until(lambda: query(carrier.url, up), "the node to be up", PATIENCE)
    until(lambda: not query(carrier.url, "SELECT 1 FROM outbox WHERE done_at IS NULL"), "nothing to be owed", PATIENCE)
    until(lambda: ["id", "1"] in map(str.split, _canary(asterisk)), "the canary to be readable", PATIENCE)
    until(lambda: carrier.stranger.register(USER, secret) == 200, "the last save to be in effect", PATIENCE)
    print(f"{what}: all was well {time.monotonic() - began:.1f} s after it was started again")


def _canary(asterisk: Asterisk) -> list[str]:
    return asterisk.rx("realtime load canary id 1").splitlines()


@contextmanager
def few_reads(agent: AgentProcess) -> Iterator[None]:
    """Nothing makes Asterisk read whole tables again and again."""
    start = agent.log.stat().st_size
    yield
    lines = agent.log.read_bytes()[start:].decode(errors="replace").splitlines()
    reads = [line for line in lines if "whole table read" in line]
    print(f"whole tables were read {len(reads)} times")
    assert len(reads) <= READS, "\n".join(reads)


@contextmanager
def a_call_that_goes_on(carrier: Carrier) -> Iterator[None]:
    """It outlives what happens meanwhile. (The traffic's gateway answers it.)"""
    with carrier.beta.start_call("552133347999", hold=600) as call:
        call.wait_for(200, 30)
        yield
        call.hang_up()
        result = call.wait()
        assert result.answered
        assert not result.other_side_hung_up


def test_the_agent(carrier: Carrier, asterisk: Asterisk, agent: AgentProcess, phone: uuid.UUID) -> None:
    with few_reads(agent), calls(carrier, "7101"), a_call_that_goes_on(carrier):
        agent.kill()
        save(phone, "secret-number-1")
        time.sleep(AWAY)
        assert carrier.stranger.register(USER, "secret-number-0") == 200, "nobody told Asterisk yet"
        agent.start()
        all_is_well(carrier, asterisk, "secret-number-1", "agent")


def test_asterisk(carrier: Carrier, asterisk: Asterisk, agent: AgentProcess, phone: uuid.UUID) -> None:
    with few_reads(agent), calls(carrier, "7102"):
        asterisk.kill()
        save(phone, "secret-number-1")
        time.sleep(AWAY)
        asterisk.start()
        all_is_well(carrier, asterisk, "secret-number-1", "Asterisk")
        save(phone, "secret-number-2")
        all_is_well(carrier, asterisk, "secret-number-2", "the save after it")
        carrier.acme.call("552133347102")


def test_the_database(
    carrier: Carrier, cluster: Postgres, asterisk: Asterisk, agent: AgentProcess, phone: uuid.UUID
) -> None:
    with few_reads(agent), calls(carrier, "7103") as traffic, a_call_that_goes_on(carrier):
        save(phone, "secret-number-1")  # It is hardly on its way.
        let_go()
        cluster.kill()
        time.sleep(AWAY)
        started = time.monotonic()
        cluster.start()
        all_is_well(carrier, asterisk, "secret-number-1", "database", started)
        save(phone, "secret-number-2")
        all_is_well(carrier, asterisk, "secret-number-2", "the save after it")
    if SOAK:
        answered = traffic.answered()
        until(lambda: answered <= set(traffic.in_the_books()), "every answered call to be in the books", PATIENCE)
        assert set(traffic.in_the_books().values()) == {1}


class Web:
    """The web as it runs in production, and a program that changes the phone by its API."""

    def __init__(self, url: str, log: Path, phone: uuid.UUID) -> None:
        keys = {"SECRET_KEY": SECRET_KEY, "ENCRYPTION_KEY": ENCRYPTION_KEY}
        self.environment = {**os.environ, **keys, "DATABASE_URL": url}
        self.log = log
        self.address = f"http://127.0.0.1:{free_port()}"
        self.phone = f"/api/v1/extensions/{phone}"
        self.token = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--threads", "4"]
        command += ["--bind", self.address.removeprefix("http://"), "webapp:create_app()"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def kill(self) -> None:
        """With its workers, as systemd does when the first process is gone."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def ask(self, method: str, path: str, **body: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return dict(json.load(answer))

    def sign_in(self) -> None:
        """Once it answers."""

        def try_it() -> bool:
            try:
                answer = self.ask("POST", "/api/v1/auth/login", username="killer", password=PASSWORD)
            except (URLError, ConnectionError):
                return False
            self.token = answer["access_token"]
            return True

        until(try_it, "the web to answer", PATIENCE)

    def save_until_it_fails(self, said: Callable[[str], None]) -> None:
        """Say what was stored, one after the other."""
        number = 0
        while True:
            number += 1
            secret = f"secret-by-web-{number}"
            try:
                self.ask("PATCH", self.phone, secret=secret)
            except (URLError, ConnectionError, OSError):
                return
            said(secret)


def test_the_web(carrier: Carrier, asterisk: Asterisk, agent: AgentProcess, phone: uuid.UUID, tmp_path: Path) -> None:
    make_user("killer", "operator")
    web = Web(carrier.url, tmp_path / "web.log", phone)
    web.start()
    saved: list[str] = []
    writer = threading.Thread(target=web.save_until_it_fails, args=[saved.append])
    try:
        web.sign_in()
        with few_reads(agent), calls(carrier, "7104"), a_call_that_goes_on(carrier):
            writer.start()
            until(lambda: len(saved) > 3, "some saves", PATIENCE)
            web.kill()
            writer.join(PATIENCE)
            time.sleep(AWAY)
            started = time.monotonic()
            web.start()
            [[stored]] = query(carrier.url, "SELECT secret FROM extensions WHERE id = :id", id=phone)
            # What it stored last it may have had no time to say.
            secret = decrypt(stored)
            assert secret in (saved[-1], f"secret-by-web-{len(saved) + 1}")
            all_is_well(carrier, asterisk, secret, "what was saved before the web was killed")
            web.sign_in()
            web.ask("PATCH", web.phone, secret="secret-number-1")
            all_is_well(carrier, asterisk, "secret-number-1", "web", started)
    finally:
        web.kill()
        print(web.log.read_text()[-3000:])
    db.session.expire_all()
