"""A private PostgreSQL cluster in a directory, for `make run` and for the tests."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import psycopg2
from psycopg2 import sql

from deploy.embedded import process
from deploy.embedded.process import Failure

OLDEST = 15
SUPERUSER = "postgres"
# Owns the databases; has only the rights that it needs in production, so that nothing comes to need more.
OWNER = "asterisk_admin"
START_SECONDS = 60
STOP_SECONDS = 20
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # the path of a socket may not be longer than 107 bytes
    "max_connections": "200",
    "timezone": "UTC",
    # A statement that fails is in the log of who sent it, without its values; here a gateway's password could be in it.
    "log_min_error_statement": "panic",
}
# The cluster of a test may be lost with the machine, and is quicker for it.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
# Text is sorted as in Brazil.
INITDB = ("--locale-provider=icu", "--icu-locale=pt-BR", "--locale=C.UTF-8", "--encoding=UTF8")


def binaries() -> Path:
    """The folder of the newest PostgreSQL server programs, or the one that PG_BINDIR names."""
    if chosen := os.environ.get("PG_BINDIR"):
        return Path(chosen)
    found = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    if not found or max(found) < OLDEST:
        raise Failure(f"PostgreSQL {OLDEST} or newer is missing: apt-get install postgresql")
    return found[max(found)]


class Postgres:
    """One cluster: its files in `directory`, its port on 127.0.0.1 only.

    Stopping it keeps the data, and it starts again after any crash.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        fast: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
        log_path: Path | None = None,
    ) -> None:
        """Port None: a free one, not always the same. `fast` gives up safety against a power cut.

        `settings` are PostgreSQL's, besides SETTINGS.
        """
        self.directory = directory.resolve()
        self.port = port or process.free_port()
        self.fast = fast
        self.settings = {**settings, **SETTINGS, "port": str(self.port), **(FAST_SETTINGS if fast else {})}
        self.log_path = log_path or self.directory / "postgres.log"
        self._data = self.directory / "data"
        self._password_file = self.directory / "password"
        self._started: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._postmaster() is not None

    @property
    def password(self) -> str:
        """The password of the owner and of the superuser."""
        return self._password_file.read_text()

    def url(self, database: str, user: str = OWNER) -> str:
        """SQLAlchemy's address of a database."""
        return f"postgresql+psycopg2://{user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the cluster, after making it where there is none, and wait until it answers."""
        if self.is_running:
            return
        process.own(self.directory)
        if not self._data.exists():
            self._create()
        self._wait_until_gone(STOP_SECONDS)
        # No process of the cluster is left, so this file is stale; PostgreSQL would refuse to start if some
        # other program has been given the number in it since.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._started = process.start(
            [
                binaries() / "postgres",
                "-D",
                self._data,
                *(f"--{key}={value}" for key, value in self.settings.items()),
            ],
            self.directory,
            log=self.log_path,
            environment=process.clean_environment(self.directory),
            directory=self.directory,
            death_signal=STOP_SIGNALS["fast"],
        )
        self._wait_until_ready(self._started)

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """End the cluster: smart waits for its clients, fast sends them away, immediate needs recovery."""
        if postmaster := self._postmaster():
            os.kill(postmaster, STOP_SIGNALS[mode])
        self._wait_until_gone(STOP_SECONDS)

    def kill(self) -> None:
        """End the cluster as a crash of everything would (signal 9)."""
        self._wait_until_gone(0)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database: empty, or a copy of another one, which nobody may be connected to."""
        self._query(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template1")
            )
        )

    def drop_database(self, name: str) -> None:
        """Drop a database if there is one of this name; its clients are sent away.

        Not WITH (FORCE): that also asks for the right to end an autovacuum worker which is at work
        there, and only a superuser has it. A plain DROP tells the worker to go and waits for it.
        """
        self._query(
            sql.SQL(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = {} AND backend_type = 'client backend'"
            ).format(sql.Literal(name))
        )
        self._query(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        known = self._query(sql.SQL("SELECT datname FROM pg_database"))
        return (name,) in known

    def _query(self, statement: sql.Composable) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=OWNER, password=self.password, dbname="postgres"
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _create(self) -> None:
        """Make the cluster under another name first, so that an interrupted attempt never counts."""
        password = secrets.token_hex(16)
        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(0o600)
        self._password_file.write_text(password)
        process.own(self.directory)
        unfinished = self.directory / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._run(
            "initdb",
            "--pgdata",
            unfinished,
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            *INITDB,
            *(["--no-sync"] if self.fast else []),
        )
        self._run(
            "postgres",
            "--single",
            "-D",
            unfinished,
            "postgres",
            statement=f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'",
        )
        unfinished.rename(self._data)

    def _run(self, program: str, *arguments: str | Path, statement: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, no shell
            process.command([binaries() / program, *arguments], self.directory),
            cwd=self.directory,
            env=process.clean_environment(self.directory),
            input=statement,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failure(f"PostgreSQL's {program} failed:\n{done.stderr.strip()}")

    def _processes(self) -> list[int]:
        """The processes of this cluster: each has the data directory as its working directory."""
        found = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            # A process may end meanwhile, or belong to another user and so not to this cluster.
            with suppress(OSError):
                if link.readlink() == self._data:
                    found.append(int(link.parent.name))
        return found

    def _postmaster(self) -> int | None:
        """The process that PostgreSQL's own file names, if that really is one of this cluster."""
        lines = self._pid_file()
        number = int(lines[0]) if lines else 0
        return number if number in self._processes() else None

    def _pid_file(self) -> list[str]:
        with suppress(FileNotFoundError):
            return (self._data / "postmaster.pid").read_text().splitlines()
        return []

    def _wait_until_ready(self, started: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._pid_file()[7:8] != ["ready   "]:
            if started.poll() is not None:
                raise Failure(f"PostgreSQL did not start:\n{process.tail(self.log_path)}")
            if time.monotonic() > deadline:
                raise Failure(f"PostgreSQL was not ready after {START_SECONDS} s: see {self.log_path}")
            time.sleep(0.02)

    def _wait_until_gone(self, seconds: float) -> None:
        """Wait for the processes of the cluster to end by themselves, and after so many seconds kill them."""
        deadline = time.monotonic() + seconds
        while left := self._processes():
            if time.monotonic() >= deadline:
                for number in left:
                    with suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
            time.sleep(0.02)
        if self._started:
            self._started.wait()
            self._started = None
