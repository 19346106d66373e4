"""What the running Asterisk says of itself, over AMI."""

from __future__ import annotations

import re
from collections.abc import Iterator

from webapp.asterisk import conf
from webapp.doctor.findings import Finding, counted, fault, listed, ok, warning
from webapp.doctor.place import Place

_MODULE = re.compile(r"^(\S+\.so) .*\d+ +(Running|Not Running) ", re.MULTILINE)
_QUEUE = re.compile(r"^(\S+)\s+\d+\s+(\d+)\s+(\d+)\s+\d+\s+(\d+)\s+\d+\s+\d+\s*$", re.MULTILINE)
# A step as the console shows it, with its line in the file; and as it is written there.
_STEP = re.compile(r"\d+\. (.*?) +\[extensions\.conf:(\d+)\]\s*$", re.MULTILINE)
_WRITTEN_STEP = re.compile(r"\s*(?:exten\s*=>[^,]*,|same\s*=>\s*)\s*(?:n|\d+)(?:\([\w-]+\))?\s*,(.*)")
LOADED_BY_AGENT = "cdr_pgsql.so"
# Open files beside those of media: connections, logs, sounds.
OTHER_FILES = 500


def manager_interface(place: Place) -> Iterator[Finding]:
    if not place.node:
        return
    agent = place.agent
    if reason := place.troubles.get("Asterisk"):
        if "refuses" in reason:
            to_do = f"Set AMI_SECRET to the secret in {place.etc}/manager.conf."
        else:
            to_do = "Look whether Asterisk runs (systemctl status asterisk) and at AMI_PORT."
        yield fault("Manager interface", f"not reached at {agent.ami_host}:{agent.ami_port}: {reason}", to_do)
        return
    yield ok("Manager interface", "reached")


def manager_account(place: Place) -> Iterator[Finding]:
    """The agent's account has the classes it needs, and no others."""
    if not place.node:
        return
    shown = place.said(f"manager show user {place.agent.ami_username}")
    template = (conf.SOURCE / "manager.conf").read_text()
    lacking, more = [], []
    for kind in ("read", "write"):
        found = re.search(rf"{kind} perm: *(\S*)", shown)
        there = set((found[1] if found else "").split(",")) - {"", "<none>"}
        written = re.search(rf"^{kind} = (\S+)$", template, re.MULTILINE)
        wanted = set(written[1].split(",")) if written else set()
        lacking += [f"{kind} {each}" for each in sorted(wanted - there)]
        more += [f"{kind} {each}" for each in sorted(there - wanted)]
    reload = "asterisk -rx 'module reload manager'"
    if lacking:
        yield fault(
            "Its account", f"lacks {listed(lacking, 9)}", f"Add it in {place.etc}/manager.conf and run: {reload}"
        )
    if more:
        yield warning(
            "Its account",
            f"may more than it needs: {listed(more, 9)}",
            f"Take it out of {place.etc}/manager.conf and run: {reload}",
        )
    if not lacking and not more:
        yield ok("Its account", "has the rights it needs and no others")


def name_of_node(place: Place) -> Iterator[Finding]:
    """It calls itself what the agent calls it: by that name the database knows it."""
    if not place.node:
        return
    found = re.search(r"System name: +(\S*)", place.said("core show settings"))
    name = found[1] if found else ""
    if name != place.agent.node:
        yield fault(
            "Node",
            f"Asterisk calls itself {name or 'nothing'}, the agent calls it {place.agent.node}",
            f"Set NODE of the agent and systemname in {place.etc}/asterisk.conf to the same, and restart both.",
        )
    else:
        yield ok("Node", name)


def modules(place: Place) -> Iterator[Finding]:
    if not place.node:
        return
    running = {name for name, state in _MODULE.findall(place.said("module show")) if state == "Running"}
    text = (conf.SOURCE / "modules.conf").read_text()
    wanted = {*re.findall(r"^(?:pre)?load = (\S+)$", text, re.MULTILINE), LOADED_BY_AGENT}
    missing, more = sorted(wanted - running), sorted(running - wanted)
    if missing == [LOADED_BY_AGENT]:
        yield fault(
            "Modules",
            f"{LOADED_BY_AGENT} does not run: call records go to the journal only",
            "Start the agent, which loads it as soon as the database can be read: systemctl start asterisk-admin-agent",
        )
    elif missing:
        yield fault(
            "Modules",
            f"do not run: {listed(missing)}",
            f"Install what lacks (apt-get install asterisk-modules), and run: asterisk -rx 'module load {missing[0]}'",
        )
    if more:
        yield warning(
            "Modules",
            f"run though nothing needs them: {listed(more, 5)}",
            f"Take them out of {place.etc}/modules.conf, and run: asterisk -rx 'module unload {more[0]}'",
        )
    if not missing and not more:
        yield ok("Modules", f"{len(wanted)} run, and no others")


def dialplan(place: Place) -> Iterator[Finding]:
    """The steps that run are those of the file: after an upgrade somebody may have forgotten to have it read."""
    if not place.node:
        return
    shown = _STEP.findall(place.said("dialplan show"))
    running = [step for _, step in sorted((int(line), step) for step, line in shown)]
    written = []
    for line in (place.etc / "extensions.conf").read_text().splitlines():
        if found := _WRITTEN_STEP.match(line):
            written.append(found[1].rstrip())
    if running != written:
        yield fault(
            "Dialplan",
            f"Asterisk runs another one than that of {place.etc}/extensions.conf",
            "Have it read, which disturbs no call: asterisk -rx 'dialplan reload'",
        )
    else:
        yield ok("Dialplan", f"that of the file, {len(running)} steps")


def realtime(place: Place) -> Iterator[Finding]:
    """The row that is always there: without it every new call is refused."""
    if not place.node:
        return
    lines = [line.split() for line in place.said("realtime load canary id 1").splitlines()]
    if ["id", "1"] not in lines:
        yield fault(
            "Realtime",
            "Asterisk cannot read the database, so new calls are refused",
            f"Look at {place.etc}/res_pgsql.conf and /var/log/asterisk/messages.",
        )
    else:
        yield ok("Realtime", "Asterisk reads the database")


def storing_call_records(place: Place) -> Iterator[Finding]:
    """Call records go into the database."""
    if not place.node:
        return
    status = place.said("cdr show pgsql status")
    if "Connected to" not in status or "Not currently connected" in status:
        yield fault(
            "Call records",
            "Asterisk has no connection to store them; they go to the journal only",
            "Restart the agent, which has the module loaded anew: systemctl restart asterisk-admin-agent",
        )
    elif "using table cdr" not in status:
        yield fault(
            "Call records", "stored in another table than cdr", f"Set table = cdr in {place.etc}/cdr_pgsql.conf."
        )
    else:
        yield ok("Call records", "stored in the database")


def caches(place: Place) -> Iterator[Finding]:
    """They are there, warm, and larger than what is to go into them."""
    if not place.node:
        return
    rows = place.ask(
        "SELECT (SELECT count(*) FROM asterisk.ps_endpoints), (SELECT count(*) FROM asterisk.ps_aors), "
        "(SELECT count(*) FROM asterisk.ps_auths), (SELECT count(*) FROM asterisk.ps_endpoint_id_ips)"
    )
    missing, small, cold, held = [], [], [], 0
    for name, count in zip(("endpoint", "aor", "auth", "identify"), rows[0], strict=True):
        shown = place.said(f"sorcery memory cache show {name}")
        inside = re.search(r"objects within cache: (\d+)", shown)
        most = re.search(r"Maximum allowed objects: (\d+)", shown)
        if not inside:
            missing.append(name)
            continue
        held += int(inside[1])
        if most and int(most[1]) and count >= int(most[1]) * 0.9:
            small.append(name)
        elif int(inside[1]) < count * 0.9:
            cold.append(name)
    if missing:
        yield fault(
            "Caches",
            f"not there: {listed(missing)}; every call asks the database many times",
            f"Compare {place.etc}/sorcery.conf with {conf.SOURCE}/sorcery.conf and run: "
            "asterisk -rx 'core restart when convenient'",
        )
    if small:
        yield fault(
            "Caches",
            f"too small for what there is: {listed(small)}",
            f"Double maximum_objects in {place.etc}/sorcery.conf and run: asterisk -rx 'core restart when convenient'",
        )
    if cold:
        yield warning(
            "Caches",
            f"not filled: {listed(cold)}; the first calls take longer",
            "Restart the agent, which fills them: systemctl restart asterisk-admin-agent",
        )
    if not (missing or small or cold):
        yield ok("Caches", f"warm, with {counted(held, 'object', 'objects')}")


def task_processors(place: Place) -> Iterator[Finding]:
    """Where work piles up, Asterisk drops SIP messages without a word."""
    if not place.node:
        return
    found = [(name, *map(int, rest)) for name, *rest in _QUEUE.findall(place.said("core show taskprocessors"))]
    now = [name for name, waiting, _, high in found if waiting >= high]
    before = [name for name, _, most, high in found if most >= high]
    if now:
        yield fault(
            "Task processors",
            f"overloaded: {listed(now)}; SIP messages are thrown away",
            "See whether the database answers soon (above) and whether calls come faster than this machine takes them.",
        )
    elif before:
        yield warning(
            "Task processors",
            f"{listed(before)} were overloaded since Asterisk was started",
            "Look in /var/log/asterisk/messages when that was, and what the database did then.",
        )
    else:
        yield ok("Task processors", f"{len(found)}, none overloaded")


def open_files(place: Place) -> Iterator[Finding]:
    """Each port for media is an open file."""
    if not place.node:
        return
    files = re.search(r"Maximum open file handles: +(\d+)", place.said("core show settings"))
    ports = [re.search(rf"Port {end}: +(\d+)", place.said("rtp show settings")) for end in ("start", "end")]
    if not files or not all(ports):
        return  # No limit is set, or it is said in other words.
    first, last = (int(port[1]) for port in ports if port)
    needed = last - first + OTHER_FILES
    if int(files[1]) < needed:
        yield warning(
            "Open files",
            f"Asterisk may open {files[1]}, and {needed} are needed when all media ports are in use",
            "Set LimitNOFILE=65536 with: systemctl edit asterisk, and restart it when no calls are up.",
        )
    else:
        yield ok("Open files", f"{files[1]} allowed, up to {needed} needed")
