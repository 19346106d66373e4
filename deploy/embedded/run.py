"""`make run`: PostgreSQL, Asterisk, the agent and the web on this machine, below ./var, until Ctrl-C."""

import base64
import errno
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from deploy.embedded import process
from deploy.embedded.asterisk import Asterisk, unpacked_root
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import Failure

PROJECT = Path(__file__).resolve().parents[2]
VAR = PROJECT / "var"
LOGS = VAR / "log"
# Programs in Python need the interpreter, our packages and this project.
PYTHON_FOLDERS = (Path(sys.base_prefix), Path(sys.prefix), PROJECT, PROJECT / "webapp")
ASTERISK_ADMIN = Path(sys.executable).with_name("asterisk-admin")
DATABASE = "asterisk_admin"
READY_SECONDS = 90
STOP_SECONDS = 10
DEFAULTS = {
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "NODE": "pbx1",
    "SIP_BIND": "0.0.0.0",  # noqa: S104 - phones and gateways are elsewhere
    "SIP_PORT": "5060",
    "RTP_START": "10000",
    "RTP_END": "10999",
    "AMI_PORT": "5038",
}


@dataclass
class Server:
    """One of the programs that are kept running."""

    name: str
    log: Path
    is_running: Callable[[], bool]
    stop: Callable[[], None]


def main() -> int:
    """Run until Ctrl-C, SIGTERM or a failure, then end everything in the opposite order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running: list[Server] = []
    try:
        run(running)
    except KeyboardInterrupt:
        say("\nStopping")
        return 0
    except Failure as failure:
        say(str(failure))
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for server in reversed(running):
            server.stop()


def run(running: list[Server]) -> NoReturn:
    """Start all, say where it is, and watch; whatever is started is added to `running`."""
    settings = read_settings()
    url = os.environ.get("DATABASE_URL")
    check_ports(settings, private_database=url is None)
    check_host_name()
    keep_old_logs()
    if not url:
        url = start_postgres(int(settings["DB_PORT"]), running)
    environment = environment_for_programs(settings, url)
    prepare_database(environment)
    asterisk = start_asterisk(settings, url, running)
    start_agent(settings["NODE"], environment, running)
    start_web(settings, environment, running)
    wait_until_ready(settings, environment, asterisk, running)
    welcome(settings, asterisk_admin(environment, "demo", "--show"))
    watch(running)


def doctor() -> int:
    """`make doctor`: look at what `make run` has started here; with the same environment as that."""
    settings = read_settings()
    url = os.environ.get("DATABASE_URL") or Postgres(VAR / "postgres", int(settings["DB_PORT"])).url(DATABASE)
    environment = environment_for_programs(settings, url) | {"NODE": settings["NODE"]}
    command: list[str | Path] = [ASTERISK_ADMIN, "doctor", "--etc", VAR / "asterisk" / "etc", *sys.argv[2:]]
    return subprocess.run(  # noqa: S603 - our own program, no shell
        process.command(command, *PYTHON_FOLDERS), cwd=PROJECT, env=environment, check=False
    ).returncode


def say(line: str) -> None:
    print(line, flush=True)


def keep_old_logs() -> None:
    """The logs begin anew, and those of the last run stay beside them."""
    for log in LOGS.glob("*.log"):
        if not log.is_symlink():
            log.replace(f"{log}.1")


def read_settings() -> dict[str, str]:
    """The defaults, what was made for this machine once, and above both the environment."""
    settings = DEFAULTS | remembered(VAR / "secrets.env")
    return settings | {name: os.environ[name] for name in settings if os.environ.get(name)}


def remembered(path: Path) -> dict[str, str]:
    """Secrets, and PostgreSQL's port: made when first asked for, then always the same."""
    known: dict[str, str] = {}
    if path.exists():
        known = dict(line.split("=", 1) for line in path.read_text().splitlines())
    makers: dict[str, Callable[[], str]] = {
        "SECRET_KEY": lambda: secrets.token_hex(32),
        "ENCRYPTION_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AMI_SECRET": lambda: secrets.token_hex(16),
        "ASTERISK_DB_PASSWORD": lambda: secrets.token_hex(16),
        "DB_PORT": lambda: "54329" if port_error("127.0.0.1", 54329) is None else str(process.free_port()),
    }
    made = {name: make() for name, make in makers.items() if name not in known}
    if made:
        path.touch(0o600)
        with path.open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in made.items())
    return known | made


def check_ports(settings: Mapping[str, str], *, private_database: bool) -> None:
    """Find out now, and not from the log of a server, that a port is taken."""
    wanted = [
        ("PORT", "the web pages", settings["HOST"], socket.SOCK_STREAM),
        ("SIP_PORT", "SIP over UDP", settings["SIP_BIND"], socket.SOCK_DGRAM),
        ("SIP_PORT", "SIP over TCP", settings["SIP_BIND"], socket.SOCK_STREAM),
        ("AMI_PORT", "Asterisk's manager interface", "127.0.0.1", socket.SOCK_STREAM),
    ]
    if private_database:
        wanted.append(("DB_PORT", "PostgreSQL", "127.0.0.1", socket.SOCK_STREAM))
    for name, what, host, kind in wanted:
        port = int(settings[name])
        if error := port_error(host, port, kind):
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
            raise Failure(
                f"Port {port} of {host}, for {what}, {reason}. "
                f"Free it, or choose another port: {name}={port + 1000} make run"
            )


def port_error(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> OSError | None:
    """Why a port cannot be opened, if so."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # As servers do: connections that have just ended do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def check_host_name() -> None:
    """Asterisk looks up the machine's own name during calls, and each call waits where nothing answers."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror:
        say(f"Calls will be slow: the name of this machine, {name}, has no address. Add it to /etc/hosts.")


def start_postgres(port: int, running: list[Server]) -> str:
    """The private cluster, with our database in it; answers the address of the database."""
    say("Starting PostgreSQL")
    postgres = Postgres(VAR / "postgres", port, log_path=LOGS / "postgres.log")
    running.append(Server("PostgreSQL", postgres.log_path, lambda: postgres.is_running, postgres.stop))
    postgres.start()
    if not postgres.has_database(DATABASE):
        postgres.create_database(DATABASE)
    return postgres.url(DATABASE)


def environment_for_programs(settings: Mapping[str, str], url: str) -> dict[str, str]:
    """What asterisk-admin and the web read their settings from."""
    environment = dict(os.environ)
    environment.pop("ADMIN_PASSWORD", None)
    if process.service_user():
        environment["HOME"] = str(VAR)
    return environment | {
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": url,
        "SECRET_KEY": settings["SECRET_KEY"],
        "ENCRYPTION_KEY": settings["ENCRYPTION_KEY"],
        "AMI_HOST": "127.0.0.1",
        "AMI_PORT": settings["AMI_PORT"],
        "AMI_USERNAME": "agent",
        "AMI_SECRET": settings["AMI_SECRET"],
        "ASTERISK_SPOOL_PATH": str(VAR / "asterisk" / "spool" / "outgoing"),
        "ASTERISK_JOURNAL_PATH": str(VAR / "asterisk" / "log" / "cdr-custom" / "journal.csv"),
        "ASTERISK_DB_PASSWORD": settings["ASTERISK_DB_PASSWORD"],
    }


def prepare_database(environment: Mapping[str, str]) -> None:
    """Tables, roles, the first login and a demonstration, as far as they are not there yet."""
    say("Preparing the database")
    asterisk_admin(environment, "migrate")
    asterisk_admin(environment, "check-keys")
    asterisk_admin(environment, "asterisk-password")
    given = {name: os.environ[name] for name in ["ADMIN_PASSWORD"] if name in os.environ}
    # It prints the password that it makes. This is shown at once: should the start fail later, nobody could
    # find the password out.
    if made := asterisk_admin({**environment, **given}, "create-admin").strip():
        say(f"{made} (shown only now)")
    asterisk_admin(environment, "demo")


def asterisk_admin(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of asterisk-admin to its end; answers what it printed."""
    done = attempt(environment, *arguments)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise Failure(f"asterisk-admin {' '.join(arguments)} failed:\n{end}")
    return done.stdout


def attempt(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program, no shell
        process.command([ASTERISK_ADMIN, *arguments], *PYTHON_FOLDERS),
        cwd=PROJECT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def start_asterisk(settings: Mapping[str, str], url: str, running: list[Server]) -> Asterisk:
    say("Starting Asterisk")
    address = urlsplit(url)
    socket_folder = parse_qs(address.query).get("host", ["127.0.0.1"])[0]
    values = {
        **{name: settings[name] for name in DEFAULTS if name not in ("HOST", "PORT")},
        "AMI_SECRET": settings["AMI_SECRET"],
        "DB_HOST": address.hostname or socket_folder,
        "DB_PORT": str(address.port or 5432),
        "DB_NAME": address.path.removeprefix("/"),
        "DB_PASSWORD": settings["ASTERISK_DB_PASSWORD"],
    }
    asterisk = Asterisk(VAR / "asterisk", unpacked_root(VAR), values)
    link = LOGS / "asterisk.log"
    link.unlink(missing_ok=True)
    link.symlink_to(asterisk.log_path)
    running.append(Server("Asterisk", asterisk.log_path, lambda: asterisk.is_running, asterisk.stop))
    asterisk.start()
    return asterisk


def start_agent(node: str, environment: Mapping[str, str], running: list[Server]) -> None:
    say("Starting the agent")
    needed = {name: value for name, value in environment.items() if name not in ("SECRET_KEY", "ENCRYPTION_KEY")}
    start_program("agent", [ASTERISK_ADMIN, "agent", "--node", node], needed, running)


def start_web(settings: Mapping[str, str], environment: Mapping[str, str], running: list[Server]) -> None:
    say("Starting the web")
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--graceful-timeout", "5"]
    gunicorn += ["--worker-class", "gthread", "--workers", "2", "--threads", "8"]
    gunicorn += ["--bind", f"{settings['HOST']}:{settings['PORT']}", "webapp:create_app()"]
    # Where its processes count together how long requests take; what is there is of processes that are gone.
    folder = VAR / "run" / "web"
    shutil.rmtree(folder, ignore_errors=True)
    process.own(folder)
    start_program("web", gunicorn, {**environment, "PROMETHEUS_MULTIPROC_DIR": str(folder)}, running)


def start_program(
    name: str, arguments: Sequence[str | Path], environment: Mapping[str, str], running: list[Server]
) -> None:
    log = LOGS / f"{name}.log"
    started = process.start(arguments, *PYTHON_FOLDERS, log=log, environment=environment, directory=PROJECT)
    running.append(
        Server(
            f"The {name}",
            log,
            lambda: started.poll() is None,
            lambda: process.stop(started, signal.SIGTERM, STOP_SECONDS),
        )
    )


def wait_until_ready(
    settings: Mapping[str, str], environment: Mapping[str, str], asterisk: Asterisk, running: list[Server]
) -> None:
    asterisk.wait_booted(READY_SECONDS)
    host = settings["HOST"].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - compared, not opened
    wait_for("The web", lambda: answers(f"http://{host}:{settings['PORT']}/healthz"), running)
    status = ("agent-status", "--node", settings["NODE"])
    wait_for("The agent", lambda: attempt(environment, *status).returncode == 0, running)


def wait_for(name: str, ready: Callable[[], bool], running: list[Server]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        check_running(running)
        if time.monotonic() > deadline:
            raise Failure(f"{name} was not ready after {READY_SECONDS} s: see {LOGS}")
        time.sleep(0.2)


def answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def check_running(running: list[Server]) -> None:
    for server in running:
        if not server.is_running():
            raise Failure(
                f"{server.name} ended unexpectedly, so everything ends. From {server.log}:\n{process.tail(server.log)}"
            )


def welcome(settings: Mapping[str, str], phones: str) -> None:
    say(f"\nAsterisk Admin is ready: http://{settings['HOST']}:{settings['PORT']}/ (log in as admin)")
    say(f"SIP: UDP and TCP port {settings['SIP_PORT']}. Logs: {LOGS}")
    if phones.strip():
        say(f"\n{phones.strip()}")
    say("\nCtrl-C stops everything.")


def watch(running: list[Server]) -> NoReturn:
    while True:
        check_running(running)
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(doctor() if sys.argv[1:2] == ["doctor"] else main())
