"""Starts the servers of `make run` and of the tests: never as root, never outliving whoever started them."""

import os
import pwd
import secrets
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The user that Debian's postgresql package creates, or the one that every system has.
SERVICE_USERS = ("postgres", "nobody")
# Lets a program pass through and read what its user may not, but write nothing more.
PASS_THROUGH = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


class Failure(RuntimeError):
    """Something that the person at the keyboard has to know, in a sentence or two."""


def service_user() -> str | None:
    """Whom root's servers run as (PostgreSQL refuses root). None: we are not root, they run as we do."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(user for user in SERVICE_USERS if user in known)


def own(directory: Path) -> None:
    """Make a directory that the servers may write in; refuse one that belongs to somebody else."""
    directory.mkdir(parents=True, exist_ok=True)
    if user := service_user():
        entry = pwd.getpwnam(user)
        subprocess.run(["chown", "-R", f"{entry.pw_uid}:{entry.pw_gid}", directory], check=True)  # noqa: S603, S607 - fixed program
    elif directory.stat().st_uid != os.geteuid():
        raise Failure(f"{directory} belongs to {directory.owner()}: run as that user, or remove it first.")


def command(arguments: Sequence[str | Path], *needed: Path, death_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command line that starts a program without root's rights and ends it when its parent ends.

    `needed` are directories the program works in. Root's clone is usually below /root, which is closed
    to everybody else. Then the program keeps one right of root, to pass through and read what is closed;
    opening /root, or a data directory elsewhere, would change the machine beyond ./var.
    """
    setpriv = ["setpriv", f"--pdeathsig={death_signal.name.removeprefix('SIG')}"]
    if user := service_user():
        setpriv += _lowered(user, needed)
    return [*setpriv, *map(str, arguments)]


def _lowered(user: str, needed: Sequence[Path]) -> list[str]:
    become = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"]
    for options in (become, [*become, *PASS_THROUGH]):
        if all(_enters(options, directory) for directory in needed):
            return options
    closed = next(directory for directory in needed if not _enters(become, directory))
    raise Failure(
        f"User {user} may not enter {closed}, and this system does not let root lend it that right: "
        "move the project to a directory open to all, such as /srv."
    )


def _enters(options: Sequence[str], directory: Path) -> bool:
    attempt = ["setpriv", *options, "env", f"--chdir={directory}", "true"]
    return subprocess.run(attempt, check=False, stderr=subprocess.DEVNULL).returncode == 0  # noqa: S603 - fixed program


def start(
    arguments: Sequence[str | Path],
    *needed: Path,
    log: Path,
    environment: Mapping[str, str],
    directory: Path,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a server; its output is added to `log`.

    It has a session of its own, so that Ctrl-C reaches only us and we end our servers in order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - no shell; the programs are our own
            command(arguments, *needed, death_signal=death_signal),
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], number: signal.Signals, seconds: float) -> None:
    """Ask a server to end with a signal, and make it end after so many seconds."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, to be shown below a sentence about what went wrong."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of a server: none of the secrets and libpq settings of whoever started it."""
    return {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody uses now.

    Not one that the system gives to whoever connects to somewhere (32768 and above on Linux): a client might have it
    before our server does.
    """
    while True:
        port = 21_000 + secrets.randbelow(10_000)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
