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
from webapp.agent import database, main
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


def test_the_page_says_so(client: FlaskClient) -> None:
    statement = "INSERT INTO nodes (name, seen_at, asterisk_up, detail) VALUES ('pbx1', now(), true, :said)"
    db.session.execute(text(statement), {"said": "2 agents work for this node, where one is enough"})
    db.session.commit()
    assert "Several agents work for this node." in client.get("/settings/nodes/").text
