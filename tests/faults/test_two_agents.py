"""Somebody starts a second agent for a node: nothing is lost or done wrongly, and both say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import Engine, text

from tests.agent.fake_ami import SECRET
from tests.agent.test_outbox import Asterisk, until
from tests.calls.exchange import SECRET_KEY, query
from tests.web.conftest import _browsers, client
from webapp.agent import database, main, outbox
from webapp.agent.ami import Ami
from webapp.agent.main import Agent
from webapp.config import AgentSettings
from webapp.ext import db

__all__ = ["_browsers", "client"]


@asynccontextmanager
async def running(url: str, asterisk: Asterisk) -> AsyncIterator[Agent]:
    settings = AgentSettings(
        database_url=url,
        secret_key=SecretStr(SECRET_KEY),
        node="pbx1",
        ami_port=asterisk.port,
        ami_secret=SecretStr(SECRET),
        _env_file=None,
    )
    engine = database.engine(url, "pbx1")
    agent = Agent(settings, engine)
    task = asyncio.create_task(agent.run())
    try:
        yield agent
        assert not task.done(), "the agent ended by itself"
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)
        engine.dispose()


def owe(engine: Engine, count: int) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO outbox (node, action, object) "
                "SELECT 'pbx1', 'expire_auth', 'x' || n FROM generate_series(1, :count) n"
            ),
            {"count": count},
        )


async def test_both_say_so_and_all_orders_are_done(
    url: str, stored: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "TICK_SECONDS", 0.2)
    asterisk = Asterisk()
    await asterisk.start()
    detail = "SELECT detail FROM nodes"
    said = "2 agents work for this node, where one is enough"
    engine = db.engine
    async with AsyncExitStack() as first, running(url, asterisk) as second:
        one = await first.enter_async_context(running(url, asterisk))
        await until(lambda: one.started and second.started)
        await until(lambda: one.complaint == second.complaint == said)
        await until(lambda: query(url, detail) == [(said,)])

        await asyncio.to_thread(owe, engine, 300)
        await until(lambda: query(url, "SELECT count(*) FROM outbox WHERE done_at IS NULL") == [(0,)])
        assert {f"expire auth x{n}" for n in range(1, 301)} <= set(asterisk.told())

        await first.aclose()
        await until(lambda: query(url, detail) == [("",)])
    await asterisk.stop()
    assert capsys.readouterr().err.count(said) == 2, "once for each"


async def test_an_agent_that_ends_between_doing_and_marking(
    url: str, stored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it did is done once more by the next one, for nobody else knows that it was."""
    asterisk = Asterisk()
    await asterisk.start()
    engine = db.engine
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO nodes (name) VALUES ('pbx1')"))
    owe(engine, 3)
    link = Ami("127.0.0.1", asterisk.port, "agent", SECRET, on_event=None, on_state=lambda *_: None)
    link.start()
    await until(lambda: link.connected)

    def end(*_: object) -> None:
        raise SystemError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(outbox, "_mark", end)
        with pytest.raises(SystemError):
            await outbox.deliver(engine, "pbx1", link)
    owed = "SELECT count(*) FROM outbox WHERE done_at IS NULL"
    assert query(url, owed) == [(3,)]

    assert await outbox.deliver(engine, "pbx1", link)
    assert query(url, owed) == [(0,)]
    assert [asterisk.told().count(f"expire auth x{n}") for n in (1, 2, 3)] == [2, 2, 2]
    for task in outbox._tasks:
        task.cancel()
    link.close()
    await asterisk.stop()


def test_the_page_says_so(client: FlaskClient) -> None:
    statement = "INSERT INTO nodes (name, seen_at, asterisk_up, detail) VALUES ('pbx1', now(), true, :said)"
    db.session.execute(text(statement), {"said": "2 agents work for this node, where one is enough"})
    db.session.commit()
    assert "Several agents work for this node." in client.get("/settings/nodes/").text
