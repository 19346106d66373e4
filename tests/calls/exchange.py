"""A running exchange for tests and measurements: a database, a real Asterisk that reads it, and the agent of both."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from deploy.embedded.asterisk import Asterisk, unpacked_root
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import free_port
from webapp.asterisk import conf
from webapp.config import Settings

AMI_SECRET = "agent-secret-for-tests"
DB_PASSWORD = "asterisk-password-for-tests"
SECRET_KEY = "a key for tests, long enough to be taken"
ENCRYPTION_KEY = Fernet.generate_key().decode()
VAR = Path(__file__).parents[2] / "var"

# What an operator whose server takes TLS writes into pjsip_tls.conf (docs/install.md).
TLS_CONF = """\
[transport-tls](nat)
protocol = tls
bind = 127.0.0.1:{port}
cert_file = {certificate}
priv_key_file = {certificate}
method = tlsv1_2
"""

# And one whose server is behind NAT into pjsip_nat.conf: here all are in the same network, so it says nothing else.
NAT_CONF = """\
external_media_address = 192.0.2.1
external_signaling_address = 192.0.2.1
local_net = 127.0.0.0/8
"""

MEDIA_PORTS = 400
# Where an Asterisk has its media: ports that are no other's of this run, nor likely another's on this machine.
_media = itertools.cycle(random.sample(range(10_000, 21_000, MEDIA_PORTS), k=27))


@contextmanager
def private_postgres(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Postgres]:
    """A PostgreSQL of our own, without fsync. (Not below pytest's folders, which its user may not enter.)"""
    with tempfile.TemporaryDirectory(prefix="aa-pg-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        postgres = Postgres(Path(directory) / "cluster", fast=True, settings=settings)
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop("immediate")


def production_postgres() -> AbstractContextManager[Postgres]:
    """The same for measurements, with the settings that an installation on this machine would have."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return private_postgres(postgresql_settings(memory, os.cpu_count() or 1))


def postgresql_settings(memory: int, cores: int) -> dict[str, str]:
    """Those of a server with so many MB of memory, as deploy/install sets them."""
    program = Path(__file__).parents[2] / "deploy/production/postgresql-settings"
    said = subprocess.run([program, str(memory), str(cores)], capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if line and not line.startswith("#")]
    return dict(line.split(" = ") for line in lines)


def settings(url: str) -> Settings:
    """Settings for the tests, which ask more often in a minute than any program should."""
    often = 1_000_000
    return Settings(
        database_url=url,
        secret_key=SecretStr(SECRET_KEY),
        encryption_key=SecretStr(ENCRYPTION_KEY),
        api_rate_limit=often,
        api_login_limit=often,
        _env_file=None,
    )


def prepare_database(cluster: Postgres, name: str) -> str:
    """Migrate a database and let Asterisk in; its URL. (A copied one lacks what belongs to the role in a database.)"""
    url = cluster.url(name)
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET_KEY,
        "ENCRYPTION_KEY": ENCRYPTION_KEY,
        "ASTERISK_DB_PASSWORD": DB_PASSWORD,
    }
    for command in ("migrate", "asterisk-password"):
        subprocess.run([sys.executable, "-m", "webapp.cli", command], env=environment, check=True)
    return url


@contextmanager
def running_asterisk(
    cluster: Postgres, database: str, node: str = "pbx1", ports: int = MEDIA_PORTS
) -> Iterator[Asterisk]:
    """A booted Asterisk that reads `database`, with so many ports for media: four for each call. It takes TLS, too, at
    the port TLS_PORT."""
    media = next(_media)
    values = {
        "NODE": node,
        "SIP_BIND": "127.0.0.1",
        "SIP_PORT": str(free_port()),
        "TLS_PORT": str(free_port()),
        "RTP_START": str(media),
        "RTP_END": str(media + ports - 2),
        "AMI_PORT": str(free_port()),
        "AMI_SECRET": AMI_SECRET,
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(cluster.port),
        "DB_NAME": database,
        "DB_PASSWORD": DB_PASSWORD,
    }
    with private_asterisk(values) as asterisk:
        etc = asterisk.directory / "etc"
        etc.mkdir(parents=True)
        certificate = make_certificate(etc / "certificate.pem")
        (etc / "pjsip_nat.conf").write_text(NAT_CONF)
        (etc / "pjsip_tls.conf").write_text(TLS_CONF.format(port=values["TLS_PORT"], certificate=certificate))
        asterisk.start()
        asterisk.wait_booted()
        yield asterisk


@contextmanager
def private_asterisk(values: dict[str, str], source: Path = conf.SOURCE) -> Iterator[Asterisk]:
    """An Asterisk of our own, yet to be started. (Not below pytest's folders, which its user may not enter.)"""
    with tempfile.TemporaryDirectory(prefix="aa-ast-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        asterisk = Asterisk(Path(directory) / "asterisk", unpacked_root(VAR), values, source)
        try:
            yield asterisk
        finally:
            asterisk.stop()


def make_certificate(path: Path) -> Path:
    """A key and its certificate, signed by itself, in one file."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


class AgentProcess:
    """The agent as it runs in production: a process of its own."""

    def __init__(self, url: str, asterisk: Asterisk, log: Path) -> None:
        self.node = asterisk.values["NODE"]
        self.environment = {
            **os.environ,
            "DATABASE_URL": url,
            "AMI_PORT": asterisk.values["AMI_PORT"],
            "AMI_SECRET": AMI_SECRET,
            "ASTERISK_JOURNAL_PATH": str(asterisk.journal_path),
            "ASTERISK_SPOOL_PATH": str(asterisk.spool_path / "outgoing"),
        }
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webapp.cli", "agent", "--node", self.node],
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (signal 9)."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None


def query(url: str, statement: str, **values: Any) -> list[Any]:
    """The rows of a statement, in a transaction of its own."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return list(connection.execute(text(statement), values))
    finally:
        engine.dispose()


def until(find: Callable[[], Any], what: str, timeout: float = 30) -> Any:
    """Wait until `find` finds something, and return it."""
    deadline = time.monotonic() + timeout
    while not (found := find()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.05)
    return found
