"""The files of the production installation, as far as they can be tried in a moment. The rest: `make install-test`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient

from deploy.embedded.asterisk import DATABASE_PATIENCE
from deploy.embedded.postgres import binaries
from deploy.embedded.run import DEFAULTS
from tests.calls.exchange import postgresql_settings

PROJECT = Path(__file__).parents[2]
PRODUCTION = PROJECT / "deploy" / "production"
SCRIPTS = [
    PROJECT / "deploy" / "install",
    PROJECT / "deploy" / "restore",
    *sorted(PRODUCTION.glob("*.sh")),
    *(path for path in sorted(PRODUCTION.iterdir()) if path.is_file() and not path.suffix),
]
UNITS = PRODUCTION / "units"
# How fail2ban reads its <HOST>.
HOST = r"\[?(?P<host>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]+)\]?"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("script", [path for path in SCRIPTS if path.suffix != ".sh"], ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    subprocess.run(["shellcheck", "--external-sources", "--severity=error", script], cwd=PROJECT, check=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", ["asterisk-admin-web.service", "asterisk-admin-agent.service"])
def test_services_are_exposed_little(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=25", str(UNITS / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_service_runs_as_root() -> None:
    for path in UNITS.glob("*.service"):
        if path.name != "asterisk-admin-backup.service":  # It reads what belongs to several users.
            assert re.search(r"^User=asterisk(-admin)?$", path.read_text(), re.M), path.name


def test_asterisk_waits_for_the_database_as_it_does_elsewhere() -> None:
    unit = (UNITS / "asterisk.service").read_text().replace('"', "")
    for name, value in DATABASE_PATIENCE.items():
        assert f"Environment={name}={value}\n" in unit


def test_what_is_filled_into_asterisk_conf_is_asked_for() -> None:
    """A new @NAME@ in asterisk-conf needs a value here, too."""
    names = {name for path in (PROJECT / "asterisk-conf").glob("*.conf") for name in places(path)}
    given = (PRODUCTION / "asterisk.sh").read_text() + (PRODUCTION / "settings.sh").read_text()
    assert {name for name in names if not re.search(rf"\b{name}\b", given)} == set()
    assert DEFAULTS["NODE"] in given


def places(path: Path) -> list[str]:
    return re.findall(r"@([A-Z][A-Z0-9_]*)@", path.read_text())


@pytest.mark.parametrize("memory", [1024, 2000, 4096, 16_384, 262_144])
@pytest.mark.parametrize("cores", [1, 4, 64])
def test_postgresql_fits_the_machine(memory: int, cores: int) -> None:
    settings = postgresql_settings(memory, cores)
    megabytes = {name: int(value.removesuffix("MB")) for name, value in settings.items() if value.endswith("MB")}
    assert 128 <= megabytes["shared_buffers"] <= memory / 4 + 1
    assert megabytes["shared_buffers"] <= megabytes["effective_cache_size"] <= memory / 2
    # Every connection in a sort at once, and the caches, still leave room for the web and Asterisk.
    if memory >= 4096:
        most = megabytes["shared_buffers"] + int(settings["max_connections"]) * megabytes["work_mem"]
        assert most <= memory * 0.7
    assert int(settings["max_parallel_workers_per_gather"]) <= cores / 2


def test_postgresql_keeps_its_settings_when_memory_varies_a_little() -> None:
    assert postgresql_settings(15_995, 4) == postgresql_settings(15_890, 4)


def test_postgresql_knows_its_settings() -> None:
    done = subprocess.run([binaries() / "postgres", "--describe-config"], capture_output=True, text=True, check=True)
    known = {line.split("\t")[0].lower() for line in done.stdout.splitlines()}
    assert set(postgresql_settings(4096, 2)) <= known


def found_by(filter_name: str, log: str) -> list[str]:
    """The addresses that a filter of fail2ban takes from lines, without the dates that fail2ban takes off."""
    text = (PRODUCTION / "fail2ban" / filter_name).read_text()
    [expression] = re.findall(r"^failregex = (.*)$", text, re.M)
    matches = (re.search(expression.replace("<HOST>", HOST), line) for line in log.splitlines())
    return [str(ip_address(match["host"])) for match in matches if match]


def test_only_wrong_sip_passwords_count() -> None:
    """Lines of a real Asterisk 22: who was challenged, let in, unknown; and who forged an address in what he sent."""
    log = (Path(__file__).parent / "logs" / "asterisk-security.log").read_text()
    lines = [re.sub(r"^\[.*?\]", "", line) for line in log.splitlines()]
    assert sum("9.9.9.9" in line for line in lines) >= 2
    counted = [line for line in lines if found_by("sip.conf", line)]
    assert len(counted) == 3
    assert all('SecurityEvent="ChallengeResponseFailed"' in line for line in counted)
    assert {address for line in lines for address in found_by("sip.conf", line)} == {"127.0.0.1"}


@pytest.fixture
def log_lines(app: Flask, capsys: pytest.CaptureFixture[str]) -> Iterator[FlaskClient]:
    """A browser whose requests are logged as in production."""
    from webapp import logs

    before = structlog.get_config()
    logs.configure("INFO")
    yield app.test_client()
    structlog.configure(**before)


@pytest.mark.usefixtures("session")
def test_wrong_passwords_of_the_web_count(log_lines: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    forged = 'x", "address": "9.9.9.9", "event": "sign-in refused'
    for user in ("nobody", forged):
        log_lines.post("/login", data={"username": user, "password": "wrong"}, environ_base={"REMOTE_ADDR": "10.9.0.2"})
    log_lines.get("/login")
    log = capsys.readouterr().err
    assert [json.loads(line)["event"] for line in log.splitlines()].count("sign-in refused") == 2
    assert found_by("web.conf", log) == ["10.9.0.2", "10.9.0.2"]


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ("printf '   Column Name  Column Value\\n            id  1\\n'", True),
        ("echo 'No rows found matching search criteria.'", False),
        ("echo 'Unable to connect to remote asterisk'; exit 1", False),
        ("sleep 30", False),  # It waits for a database that hangs.
    ],
)
def test_nobody_is_counted_while_asterisk_cannot_read_the_database(tmp_path: Path, answer: str, counts: bool) -> None:
    asterisk = tmp_path / "asterisk"
    asterisk.write_text(f"#!/bin/sh\n{answer}\n")
    asterisk.chmod(0o755)
    script = (
        (PRODUCTION / "database-away").read_text().replace("PATH=/usr/local/sbin", f"PATH={tmp_path}:/usr/local/sbin")
    )
    environment = {"DATABASE_AWAY_SEEN": str(tmp_path / "seen")}
    done = subprocess.run(["bash", "-c", script.replace("patience=3", "patience=1")], env=environment, check=False)
    assert done.returncode == (1 if counts else 0)
    assert (tmp_path / "seen").exists() is not counts


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("openssl"), reason="nginx is not installed")
def test_nginx_takes_its_site(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    values = {
        "SERVER_NAME": "pbx.example", "HTTP_PORT": "8081", "HTTPS_PORT": "8443",
        "TLS_CERTIFICATE": str(certificate), "TLS_KEY": str(key),
    }  # fmt: skip
    site = re.sub("@([A-Z_]+)@", lambda match: values[match[1]], (PRODUCTION / "nginx.conf").read_text())
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/nginx.pid; error_log stderr; events {{}} http {{ {site} }}")
    done = subprocess.run(["nginx", "-t", "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
