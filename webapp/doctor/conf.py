"""Asterisk's files as they are installed, held against those of this version. No value of theirs is shown."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from sqlalchemy import make_url

from webapp.asterisk import conf
from webapp.doctor.findings import Finding, NotLooked, counted, fault, listed, ok, warning
from webapp.doctor.machine import may
from webapp.doctor.place import Place

# Without these as they are, calls or call records go wrong; the others may well be somebody's choice.
BINDING = ("cdr_custom.conf", "cdr_pgsql.conf", "extconfig.conf", "extensions.conf", "sorcery.conf")
SECRETS = ("AMI_SECRET", "DB_PASSWORD")

_PLACE = re.compile(r"@([A-Z][A-Z0-9_]*)@")
_SECTION = re.compile(r"\[([^\]]+)\]")


@dataclass
class Installed:
    """What is in a folder of Asterisk's: the values that were filled in, and where a file is not this version's."""

    values: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    missing: list[str] = field(default_factory=list)  # Files.
    lost: dict[str, list[str]] = field(default_factory=dict)  # File -> what this version has and it has not, ...
    added: dict[str, list[str]] = field(default_factory=dict)  # ... and what it has of its own.


def statements(text: str) -> list[tuple[str, str]]:
    """Section and line, without comments and in one way of writing blanks."""
    section, found = "", []
    for line in (each.strip() for each in text.splitlines()):
        if not line or line.startswith(";"):
            continue
        if heading := _SECTION.match(line):
            section = heading[1]
        found.append((section, re.sub(r"\s*(=>?)\s*", r"\1", line, count=1)))
    return found


def installed(etc: Path) -> Installed:
    """NotLooked if a file may not be read."""
    if not etc.is_dir():
        raise NotLooked(f"there is no folder {etc}")
    found = Installed()
    for template in sorted(conf.SOURCE.glob("*.conf")):
        path = etc / template.name
        try:
            text = path.read_text(errors="replace")
        except FileNotFoundError:
            found.missing.append(template.name)
            continue
        except PermissionError:
            raise NotLooked(f"{path} may not be read by you; run this as root") from None
        _compare(found, template, text)
    return found


def _compare(found: Installed, template: Path, text: str) -> None:
    wanted = statements(template.read_text())
    patterns = {line: _pattern(line) for line in wanted if _PLACE.search(line[1])}
    there = []
    for section, line in statements(text):
        for (of, fixed), pattern in patterns.items():
            if of == section and (match := pattern.fullmatch(line)):
                for name, value in match.groupdict().items():
                    found.values[name].add(value)
                there.append((section, fixed))
                break
        else:
            there.append((section, line))
    lost, added = [], []
    for tag, a, b, c, d in SequenceMatcher(None, wanted, there, autojunk=False).get_opcodes():
        if tag != "equal":
            lost += wanted[a:b]
            added += there[c:d]
    if lost:
        found.lost[template.name] = list(map(_named, lost))
    if added:
        found.added[template.name] = list(map(_named, added))


def _pattern(line: tuple[str, str]) -> re.Pattern[str]:
    return re.compile(_PLACE.sub(r"(?P<\1>\\S*)", re.escape(line[1])))


def _named(line: tuple[str, str]) -> str:
    """Which option of which section it is, never its value. Of a line of the dialplan it is the context alone."""
    section, text = line
    name = re.split(r"=>?", text)[0]
    if text.startswith(("load=", "preload=", "noload=")):
        return text
    return f"[{section}]" if name in ("exten", "same", "include", "switch") or "[" in name else f"[{section}] {name}"


def tables(etc: Path) -> list[str]:
    """Those that extconfig.conf names."""
    try:
        text = (etc / "extconfig.conf").read_text()
    except OSError as error:
        raise NotLooked(f"{etc}/extconfig.conf: {error.strerror}") from None
    return re.findall(r"^[^;\n]*=>\s*pgsql\s*,[^,\n]*,\s*(\w+\.\w+)", text, re.MULTILINE)


# ---- checks


def files(place: Place) -> Iterator[Finding]:
    """Each file is this version's, but for what differs from host to host."""
    if not place.node:
        return
    to_do = f"Write them, with the settings of this host in the environment: asterisk-admin asterisk-conf {place.etc}"
    if not place.etc.is_dir():
        yield fault("Files", f"there is no folder {place.etc}", to_do)
        return
    found = installed(place.etc)
    if found.missing:
        yield fault("Files", f"missing in {place.etc}: {listed(found.missing)}", to_do)
    other = sorted({*found.lost, *found.added})
    for name in other:
        lost, added = (list(dict.fromkeys(part.get(name, []))) for part in (found.lost, found.added))
        words = [f"differs from this version's in {listed(lost)}"] if lost else []
        words += [f"has of its own {listed(added)}"] if added and set(added) != set(lost) else []
        say = fault if name in BINDING and lost else warning
        yield say(
            name,
            "; ".join(words),
            f"Compare them, and take over what is new: diff {conf.SOURCE / name} {place.etc / name}",
        )
    if not found.missing and not other:
        count = len(list(conf.SOURCE.glob("*.conf")))
        yield ok("Files", f"{count} in {place.etc}, all of this version")


def secrets(place: Place) -> Iterator[Finding]:
    """Those that hold secrets are readable to Asterisk and to nobody else."""
    if not place.node:
        return
    with_secrets = [
        place.etc / template.name
        for template in sorted(conf.SOURCE.glob("*.conf"))
        if set(_PLACE.findall(template.read_text())) & set(SECRETS) and (place.etc / template.name).exists()
    ]
    open_to_all = [path for path in with_secrets if path.stat().st_mode & 0o007]
    for path in open_to_all:
        yield fault(path.name, "holds a secret, and everybody on this machine may read it", f"Run: chmod o= {path}")
    unread = [path for path in with_secrets if not may(path, place.agent_user, 4)]
    for path in unread:
        yield fault(
            path.name,
            f"{place.agent_user}, who runs Asterisk, may not read it",
            f"Run: chown {place.agent_user} {path}",
        )
    if with_secrets and not open_to_all and not unread:
        yield ok("Secrets", f"{counted(len(with_secrets), 'file', 'files')} with secrets, closed to others")


def agreement(place: Place) -> Iterator[Finding]:
    """What the agent is told and what Asterisk is told is the same."""
    if not place.node:
        return
    agent, values = place.agent, installed(place.etc).values
    database = make_url(agent.database_url)
    wanted = {
        "NODE": ("NODE", agent.node),
        "AMI_PORT": ("AMI_PORT", str(agent.ami_port)),
        "AMI_SECRET": ("AMI_SECRET", agent.ami_secret.get_secret_value()),
        "DB_NAME": ("the name in DATABASE_URL", database.database or ""),
        "DB_PORT": ("the port in DATABASE_URL", str(database.port or 5432)),
        "SPOOL_DIR": ("ASTERISK_SPOOL_PATH", str(agent.asterisk_spool_path.parent)),
        "LOG_DIR": ("ASTERISK_JOURNAL_PATH", str(agent.asterisk_journal_path.parents[1])),
    }
    others = [words for name, (words, value) in wanted.items() if values.get(name, {value}) != {value}]
    mixed = [name for name, each in values.items() if len(each) > 1]
    if others or mixed:
        yield fault(
            "Agreement",
            f"the agent's settings and {place.etc} say different things of {listed(others or mixed, 7)}",
            f"Set the same in {place.settings_folder}/agent.env and in {place.etc}, and restart both.",
        )
    else:
        yield ok("Agreement", "the agent's settings and Asterisk's files say the same")


def media_ports(place: Place) -> Iterator[Finding]:
    """A call needs four ports for its media: two for each of its two legs."""
    if not place.node:
        return
    values = installed(place.etc).values
    try:
        first, last = (int(next(iter(values[name]))) for name in ("RTP_START", "RTP_END"))
    except (KeyError, StopIteration, ValueError):
        raise NotLooked("rtp.conf does not say which ports") from None
    calls = (last - first + 1) // 4
    range_ = f"{first} to {last}: {calls} calls at once"
    try:
        low = int((place.proc / "sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = 65536
    if last >= low:
        yield warning(
            "Media ports",
            f"{range_}; from {low} on, other programs take ports for themselves",
            f"Choose a range below {low} in rtp.conf and run: asterisk -rx 'core restart when convenient'",
        )
        return
    [(wanted,)] = place.ask("SELECT coalesce(sum(max_channels), 0)::integer FROM gateways WHERE enabled")
    if wanted > calls:
        yield warning(
            "Media ports",
            f"{range_}, and the gateways take {wanted}",
            "Widen the range in rtp.conf and in the firewall, and run: asterisk -rx 'core restart when convenient'",
        )
    else:
        yield ok("Media ports", range_)


_OVER_TLS = """
    SELECT 'gateway ' || name FROM gateways WHERE enabled AND transport = 'tls'
    UNION ALL
    SELECT 'customer ' || code FROM customers WHERE enabled AND type = 'trunk' AND trunk_transport = 'tls'
    ORDER BY 1
"""


def tls(place: Place) -> Iterator[Finding]:
    """Asterisk takes TLS where somebody gave it a certificate. Whoever is told to use it is not reached without one."""
    if not place.node:
        return
    path = place.etc / "pjsip_tls.conf"
    try:
        has_transport = ("transport-tls", "protocol=tls") in statements(path.read_text(errors="replace"))
    except FileNotFoundError:
        has_transport = False
    except PermissionError:
        raise NotLooked(f"{path} may not be read by you; run this as root") from None
    wanted = [name for (name,) in place.ask(_OVER_TLS)]
    if wanted and not has_transport:
        yield fault(
            "TLS",
            f"{listed(wanted)} cannot be reached: {path} gives Asterisk no transport-tls",
            "Write it as docs/encryption.md says and run: asterisk -rx 'core restart when convenient'",
        )
    elif has_transport:
        yield ok("TLS", counted(len(wanted), "gateway or trunk uses it", "gateways and trunks use it"))
