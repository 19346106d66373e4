"""A private Asterisk below a directory, for `make run` and for the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deploy.embedded import process
from deploy.embedded.process import Failure
from webapp.asterisk import conf

STOP_SECONDS = 10
ROOT_NAME = "asterisk-root"  # below ./var, unpacked by the bootstrap where the system has no fit Asterisk
# What Linux takes as the path of a Unix socket.
SOCKET_PATH_BYTES = 107
# libpq's only limits on waiting: res_config_pgsql holds one lock for the whole SIP stack while it waits.
DATABASE_PATIENCE = {
    "PGCONNECT_TIMEOUT": "2",
    "PGOPTIONS": "-c statement_timeout=2000 -c lock_timeout=1000 -c timezone=UTC",
}
# Asterisk makes none of these itself, and drops call files and journals where they are missing.
WORKING_FOLDERS = ("etc", "lib", "db", "run", "log/cdr-csv", "log/cdr-custom", "spool/outgoing", "spool/tmp")


def unpacked_root(var: Path) -> Path | None:
    """The Asterisk that the bootstrap unpacked below ./var. None: the system's own is used."""
    root = var / ROOT_NAME
    return root if root.is_dir() else None


class Asterisk:
    """One Asterisk: its files in `directory`, its configuration from `source` with `values` filled in.

    `root` is a folder with Debian's packages unpacked, run through its own dynamic loader and libraries, so
    that it needs neither chroot nor root. None: the Asterisk installed on this system.
    """

    def __init__(
        self, directory: Path, root: Path | None, values: Mapping[str, str], source: Path = conf.SOURCE
    ) -> None:
        self.directory = directory.resolve()
        self.source = source
        self.root = (root or Path("/")).resolve()
        self.values = dict(values)
        self.source = source
        # What Asterisk prints before it has read logger.conf goes to the same file as its messages.
        self.log_path = self.directory / "log" / "messages"
        self.spool_path = self.directory / "spool"
        self.journal_path = self.directory / "log" / "cdr-custom" / "journal.csv"
        self._short_run: Path | None = None
        self._started: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._started is not None and self._started.poll() is None

    @property
    def pid(self) -> int | None:
        return self._started.pid if self._started else None

    def start(self) -> None:
        """Write the configuration and start; `wait_booted` tells when calls are taken."""
        if self.is_running:
            return
        for name in WORKING_FOLDERS:
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.log_path.touch()
        conf.fill(self.values | self._directories(), self.directory / "etc", self.source)
        process.own(self.directory)
        self._started = process.start(
            [*self._program(), "-fn"],
            self.directory,
            self.root,
            log=self.log_path,
            environment=self._environment(),
            directory=self.directory,
        )

    def wait_booted(self, timeout: float = 60) -> None:
        """Wait until every module is loaded; the time is in seconds."""
        deadline = time.monotonic() + timeout
        while True:
            if not self.is_running:
                raise Failure(f"Asterisk did not start:\n{process.tail(self.log_path)}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure(f"Asterisk was not ready after {timeout:.0f} s:\n{process.tail(self.log_path)}")
            # Until the control socket is there, the command fails at once.
            with suppress(Failure):
                self.rx("core waitfullybooted", left)
                return
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and the calls in progress with it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (signal 9)."""
        self._end(signal.SIGKILL)

    def restart(self, timeout: float = 60) -> None:
        """Stop, start with the configuration as it is now, and wait until booted."""
        self.stop()
        self.start()
        self.wait_booted(timeout)

    def rx(self, command: str, timeout: float = 30) -> str:
        """What Asterisk's command line answers to a command; the time is in seconds."""
        try:
            done = subprocess.run(  # noqa: S603 - Asterisk's own program, no shell
                process.command([*self._program(), "-rx", command], self.directory, self.root),
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failure(f"Asterisk did not answer to {command!r} within {timeout:.0f} s.") from None
        if done.returncode:
            raise Failure(f"Asterisk refused {command!r}: {(done.stdout + done.stderr).strip()}")
        return done.stdout

    def _end(self, number: signal.Signals) -> None:
        if self._started:
            process.stop(self._started, number, STOP_SECONDS)
            self._started = None
        if self._short_run:
            shutil.rmtree(self._short_run)
            self._short_run = None

    def _program(self) -> list[str | Path]:
        """The program and its configuration; an unpacked one is started through its own loader."""
        asterisk = self.root / "usr/sbin/asterisk"
        own = ["-C", str(self.directory / "etc" / "asterisk.conf")]
        if self.root == Path("/"):
            return [asterisk, *own]
        libraries = self._libraries()
        loader = next(libraries.glob("ld-linux-*.so.*"))
        return [loader, "--library-path", libraries, asterisk, *own]

    def _libraries(self) -> Path:
        """The folder of this machine's architecture, such as usr/lib/x86_64-linux-gnu."""
        modules = next(self.root.glob("usr/lib/*/asterisk/modules"), None)
        if not modules:
            raise Failure(f"There is no Asterisk in {self.root}: run `make run`, which installs one.")
        return modules.parents[1]

    def _directories(self) -> dict[str, str]:
        return {
            "ETC_DIR": str(self.directory / "etc"),
            "MODULE_DIR": str(self._libraries() / "asterisk" / "modules"),
            "VARLIB_DIR": str(self.directory / "lib"),
            "DATA_DIR": str(self.root / "usr/share/asterisk"),
            "SPOOL_DIR": str(self.spool_path),
            "RUN_DIR": str(self._run_directory()),
            "LOG_DIR": str(self.directory / "log"),
            "DB_DIR": str(self.directory / "db"),
        }

    def _run_directory(self) -> Path:
        """Where the control socket is: a short path elsewhere if ours is too long for a socket."""
        usual = self.directory / "run"
        if len(os.fsencode(usual / "asterisk.ctl")) <= SOCKET_PATH_BYTES:
            return usual
        self._short_run = Path(tempfile.mkdtemp(prefix="asterisk-"))
        process.own(self._short_run)
        return self._short_run

    def _environment(self) -> dict[str, str]:
        return process.clean_environment(self.directory) | DATABASE_PATIENCE
