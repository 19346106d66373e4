"""Alerts are sent at least once by e-mail and webhook, and never to where only we can reach."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from deploy.embedded.postgres import Postgres
from tests.agent.test_outbox import read, write
from webapp.agent import alerts, database, webhook
from webapp.agent.webhook import NotSent
from webapp.config import AgentSettings

SECRET = "hush-hush-hush-hush"
ABOUT = {
    "case": "00000000-0000-0000-0000-000000000007", "rule": "Dear", "customer": "Padaria São João",
    "customer_code": "padaria", "action": "block_international", "calls": 7, "seconds": 600, "amount": "1234.50",
    "currency": "BRL", "window_minutes": 15,
}  # fmt: skip


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that takes what it gets, or says what it is told to say. Its good-bye is not the usual one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.says: dict[str, str] = {}  # Beginning of a command -> the answer.


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 here")
        to: list[str] = []
        while line := self.rfile.readline().decode().strip():
            line = line[:4].upper() + line[4:]
            answer = next((said for word, said in self.server.says.items() if line.startswith(word)), "")
            if line.startswith("RCPT") and not answer:
                to.append(line.partition("<")[2].partition(">")[0])
            if line == "DATA" and not answer:
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                self.server.mails.append((to, mail))
            self._say(answer or "250 well")
            if line == "QUIT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Hook(ThreadingHTTPServer):
    """A webhook that remembers what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.location = ""


class _Request(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    server.daemon_threads, server.block_on_close = True, False
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serving(Mailbox()) as server:
        yield server


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as server:
        yield server


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("alerts", template=empty_database)
    yield cluster.url("alerts")
    cluster.drop_database("alerts")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = database.engine(url, "pbx1")
    write(engine, "TRUNCATE alerts")
    write(engine, "UPDATE settings SET company_name = 'Telefônica Exemplo'")
    yield engine
    engine.dispose()


@pytest.fixture
def agent(url: str, mailbox: Mailbox) -> AgentSettings:
    return AgentSettings(
        database_url=url, ami_secret=SecretStr("x"), smtp_host="127.0.0.1", smtp_port=mailbox.server_address[1],
        smtp_tls="none", smtp_from="pbx@example.com",
        webhook_secret=SecretStr(SECRET), webhook_allow_private=True, _env_file=None,
    )  # fmt: skip


@pytest.fixture
def told(engine: Engine, hook: Hook) -> Callable[..., None]:
    """An alert is written, by whatever ways are settled."""

    def tell(
        emails: str = "", path: str = "", kind: str = "fraud", about: Any = ABOUT, language: str = "pt_BR"
    ) -> None:
        url = f"http://127.0.0.1:{hook.server_address[1]}{path}" if path else ""
        write(
            engine,
            f"UPDATE alert_settings SET emails = '{{{emails}}}', webhook_url = '{url}',"  # noqa: S608 - our own words
            f" language = '{language}'",
        )
        with engine.begin() as connection:
            alerts.write(connection, kind, about)

    return tell


def states(engine: Engine) -> list[tuple[Any, ...]]:
    """Whether each was sent, whether it was given up, how often it was tried, and what was wrong."""
    return read(
        engine, "SELECT sent_at IS NOT NULL, given_up_at IS NOT NULL, tries, error FROM alerts ORDER BY channel, id"
    )


def again(engine: Engine) -> None:
    """The time of the next try comes."""
    write(engine, "UPDATE alerts SET next_try_at = now()")


def test_an_e_mail(engine: Engine, agent: AgentSettings, mailbox: Mailbox, told: Callable[..., None]) -> None:
    told("noc@example.com,boss@example.com")
    alerts.deliver(engine, agent)
    [(to, mail)] = mailbox.mails
    assert to == ["noc@example.com", "boss@example.com"]
    assert mail["From"] == "pbx@example.com"
    assert mail["Subject"] == "[Telefônica Exemplo] Fraude: Padaria São João – Dear"
    body = mail.get_content()
    assert "Em 15 minutos: 7 chamadas, 10 minutos, R$\xa01.234,50." in body
    assert "ficam bloqueadas" in body
    assert states(engine) == [(True, False, 1, "")]

    alerts.deliver(engine, agent)
    assert len(mailbox.mails) == 1


def test_an_e_mail_in_english(
    engine: Engine, agent: AgentSettings, mailbox: Mailbox, told: Callable[..., None]
) -> None:
    told("noc@example.com", kind="test", about={"username": "olga"}, language="en")
    alerts.deliver(engine, agent)
    [(_, mail)] = mailbox.mails
    assert mail["Subject"] == "[Telefônica Exemplo] Test alert"
    assert mail.get_content().strip() == "This is a test, sent by olga. Alerts arrive here."


def test_no_header_is_smuggled_in(
    engine: Engine, agent: AgentSettings, mailbox: Mailbox, told: Callable[..., None]
) -> None:
    """Names hold no line breaks; if one did, the alert would not be sent rather than sent to others."""
    told("noc@example.com", about=ABOUT | {"customer": "x\r\nBcc: all@example.com"})
    alerts.deliver(engine, agent)
    assert mailbox.mails == []
    assert "linefeed" in states(engine)[0][3]


def test_what_the_server_does_not_take_is_tried_again(
    engine: Engine, agent: AgentSettings, mailbox: Mailbox, told: Callable[..., None]
) -> None:
    told("noc@example.com")
    mailbox.says["MAIL"] = "451 come later"
    alerts.deliver(engine, agent)
    assert states(engine) == [(False, False, 1, "127.0.0.1: 451 come later")]
    alerts.deliver(engine, agent)
    assert states(engine)[0][2] == 1, "not before its time"
    waits = read(
        engine, "SELECT next_try_at - now() > interval '20 s', next_try_at - now() <= interval '30 s' FROM alerts"
    )
    assert waits == [(True, True)]

    mailbox.says.clear()
    again(engine)
    alerts.deliver(engine, agent)
    assert states(engine) == [(True, False, 2, "")]
    assert mailbox.mails[0][1]["Message-ID"].startswith("<alert-")


def test_who_is_unknown_keeps_none_of_the_others(
    engine: Engine, agent: AgentSettings, mailbox: Mailbox, told: Callable[..., None]
) -> None:
    told("noc@example.com,gone@example.com")
    mailbox.says["RCPT TO:<gone@"] = "550 nobody"
    alerts.deliver(engine, agent)
    assert [to for to, _ in mailbox.mails] == [["noc@example.com"]]
    assert states(engine) == [(True, False, 1, "refused: gone@example.com")]


def test_without_a_server_it_is_said(engine: Engine, agent: AgentSettings, told: Callable[..., None]) -> None:
    told("noc@example.com")
    alerts.deliver(engine, agent.model_copy(update={"smtp_host": ""}))
    assert states(engine) == [(False, False, 1, "SMTP_HOST is not set for the agent")]


def test_after_a_day_it_is_given_up(engine: Engine, agent: AgentSettings, told: Callable[..., None]) -> None:
    told("noc@example.com")
    silent = agent.model_copy(update={"smtp_host": ""})
    alerts.deliver(engine, silent)
    write(engine, "UPDATE alerts SET created_at = now() - interval '25 hours', next_try_at = now()")
    alerts.deliver(engine, silent)
    assert states(engine) == [(False, True, 1, "SMTP_HOST is not set for the agent")]


def test_an_agent_that_dies_while_it_sends_loses_nothing(
    engine: Engine, agent: AgentSettings, mailbox: Mailbox, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    told("noc@example.com")
    with monkeypatch.context() as dying:
        dying.setattr(alerts, "_send", _die)
        with pytest.raises(SystemExit):
            alerts.deliver(engine, agent)
    again(engine)
    alerts.deliver(engine, agent)
    assert len(mailbox.mails) == 1
    assert states(engine) == [(True, False, 2, "")]


def _die(*_: object) -> str:
    raise SystemExit


def test_a_webhook_is_signed(engine: Engine, agent: AgentSettings, hook: Hook, told: Callable[..., None]) -> None:
    told(path="/in?key=1")
    alerts.deliver(engine, agent)
    [(path, headers, content)] = hook.got
    assert path == "/in?key=1"
    body = json.loads(content)
    assert (body["kind"], body["about"]) == ("fraud", ABOUT)
    expected = webhook.signature(SECRET, headers["X-Asterisk-Admin-Timestamp"], content)
    assert headers["X-Asterisk-Admin-Signature"] == f"sha256={expected}"
    assert SECRET not in str(headers)
    assert SECRET.encode() not in content
    assert states(engine) == [(True, False, 1, "")]


def test_a_redirect_is_not_followed(
    engine: Engine, agent: AgentSettings, hook: Hook, told: Callable[..., None]
) -> None:
    told(path="/in")
    hook.status, hook.location = 302, "/elsewhere"
    alerts.deliver(engine, agent)
    assert [path for path, *_ in hook.got] == ["/in"]
    assert states(engine) == [(False, False, 1, "127.0.0.1 answered 302")]


def test_one_way_that_fails_keeps_none_of_the_others(
    engine: Engine, agent: AgentSettings, hook: Hook, mailbox: Mailbox, told: Callable[..., None]
) -> None:
    told("noc@example.com", path="/in")
    hook.status = 500
    alerts.deliver(engine, agent)
    assert len(mailbox.mails) == 1
    assert states(engine) == [(True, False, 1, ""), (False, False, 1, "127.0.0.1 answered 500")]


PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::",
    "2001:0:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_internet(address: str) -> None:
    assert not webhook.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "200.160.2.3", "2001:12ff:0:2::3", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet(address: str) -> None:
    assert webhook.is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]",
     "169.254.169.254", "[fd00:ec2::254]"],
)  # fmt: skip
def test_what_only_we_can_reach_is_not_asked(hook: Hook, host: str) -> None:
    """However it is written."""
    with pytest.raises(NotSent, match=r"not an address on the Internet|\[Errno -"):
        webhook.send(f"https://{host}:{hook.server_address[1]}/", SECRET, {}, allow_private=False)
    assert hook.got == []


def test_a_name_with_one_bad_address_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotSent, match="not an address on the Internet"):
        webhook.send("https://hooks.example/", SECRET, {}, allow_private=False)


def test_a_name_that_changes_its_address_after_it_was_looked_at(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the very address that was looked at: the name is asked for once."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        if host == "hooks.example":
            return real("127.0.0.1" if asked.count(host) == 1 else "127.0.0.2", port, *rest, **more)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    webhook.send(f"http://hooks.example:{hook.server_address[1]}/", SECRET, {}, allow_private=True)
    assert asked.count("hooks.example") == 1
    assert hook.got[0][1]["Host"] == f"hooks.example:{hook.server_address[1]}"


def test_without_a_secret_nothing_is_sent(
    engine: Engine, hook: Hook, agent: AgentSettings, told: Callable[..., None]
) -> None:
    told(path="/in")
    alerts.deliver(engine, agent.model_copy(update={"webhook_secret": SecretStr("")}))
    assert hook.got == []
    [(sent, _, _, error)] = states(engine)
    assert (sent, error) == (False, "the agent has no WEBHOOK_SECRET to sign with")


@pytest.mark.parametrize("url", ["https://example.com:99999/", "https://[::1/", "https://"])
def test_an_address_that_cannot_be_is_not_sent_to(url: str) -> None:
    with pytest.raises(NotSent):
        webhook.send(url, SECRET, {}, allow_private=False)


def test_only_https(hook: Hook) -> None:
    with pytest.raises(NotSent, match="only https"):
        webhook.send(f"http://127.0.0.1:{hook.server_address[1]}/", SECRET, {}, allow_private=False)
    with pytest.raises(NotSent, match=r"127\.0\.0\.1"):  # It speaks no TLS.
        webhook.send(f"https://127.0.0.1:{hook.server_address[1]}/", SECRET, {}, allow_private=True)
    assert hook.got == []


def test_one_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that says nothing, nor one that goes on and on."""
    monkeypatch.setattr(webhook, "LONGEST_SECONDS", 0.3)

    class Dripping(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            over = threading.Event()
            while not over.wait(0.02):
                try:
                    self.wfile.write(b"H")
                except OSError:
                    return

    with (
        serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping)) as server,
        pytest.raises(NotSent),
    ):
        webhook.send(f"http://127.0.0.1:{server.server_address[1]}/", SECRET, {}, allow_private=True)
