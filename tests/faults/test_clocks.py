"""Clocks that are wrong: the database's and a server's."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.calls.exchange import query
from tests.web.conftest import _browsers, client
from webapp.agent import database
from webapp.agent.main import Agent
from webapp.ext import db

__all__ = ["_browsers", "client"]

PARTITIONS = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'asterisk.call_requests'::regclass AND c.relname ~ '[0-9]{8}$' ORDER BY 1
"""


@pytest.fixture
def engine(url: str, stored: None) -> Engine:
    return db.engine


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def keep_house(engine: Engine) -> None:
    Agent._keep_house(SimpleNamespace(engine=engine))  # type: ignore[arg-type]  # it needs no more


def test_a_clock_that_jumps_ahead_takes_nothing_away_at_once(
    engine: Engine, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after the start of a machine whose clock was set right a moment later. To the database it looks as if nobody
    had kept house for a long time."""
    old = "call_requests_20200101"
    run(
        engine,
        f"CREATE TABLE asterisk.{old} PARTITION OF asterisk.call_requests "
        "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')",
    )
    run(engine, "INSERT INTO providers (name, type) VALUES ('P', 'both')")
    run(
        engine,
        "INSERT INTO dids (number, provider_id, status, quarantine_until) "
        "SELECT '551140001000', id, 'quarantine', now() - interval '1 day' FROM providers",
    )
    run(engine, "DELETE FROM asterisk.call_requests")

    keep_house(engine)

    partitions = [name for (name,) in query(url, PARTITIONS)]
    assert old in partitions
    assert len(partitions) == 9, "calls of these days have theirs"
    assert query(url, "SELECT status FROM dids") == [("quarantine",)]
    assert "clock has jumped ahead" in capsys.readouterr().err

    keep_house(engine)

    assert old not in [name for (name,) in query(url, PARTITIONS)]
    assert query(url, "SELECT status FROM dids") == [("available",)]


@pytest.mark.parametrize("start", ["1970-01-01 00:00:01", "2099-12-31 23:59:59", "infinity", "yesterday noon"])
def test_no_call_record_is_lost_whatever_its_clock_said(engine: Engine, url: str, start: str) -> None:
    """It becomes a call of its time, or is listed with the reason."""
    with engine.begin() as connection:
        connection.execute(
            text(
                'INSERT INTO asterisk.cdr (uniqueid, linkedid, sequence, start, answer, "end", duration, billsec, '
                "disposition, direction, dst, dcontext) VALUES ('pbx1-1.1', 'pbx1-1.1', '1', :start, '', :start, '0', "
                "'0', 'FAILED', 'outbound', '5511', 'x')"
            ),
            {"start": start},
        )
    found = query(url, "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM unrated_cdrs)")[0]
    run(engine, "TRUNCATE asterisk.cdr, calls, unrated_cdrs, call_totals")
    assert sum(found) == 1


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (3600, "The clock of this server is 3600 seconds ahead of the database's. Set it right."),
        (-90, "The clock of this server is 90 seconds behind the database's. Set it right."),
        (2, ""),
    ],
)
def test_the_page_says_that_a_servers_clock_differs(
    engine: Engine, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, shift: int, words: str
) -> None:
    real = time.time
    with monkeypatch.context() as shifted:
        shifted.setattr(time, "time", lambda: real() + shift)
        said = database.complaint(engine, "pbx1")
    assert bool(said) == bool(words)
    statement = text("INSERT INTO nodes (name, seen_at, asterisk_up, detail) VALUES ('pbx1', now(), true, :said)")
    db.session.execute(statement, {"said": said})
    db.session.commit()
    page = client.get("/settings/nodes/").text.replace("&#39;", "'")
    assert (words in page) if words else ("clock" not in page)
