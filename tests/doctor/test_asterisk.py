"""What the doctor makes of what Asterisk says; the answers are those of Asterisk 22.10.1, shortened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from webapp.agent.ami import AmiDown, AmiError
from webapp.asterisk.conf import SOURCE
from webapp.config import AgentSettings
from webapp.doctor import asterisk, upkeep, versions
from webapp.doctor.checkup import Check, _alone
from webapp.doctor.place import Place

MODULES = [*re.findall(r"^(?:pre)?load = (\S+)$", (SOURCE / "modules.conf").read_text(), re.MULTILINE), "cdr_pgsql.so"]
ANSWERS = {
    "core show version": "Asterisk 22.10.1+dfsg+~cs6.17.60671434-1 built by nobody @ buildd.debian.org",
    "core show settings": "  Maximum open file handles:   20000\n  System name:                 pbx1\n",
    "module show": "".join(
        f"{name:<30} Something or other        0          Running              core\n" for name in MODULES
    ),
    "rtp show settings": "  Port start:      18000\n  Port end:        18399\n",
    "cdr show pgsql status": "Connected to admin@127.0.0.1, port 5432 using table cdr for 45 seconds\n",
    "realtime load canary id 1": "          Column Name  Column Value\n                   id  1\n",
    "core show taskprocessors": (
        "Processor       Processed   In Queue  Max Depth  Low water High water Low time(us) High time(us)\n"
        "pjsip/distributor-00000021       7          3         12        450        500          0          0\n"
        "ast_msg_queue                    0          0          0        450        500          0          0\n"
    ),
    "manager show user agent": "        read perm: system,call\n       write perm: system,command,reporting\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    agent = AgentSettings(
        database_url="postgresql://x:y@h/d", node="pbx1", ami_secret=SecretStr("hush"), _env_file=None
    )
    return Place(etc=SOURCE, proc=tmp_path, node=True, agent_settings=agent, answers=dict(ANSWERS))


def wrong(check: Check, place: Place) -> list[tuple[str, str]]:
    return [(each.state, each.found) for each in _alone(check, place) if each.state != "ok"]


HEALTHY = (
    versions.asterisk,
    asterisk.manager_interface,
    asterisk.name_of_node,
    asterisk.manager_account,
    asterisk.modules,
    asterisk.realtime,
    asterisk.storing_call_records,
    asterisk.task_processors,
    asterisk.open_files,
)


@pytest.mark.parametrize("check", HEALTHY)
def test_a_healthy_one_has_no_fault(place: Place, check: Check) -> None:
    assert [each.state for each in _alone(check, place)] == ["ok"]


def test_a_certified_version_is_one(place: Place) -> None:
    place.answers["core show version"] = "Asterisk certified/20.18.2-cert1 built by x"

    assert [(each.state, each.found) for each in _alone(versions.asterisk, place)] == [("ok", "20.18.2")]


@pytest.mark.parametrize("check", HEALTHY)
def test_without_an_asterisk_nobody_asks(place: Place, check: Check) -> None:
    place.node = False

    assert _alone(check, place) == []


@pytest.mark.parametrize(
    ("check", "command", "old", "new", "expected"),
    [
        (versions.asterisk, "core show version", "22.10.1", "18.9.0", ("fault", "18.9.0, and this needs 20 or 22")),
        (
            versions.asterisk,
            "core show version",
            "22.10.1",
            "23.4.1",
            ("warning", "23.4.1, with which nobody has tried this"),
        ),
        (
            versions.asterisk,
            "core show version",
            "22.10.1",
            "20.6.0~dfsg",
            ("warning", "20.6.0, in which calls wait while addresses of trunks are read anew"),
        ),
        (
            asterisk.name_of_node,
            "core show settings",
            "pbx1",
            "",
            ("fault", "Asterisk calls itself nothing, the agent calls it pbx1"),
        ),
        (asterisk.manager_account, "manager show user agent", ",reporting", "", ("fault", "lacks write reporting")),
        (
            asterisk.manager_account,
            "manager show user agent",
            ",call",
            ",call,originate",
            ("warning", "may more than it needs: read originate"),
        ),
        (asterisk.modules, "module show", "app_dial.so", "app_talk.so", ("fault", "do not run: app_dial.so")),
        (
            asterisk.modules,
            "module show",
            "cdr_pgsql.so",
            "x",
            ("fault", "cdr_pgsql.so does not run: call records go to the journal only"),
        ),
        (
            asterisk.realtime,
            "realtime load canary id 1",
            "id  1",
            "",
            ("fault", "Asterisk cannot read the database, so new calls are refused"),
        ),
        (
            asterisk.storing_call_records,
            "cdr show pgsql status",
            "Connected to",
            "Not currently connected",
            ("fault", "Asterisk has no connection to store them; they go to the journal only"),
        ),
        (
            asterisk.storing_call_records,
            "cdr show pgsql status",
            "table cdr",
            "table x",
            ("fault", "stored in another table than cdr"),
        ),
        (
            asterisk.task_processors,
            "core show taskprocessors",
            "  3         12  ",
            "500        700  ",
            ("fault", "overloaded: pjsip/distributor-00000021; SIP messages are thrown away"),
        ),
        (
            asterisk.task_processors,
            "core show taskprocessors",
            "  3         12  ",
            "  3        700  ",
            ("warning", "pjsip/distributor-00000021 were overloaded since Asterisk was started"),
        ),
        (
            asterisk.open_files,
            "core show settings",
            "20000",
            "800",
            ("warning", "Asterisk may open 800, and 899 are needed when all media ports are in use"),
        ),
    ],
)
def test_what_is_wrong_is_found(
    place: Place, check: Check, command: str, old: str, new: str, expected: tuple[str, str]
) -> None:
    assert old in ANSWERS[command]
    place.answers[command] = ANSWERS[command].replace(old, new, 1)

    assert expected in wrong(check, place)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AmiError("Permission denied"), "Asterisk does not let the agent's account ask"),
        (AmiError("No such command"), "Asterisk says: No such command"),
        (AmiDown("no answer to Command"), "Asterisk does not answer: no answer to Command"),
    ],
)
def test_a_question_that_is_not_answered(place: Place, error: AmiError | AmiDown, words: str) -> None:
    place.answers["module show"] = error

    [(state, found)] = wrong(asterisk.modules, place)

    assert state == "unknown"
    assert found.startswith(words)


def test_an_asterisk_that_waits_for_ever_and_is_root(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_output", lambda *_: "42")
    monkeypatch.setattr(Path, "is_dir", lambda _: True)
    (tmp_path / "42").mkdir()
    (tmp_path / "42/environ").write_bytes(b"HOME=/x\0PGCONNECT_TIMEOUT=2\0")
    assert "fault" not in dict(wrong(upkeep.asterisk_process, place))

    (tmp_path / "42/environ").write_bytes(b"HOME=/x\0")

    assert dict(wrong(upkeep.asterisk_process, place))["fault"].startswith("it waits for minutes")
