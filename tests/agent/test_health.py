"""What the agent answers to whoever asks whether it lives and can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from deploy.embedded import process
from deploy.embedded.postgres import Postgres
from tests.agent.fake_ami import SECRET
from tests.agent.test_outbox import Asterisk, until
from webapp.agent import database, health, outbox
from webapp.agent.main import Agent
from webapp.config import AgentSettings


@pytest.fixture
async def checks() -> dict[str, str]:
    """What is looked at; a test may spoil it."""
    return {"database": "", "asterisk": ""}


@pytest.fixture
async def port(checks: dict[str, str]) -> AsyncIterator[int]:
    server = await health.serve(0, lambda: checks, lambda: health.CONNECTIONS.format(node="pbx1", count=3))
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def _say(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        writer.write(request)
        await writer.drain()
    answer = b""
    with suppress(ConnectionError):
        answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer.decode()


async def _get(port: int, path: str) -> tuple[str, str]:
    """The status, and what is said."""
    head, _, body = (await _say(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n" in head
    return head.split()[1], body


async def test_prometheus_is_told_how_often_it_has_connected(port: int) -> None:
    status, body = await _get(port, "/metrics")
    assert status == "200"
    assert body.endswith('asterisk_admin_agent_connections_total{node="pbx1"} 3\n')


async def test_it_works(port: int, checks: dict[str, str]) -> None:
    assert await _get(port, "/healthz") == ("200", "ok\n")
    assert await _get(port, "/readyz") == ("200", "database: ok\nasterisk: ok\n")
    checks["asterisk"] = "away"
    assert await _get(port, "/healthz") == ("200", "ok\n")
    assert await _get(port, "/readyz") == ("503", "database: ok\nasterisk: away\n")
    assert (await _get(port, "/"))[0] == "404"


@pytest.mark.parametrize(
    "request_",
    [b"", b"\r\n\r\n", b"\x00\xff\r\n\r\n", b"POST /healthz HTTP/1.1\r\n\r\n", b"GET /readyz\r\n\r\n", b"x" * 100_000],
    ids=lambda value: ascii(value)[:30],
)
async def test_what_is_no_such_request_does_no_harm(
    port: int, request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)
    assert (await _say(port, request_)).partition("\r\n")[0] in ("", "HTTP/1.1 404 Not Found")
    assert (await _get(port, "/healthz"))[0] == "200"


# ---- the agent


@pytest.fixture
def engine(cluster: Postgres, empty_database: str) -> Iterator[Engine]:
    cluster.create_database("health", template=empty_database)
    engine = database.engine(cluster.url("health"), "pbx1")
    yield engine
    engine.dispose()
    cluster.drop_database("health")


async def test_the_agent_is_ready_once_it_has_database_and_asterisk(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SECOND_EXPIRY_SECONDS", 0)
    asterisk, port = Asterisk(), process.free_port()
    await asterisk.start()
    await asterisk.stop()  # It has a port now, at which nobody answers.
    settings = AgentSettings(
        database_url=engine.url.render_as_string(hide_password=False),
        ami_port=asterisk.port,
        ami_secret=SecretStr(SECRET),
        agent_http_port=port,
        _env_file=None,
    )
    agent = Agent(settings, engine)
    agent.ami._backoff = 0.02
    assert agent.checks() == {"database": "not signed in for 15 seconds", "asterisk": "away"}
    task = asyncio.create_task(agent.run())
    await until(lambda: not agent.checks()["database"])
    assert await _get(port, "/readyz") == ("503", "database: ok\nasterisk: away\n")
    await asterisk.start()
    await until(lambda: agent.started)
    assert await _get(port, "/readyz") == ("200", "database: ok\nasterisk: ok\n")
    agent.signed_in -= 16
    assert agent.checks()["database"]
    await asyncio.gather(*outbox._tasks)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asterisk.stop()
    with pytest.raises(ConnectionRefusedError):
        await _get(port, "/healthz")
