"""The private Asterisk: it boots below any directory, survives crashes, and ends with whoever started it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.embedded.asterisk import Asterisk, unpacked_root
from deploy.embedded.process import Failure, free_port

PROJECT = Path(__file__).parents[2]
ROOT = unpacked_root(PROJECT / "var")


def values() -> dict[str, str]:
    """There is no database: this is about the program alone."""
    return {
        "NODE": "test1",
        "SIP_BIND": "127.0.0.1",
        "SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "RTP_START": "20000",
        "RTP_END": "20100",
        "AMI_PORT": str(free_port()),
        "AMI_SECRET": "not-secret",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "1",
        "DB_NAME": "none",
        "DB_PASSWORD": "none",
    }


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    server = Asterisk(tmp_path_factory.mktemp("asterisk"), ROOT, values())
    server.start()
    server.wait_booted()
    yield server
    server.stop()


def test_it_boots_with_our_configuration(asterisk: Asterisk) -> None:
    assert asterisk.is_running
    assert asterisk.values["SIP_PORT"] in asterisk.rx("pjsip show transports")
    assert "test1" in asterisk.rx("core show settings")


def test_it_has_english_prompts(asterisk: Asterisk) -> None:
    settings = asterisk.rx("core show settings").splitlines()
    data = next(line.split(":")[1].strip() for line in settings if "Data directory" in line)
    assert (Path(data) / "sounds" / "en" / "ss-noservice.gsm").is_file()


def test_it_does_not_run_as_root(asterisk: Asterisk) -> None:
    assert (asterisk.directory / "run" / "asterisk.pid").stat().st_uid != 0


def test_it_starts_again_after_a_crash(asterisk: Asterisk) -> None:
    asterisk.kill()
    assert not asterisk.is_running
    asterisk.start()
    asterisk.wait_booted()
    asterisk.restart()
    assert "Asterisk" in asterisk.rx("core show version")


def test_a_silent_asterisk_is_a_failure(tmp_path: Path) -> None:
    server = Asterisk(tmp_path, ROOT, values())
    server.directory.joinpath("etc").mkdir()
    with pytest.raises(Failure, match="refused 'core show version'"):
        server.rx("core show version")
    with pytest.raises(Failure, match="did not start"):
        server.wait_booted()


def test_a_missing_value_is_told_before_anything_starts(tmp_path: Path) -> None:
    server = Asterisk(tmp_path, ROOT, values() | {"NODE": ""})
    del server.values["NODE"]
    with pytest.raises(ValueError, match="NODE"):
        server.start()
    assert not server.is_running


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A Unix socket's path may not be longer than 107 bytes."""
    server = Asterisk(tmp_path / ("long" * 20), ROOT, values())
    server.start()
    try:
        server.wait_booted()
        assert "Asterisk" in server.rx("core show version")
    finally:
        server.stop()


def test_it_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    program = (
        "import json, os, pathlib, sys; from deploy.embedded.asterisk import Asterisk;"
        "directory, root, values = json.loads(sys.argv[1]);"
        "server = Asterisk(pathlib.Path(directory), pathlib.Path(root), values);"
        "server.start(); server.wait_booted(); print(server.pid, flush=True); os._exit(9)"
    )
    arguments = json.dumps([str(tmp_path), str(ROOT or "/"), values()])
    left = subprocess.run(
        [sys.executable, "-c", program, arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False
    )

    assert left.returncode == 9
    deadline = time.monotonic() + 10
    while command_line(int(left.stdout)):
        assert time.monotonic() < deadline, "Asterisk outlived the program that started it"
        time.sleep(0.05)


def command_line(pid: int) -> bytes:
    """What a process was started with; nothing if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
