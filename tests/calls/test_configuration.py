"""The configuration files as a real Asterisk understands them."""

from __future__ import annotations

import re

import pytest

from deploy.embedded.asterisk import Asterisk
from tests.calls.exchange import until
from webapp.agent.outbox import CACHES
from webapp.asterisk.conf import SOURCE


def statements(name: str) -> str:
    """A file without its comments."""
    lines = (SOURCE / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(";"))


DIALPLAN = statements("extensions.conf")
# Applications are written like Dial, functions like CUT.
APPLICATIONS = sorted({name for name in re.findall(r"\b([A-Z]\w*)\(", DIALPLAN) if not name.isupper()})
FUNCTIONS = sorted({"AST_SORCERY", *re.findall(r"\b([A-Z][A-Z_]+)\(", DIALPLAN + statements("cdr_custom.conf"))})
MODULES = sorted(re.findall(r"^(?:pre)?load = (\S+)$", statements("modules.conf"), re.MULTILINE))


def test_it_boots_without_a_warning_or_an_error(asterisk: Asterisk) -> None:
    log = asterisk.log_path.read_text()
    boot = log.partition("modules will be loaded")[2].partition("Asterisk Ready")[0]

    assert boot, "the log does not begin with a boot"
    if "Asterisk Ready" not in log:  # Nothing is logged at its end. Calls may have been placed since.
        boot = boot.partition("cdr_custom.conf: Loaded")[0]
    assert [line for line in boot.splitlines() if re.search(r"WARNING|ERROR", line)] == []


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_each_transport_knows_its_address_outside(asterisk: Asterisk, transport: str) -> None:
    """From pjsip_nat.conf, which servers behind NAT have."""
    said = asterisk.rx(f"pjsip show transport transport-{transport}")
    for name, value in (("external_media_address", "192.0.2.1"), ("local_net", "127.0.0.0/255.0.0.0")):
        assert re.search(rf"{name}\s*: {value}", said), said


@pytest.mark.parametrize("name", APPLICATIONS)
def test_it_knows_an_application_of_the_dialplan(asterisk: Asterisk, name: str) -> None:
    assert f"Info about Application '{name}'" in asterisk.rx(f"core show application {name}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_knows_a_function_of_the_dialplan(asterisk: Asterisk, name: str) -> None:
    assert f"Info about Function '{name}'" in asterisk.rx(f"core show function {name}")


def test_the_names_were_found() -> None:
    assert {"Dial", "Gosub", "GotoIf", "Hangup", "Playback", "Return", "Set"} <= set(APPLICATIONS)
    assert {"CDR", "CUT", "FILTER", "HASH", "REALTIME_HASH", "REALTIME_STORE", "SHIFT"} <= set(FUNCTIONS)
    assert len(MODULES) > 50


def test_what_it_does_not_know_is_told_apart(asterisk: Asterisk) -> None:
    """Otherwise the tests above would prove nothing."""
    for kind in ("application", "function"):
        assert "registered" in asterisk.rx(f"core show {kind} NONSENSE")


@pytest.mark.usefixtures("agent")
def test_every_module_runs_and_no_other(asterisk: Asterisk) -> None:
    until(lambda: "cdr_pgsql.so" in asterisk.rx("module show like cdr_"), "the agent to load what stores calls", 60)
    shown = re.findall(r"^(\S+\.so) .*\d+ +(Running|Not Running) ", asterisk.rx("module show like .so"), re.MULTILINE)

    assert sorted(name for name, state in shown if state == "Running") == sorted([*MODULES, "cdr_pgsql.so"])
    assert [name for name, state in shown if state != "Running"] == []


def test_every_context_is_loaded(asterisk: Asterisk) -> None:
    contexts = set(re.findall(r"^\[([\w-]+)\]$", DIALPLAN, re.MULTILINE)) - {"general", "globals"}
    shown = re.findall(r"\[ Context '([\w-]+)' created by 'pbx_config' \]", asterisk.rx("dialplan show"))

    assert contexts <= set(shown)
    assert len(contexts) > 10


def test_the_families_of_extconfig_are_mapped(asterisk: Asterisk) -> None:
    families = set(re.findall(r"^(\w+) => pgsql", statements("extconfig.conf"), re.MULTILINE))
    shown = set(re.findall(r"===> (\w+) ", asterisk.rx("core show config mappings")))

    assert families <= shown
    assert len(families) == 9


def test_it_is_connected_to_the_database_as_the_role_asterisk(asterisk: Asterisk) -> None:
    assert "with username asterisk" in asterisk.rx("realtime show pgsql status")
    assert re.search(r"\bid\s+1\b", asterisk.rx("realtime load canary id 1"))


def test_call_records_go_to_the_database_and_to_the_journal(asterisk: Asterisk) -> None:
    status = asterisk.rx("cdr show status")

    assert "pgsql" in status
    assert "CDR File custom" in status
    assert re.search(r"Log unanswered calls:\s+Yes", status)
    assert re.search(r"Log congestion:\s+Yes", status)


@pytest.mark.parametrize("cache", [*CACHES, "identify"])
def test_a_cache_is_there_and_keeps_what_it_has(asterisk: Asterisk, cache: str) -> None:
    shown = asterisk.rx(f"sorcery memory cache show {cache}")

    assert "Object expiration is not enabled" in shown
    assert "Object staleness is not enabled" in shown
    assert "Expire all objects on reload: Off" in shown
    assert "Maximum allowed objects: 20011" in shown


def test_peers_are_looked_for_by_address_and_then_by_user(asterisk: Asterisk) -> None:
    settings = asterisk.rx("pjsip show settings")

    assert re.search(r"endpoint_identifier_order\s*:\s*ip,username\s", settings)
    assert re.search(r"disable_multi_domain\s*:\s*true", settings)
