"""This machine: names, ports, disks, folders."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy import make_url

from webapp.doctor import conf
from webapp.doctor.findings import Finding, fault, listed, ok, warning
from webapp.doctor.place import Place

SLOW_SECONDS = 1.0
JOURNAL_BYTES = 1 << 30
GIGABYTE = 1 << 30
LITTLE = 0.10  # Of a disk.
HARDLY_ANY = 0.03
STALE_SECONDS = 300.0  # Call files are taken at once.

# /proc/net: what a socket that waits for somebody has as its state.
_WAITING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


def may(path: Path, user: str, wanted: int) -> bool:
    """Whether a user may read (4), write (2) or enter (1) a file or folder, as its mode says."""
    entry = pwd.getpwnam(user)
    if entry.pw_uid == 0:
        return True
    stat = path.stat()
    if stat.st_uid == entry.pw_uid:
        bits = stat.st_mode >> 6
    elif stat.st_gid in os.getgrouplist(user, entry.pw_gid):
        bits = stat.st_mode >> 3
    else:
        bits = stat.st_mode
    return bits & wanted == wanted


# ---- names


def own_name(_: Place) -> Iterator[Finding]:
    """Asterisk looks this machine's name up during calls, and each call waits where nothing answers."""
    name = socket.gethostname()
    to_do = f"Run: echo '127.0.1.1 {name}' >> /etc/hosts"
    began = time.monotonic()
    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror:
        yield fault("Name of this machine", f"{name} has no address: every call waits for it", to_do)
        return
    took = time.monotonic() - began
    if took > SLOW_SECONDS:
        yield fault("Name of this machine", f"it takes {took:.1f} s to look {name} up, and calls wait", to_do)
    else:
        yield ok("Name of this machine", f"{name} has an address")


def database_name(place: Place) -> Iterator[Finding]:
    if place.settings is None:
        return
    host = make_url(place.settings.database_url).host
    if not host or _is_address(host):
        return
    began = time.monotonic()
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror:
        yield fault(
            "Name of the database", f"{host} has no address", f"Add it to /etc/hosts, or correct DATABASE_URL: {host}"
        )
        return
    took = time.monotonic() - began
    if took > SLOW_SECONDS:
        yield warning(
            "Name of the database",
            f"it takes {took:.1f} s to look {host} up",
            f"Add {host} with its address to /etc/hosts.",
        )
    else:
        yield ok("Name of the database", f"{host} has an address")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host.startswith("/")
    return True


# ---- ports


@dataclass(frozen=True)
class Socket:
    """Something that waits for others to connect or to send."""

    protocol: str  # tcp or udp
    address: str
    port: int
    dropped: int  # Messages thrown away, of UDP.

    @property
    def is_public(self) -> bool:
        return not ip_address(self.address).is_loopback


def sockets(proc: Path) -> list[Socket]:
    """Those of this machine, as the kernel lists them."""
    found = []
    for name, state in _WAITING.items():
        with contextlib.suppress(FileNotFoundError):  # A kernel without IPv6.
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                parts = line.split()
                if parts[3] == state:
                    address, _, port = parts[1].partition(":")
                    dropped = int(parts[12]) if name.startswith("udp") and len(parts) > 12 else 0
                    found.append(Socket(name[:3], _address(address), int(port, 16), dropped))
    return found


def _address(digits: str) -> str:
    """The kernel writes each 32 bits in the order of this machine's bytes."""
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    packed = b"".join(words)
    address = ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def closed_ports(place: Place) -> Iterator[Finding]:
    """What is for this machine alone listens on 127.0.0.1 alone."""
    there = [each for each in sockets(place.proc) if each.protocol == "tcp"]
    if place.agent_settings:
        name, port = "manager interface", place.agent_settings.ami_port
        if public := _public(there, port):
            yield fault(
                "Closed ports",
                f"the {name} listens on {public}, port {port}",
                f"Set bindaddr = 127.0.0.1 in {place.etc}/manager.conf and run: asterisk -rx 'manager reload'",
            )
        elif port in {each.port for each in there}:
            yield ok("Closed ports", f"the {name}: 127.0.0.1:{port} only")
    url = make_url(place.settings.database_url) if place.settings else None
    if url and url.host in (None, "localhost", "127.0.0.1", "::1"):
        port = url.port or 5432
        if not (public := _public(there, port)):
            yield ok("Closed ports", f"PostgreSQL: 127.0.0.1:{port} only")
        elif place.ask("SELECT count(*) > 1 FROM nodes")[0][0]:
            yield ok(
                "Closed ports", f"PostgreSQL listens on {public} for the other servers; a firewall should see to it"
            )
        else:
            yield warning(
                "Closed ports",
                f"PostgreSQL listens on {public}, port {port}, and no other server uses it",
                "Set listen_addresses = 'localhost' in postgresql.conf and run: systemctl restart postgresql",
            )


def _public(there: list[Socket], port: int) -> str:
    """The addresses at which others reach a port."""
    return listed(sorted({each.address for each in there if each.port == port and each.is_public}))


def sip_ports(place: Place) -> Iterator[Finding]:
    """Asterisk waits for SIP, and reads what comes soon enough."""
    if not place.node:
        return
    there = sockets(place.proc)
    for port in sorted(conf.installed(place.etc).values.get("SIP_PORT", ())):
        mine = [each for each in there if str(each.port) == port]
        silent = [protocol for protocol in ("udp", "tcp") if protocol not in {each.protocol for each in mine}]
        if silent:
            yield fault(
                "SIP ports",
                f"nobody listens on {' and '.join(silent)} port {port}",
                "Look whether Asterisk runs, and who has that port: ss -lnp | grep :" + port,
            )
            continue
        dropped = sum(each.dropped for each in mine)
        if dropped:
            yield warning(
                "SIP ports",
                f"{dropped} messages were thrown away that Asterisk did not read in time",
                "Run: sysctl -w net.core.rmem_default=8388608 net.core.rmem_max=8388608, and restart Asterisk",
            )
        else:
            addresses = sorted({each.address for each in mine})
            yield ok("SIP ports", f"UDP and TCP port {port} on {listed(addresses)}")


# ---- disks


def disks(place: Place) -> Iterator[Finding]:
    """Room for call records, logs and the database."""
    candidates = [Path("/var/lib/postgresql"), Path("/var/log"), Path("/var/spool"), Path("var")]
    if place.agent_settings:
        candidates += [place.agent_settings.asterisk_journal_path.parent, place.agent_settings.asterisk_spool_path]
    if place.in_production:
        candidates.append(place.backups)
    seen = set()
    for folder in candidates:
        try:
            device = folder.stat().st_dev
        except OSError:
            continue
        if device in seen:
            continue
        seen.add(device)
        yield _disk(folder.resolve())


def _disk(folder: Path) -> Finding:
    usage, system = shutil.disk_usage(folder), os.statvfs(folder)
    share = usage.free / usage.total if usage.total else 1.0
    inodes = system.f_favail / system.f_files if system.f_files else 1.0
    found = f"{folder}: {usage.free / GIGABYTE:.1f} GB free, {share:.0%}"
    to_do = f"Find out what is large, and delete or move it: du -xh {folder} | sort -h | tail"
    if inodes < HARDLY_ANY:
        return fault("Disk", f"{folder}: hardly any file can be made ({inodes:.0%} of the inodes are left)", to_do)
    if share < HARDLY_ANY or usage.free < GIGABYTE // 2:
        return fault("Disk", found, to_do)
    if share < LITTLE and usage.free < 20 * GIGABYTE:
        return warning("Disk", found, to_do)
    return ok("Disk", found)


def memory(place: Place) -> Iterator[Finding]:
    lines = dict(line.split(":", 1) for line in (place.proc / "meminfo").read_text().splitlines() if ":" in line)
    total, available = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    if available < total * 0.05:
        yield warning(
            "Memory",
            f"{available // 1024} MB of {total // 1024} are left",
            "See who takes it, before the kernel ends Asterisk: ps -eo rss,args --sort=-rss | head",
        )
    else:
        yield ok("Memory", f"{available // 1024} MB of {total // 1024} are left")


# ---- folders of the agent


def spool(place: Place) -> Iterator[Finding]:
    """The agent writes call files into `tmp` and moves them beside it, which must be one step."""
    if not place.node:
        return
    outgoing = place.agent.asterisk_spool_path
    folders = [outgoing, outgoing.parent / "tmp"]
    user = place.agent_user
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        yield fault(
            "Call files", f"there is no folder {missing[0]}", f"Run: install -d -o {user} -g {group} {missing[0]}"
        )
        return
    if folders[0].stat().st_dev != folders[1].stat().st_dev:
        yield fault(
            "Call files",
            f"{folders[0]} and {folders[1]} are on different file systems",
            "Put both on the same one: conferences would call half-written files.",
        )
    closed = [folder for folder in folders if not may(folder, user, 3)]
    if closed:
        yield fault("Call files", f"{user} may not write in {closed[0]}", f"Run: chown {user}:{group} {closed[0]}")
    waiting = [path for path in outgoing.glob("*") if path.is_file() and _age(path) > STALE_SECONDS]
    if waiting:
        yield warning(
            "Call files",
            f"{len(waiting)} have not been taken by Asterisk",
            f"Look at them and delete them: ls -l {outgoing}; see also whether pbx_spool.so runs.",
        )
    if not closed and not waiting:
        yield ok("Call files", f"{user} may write in {outgoing} and tmp beside it")


def journal(place: Place) -> Iterator[Finding]:
    """Call records that the database missed are taken from there."""
    if not place.node:
        return
    path, user = place.agent.asterisk_journal_path, place.agent_user
    if not path.parent.is_dir():
        yield fault(
            "Journal",
            f"there is no folder {path.parent}: Asterisk writes none",
            f"Run: install -d -o {user} {path.parent}",
        )
    elif not path.exists():
        yield ok("Journal", f"{path}: no call has ended yet")
    elif not may(path, user, 4) or not may(path.parent, user, 5):
        yield fault(
            "Journal",
            f"{user} may not read {path}: calls that the database missed stay lost",
            f"Run: chown {user} {path}",
        )
    elif path.stat().st_size > JOURNAL_BYTES:
        yield warning(
            "Journal",
            f"{path} has {path.stat().st_size / GIGABYTE:.1f} GB",
            "Rotate it every day (logrotate), and leave the newest uncompressed for a day.",
        )
    else:
        yield ok("Journal", f"{path}, {path.stat().st_size / (1 << 20):.1f} MB")


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # It has just been taken.
