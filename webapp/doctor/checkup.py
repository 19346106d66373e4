"""All checks, each by itself: one that cannot be made stops no other."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from flask import has_app_context
from sqlalchemy.exc import DBAPIError

from webapp.agent.ami import AmiDown, AmiError
from webapp.asterisk.conf import SOURCE
from webapp.doctor import asterisk, conf, database, machine, nodes, people, rights, settings, upkeep, versions
from webapp.doctor.findings import Finding, NotLooked, unknown
from webapp.doctor.place import Place, first_line
from webapp.ext import db

Check = Callable[[Place], Iterator[Finding]]

CHECKS: dict[str, tuple[Check, ...]] = {
    "Settings": (
        settings.complete,
        settings.files,
        settings.secrets,
        settings.reverse_proxy,
        settings.same_database,
    ),
    "Versions": (
        versions.python,
        versions.packages,
        versions.postgresql,
        versions.asterisk,
        versions.migrations,
        versions.time_zones,
    ),
    "Database": (
        database.answers,
        database.functions,
        database.triggers_and_views,
        database.columns,
        database.partitions,
        database.clock,
        database.encoding,
        database.durability,
        database.connections_and_leftovers,
    ),
    "Rights in the database": (
        rights.role_asterisk,
        rights.grants,
        rights.time_limits,
        rights.owner,
        rights.login_of_asterisk,
    ),
    "Asterisk's files": (conf.files, conf.secrets, conf.agreement, conf.media_ports, conf.tls),
    "Asterisk": (
        asterisk.manager_interface,
        asterisk.name_of_node,
        asterisk.manager_account,
        asterisk.modules,
        asterisk.dialplan,
        asterisk.realtime,
        asterisk.storing_call_records,
        asterisk.caches,
        asterisk.task_processors,
        asterisk.open_files,
    ),
    "Machine": (
        machine.own_name,
        machine.database_name,
        machine.closed_ports,
        machine.sip_ports,
        machine.disks,
        machine.memory,
        machine.spool,
        machine.journal,
        upkeep.time_server,
    ),
    "Nodes and books": (nodes.nodes_in_service, nodes.own_node, nodes.clocks, nodes.last_proof, nodes.call_records),
    "Upkeep": (
        upkeep.units,
        upkeep.asterisk_process,
        upkeep.backup,
        upkeep.certificates,
        people.administrators,
        people.demonstration,
    ),
}


def look(place: Place) -> dict[str, list[Finding]]:
    """Subject -> what was found."""
    found = {subject: [each for check in checks for each in _alone(check, place)] for subject, checks in CHECKS.items()}
    return {subject: _shortened(findings) for subject, findings in found.items() if findings}


def _alone(check: Check, place: Place) -> list[Finding]:
    """What one check finds; where it cannot look on, that in a sentence."""
    found: list[Finding] = []
    try:
        found.extend(check(place))
    except Exception as error:  # Half of the system may be broken in ways that nobody foresaw. It is said, not kept.
        found.append(unknown(check.__name__.replace("_", " "), _reason(error)))
    if has_app_context():
        db.session.rollback()  # Whoever migrates meanwhile must not wait for us.
    return found


def _reason(error: Exception) -> str:
    """Why a check could not look, without a word that may be a secret."""
    if isinstance(error, NotLooked):
        return str(error)
    if isinstance(error, DBAPIError):
        return f"the database says: {first_line(error.orig)}"
    if isinstance(error, AmiError):
        if "Permission denied" in str(error):
            return f"Asterisk does not let the agent's account ask; {SOURCE}/manager.conf says what it may"
        return f"Asterisk says: {first_line(error)}"
    if isinstance(error, AmiDown):
        return f"Asterisk does not answer: {error}"
    if isinstance(error, PermissionError):
        return f"{error.filename} may not be read by you; run this as root"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"the doctor itself failed ({type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}): report it"


def _shortened(findings: Sequence[Finding]) -> list[Finding]:
    """What could not be looked at for one and the same reason is told in one line, the last."""
    found = [each for each in findings if each.state != "unknown"]
    unseen = [each for each in findings if each.state == "unknown"]
    for reason in dict.fromkeys(each.found for each in unseen):
        names = ", ".join(each.what for each in unseen if each.found == reason)
        to_do = next((each.to_do for each in unseen if each.found == reason and each.to_do), "")
        found.append(unknown("Not looked at", f"{names}: {reason}", to_do))
    return found


def exit_status(found: Iterable[Finding]) -> int:
    """0: nothing needs to be done at once; 1: a fault; 2: no fault, but something could not be looked at."""
    states = {each.state for each in found}
    return 1 if "fault" in states else 2 if "unknown" in states else 0
