"""What a node's journal holds and the database missed is stored: each record once, whatever else is in the file."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text

from deploy.embedded.postgres import Postgres
from webapp.agent import database, journal
from webapp.agent.journal import Found, reconcile
from webapp.agent.main import Agent
from webapp.config import AgentSettings

START = 1_773_144_000  # 2026-03-10 12:00 UTC
RECORD = {
    "linkedid": "pbx1-1.1",
    "start": f"{START}.250000",
    "answer": f"{START + 5}.250000",
    "end": f"{START + 66}.350000",
    "duration": "66",
    "billsec": "61",
    "disposition": "ANSWERED",
    "amaflags": "DOCUMENTATION",
    "src": "551140001000",
    "dst": "552133334444",
    "clid": '"João ""the boss""" <551140001000>',
    "dcontext": "verdict-route",
    "direction": "inbound",
    "number": "551140001000",
    "request": "pbx1-1.1-1",
}


def line(n: int, fields: list[str] = journal.FIELDS, **values: str) -> bytes:
    """A line of the journal as cdr_custom.conf has it, for the call of this number."""
    record = {"uniqueid": f"pbx1-{n}.1", "sequence": str(n)} | RECORD | values
    bare = ("sequence", "duration", "billsec")
    cells = [record.get(name, "") for name in fields]
    quoted = [c if n in bare else '"' + c.replace('"', '""') + '"' for n, c in zip(fields, cells, strict=True)]
    return (",".join(quoted) + "\n").encode()


@pytest.fixture(scope="module")
def url(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("journal", template=empty_database)
    yield cluster.url("journal")
    cluster.drop_database("journal")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = database.engine(url, "pbx1")
    write(engine, "TRUNCATE asterisk.cdr, calls, call_totals, unrated_cdrs, journals, journal_days")
    yield engine
    engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.csv"


def write(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def read(engine: Engine, statement: str) -> list[Any]:
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def stored(engine: Engine) -> list[str]:
    return [row[0] for row in read(engine, "SELECT uniqueid FROM asterisk.cdr ORDER BY id")]


def counts(found: Found) -> tuple[int, int, int]:
    return found.seen, found.inserted, found.unreadable


def days(engine: Engine) -> tuple[int, int, int]:
    """Calls, recovered and unreadable of all days."""
    [row] = read(engine, "SELECT sum(calls), sum(recovered), sum(unreadable) FROM journal_days")
    return tuple(int(value or 0) for value in row)  # type: ignore[return-value]  # three of them


def test_what_is_missing_is_stored_and_priced_as_asterisk_would_have_had_it(engine: Engine, file: Path) -> None:
    file.write_bytes(line(1) + line(2, answer="0.000000", disposition="BUSY", pdd="850"))

    assert counts(reconcile(engine, "pbx1", file)) == (2, 2, 0)

    first, second = read(
        engine,
        'SELECT node, uniqueid, sequence, start, answer, "end", duration, billsec, clid, did, accountcode, pdd '
        "FROM asterisk.cdr ORDER BY id",
    )
    begun = ("2026-03-10 12:00:00", "2026-03-10 12:00:05", "2026-03-10 12:01:06")
    assert first[:6] == ("pbx1", "pbx1-1.1", "1", *begun)
    assert first[6:] == ("66.100000", "61.100000", RECORD["clid"], None, None, None)
    assert (second[4], second[7], second[11]) == (None, "0.000000", "850")
    assert read(engine, "SELECT billsec, pdd FROM calls ORDER BY sequence") == [(62, None), (0, 850)]
    assert days(engine) == (2, 2, 0)


def test_it_goes_on_where_it_stopped(engine: Engine, file: Path) -> None:
    file.write_bytes(line(1))
    assert counts(reconcile(engine, "pbx1", file)) == (1, 1, 0)
    assert counts(reconcile(engine, "pbx1", file)) == (0, 0, 0)

    with file.open("ab") as more:
        more.write(line(2))
    assert counts(reconcile(engine, "pbx1", file)) == (1, 1, 0)
    assert stored(engine) == ["pbx1-1.1", "pbx1-2.1"]
    assert days(engine) == (2, 2, 0)


def test_what_is_stored_is_left_alone(engine: Engine, file: Path) -> None:
    write(engine, "INSERT INTO asterisk.cdr (node, uniqueid, sequence, start) VALUES ('pbx1', 'pbx1-2.1', '2', 'x')")
    file.write_bytes(line(1) + line(2) + line(3))

    assert counts(reconcile(engine, "pbx1", file)) == (3, 2, 0)
    assert stored(engine) == ["pbx1-2.1", "pbx1-1.1", "pbx1-3.1"]
    assert days(engine) == (3, 2, 0)


def test_a_record_that_stands_there_twice_is_stored_once(engine: Engine, file: Path) -> None:
    file.write_bytes(line(1) + line(2) + line(1))

    assert reconcile(engine, "pbx1", file).inserted == 2
    assert stored(engine) == ["pbx1-1.1", "pbx1-2.1"]


def test_journals_of_before_the_last_fields_were_added_go_on_in_the_same_file(engine: Engine, file: Path) -> None:
    oldest, older = journal.OLDEST_FIELDS, journal.OLDER_FIELDS
    refused = line(3, answer="0.000000", disposition="FAILED", cause="21")
    file.write_bytes(line(1, oldest) + line(2, older, pdd="12") + refused)

    assert counts(reconcile(engine, "pbx1", file)) == (3, 3, 0)
    assert read(engine, "SELECT pdd, cause FROM calls ORDER BY sequence") == [(None, 16), (12, 16), (None, 21)]


def test_a_line_that_is_not_finished_waits(engine: Engine, file: Path) -> None:
    whole = line(2)
    for cut in (1, 40, len(whole) - 1):
        file.write_bytes(line(1) + whole[:cut])
        reconcile(engine, "pbx1", file)
        assert stored(engine) == ["pbx1-1.1"]

    file.write_bytes(line(1) + whole)
    assert counts(reconcile(engine, "pbx1", file)) == (1, 1, 0)
    assert days(engine) == (2, 2, 0)


@pytest.mark.parametrize("cut", [1, 10, 21, 23, 24, 60, -2])
def test_a_record_behind_one_that_was_never_finished_is_found(engine: Engine, file: Path, cut: int) -> None:
    file.write_bytes(line(1) + line(2)[:cut] + line(3) + line(4))
    long_ago(file)

    assert counts(reconcile(engine, "pbx1", file)) == (3, 3, 1)
    assert stored(engine) == ["pbx1-1.1", "pbx1-3.1", "pbx1-4.1"]
    assert days(engine) == (3, 3, 1)


def test_nul_bytes_and_other_encodings_lose_nothing(engine: Engine, file: Path) -> None:
    latin = line(2, clid="@").replace(b"@", "João".encode("latin-1"))
    file.write_bytes(line(1) + b"\0" * 700 + latin + line(3, src="55\0 11") + b"\0" * 20)

    assert counts(reconcile(engine, "pbx1", file)) == (3, 3, 0)
    assert read(engine, "SELECT clid, src FROM asterisk.cdr ORDER BY id") == [
        (RECORD["clid"], RECORD["src"]),
        ("João", RECORD["src"]),
        (RECORD["clid"], "55 11"),
    ]
    with file.open("ab") as more:
        more.write(line(4))
    assert counts(reconcile(engine, "pbx1", file)) == (1, 1, 0)


def test_a_caller_cannot_write_records(engine: Engine, file: Path) -> None:
    """A SIP user may hold line breaks and quotation marks."""
    forged = line(9).decode()
    for n, name in enumerate((f"x\n{forged}", f'x"\n{forged}', f"\n{forged.replace(chr(34), '')}", "\n", '"\n"'), 1):
        with file.open("ab") as more:
            more.write(line(n, src=name, clid=name))

    assert counts(reconcile(engine, "pbx1", file)) == (5, 5, 0)
    assert stored(engine) == [f"pbx1-{n}.1" for n in range(1, 6)]


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(engine: Engine, file: Path) -> None:
    file.write_bytes(line(1))
    reconcile(engine, "pbx1", file)

    with file.open("ab") as more:
        more.write(line(2))
    file.rename(file.with_name("journal.csv.1"))
    file.write_bytes(line(3))
    file.with_name("journal.csv.2.gz").write_bytes(b"not looked at")
    assert counts(reconcile(engine, "pbx1", file)) == (2, 2, 0)
    assert stored(engine) == ["pbx1-1.1", "pbx1-2.1", "pbx1-3.1"]

    file.with_name("journal.csv.1").rename(file.with_name("journal.csv.2"))
    file.rename(file.with_name("journal.csv.1"))  # There is no new one yet.
    assert counts(reconcile(engine, "pbx1", file)) == (0, 0, 0)


def test_the_power_takes_the_end_of_a_file(engine: Engine, file: Path) -> None:
    """What was read and counted is gone from it, and others have followed."""
    file.write_bytes(line(1) + line(2) + line(3, clid="long " * 50))
    reconcile(engine, "pbx1", file)

    file.write_bytes(line(1))
    reconcile(engine, "pbx1", file)
    file.write_bytes(line(1) + line(4) + line(5) + line(6) + line(7))
    reconcile(engine, "pbx1", file)

    assert stored(engine) == [f"pbx1-{n}.1" for n in range(1, 8)]


def test_a_young_record_is_left_to_asterisk(engine: Engine, file: Path) -> None:
    now = f"{time.time():.6f}"
    file.write_bytes(line(1) + line(2, end=now) + line(3))

    found = reconcile(engine, "pbx1", file)
    assert (counts(found), found.waiting) == ((1, 1, 0), True)
    write(
        engine,
        "INSERT INTO asterisk.cdr (node, uniqueid, sequence, start) "
        "VALUES ('pbx1', 'pbx1-2.1', '2', '2026-03-10 12:00:00')",
    )
    found = reconcile(engine, "pbx1", file)
    assert (counts(found), found.waiting) == ((2, 1, 0), False)
    assert stored(engine) == ["pbx1-1.1", "pbx1-2.1", "pbx1-3.1"]


def test_two_at_once_store_each_record_once(engine: Engine, url: str, file: Path) -> None:
    file.write_bytes(b"".join(line(n) for n in range(400)))
    engines = [create_engine(url) for _ in range(3)]
    found: list[Found] = []
    threads = [threading.Thread(target=lambda e=e: found.append(reconcile(e, "pbx1", file))) for e in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in engines:
        each.dispose()

    assert sum(each.inserted for each in found) == 400
    assert read(engine, "SELECT count(*), count(DISTINCT uniqueid) FROM asterisk.cdr") == [(400, 400)]
    assert read(engine, "SELECT count(*) FROM calls") == [(400,)]
    assert days(engine) == (400, 400, 0)


def test_asterisk_stores_the_same_record_after_all(engine: Engine, file: Path) -> None:
    """However late it does, the call is one call."""
    file.write_bytes(line(1))
    reconcile(engine, "pbx1", file)
    write(
        engine,
        'INSERT INTO asterisk.cdr (node, uniqueid, sequence, start, "end", duration, billsec, direction) VALUES '
        "('pbx1', 'pbx1-1.1', '1', '2026-03-10 12:00:00', '2026-03-10 12:01:06', '66.1', '61.1', 'inbound')",
    )

    assert read(engine, "SELECT count(*) FROM asterisk.cdr") == [(2,)]
    assert read(engine, "SELECT count(*) FROM calls") == [(1,)]


def test_records_that_are_no_calls_are_stored_and_not_counted(engine: Engine, file: Path) -> None:
    end = line(2, uniqueid="pbx1-1.1", dcontext="hang-up", previous_cause="17")
    file.write_bytes(line(1) + end + line(3, dcontext="conference-call"))

    reconcile(engine, "pbx1", file)

    assert len(stored(engine)) == 3
    assert read(engine, "SELECT cause FROM calls") == [(17,)]
    assert days(engine) == (1, 1, 0)


def test_the_days_are_the_companys(engine: Engine, file: Path) -> None:
    early, late = f"{START - 32400 - 1}.9", f"{START - 32400}.0"  # 02:59:59 and 03:00 UTC: midnight in São Paulo.
    file.write_bytes(line(1, start=early) + line(2, start=late))

    reconcile(engine, "pbx1", file)

    books = read(engine, "SELECT day, calls FROM journal_days WHERE node = 'pbx1' ORDER BY day")
    assert books == read(engine, "SELECT day, count(*) FROM calls GROUP BY 1 ORDER BY 1")
    assert len(books) == 2
    counted = "SELECT starts_at, calls FROM call_totals WHERE dimension = 'node' AND thing = 'pbx1' ORDER BY 1"
    assert books == read(engine, counted)


def test_a_file_of_another_node_is_refused(engine: Engine, file: Path) -> None:
    file.write_bytes(line(1))

    with pytest.raises(journal.NotAJournal):
        reconcile(engine, "pbx2", file)
    assert reconcile(engine, "pbx1", file).inserted == 1


def test_without_a_file_there_is_nothing_to_do(engine: Engine, file: Path) -> None:
    assert counts(reconcile(engine, "pbx1", file)) == (0, 0, 0)
    file.touch()
    assert counts(reconcile(engine, "pbx1", file)) == (0, 0, 0)


def test_parts_of_a_large_file(engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PART_BYTES", 1500)
    content = b"".join(line(n, src="a\nb" * 40) for n in range(60))
    file.write_bytes(content)

    assert counts(reconcile(engine, "pbx1", file)) == (60, 60, 0)
    assert days(engine) == (60, 60, 0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), max_size=6),
    cuts=st.lists(st.integers(1, 4000), max_size=4),
)
def test_whatever_the_fields_hold_and_however_it_is_written(
    engine: Engine, tmp_path: Path, texts: list[str], cuts: list[int]
) -> None:
    """The file grows by any bytes at a time, and is looked at each time."""
    write(engine, "TRUNCATE asterisk.cdr, calls, call_totals, unrated_cdrs, journals, journal_days")
    file = tmp_path / "journal.csv"
    whole = line(0) + b"".join(line(n, src=each, clid=each, userfield=each) for n, each in enumerate(texts, 1))
    for cut in [*sorted(cut for cut in cuts if cut < len(whole)), len(whole)]:
        file.write_bytes(whole[:cut])
        reconcile(engine, "pbx1", file)

    said = read(engine, "SELECT coalesce(src, '') FROM asterisk.cdr ORDER BY id")
    assert said == [(RECORD["src"],), *((each,) for each in texts)]
    assert days(engine)[2] == 0


def test_the_fields_are_those_of_the_configuration() -> None:
    configuration = Path(__file__).parents[2] / "asterisk-conf" / "cdr_custom.conf"
    mapping = configuration.read_text().split("=>")[1]
    names = [part.split(")")[0].split(",")[0] for part in mapping.split("${CDR(")[1:]]

    assert names == journal.FIELDS


# ---- the agent


@pytest.fixture
async def agent(engine: Engine, url: str, file: Path) -> Agent:
    """One that keeps the books, and does nothing else."""
    settings = AgentSettings(
        database_url=url, ami_secret=SecretStr("secret"), asterisk_journal_path=file, _env_file=None
    )
    return Agent(settings, engine)


@asynccontextmanager
async def keeping_books(agent: Agent) -> AsyncIterator[None]:
    task = asyncio.create_task(agent._keep_books())
    yield
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.02)


async def test_the_agent_reads_it_at_its_start_and_when_the_database_is_back(
    agent: Agent, engine: Engine, file: Path
) -> None:
    file.write_bytes(line(1))
    async with keeping_books(agent):
        await until(lambda: stored(engine) == ["pbx1-1.1"])

        with file.open("ab") as more:
            more.write(line(2))
        agent.books_due.set()
        await until(lambda: stored(engine) == ["pbx1-1.1", "pbx1-2.1"])


async def test_to_be_connected_again_is_to_be_back(engine: Engine, url: str) -> None:
    woken, back = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(database.Listener(url, woken, back, retry_seconds=0.02).run())
    for _ in range(2):
        async with asyncio.timeout(20):
            await back.wait()
        back.clear()
        read(engine, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN outbox'")
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("content", [b"nothing of ours\n", b"\xff\n" * 9])
async def test_a_journal_that_makes_no_sense_does_not_stop_the_agent(
    agent: Agent, engine: Engine, file: Path, content: bytes
) -> None:
    file.write_bytes(content)
    async with keeping_books(agent):
        await asyncio.sleep(0.2)

        file.write_bytes(line(1))
        agent.books_due.set()
        await until(lambda: stored(engine) == ["pbx1-1.1"])


@pytest.mark.parametrize(("code", "landed"), [("55P03", True), ("22P02", False)])
async def test_what_found_a_row_locked_is_tried_again(agent: Agent, engine: Engine, code: str, landed: bool) -> None:
    write(
        engine,
        """
        WITH cdr AS (
            INSERT INTO asterisk.cdr (node, uniqueid, sequence, start, duration, billsec, direction)
            VALUES ('pbx1', 'pbx1-1.1', '1', '2026-03-10 12:00:00', '1', '0', 'inbound') RETURNING id
        ) INSERT INTO unrated_cdrs (cdr_id, reason, code) SELECT id, 'a reason', :code FROM cdr
        """,
        code=code,
    )
    write(engine, "DELETE FROM calls")  # As if it had not landed.
    async with keeping_books(agent):
        await asyncio.sleep(0.3)

    assert read(engine, "SELECT uniqueid FROM calls") == [("pbx1-1.1",)] * landed
    assert read(engine, "SELECT tries FROM unrated_cdrs") == [(0,)] * (not landed)


def long_ago(path: Path) -> None:
    """Nobody is writing to it any more."""
    os.utime(path, (START, START))
