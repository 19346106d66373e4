"""Many calls: SIPp on both sides, without a log of each message, which would take more than the calls."""

from __future__ import annotations

import csv
import itertools
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.calls.sip import Scenario, five_free_ports, is_bound, milliseconds

SCENARIOS = Path(__file__).parent / "scenarios"
HOLD = 2.0  # Seconds of each call.
ANYWHERE = "0.0.0.0"  # noqa: S104 - a thousand addresses of the loopback interface
WITH_US = ("setpriv", "--pdeathsig=KILL")  # Whatever ends us, no calls go on.
PATIENCE = 12  # Seconds after the last call should have ended.

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Outcome:
    """What became of many calls."""

    made: int
    failed: int
    seconds: float  # In which they were begun.
    setup: list[float]  # From the INVITE to the answer, in milliseconds.

    @property
    def rate(self) -> float:
        return self.made / self.seconds

    def quantile(self, share: float) -> float:
        ordered = sorted(self.setup)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")

    @property
    def median(self) -> float:
        return statistics.median(self.setup) if self.setup else float("inf")


class Calls:
    """Calls that are being made from an address to the numbers of a list, taken in turn."""

    def __init__(
        self, folder: Path, asterisk: tuple[str, int], address: str, numbers: Sequence[str], rate: float, count: int,
        hold: float = HOLD, media: str = "",
    ) -> None:  # fmt: skip
        self.count = count
        self.rate = rate
        self.hold = hold
        self._folder = folder / f"calls-{next(_numbers):03}"
        self._folder.mkdir()
        numbers_file = self._folder / "numbers.csv"
        numbers_file.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers))
        scenario = self._folder / "call.xml"
        port_of_media = "[rtpstream_audio_port]" if media else "[media_port]"
        text = Scenario((SCENARIOS / "call.xml").read_text()).substitute(
            hold=milliseconds(hold), media=media, port=port_of_media
        )
        scenario.write_text(text)
        ports = five_free_ports(address)
        host, port = asterisk
        command = [*WITH_US, "sipp", f"{host}:{port}", "-sf", str(scenario), "-inf", str(numbers_file)]
        command += ["-i", address, "-bind_local", "-p", str(ports), "-mp", str(ports + 2), "-nostdin"]
        command += ["-ci", address, "-cp", str(ports + 1), "-l", "8000"]
        # Calls a period, so that a rate need not be a whole number; SIPp makes them in small portions.
        command += ["-m", str(count), "-r", str(round(rate * 10)), "-rp", "10000"]
        command += ["-timeout", f"{round(count / rate + hold + PATIENCE)}s"]
        command += ["-trace_stat", "-stf", str(self._folder / "stat.csv"), "-fd", "1", "-trace_rtt", "-rtt_freq", "1"]
        command += ["-trace_err", "-error_file", str(self._folder / "errors")]
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def running(self) -> bool:
        return self._process.poll() is None

    def seen(self) -> tuple[int, int]:
        """Calls that were made so far, and those of them that failed."""
        with (self._folder / "stat.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = [row for row in rows if row.get("CallRate(C)")][-1]
        return int(last["TotalCallCreated"]), int(last["FailedCall(C)"])

    def wait(self) -> Outcome:
        """Until the last one has ended, or has not ended for too long: it failed, then."""
        limit = self.count / self.rate + self.hold + PATIENCE + 20
        try:
            self._process.wait(max(1, self.began + limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
        made, failed = self.seen()
        spent = time.monotonic() - self.began
        lines = [line.split(";") for file in self._folder.glob("*rtt*") for line in file.read_text().splitlines()[1:]]
        setup = [float(each[1]) for each in lines if len(each) > 2]
        answered_in_time = min(len(setup), made)
        return Outcome(made, max(failed, self.count - answered_in_time), max(spent - self.hold, 0.1), setup)

    def stop(self) -> None:
        if self.running():
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def errors(self) -> str:
        log = self._folder / "errors"
        return log.read_text(errors="replace")[-1500:] if log.exists() else ""


@contextmanager
def answering(folder: Path, port: int, scenario: str = "answer.xml") -> Iterator[None]:
    """All gateways and trunks: every address of the loopback interface, at this port."""
    ports = five_free_ports("127.0.0.1")
    command = [*WITH_US, "sipp", "-sf", str(SCENARIOS / scenario), "-i", ANYWHERE, "-p", str(port), "-nostdin"]
    command += ["-ci", "127.0.0.1", "-cp", str(ports + 1), "-mp", str(ports + 2), "-l", "8000", "-rtp_echo"]
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 10
        while not is_bound(ANYWHERE, port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("SIPp does not listen")
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()
