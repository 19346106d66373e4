"""A Debian or Ubuntu of its own in a folder, with systemd running in it, for the proof of the installation."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What every server has; all else is to come with the installation.
PACKAGES = "apt,systemd,systemd-sysv,ca-certificates,iproute2,procps"
# Ubuntu's fail2ban is in universe, which every Ubuntu that was installed has. Debian does not know Ubuntu's keys, so
# that system comes without a look at its signature; what is installed in it later is looked at.
UBUNTU = (
    "--components=main,universe",
    '--aptopt=Acquire::AllowInsecureRepositories "true"',
    '--aptopt=APT::Get::AllowUnauthenticated "true"',
)


class Machine:
    """One system below `root`. Until it is booted, `run` runs commands in it without systemd and with our network."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **environment}
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def make(self, suite: str, archive: Path) -> None:
        """Unpack a fresh system; the archive of it is made once."""
        if not archive.exists():
            unfinished = archive.with_suffix(".unfinished.tar")
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            options = ["--variant=minbase", f"--include={PACKAGES}", "--aptopt=APT::Install-Recommends false"]
            options += UBUNTU if suite == "noble" else ()
            subprocess.run(["mmdebstrap", "--quiet", *options, suite, unfinished], check=True)
            unfinished.rename(archive)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        subprocess.run(["tar", "-xf", archive, "-C", self.root, "--exclude=./dev/*"], check=True)
        (self.root / "etc/apt/apt.conf.d/99mmdebstrap").unlink()
        # systemd would take that of our machine.
        (self.root / "etc/hostname").write_text("pbx\n")
        (self.root / "etc/hosts").write_text("127.0.0.1\tlocalhost\n")

    def boot(self, network: str = "--private-network") -> None:
        """Start systemd, with a network of its own in which there is nothing but itself."""
        with (self.root.parent / f"{self.root.name}.log").open("wb") as log:
            self._nspawn = subprocess.Popen(
                [*self._command(), network, "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for("systemd", self._find_leader)
        wait_for("the boot", lambda: self.attempt("systemctl is-system-running --wait").stdout.strip() != "", 120)

    @property
    def network(self) -> Path:
        """Where the network of the booted machine is, for another one to share."""
        return Path(f"/proc/{self._leader}/ns/net")

    def stop(self) -> None:
        if self._nspawn:
            self._nspawn.send_signal(signal.SIGTERM)
            try:
                self._nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
            self._nspawn = None

    def run(self, command: str, seconds: float = 900) -> str:
        """What a line of shell prints; it must succeed."""
        done = self.attempt(command, seconds)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(self, command: str, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start a program that goes on beside us."""
        return subprocess.Popen(self.command(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def curl(self, arguments: str) -> str:
        """What curl prints, from our own machine but in this one's network."""
        command = ["nsenter", f"--target={self._leader}", "--net", "curl", "--silent", "--insecure", "--max-time", "60"]
        return subprocess.run([*command, *shlex.split(arguments)], capture_output=True, text=True, check=False).stdout

    def command(self, command: str) -> list[str]:
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        shell = ["/usr/bin/env", "-i", *environment, "/bin/bash", "-c", command]
        if not self._nspawn:
            return [*self._command(), "--", *shell]
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wdns=/"]
        return ["nsenter", f"--target={self._leader}", *spaces, "--", *shell]

    def _command(self) -> list[str]:
        options = ["--register=no", "--keep-unit", "--quiet", "--timezone=off"]
        return ["systemd-nspawn", *options, f"--machine={self.root.name}", f"--directory={self.root}"]

    def _find_leader(self) -> bool:
        assert self._nspawn
        assert self._nspawn.poll() is None, "systemd-nspawn ended: see the log beside the folder"
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._leader = int(children[0]) if children else 0
        return self._leader != 0 and Path(f"/proc/{self._leader}/comm").read_text().strip() == "systemd"


def wait_for(what: str, is_so: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not so after {seconds} s"
        time.sleep(0.2)
