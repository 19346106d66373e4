"""The dialplan's questions, asked as Asterisk asks them; their answers; and the partitions that they lie in."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from tests.schema.conftest import SignIn, ask, value
from webapp.agent import database

DAY = dt.timedelta(days=1)
ANSWER = ("verdict", "reason", "cause", "number", "caller_id", "legs", "max_seconds")


@pytest.fixture
def customer_id(owner: Connection) -> Iterator[str]:
    """A customer for whom there is a route."""
    name = uuid.uuid4().hex[:12]
    provider = value(owner, "INSERT INTO providers (name) VALUES (%s) RETURNING id", name)
    gateway = value(
        owner,
        "INSERT INTO gateways (name, provider_id, ip_address) VALUES (%s, %s, '192.0.2.1') RETURNING id",
        name,
        provider,
    )
    ask(owner, "INSERT INTO routes (name, pattern, gateway_id) VALUES (%s, '55.', %s)", name, gateway)
    customer = value(
        owner, "INSERT INTO customers (code, name, type) VALUES (%s, %s, 'extension') RETURNING id", name, name
    )
    yield customer
    ask(owner, "TRUNCATE customers, routes, gateways, providers, peer_addresses CASCADE")
    ask(owner, "INSERT INTO settings DEFAULT VALUES")  # They name a customer, and went with them.


def question(connection: Connection, **values: str) -> dict[str, object]:
    """Ask as REALTIME_STORE does and read the answer as REALTIME_HASH does, each by itself."""
    values = {"id": uuid.uuid4().hex, "endpoint": "", "customer_id": "", "dialed": "", "caller": "", **values}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            f"INSERT INTO asterisk.call_requests ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",  # noqa: S608 - fixed names
            list(values.values()),
        )
        cursor.execute("SELECT * FROM asterisk.call_answers WHERE id = %s LIMIT 1", [values["id"]])
        found = cursor.fetchall()
    assert len(found) == 1
    assert None not in found[0].values()
    return dict(found[0])


# ---- questions and answers


def test_an_answer_is_read_back(asterisk: Connection, owner: Connection, customer_id: str) -> None:
    answer = question(asterisk, id="q1", customer_id=customer_id, dialed="552133331234", endpoint="x-100", caller="100")

    assert (answer["verdict"], answer["number"]) == ("route", "552133331234")
    assert str(answer["legs"]).endswith(":552133331234::0")
    [stored] = ask(owner, "SELECT node, endpoint, dialed, caller, verdict FROM asterisk.call_requests WHERE id = 'q1'")
    assert stored == ("pbx1", "x-100", "552133331234", "100", "route")


def test_the_answer_is_that_of_route_call(asterisk: Connection, owner: Connection, customer_id: str) -> None:
    answer = question(asterisk, customer_id=customer_id, dialed="552133331234")

    [told] = ask(owner, "SELECT * FROM route_call(%s, '552133331234')", customer_id)
    assert tuple(answer[name] for name in ANSWER) == told[: len(ANSWER)]
    assert told[len(ANSWER) :] == (0,), "what is put by, of which the dialplan is told nothing"


def test_a_call_is_sent_on_three_times_and_never_to_an_emergency(
    asterisk: Connection, owner: Connection, customer_id: str
) -> None:
    ask(owner, "UPDATE settings SET emergency_numbers = '{190}'")

    def reason(dialed: str, forwards: str) -> object:
        answer = question(asterisk, customer_id=customer_id, dialed=dialed, forwards=forwards)
        assert answer["cause"] in (0, 21)
        return answer["reason"]

    assert [reason("552133331234", n) for n in ("0", "01", "03")] == ["", "", ""]
    assert [reason("552133331234", n) for n in ("04", "999999")] == ["forwards", "forwards"]
    assert [reason(each, "01") for each in ("190", "+190")] == ["forward_emergency", "forward_emergency"]
    assert question(asterisk, customer_id=customer_id, dialed="190", forwards="0")["reason"] != "forward_emergency"


GARBAGE = [
    "",
    "x",
    "-" * 36,
    "0" * 36,
    "f" * 36,
    "00000000-0000-0000-0000-00000000000g",
    "00000000-0000-0000-0000-000000000000",
    "'; DROP TABLE customers; --",
    "\n\r\t\x01\x7f",
    "${SHELL(id)}",
    "^3B;^",
    "ação ½ 💥",
    "x" * 2000,
]


COLUMNS = ["id", "endpoint", "customer_id", "dialed", "caller", "channels", "direction", "forwards"]


@pytest.mark.parametrize("column", COLUMNS)
def test_garbage_in_a_column_is_answered(asterisk: Connection, customer_id: str, column: str) -> None:
    """A question that is refused looks to the dialplan like a database that is away."""
    longer = (
        [] if column == "id" else ["".join(uuid.uuid4().hex for _ in range(320))]
    )  # Nothing that can be compressed.
    for garbage in [*GARBAGE, *longer]:
        values = {"id": uuid.uuid4().hex, "customer_id": customer_id, "dialed": "552133331234", column: garbage}

        answer = question(asterisk, **values)

        assert answer["verdict"] == ("refused" if column in ("customer_id", "dialed") else "route"), garbage[:50]


def test_the_same_question_twice_is_no_error(asterisk: Connection) -> None:
    """Two nodes with one system name would make the same ids."""
    ask(asterisk, "INSERT INTO asterisk.call_requests (id) VALUES ('twice')")
    ask(asterisk, "INSERT INTO asterisk.call_requests (id) VALUES ('twice')")

    assert len(ask(asterisk, "SELECT * FROM asterisk.call_answers WHERE id = 'twice'")) == 2


def test_an_answer_is_there_for_a_minute_and_the_evidence_for_longer(asterisk: Connection, owner: Connection) -> None:
    ask(asterisk, "INSERT INTO asterisk.call_requests (id) VALUES ('old')")
    ask(owner, "UPDATE asterisk.call_requests SET requested_at = now() - interval '61 seconds' WHERE id = 'old'")

    assert ask(asterisk, "SELECT * FROM asterisk.call_answers WHERE id = 'old'") == []
    assert value(owner, "SELECT verdict FROM asterisk.call_requests WHERE id = 'old'") == "refused"


# ---- partitions


@pytest.fixture
def partitions(owner: Connection) -> Iterator[Connection]:
    """No partition but the default one, and nothing in it."""

    def begin_anew() -> None:
        for name in days(owner):
            ask(owner, f"DROP TABLE asterisk.call_requests_{name:%Y%m%d}")
        ask(owner, "TRUNCATE asterisk.call_requests")

    begin_anew()
    yield owner
    ask(owner, "RESET timezone")
    begin_anew()


def days(owner: Connection) -> list[dt.date]:
    """The days that have a partition of their own."""
    statement = "SELECT right(relname, 8) FROM pg_class WHERE relname ~ '^call_requests_[0-9]{8}$' AND relkind = 'r'"
    names = sorted(ask(owner, statement))
    return [dt.datetime.strptime(name, "%Y%m%d").date() for (name,) in names]  # noqa: DTZ007 - a day has no zone


def put(owner: Connection, name: str, days_from_now: int) -> None:
    ask(
        owner,
        "INSERT INTO asterisk.call_requests (id, requested_at) VALUES (%s, now() + make_interval(days => %s))",
        name,
        days_from_now,
    )


def where(owner: Connection, name: str) -> str:
    return str(value(owner, "SELECT tableoid::regclass::text FROM asterisk.call_requests WHERE id = %s", name))


def ids(owner: Connection) -> list[str]:
    return [row[0] for row in ask(owner, "SELECT id FROM asterisk.call_requests ORDER BY id")]


def today(owner: Connection) -> dt.date:
    found: dt.date = value(owner, "SELECT (now() AT TIME ZONE 'UTC')::date")
    return found


def test_partitions_are_made_for_today_and_a_week_ahead(partitions: Connection) -> None:
    ask(partitions, "SELECT keep_partitions()")

    first = today(partitions)
    assert days(partitions) == [first + n * DAY for n in range(8)]
    put(partitions, "now", 0)
    assert where(partitions, "now") == f"asterisk.call_requests_{first:%Y%m%d}"


def test_calls_have_partitions_for_this_month_and_the_next_three(partitions: Connection) -> None:
    ask(partitions, "SELECT keep_partitions()")

    months = ask(partitions, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass")
    first = today(partitions).replace(day=1)
    wanted = {f"calls_{first.year + (first.month + n - 1) // 12}{(first.month + n - 1) % 12 + 1:02}" for n in range(4)}
    assert {name for (name,) in months} == wanted | {"calls_default"}


def test_making_them_again_does_nothing(partitions: Connection) -> None:
    ask(partitions, "SELECT keep_partitions()")
    put(partitions, "now", 0)

    ask(partitions, "SELECT keep_partitions()")

    assert len(days(partitions)) == 8
    assert ids(partitions) == ["now"]


def test_a_day_whose_rows_are_in_the_default_partition_is_left_there(partitions: Connection) -> None:
    put(partitions, "early", 0)
    put(partitions, "in three days", 3)

    ask(partitions, "SELECT keep_partitions()")

    first = today(partitions)
    assert days(partitions) == [first + n * DAY for n in (1, 2, 4, 5, 6, 7)]
    assert ids(partitions) == ["early", "in three days"]
    assert where(partitions, "early") == "asterisk.call_requests_default"
    put(partitions, "later", 0)
    put(partitions, "tomorrow", 1)
    assert where(partitions, "later") == "asterisk.call_requests_default"
    assert where(partitions, "tomorrow") == f"asterisk.call_requests_{first + DAY:%Y%m%d}"


def test_what_is_too_old_goes_and_nothing_else(partitions: Connection) -> None:
    first = today(partitions)
    for age in (89, 90, 91, 200):
        day = first - age * DAY
        ask(
            partitions,
            f"CREATE TABLE asterisk.call_requests_{day:%Y%m%d} PARTITION OF asterisk.call_requests "
            f"FOR VALUES FROM ('{day} 00:00+00') TO ('{day + DAY} 00:00+00')",
        )
        put(partitions, f"partition {age:03}", -age)
    for age in (1, 88, 92, 300):
        put(partitions, f"default {age:03}", -age)

    ask(partitions, "SELECT keep_partitions()")

    assert [day for day in days(partitions) if day < first] == [first - 90 * DAY, first - 89 * DAY]
    assert ids(partitions) == ["default 001", "default 088", "partition 089", "partition 090"]


def test_fewer_days_may_be_kept(partitions: Connection) -> None:
    for age in (1, 3):
        put(partitions, f"default {age}", -age)

    ask(partitions, "SELECT keep_partitions(2)")

    assert ids(partitions) == ["default 1"]


def test_as_many_days_are_kept_as_the_settings_say(partitions: Connection) -> None:
    for age in (1, 3):
        put(partitions, f"default {age}", -age)
    ask(partitions, "UPDATE settings SET call_requests_days = 2")

    ask(partitions, "SELECT keep_partitions()")

    ask(partitions, "UPDATE settings SET call_requests_days = 90")
    assert ids(partitions) == ["default 1"]


def test_a_question_does_not_look_at_all_the_days_that_are_kept(
    partitions: Connection, asterisk: Connection, customer_id: str
) -> None:
    """PostgreSQL locks each table that a plan names, so the locks of a transaction tell what was looked at."""
    ask(partitions, "SELECT keep_partitions()")
    first = today(partitions)
    for age in range(1, 91):
        day = first - age * DAY
        ask(
            partitions,
            f"CREATE TABLE asterisk.call_requests_{day:%Y%m%d} PARTITION OF asterisk.call_requests "
            f"FOR VALUES FROM ('{day} 00:00+00') TO ('{day + DAY} 00:00+00')",
        )
    ask(partitions, "UPDATE customers SET calls_per_second = 1000 WHERE id = %s", customer_id)  # So these are counted.
    for _ in range(10):  # What a session asks often has a plan of its own that is kept.
        question(asterisk, customer_id=customer_id, dialed="5511987654321")

    asterisk.autocommit = False
    assert question(asterisk, customer_id=customer_id, dialed="5511987654321")["verdict"] == "route"
    locked = ask(
        partitions,
        "SELECT DISTINCT relation::regclass::text FROM pg_locks WHERE pid = %s AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()) AND relation::regclass::text ~ %s",
        asterisk.info.backend_pid,
        r"call_requests_\d{8}$",
    )
    asterisk.rollback()
    asterisk.autocommit = True

    names = {name for (name,) in locked}
    assert f"asterisk.call_requests_{first:%Y%m%d}" in names
    assert len(names) <= 2  # Around midnight there are two.


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Sao_Paulo", "Pacific/Kiritimati"])
def test_a_day_is_the_same_day_for_whoever_asks(partitions: Connection, zone: str) -> None:
    """Agents are configured by different people, and a day that begins elsewhere would overlap another."""
    ask(partitions, "SELECT keep_partitions()")
    last = days(partitions)[-1]
    ask(partitions, f"DROP TABLE asterisk.call_requests_{last:%Y%m%d}")
    ask(partitions, f"SET timezone = '{zone}'")

    ask(partitions, "SELECT keep_partitions()")

    ask(partitions, "RESET timezone")
    assert days(partitions)[-1] == last
    bounds = value(
        partitions,
        f"SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'call_requests_{last:%Y%m%d}'",  # noqa: S608 - a date
    )
    assert f"('{last} 00:00:00+00') TO ('{last + DAY} 00:00:00+00')" in bounds


def test_two_agents_at_once(partitions: Connection, url: str) -> None:
    engine = database.engine(url, "pbx1")
    failures = []

    def keep() -> None:
        try:
            database.keep_partitions(engine)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=keep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()

    assert failures == []
    assert len(days(partitions)) == 8


def test_calls_do_not_wait_while_a_backup_holds_the_partitions(
    partitions: Connection, url: str, sign_in: SignIn, asterisk: Connection
) -> None:
    """A dump reads all tables for an hour. Whoever waits for it with a lock in mind holds up all calls behind it."""
    backup = sign_in()
    backup.autocommit = False
    ask(backup, "LOCK TABLE asterisk.call_requests IN ACCESS SHARE MODE")  # Its partitions as well.
    engine = database.engine(url, "pbx1")
    agent = threading.Thread(target=_try_to_keep, args=(engine,))
    agent.start()
    try:
        for n in range(20):
            ask(asterisk, "INSERT INTO asterisk.call_requests (id) VALUES (%s)", f"meanwhile {n}")
            agent.join(0.05)
    finally:
        backup.rollback()
        agent.join()
        engine.dispose()

    assert len(ids(partitions)) == 20
    ask(partitions, "SELECT keep_partitions()")


def _try_to_keep(engine: object) -> None:
    try:
        database.keep_partitions(engine)  # type: ignore[arg-type]
    except Exception as failure:
        assert "lock timeout" in str(failure)  # noqa: PT017 - it may give up, and try again later


# ---- call records


CDR = [
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", '"end"', "duration", "billsec", "disposition", "amaflags", "peeraccount", "uniqueid", "linkedid",
    "userfield", "sequence", "direction", "customer_id", "provider_id", "gateway_id", "did", "number", "request",
]  # fmt: skip


def test_every_field_of_a_call_record_that_asterisk_sends_has_its_column(owner: Connection) -> None:
    columns = ask(
        owner, "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'asterisk.cdr'::regclass AND attnum > 0"
    )

    assert set(CDR) <= {column for (column,) in columns}


def test_a_call_record_of_garbage_is_accepted(asterisk: Connection, owner: Connection) -> None:
    longer = "".join(uuid.uuid4().hex for _ in range(320))  # An index would have to take it as it is.
    for garbage in [*GARBAGE, longer, "x" * 100_000]:
        ask(owner, "TRUNCATE asterisk.cdr")

        values = [garbage] * len(CDR)
        ask(asterisk, f"INSERT INTO cdr ({', '.join(CDR)}) VALUES ({', '.join(['%s'] * len(CDR))})", *values)  # noqa: S608 - fixed names

        [row] = ask(owner, f"SELECT node, received_at, {', '.join(CDR)} FROM asterisk.cdr")  # noqa: S608 - fixed names
        assert row[0] == "pbx1"
        assert row[1] is not None
        assert set(row[2:]) == {garbage}


def test_a_call_record_of_nothing_is_accepted(asterisk: Connection, owner: Connection) -> None:
    ask(owner, "TRUNCATE asterisk.cdr")

    ask(asterisk, f"INSERT INTO cdr ({', '.join(CDR)}) VALUES ({', '.join(['NULL'] * len(CDR))})")  # noqa: S608 - fixed names

    assert value(owner, "SELECT count(*) FROM asterisk.cdr") == 1


def test_the_same_leg_twice_is_accepted(asterisk: Connection) -> None:
    """What is one too many is for the rating to find; here nothing may be lost."""
    for _ in range(2):
        ask(asterisk, "INSERT INTO cdr (uniqueid, sequence) VALUES ('pbx1-1.1', '1')")


def test_a_question_whose_id_is_not_a_text_is_refused(asterisk: Connection) -> None:
    """NULL is the only thing that is not, and Asterisk cannot send it."""
    with pytest.raises(psycopg2.errors.NotNullViolation):
        ask(asterisk, "INSERT INTO asterisk.call_requests (id) VALUES (NULL)")
