"""What runs by itself where the program is installed for good: units, backups, certificates, time."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from webapp.doctor.findings import Finding, NotLooked, fault, ok, warning
from webapp.doctor.place import Place

BACKUP_DAYS = 2.0
CERTIFICATE_DAYS = 14


def units(place: Place) -> Iterator[Finding]:
    """Each is started, and would be after a restart of the machine."""
    if not place.in_production or not Path("/run/systemd/system").is_dir():
        return
    names = (
        ["asterisk-admin-web.socket", "asterisk-admin-web.service", "asterisk-admin-backup.timer"] if place.web else []
    )
    names += ["asterisk.service", "asterisk-admin-agent.service"] if place.node else []
    for name in names:
        active, enabled = (_systemctl(question, name) for question in ("is-active", "is-enabled"))
        if active != "active":
            yield fault("Units", f"{name} is {active}", f"Run: systemctl start {name}, and see journalctl -u {name}")
        elif enabled not in ("enabled", "static", "generated"):
            yield warning("Units", f"{name} does not start with the machine", f"Run: systemctl enable {name}")
        else:
            yield ok("Units", f"{name} runs")


def _systemctl(question: str, name: str) -> str:
    return _output("systemctl", question, name) or "not there"


def _output(program: str, *arguments: str) -> str:
    """What a program says, whether or not it is content."""
    path = shutil.which(program)
    if not path:
        raise NotLooked(f"there is no {program}")
    done = subprocess.run(  # noqa: S603 - fixed programs and our own names
        [path, *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout.strip()


def asterisk_process(place: Place) -> Iterator[Finding]:
    """It does not wait for ever for a database that is not there, and has no rights to lose."""
    if not (place.in_production and place.node and Path("/run/systemd/system").is_dir()):
        return
    number = _output("systemctl", "show", "--property=MainPID", "--value", "asterisk.service")
    if number in ("", "0"):
        return  # That it does not run is said of the units.
    if b"PGCONNECT_TIMEOUT=" not in (place.proc / number / "environ").read_bytes():
        yield fault(
            "Asterisk's patience",
            "it waits for minutes for a database server that is gone, and all calls with it",
            "Add Environment=PGCONNECT_TIMEOUT=2 below [Service]: systemctl edit asterisk; then restart it.",
        )
    else:
        yield ok("Asterisk's patience", "it does not wait long for the database")
    if (place.proc / number).stat().st_uid == 0:
        yield warning(
            "Asterisk's user",
            "it runs as root: whoever takes it over has the machine",
            "Add User=asterisk below [Service]: systemctl edit asterisk; its files must belong to that user.",
        )


def backup(place: Place) -> Iterator[Finding]:
    """The newest is not old, and not empty."""
    if not (place.in_production and place.web):
        return
    to_do = "Run: systemctl start asterisk-admin-backup.service, and see journalctl -u asterisk-admin-backup"
    if not place.backups.is_dir():
        yield fault("Backup", f"there is no folder {place.backups}", to_do)
        return
    if not os.access(place.backups, os.R_OK | os.X_OK):
        raise NotLooked(f"{place.backups} may not be read by you; run this as root")
    files = list(place.backups.rglob("*.dump"))
    if not files:
        yield fault("Backup", f"there is none in {place.backups}", to_do)
        return
    newest = max(files, key=lambda path: path.stat().st_mtime)
    days = (time.time() - newest.stat().st_mtime) / 86400
    if not newest.stat().st_size:
        yield fault("Backup", f"the newest is empty: {newest}", to_do)
    elif days > BACKUP_DAYS:
        yield fault("Backup", f"the newest is {days:.0f} days old: {newest}", to_do)
    else:
        yield ok("Backup", f"{newest.relative_to(place.backups)}, {days * 24:.0f} hours old")


def certificates(place: Place) -> Iterator[Finding]:
    """Those that nginx shows to browsers."""
    paths = set()
    for site in place.nginx.glob("sites-enabled/*"):
        paths.update(re.findall(r"^\s*ssl_certificate\s+([^;\s]+)\s*;", site.read_text(), re.MULTILINE))
    for path in sorted(map(Path, paths)):
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except FileNotFoundError:
            yield fault(
                "Certificate", f"there is no {path}", "Have one made: certbot --nginx, or correct nginx's file."
            )
            continue
        except ValueError:
            yield fault("Certificate", f"{path} is none", "Have one made: certbot --nginx, or correct nginx's file.")
            continue
        days = (certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)).days
        to_do = "Renew it: certbot renew; then: systemctl reload nginx"
        if days < 0:
            yield fault("Certificate", f"{path} expired {-days} days ago", to_do)
        elif days < CERTIFICATE_DAYS:
            yield warning("Certificate", f"{path} expires in {days} days", to_do)
        else:
            by_itself = certificate.issuer == certificate.subject
            yield ok("Certificate", f"good for {days} days{', made here: browsers warn of it' if by_itself else ''}")


def time_server(place: Place) -> Iterator[Finding]:
    """Times of calls are this machine's."""
    if not place.in_production or not Path("/run/systemd/system").is_dir():
        return
    if _output("timedatectl", "show", "--property=NTPSynchronized", "--value") == "yes":
        yield ok("Time server", "this machine follows one")
    else:
        yield warning("Time server", "this machine follows none", "Run: apt-get install chrony")
