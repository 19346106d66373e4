"""Every command of asterisk-admin with a real database; and one sentence, no traceback, when something is away."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import InternalError

from deploy.embedded.postgres import Postgres
from deploy.embedded.process import free_port
from schema import migrate
from tests.agent.test_journal import line
from tests.calls.exchange import DB_PASSWORD, ENCRYPTION_KEY, SECRET_KEY
from webapp import cli
from webapp.accounts.models import User
from webapp.asterisk.projection.sip import digest
from webapp.asterisk.rows import TABLES
from webapp.config import AgentSettings, DatabaseSettings
from webapp.doctor.place import Place, connected
from webapp.ext import db

PROJECT = Path(__file__).parents[1]
AMI_SECRET = "hush-ami-secret"


@dataclass
class Done:
    """How a command ended, and what it said."""

    status: int
    output: str
    error: str


Command = Callable[..., Done]


@pytest.fixture(scope="module")
def database(cluster: Postgres, empty_database: str) -> Iterator[str]:
    cluster.create_database("cli", template=empty_database)
    yield cluster.url("cli")
    cluster.drop_database("cli")


@pytest.fixture
def url(database: str) -> str:
    """A migrated database with nothing in it."""
    ask(database, "TRUNCATE providers, customers, price_plans, users, nodes, audit_log, peer_addresses CASCADE")
    ask(database, "INSERT INTO settings DEFAULT VALUES")  # They name a customer, and went with them.
    for kind in TABLES:
        ask(database, f"DELETE FROM asterisk.{kind.TABLE} WHERE owner IS DISTINCT FROM 'system'")  # noqa: S608 - fixed text
    return database


@pytest.fixture(scope="module")
def unborn(cluster: Postgres) -> Iterator[str]:
    """A database nobody has migrated yet, or one that was brought back."""
    cluster.create_database("unborn")
    yield cluster.url("unborn")
    cluster.drop_database("unborn")


@pytest.fixture
def nowhere(cluster: Postgres) -> str:
    """A database that is away."""
    return cluster.url("cli").replace(f":{cluster.port}/", f":{free_port()}/")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run asterisk-admin in an environment of which the test says all."""
    for name in (*AgentSettings.model_fields, "admin_password", "new_password", "asterisk_db_password"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["asterisk-admin", *arguments])
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setenv("NODE", "pbx1")  # So that what a command makes of it is undone.
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capsys.readouterr()
        if isinstance(ended.value.code, str):
            return Done(1, said.out, said.err + ended.value.code)
        return Done(ended.value.code or 0, said.out, said.err)

    return run


def settings(url: str, **more: str) -> dict[str, str]:
    keys = {"SECRET_KEY": SECRET_KEY, "ENCRYPTION_KEY": ENCRYPTION_KEY}
    return {"DATABASE_URL": url, **keys, "AMI_SECRET": AMI_SECRET, **more}


def ask(url: str, statement: str, *values: Any, **changes: Any) -> list[tuple[Any, ...]]:
    connection: Connection = psycopg2.connect(url.replace("+psycopg2", ""), **changes)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


# ---- migrate


def test_migrate_and_back(command: Command, unborn: str) -> None:
    done = command("migrate", **settings(unborn))
    assert (done.status, done.output) == (0, "")
    assert ask(unborn, "SELECT count(*) FROM public.customers") == [(0,)]

    assert command("migrate", **settings(unborn)).status == 0
    assert command("migrate", "--back-to", "base", **settings(unborn)).status == 0
    assert ask(unborn, "SELECT to_regclass('public.customers'), to_regnamespace('asterisk')") == [(None, None)]


def test_migrate_to_what_is_not_there(command: Command, url: str) -> None:
    done = command("migrate", "--back-to", "nonsense", **settings(url))

    assert done.status == 1
    assert "nonsense" in done.error
    assert len(done.error.strip().splitlines()) == 1


def test_migrate_while_somebody_holds_a_table(command: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "200ms")
    somebody = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        somebody.cursor().execute("LOCK TABLE public.customers IN ACCESS EXCLUSIVE MODE")
        done = command("migrate", **settings(url))
    finally:
        somebody.close()

    assert done.status == 1
    assert "lock timeout" in done.error
    assert len(done.error.strip().splitlines()) == 1


# ---- asterisk-password


def test_asterisk_password(command: Command, url: str) -> None:
    role = {"user": "asterisk", "password": "another-password"}
    try:
        done = command("asterisk-password", **settings(url, ASTERISK_DB_PASSWORD="another-password"))

        assert done == Done(0, "", "")
        assert ask(url, "SELECT current_user, id FROM asterisk.canary", **role) == [("asterisk", 1)]
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            ask(url, "SELECT 1", **{**role, "password": DB_PASSWORD})
    finally:  # An Asterisk of other tests may be signed in.
        command("asterisk-password", **settings(url, ASTERISK_DB_PASSWORD=DB_PASSWORD))
    assert ask(url, "SELECT 1", **{**role, "password": DB_PASSWORD}) == [(1,)]


@pytest.mark.parametrize("password", ["", "short", "x" * 11])
def test_a_password_of_asterisks_that_is_too_short(command: Command, url: str, password: str) -> None:
    done = command("asterisk-password", **settings(url, ASTERISK_DB_PASSWORD=password))

    assert done == Done(1, "", "ASTERISK_DB_PASSWORD must have at least 12 characters.")


def test_what_is_sent_is_a_verifier_so_the_password_is_in_no_log_of_the_servers(command: Command, url: str) -> None:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        sent.append(f"{statement} {parameters}")

    event.listen(Engine, "before_cursor_execute", note)
    try:
        command("asterisk-password", **settings(url, ASTERISK_DB_PASSWORD=DB_PASSWORD))
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert any("SCRAM-SHA-256$" in statement for statement in sent)
    assert not any(DB_PASSWORD in statement for statement in sent)


# ---- asterisk-conf


def test_asterisk_conf(command: Command, tmp_path: Path) -> None:
    names = ["ETC", "MODULE", "VARLIB", "DATA", "SPOOL", "RUN", "LOG", "DB"]
    values = {f"{name}_DIR": f"/srv/{name.lower()}" for name in names}
    values |= dict.fromkeys(["SIP_BIND", "SIP_PORT", "RTP_START", "RTP_END", "AMI_PORT"], "1")
    values |= {"DB_HOST": "db.example", "DB_PORT": "5432", "DB_NAME": "asterisk", "DB_PASSWORD": "hush"}

    done = command("asterisk-conf", str(tmp_path / "etc"), **values, AMI_SECRET="hush-ami")

    assert done == Done(0, "", "")
    assert "secret = hush-ami\n" in (tmp_path / "etc" / "manager.conf").read_text()
    assert stat.S_IMODE((tmp_path / "etc" / "manager.conf").stat().st_mode) == 0o600


def test_asterisk_conf_without_a_value(command: Command, tmp_path: Path) -> None:
    done = command("asterisk-conf", str(tmp_path / "etc"))

    assert done.status == 1
    assert done.error.startswith("asterisk.conf needs a value for ")
    assert not (tmp_path / "etc").exists()


def test_asterisk_conf_where_nothing_can_be_written(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    values = {f"{name}_DIR": "x" for name in ["ETC", "MODULE", "VARLIB", "DATA", "SPOOL", "RUN", "LOG", "DB"]}
    values |= dict.fromkeys(["SIP_BIND", "SIP_PORT", "RTP_START", "RTP_END", "AMI_PORT", "AMI_SECRET"], "1")
    values |= dict.fromkeys(["DB_HOST", "DB_PORT", "DB_NAME", "DB_PASSWORD"], "1")

    done = command("asterisk-conf", str(tmp_path / "file" / "etc"), **values)

    assert done.status == 1
    assert "Not a directory" in done.error


# ---- create-admin


def test_create_admin_makes_a_password_and_prints_it_once(command: Command, url: str) -> None:
    done = command("create-admin", **settings(url))

    assert done.status == 0
    assert done.output.startswith("Password of user admin: ")
    password = done.output.split()[-1]
    assert len(password) >= 16
    assert _can_sign_in(url, password)
    assert command("create-admin", **settings(url)) == Done(0, "", "")
    assert ask(url, "SELECT username, role, enabled FROM users") == [("admin", "admin", True)]
    assert password not in str(ask(url, "SELECT * FROM audit_log"))


def test_create_admin_takes_the_password_it_is_given_and_does_not_print_it(command: Command, url: str) -> None:
    done = command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse"))

    assert done == Done(0, "", "")
    assert _can_sign_in(url, "correct horse")


def test_create_admin_where_there_is_an_admin_of_another_name(command: Command, url: str) -> None:
    ask(url, "INSERT INTO users (username, password_hash, role) VALUES ('olga', 'x', 'admin')")

    assert command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse")) == Done(0, "", "")

    assert ask(url, "SELECT username FROM users") == [("olga",)]


def test_create_admin_where_its_name_is_taken(command: Command, url: str) -> None:
    ask(url, "INSERT INTO users (username, password_hash, role) VALUES ('admin', 'x', 'viewer')")

    done = command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse"))

    assert done.status == 1
    assert len(done.error.splitlines()) == 1
    assert ask(url, "SELECT username, role FROM users") == [("admin", "viewer")]


def test_create_admin_with_a_password_that_bcrypt_would_cut(command: Command, url: str) -> None:
    done = command("create-admin", **settings(url, ADMIN_PASSWORD="x" * 73))

    assert done == Done(1, "", "ADMIN_PASSWORD: a password has 72 bytes at the most.")
    assert ask(url, "SELECT * FROM users") == []


def _can_sign_in(url: str, password: str) -> bool:
    [(hashed,)] = ask(url, "SELECT password_hash FROM users WHERE username = 'admin'")
    return User(password_hash=hashed).has_password(password)


# ---- reset-password and disable-totp


def test_reset_password(command: Command, url: str) -> None:
    command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse"))
    ask(
        url,
        "INSERT INTO sessions (user_id, expires_at, address, user_agent) "
        "SELECT id, now() + interval '1 day', '192.0.2.1', '' FROM users",
    )

    done = command("reset-password", "ADMIN", **settings(url, NEW_PASSWORD="a horse and a battery"))

    assert done == Done(0, "", "")
    assert _can_sign_in(url, "a horse and a battery")
    assert ask(url, "SELECT * FROM sessions") == []
    audit = ask(url, "SELECT action, username LIKE '%% (command)', label FROM audit_log ORDER BY id")
    assert audit == [("create", True, "admin"), ("update", True, "admin")]


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "Use 10 characters or more."),
        ("x" * 73, "This password is too long: use 72 letters without accents at the most."),
        ("1234567890", "Everybody guesses this password first; choose another one."),
    ],
)
def test_reset_password_with_one_that_is_no_good(command: Command, url: str, password: str, sentence: str) -> None:
    command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse"))

    assert command("reset-password", "admin", **settings(url, NEW_PASSWORD=password)) == Done(1, "", sentence)

    assert _can_sign_in(url, "correct horse")


def test_reset_password_asks_for_one(command: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse"))
    monkeypatch.setattr("click.prompt", lambda *_, **__: "a horse and a battery")

    assert command("reset-password", "admin", **settings(url)).status == 0

    assert _can_sign_in(url, "a horse and a battery")


def test_disable_totp(command: Command, url: str) -> None:
    command("create-admin", **settings(url, ADMIN_PASSWORD="correct horse"))
    ask(url, "INSERT INTO second_factors (user_id, secret, confirmed) SELECT id, 'x', true FROM users")

    assert command("disable-totp", "admin", **settings(url)) == Done(0, "", "")

    assert ask(url, "SELECT * FROM second_factors") == []
    assert ask(url, "SELECT label FROM audit_log WHERE action = 'second factor off'") == [("admin",)]


@pytest.mark.parametrize("name", ["reset-password", "disable-totp"])
def test_a_user_whom_there_is_not(command: Command, url: str, name: str) -> None:
    assert command(name, "nobody", **settings(url)) == Done(1, "", "There is no user named nobody.")


# ---- demo and check


def test_demo_fills_an_empty_database_once(command: Command, url: str) -> None:
    assert command("demo", **settings(url)).output == "The demonstration is in the database.\n"
    counts = "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM dids), (SELECT count(*) FROM extensions)"
    assert ask(url, counts) == [(3, 10, 2)]

    assert command("demo", **settings(url)).output == ""

    assert ask(url, counts) == [(3, 10, 2)]
    assert command("check", **settings(url)) == Done(0, "Asterisk's tables are what they should be.\n", "")
    phones = dict(line.split() for line in command("demo", "--show", **settings(url)).output.splitlines())
    digests = {user: digest(user, secret) for user, secret in phones.items()}
    assert digests == dict(ask(url, "SELECT username, md5_cred FROM asterisk.ps_auths WHERE id LIKE 'demo-%'"))
    assert set(phones) == {"demo-100", "demo-101"}


def test_keys_are_made_checked_and_changed(command: Command, url: str) -> None:
    command("demo", **settings(url))
    new = command("generate-key").output.strip()
    assert len(new) == 44
    under_first = "extensions.secret: 2 under the first key, 0 under another one.\n"
    under_other = "extensions.secret: 0 under the first key, 2 under another one.\n"

    assert under_first in command("check-keys", **settings(url)).output
    both = settings(url, ENCRYPTION_KEY=f"{new},{ENCRYPTION_KEY}")
    assert under_other in command("check-keys", **both).output
    done = command("rotate-keys", **both)
    assert (done.status, under_first in done.output) == (0, True)
    assert done.output.endswith("The first key of ENCRYPTION_KEY is enough.\n")

    assert command("demo", "--show", **settings(url, ENCRYPTION_KEY=new)).status == 0
    wrong = command("check-keys", **settings(url))
    assert wrong.status == 1
    assert wrong.error.startswith("2 stored secrets cannot be read, for ENCRYPTION_KEY has not the key")
    renewed = command("renew-secrets", "demo-100", **settings(url))
    assert (renewed.status, len(renewed.output.splitlines())) == (1, 4)
    assert renewed.output.startswith("demo-100  ")
    for arguments in (["demo", "--show"], ["check", "--no-nodes"]):
        assert command(*arguments, **settings(url)) == Done(
            1,
            "",
            "ENCRYPTION_KEY has not the key under which a stored secret was encrypted. See: asterisk-admin check-keys",
        )


def test_demo_leaves_a_database_alone_in_which_there_is_something(command: Command, url: str) -> None:
    ask(url, "INSERT INTO providers (name) VALUES ('ours')")

    assert command("demo", **settings(url)) == Done(0, "", "")

    assert ask(url, "SELECT name FROM providers") == [("ours",)]


def test_check_finds_what_is_wrong_and_repair_heals_it(command: Command, url: str) -> None:
    command("demo", **settings(url))
    [(owner,)] = ask(url, "SELECT owner FROM asterisk.ps_endpoints WHERE id = 'demo-100'")
    ask(url, "DELETE FROM asterisk.ps_aors WHERE id = 'demo-100'")
    ask(url, "UPDATE asterisk.ps_auths SET md5_cred = 'changed' WHERE id = 'demo-100'")
    ask(url, "INSERT INTO asterisk.ps_endpoints (id, owner) VALUES ('stray', 'gateway:gone')")
    found = {
        f"missing: ps_aors demo-100 ({owner})",
        f"different: ps_auths demo-100 ({owner}): md5_cred is another one",
        "left over: ps_endpoints stray (gateway:gone)",
    }

    checked = command("check", **settings(url))
    assert (checked.status, set(checked.output.splitlines())) == (1, found)
    assert "changed" not in checked.output

    repaired = command("check", "--repair", **settings(url))
    assert (repaired.status, set(repaired.output.splitlines())) == (0, {*found, "3 rows set right."})
    for arguments in (["check"], ["check", "--repair"]):
        assert command(*arguments, **settings(url)).output == "Asterisk's tables are what they should be.\n"


def test_check_says_which_nodes_could_not_be_checked_and_what_was_made_by_hand(command: Command, url: str) -> None:
    ask(url, "INSERT INTO asterisk.ps_aors (id, owner) VALUES ('mine', NULL), ('theirs', 'system')")
    right = "Asterisk's tables are what they should be."
    mine = "made by hand: 2 rows, which are left alone: ps_aors mine, ps_aors theirs"
    assert command("check", **settings(url)) == Done(0, f"{right}\n{mine}\n", "")

    ask(url, "INSERT INTO nodes (name, enabled) VALUES ('pbx1', true), ('pbx2', false)")
    away = "pbx1 could not be checked: its agent is away."
    assert command("check", **settings(url)) == Done(2, f"{right}\n{mine}\n{away}\n", "")
    assert command("check", "--no-nodes", **settings(url)) == Done(0, f"{right}\n{mine}\n", "")
    ask(url, "UPDATE nodes SET seen_at = now() + interval '1 minute' WHERE name = 'pbx1'")
    silent = "pbx1 could not be checked: it does not answer."
    assert command("check", "--wait", "0", **settings(url)) == Done(2, f"{right}\n{mine}\n{silent}\n", "")

    ask(url, "DELETE FROM asterisk.ps_aors WHERE id = 'mine'")
    ask(url, "INSERT INTO asterisk.ps_aors (id, owner) VALUES ('stray', 'gateway:gone')")
    done = command("check", "--wait", "0", **settings(url))
    assert (done.status, done.output.splitlines()[0]) == (1, "left over: ps_aors stray (gateway:gone)")


def test_repair_where_somebodys_own_row_is_in_the_way(command: Command, url: str) -> None:
    command("demo", **settings(url))
    ask(url, "UPDATE asterisk.ps_aors SET owner = NULL WHERE id = 'demo-100'")

    done = command("check", "--repair", **settings(url))

    assert done.status == 1
    assert "demo-100" in done.error or "ps_aors" in done.error
    assert len([line for line in done.error.splitlines() if not line.startswith("{")]) == 1


# ---- doctor


def test_doctor_with_what_it_can_see(command: Command, url: str) -> None:
    """Without an Asterisk, and with nothing in the database: not well, and it says what to do."""
    arguments = ["doctor", "--no-node"]
    done = command(*arguments, **settings(url))

    assert (done.status, done.error) == (1, "")
    assert "Asterisk's files" not in done.output
    for words in ("ok      Functions", "FAULT   Administrator", "→ Run: asterisk-admin create-admin"):
        assert words in done.output
    assert "\033" not in done.output, "colours, though nobody looks at a terminal"

    found = json.loads(command(*arguments, "--json", **settings(url)).output)
    assert found["state"] == "fault"
    assert {each["state"] for each in found["findings"]} >= {"ok", "fault"}
    assert all(each["to_do"] for each in found["findings"] if each["state"] in ("warning", "fault"))


def test_doctor_changes_nothing(url: str) -> None:
    """It could not if it wanted to."""
    with (
        connected(Place(database_settings=DatabaseSettings(database_url=url, _env_file=None))),
        pytest.raises(InternalError, match="read-only"),
    ):
        db.session.execute(text("DELETE FROM users"))


def test_doctor_where_everything_is_away(command: Command, nowhere: str) -> None:
    port = str(free_port())

    done = command("doctor", "--etc", "nowhere", **settings(nowhere, AMI_PORT=port))

    assert (done.status, done.error) == (1, "")
    lines = [line for line in done.output.splitlines() if "FAULT" in line]
    assert any("it does not answer: connection to server" in line for line in lines)
    assert any(f"not reached at 127.0.0.1:{port}" in line for line in lines)
    assert "there is no folder nowhere" in done.output
    assert "the doctor itself failed" not in done.output
    for secret in (nowhere.split(":")[2].split("@")[0], AMI_SECRET, SECRET_KEY):
        assert secret not in done.output


def test_doctor_without_settings(command: Command) -> None:
    done = command("doctor")

    assert (done.status, done.error) == (1, "")
    for name in ("DATABASE_URL", "SECRET_KEY"):
        assert f"{name}: is not set" in done.output
    assert "the doctor itself failed" not in done.output


def test_doctor_before_migrate(command: Command, unborn: str) -> None:
    done = command("doctor", "--no-node", **settings(unborn))

    assert (done.status, done.error) == (1, "")
    assert "the database is at none" in done.output
    assert "the doctor itself failed" not in done.output


# ---- agent and agent-status


def test_agent_status(command: Command, url: str) -> None:
    assert command("agent-status", **settings(url)) == Done(1, "No agent has ever signed in for pbx1.\n", "")

    ask(url, "INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('pbx1', now(), true)")
    assert command("agent-status", **settings(url)) == Done(0, "pbx1 is up.\n", "")
    assert (
        command("agent-status", "--node", "pbx2", **settings(url)).output == "No agent has ever signed in for pbx2.\n"
    )

    ask(url, "UPDATE nodes SET asterisk_up = false, detail = 'cannot connect'")
    assert command("agent-status", **settings(url)) == Done(1, "Asterisk on pbx1 is away: cannot connect.\n", "")

    ask(url, "UPDATE nodes SET seen_at = now() - interval '1 minute'")
    done = command("agent-status", **settings(url))
    assert done == Done(1, "The agent of pbx1 has not signed in for 15 seconds.\n", "")


# ---- cdr


def test_reconcile(command: Command, url: str, tmp_path: Path) -> None:
    ask(url, "TRUNCATE asterisk.cdr, calls, journals, journal_days")
    file = tmp_path / "journal.csv"
    file.write_bytes(line(1))

    assert command("cdr", "reconcile", "journal.csv", **settings(url)).output.startswith("1 records read, 1 of them")
    assert command("cdr", "reconcile", "journal.csv", **settings(url)).output.startswith("0 records read, 0 of them")
    assert ask(url, "SELECT node, uniqueid FROM calls") == [("pbx1", "pbx1-1.1")]

    other = command("cdr", "reconcile", "journal.csv", "--node", "pbx2", **settings(url))
    assert (other.status, other.error) == (1, "journal.csv is no journal of pbx2")


def test_rate(command: Command, url: str) -> None:
    ask(url, "TRUNCATE asterisk.cdr, calls, unrated_cdrs, reratings CASCADE")
    assert command("cdr", "rate", **settings(url)).output.startswith("0 calls have a price now that had none. 0 are")
    ask(
        url,
        "WITH cdr AS (INSERT INTO asterisk.cdr (node, uniqueid, sequence, start, duration, billsec, direction) VALUES "
        "('pbx1', '1', '1', '2026-03-10 12:00:00', '1', '0', 'inbound'), ('pbx1', '2', '1', 'x', '1', '0', 'inbound') "
        "RETURNING id) INSERT INTO unrated_cdrs (cdr_id, reason) SELECT min(id), 'locked' FROM cdr",
    )
    ask(url, "DELETE FROM calls")  # As if the first had found a lock; the second makes no sense.

    assert command("cdr", "rate", **settings(url)).output.startswith("1 calls have a price now that had none. 1 are")
    assert ask(url, "SELECT uniqueid FROM calls") == [("1",)]


def test_a_node_whose_name_makes_no_sense(command: Command, url: str) -> None:
    done = command("agent-status", "--node", "a b", **settings(url))

    assert done.status == 1
    assert done.error.startswith("Settings: NODE: ")


def test_the_agent_waits_for_what_is_away_and_ends_when_it_is_told_to(nowhere: str, tmp_path: Path) -> None:
    environment = {**os.environ, **settings(nowhere, AMI_PORT=str(free_port()), NODE="pbx1")}
    with (tmp_path / "log").open("w") as log:
        agent = subprocess.Popen(
            [sys.executable, "-m", "webapp.cli", "agent"], env=environment, cwd=PROJECT, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 30
        while "database is away" not in (tmp_path / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert agent.poll() is None
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(20) == 0
    finally:
        agent.kill()
        agent.wait()
    said = (tmp_path / "log").read_text()
    assert "agent ends" in said
    assert "Traceback" not in said
    assert AMI_SECRET not in said
    assert nowhere.split(":")[2].split("@")[0] not in said, "the password"


# ---- something is away, or not said

COMMANDS = [
    ["migrate"],
    ["asterisk-password"],
    ["create-admin"],
    ["reset-password", "admin"],
    ["disable-totp", "admin"],
    ["demo"],
    ["demo", "--show"],
    ["check"],
    ["check", "--repair"],
    ["agent-status"],
    ["check-keys"],
    ["rotate-keys"],
    ["renew-secrets"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_with_the_database_away_a_command_says_so_in_one_sentence(
    command: Command, nowhere: str, arguments: list[str]
) -> None:
    done = command(*arguments, **settings(nowhere, ASTERISK_DB_PASSWORD=DB_PASSWORD))

    assert (done.status, done.output) == (1, "")
    assert done.error.startswith("The database does not answer: ")
    assert len(done.error.splitlines()) == 1
    assert nowhere.split(":")[2].split("@")[0] not in done.error, "the password"


@pytest.mark.parametrize("arguments", [*COMMANDS, ["agent"]], ids=" ".join)
def test_without_its_settings_a_command_names_them(command: Command, arguments: list[str]) -> None:
    done = command(*arguments, ASTERISK_DB_PASSWORD=DB_PASSWORD)

    assert (done.status, done.output) == (1, "")
    assert done.error.startswith("Settings: DATABASE_URL: is not set")
    agents = arguments[0] in ("agent", "agent-status", "asterisk-password")
    assert ("ENCRYPTION_KEY: is not set" in done.error) == (not agents)
    assert ("SECRET_KEY: is not set" in done.error) == (not agents and arguments != ["migrate"])


@pytest.mark.parametrize(
    "arguments", [["check"], ["create-admin"], ["demo"], ["agent-status"], ["check-keys"]], ids=" ".join
)
def test_before_migrate_a_command_says_what_is_missing(command: Command, unborn: str, arguments: list[str]) -> None:
    done = command(*arguments, **settings(unborn))

    assert done.status == 1
    assert "migrate" in done.error
    assert len(done.error.splitlines()) == 1


def test_a_database_url_that_makes_no_sense(command: Command) -> None:
    done = command("check", **settings("postgresql://u:hush-hush@h:port/d"))

    assert done.status == 1
    assert done.error.startswith("Settings: DATABASE_URL: ")
    assert "hush-hush" not in done.error


def test_as_a_program_it_prints_no_traceback(nowhere: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webapp.cli", "check"],
        env={**os.environ, **settings(nowhere), "PYTHONPATH": str(PROJECT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("The database does not answer: ")
    assert len(done.stderr.splitlines()) == 1


def test_it_lists_its_commands(command: Command) -> None:
    done = command("--help")

    assert done.status == 0
    for name in (
        "migrate",
        "asterisk-password",
        "asterisk-conf",
        "agent",
        "agent-status",
        "check",
        "create-admin",
        "reset-password",
        "disable-totp",
        "demo",
        "generate-key",
        "check-keys",
        "rotate-keys",
        "renew-secrets",
    ):
        assert f"  {name} " in done.output
