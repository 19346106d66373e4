"""The architecture, enforced."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from deploy.embedded import run
from deploy.embedded.asterisk import Asterisk
from webapp.asterisk.projection import dialplan, sip
from webapp.permissions import PERMISSIONS

PROJECT = Path(__file__).parents[1]
WEBAPP = PROJECT / "webapp"
PROJECTION = WEBAPP / "asterisk" / "projection"
CONF = PROJECT / "asterisk-conf"

ENGINE = ("asterisk", "agent", "doctor")
# The two pages that show Asterisk's rows, and hold them against what they should be, do so by this module only.
READS_ROWS = dict.fromkeys(("realtime", "proof"), "webapp.asterisk.read.")
AREAS = sorted(path.parent for path in WEBAPP.glob("*/__init__.py") if path.parent.name not in ENGINE)

# What a projection may import of the standard library: nothing that looks at a clock, a file or chance.
PURE = {
    "__future__",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "ipaddress",
    "itertools",
    "re",
    "typing",
    "uuid",
}


def imports(path: Path) -> set[str]:
    """The modules a file imports, `from a import b` counting as both a and a.b, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


# ---- the program


def test_only_the_store_commits() -> None:
    committing = [path for path in python_files(WEBAPP) if re.search(r"\.commit\(", path.read_text())]

    assert committing == [WEBAPP / "store.py"]


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_an_area_knows_nothing_of_asterisks_tables_or_the_agent(area: Path) -> None:
    engine = tuple(f"webapp.{name}" for name in ENGINE)

    for path in python_files(area):
        known = {name for name in imports(path) if name.startswith(engine)}
        assert {name for name in known if not f"{name}.".startswith(READS_ROWS.get(area.name, "-"))} == set(), path


def test_there_are_areas() -> None:
    assert {"accounts", "customers", "dids", "extensions", "gateways", "providers", "routes"} <= {a.name for a in AREAS}


@pytest.mark.parametrize("path", python_files(PROJECTION), ids=lambda path: path.name)
def test_a_projection_is_pure(path: Path) -> None:
    """It reads models and writes rows, and knows nothing else."""
    for name in imports(path):
        allowed = (
            name.split(".")[0] in PURE
            or name.startswith(("webapp.asterisk.rows", "webapp.asterisk.projection"))
            or re.fullmatch(r"webapp\.[a-z]+\.models(\.\w+)?", name)
        )
        assert allowed, f"{path.name} imports {name}"
    assert PURE - {"__future__"} <= sys.stdlib_module_names


def test_the_agent_needs_no_flask_of_its_own() -> None:
    """Pages and what they need have no place beside an Asterisk; models are all it shares with them."""
    for path in python_files(WEBAPP / "agent"):
        for name in imports(path):
            assert not name.startswith(("flask", "webapp.store", "webapp.pages", "webapp.forms")), f"{path}: {name}"


# Who calls them is not known yet, or does not matter.
PUBLIC = {
    "accounts.sign_in",
    "accounts.code",
    "accounts.language",
    "api.api_sign_in",
    "api.openapi",
    "docs.at_the_api",
    "monitoring.healthz",
    "monitoring.metrics",  # It asks for a token of its own.
    "monitoring.readyz",
}


def test_every_page_says_who_may_see_it(app: Flask) -> None:
    views = {endpoint: view for endpoint, view in app.view_functions.items() if endpoint != "static"}
    permissions = {endpoint: getattr(view, "permission", None) for endpoint, view in views.items()}

    assert len(permissions) > 10
    assert {e: p for e, p in permissions.items() if p != "public" and p not in PERMISSIONS} == {}
    assert {endpoint for endpoint, permission in permissions.items() if permission == "public"} == PUBLIC


# What is asked with a body, and changes nothing.
ASKED = {"api.simulate"}


def test_what_changes_something_takes_a_permission_to_write(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        changes = (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        permission = getattr(app.view_functions[rule.endpoint], "permission", "")
        own = permission == "session" and rule.endpoint.startswith(
            ("accounts.", "profile.")
        )  # Everybody's own affairs.
        if changes and rule.endpoint not in PUBLIC | ASKED and not own:
            assert permission.endswith((".write", ".reveal")), rule


# ---- the dialplan


class Dialplan:
    """extensions.conf: context -> its extensions, switches and includes."""

    def __init__(self, source: str) -> None:
        self.extensions: dict[str, dict[str, list[str]]] = {}  # context -> pattern -> applications
        self.labels: dict[str, dict[str, set[str]]] = {}
        self.switches: list[str] = []
        self.includes: list[str] = []
        context = pattern = ""
        for line in source.splitlines():
            line = line.strip()
            if line.startswith("[") and line not in ("[general]", "[globals]"):
                context = line.strip("[]")
                self.extensions[context], self.labels[context] = {}, {}
            elif match := re.fullmatch(r"(?:exten => (\S+?),[12]|same => n)(?:\(([\w-]+)\))?,(.*)", line):
                pattern = match[1] or pattern
                self.extensions[context].setdefault(pattern, []).append(match[3])
                self.labels[context].setdefault(pattern, set()).add(match[2] or "")
            elif line.startswith("switch =>"):
                self.switches.append(line.removeprefix("switch =>").strip())
            elif line.startswith("include =>"):
                self.includes.append(line.removeprefix("include =>").strip())
            else:
                assert not line.startswith(("exten", "same")), f"not understood: {line}"

    def jumps(self) -> Iterator[tuple[str, str, list[str]]]:
        """Context, pattern and target of every Goto, GotoIf and Gosub; a target has one part to three."""
        for context, extensions in self.extensions.items():
            for pattern, applications in extensions.items():
                for application in applications:
                    for target in _targets(application):
                        yield context, pattern, _split(target, ",")


def _targets(application: str) -> list[str]:
    name, _, rest = application.partition("(")
    arguments = rest[:-1]
    match name:
        case "Goto":
            return [arguments]
        case "Gosub":
            return [arguments.rpartition("(")[0] if arguments.endswith(")") else arguments]
        case "GotoIf":
            _, targets = _split(arguments, "?")
            return [target for target in _split(targets, ":") if target]
    return []


def _split(text: str, at: str) -> list[str]:
    """Split where no bracket and no quotation mark is open."""
    parts, depth, quoted = [""], 0, False
    for sign in text:
        quoted ^= sign == '"'
        depth += (sign in "([{") - (sign in ")]}")
        if sign == at and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


@pytest.fixture(scope="module")
def plan() -> Dialplan:
    return Dialplan((CONF / "extensions.conf").read_text())


def test_every_jump_in_the_dialplan_leads_somewhere(plan: Dialplan) -> None:
    verdicts = _verdicts()
    assert verdicts == {"internal", "did", "route", "refused"}
    jumps = list(plan.jumps())
    assert len(jumps) > 20

    for context, pattern, target in jumps:
        if len(target) == 1:
            assert target[0] in plan.labels[context][pattern], (context, target)
        else:
            contexts = [target[0].replace("${HASH(answer,verdict)}", verdict) for verdict in verdicts]
            assert len(target) == 3, (context, target)
            assert set(contexts) <= set(plan.extensions), (context, target)
            if target[1] == "s":
                assert all(any(_answers(p, "s") for p in plan.extensions[name]) for name in contexts), (context, target)


def _verdicts() -> set[str]:
    """All that route_call() may answer: what is written in its rows, and what refused() gives."""
    source = (PROJECT / "schema/sql/functions/route_call.sql").read_text()
    return set(re.findall(r"RETURN ROW\('(\w+)'", source)) | set(re.findall(r"SELECT '(\w+)', reason", source))


def _answers(pattern: str, extension: str) -> bool:
    """Whether a pattern as simple as ours takes an extension of one letter."""
    if not pattern.startswith("_"):
        return pattern == extension
    return bool(re.fullmatch(pattern[1:].replace("!", ".*").replace("X", "[0-9]"), extension))


def test_everything_included_is_there(plan: Dialplan) -> None:
    assert plan.includes
    assert set(plan.includes) <= set(plan.extensions)


def test_the_realtime_switches_look_where_the_projection_writes(plan: Dialplan) -> None:
    found = {re.fullmatch(r"Realtime/([\w-]+)@extensions/p", switch)[1] for switch in plan.switches}  # type: ignore[index]  # else the test fails

    assert found == {dialplan.NUMBERS, dialplan.PHONES}


def test_the_subroutines_of_the_projection_are_in_the_dialplan(plan: Dialplan) -> None:
    """Each with as many arguments as its comment names."""
    called = {name: count for path in python_files(PROJECTION) for name, count in _gosubs(path)}
    assert set(called) == {"to-phone", "to-trunk", "refuse-suspended"}

    source = (CONF / "extensions.conf").read_text()
    for name, count in called.items():
        assert "s" in plan.extensions[name]
        signature = re.search(rf"^; {name}\((.*?)\)", source, re.MULTILINE)
        assert signature, name
        assert count <= len(signature[1].split(",")), name


def _gosubs(path: Path) -> Iterator[tuple[str, int]]:
    """Subroutine and number of arguments of each call of gosub()."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "gosub":
            subroutine = node.args[2]
            assert isinstance(subroutine, ast.Constant), f"{path}: a subroutine that is no plain text"
            yield str(subroutine.value), len(node.args) - 3


def test_the_contexts_of_the_endpoints_are_in_the_dialplan(plan: Dialplan) -> None:
    named = {
        str(keyword.value.value)
        for path in python_files(PROJECTION)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Endpoint"
        for keyword in node.keywords
        if keyword.arg == "context" and isinstance(keyword.value, ast.Constant)
    }

    assert named == {"from-trunk", "from-internal"}
    assert named <= set(plan.extensions)


def test_each_variable_that_the_dialplan_takes_from_an_endpoint_is_set_there() -> None:
    plan = (CONF / "extensions.conf").read_text()
    projected = "".join(path.read_text() for path in python_files(PROJECTION))
    set_by_endpoints = set(re.findall(r"\"([A-Z_]+)=\{", projected))

    assert set_by_endpoints == {"GATEWAY_ID", "PROVIDER_ID", "INBOUND_STRIP", "INBOUND_PREPEND", "CUSTOMER_ID"}
    assert {name for name in set_by_endpoints if f"${{{name}" not in plan and f":${{{name}" not in plan} == set()


# ---- the configuration files


def placeholders() -> dict[str, set[str]]:
    """File -> the values that it is filled with."""
    return {path.name: set(re.findall(r"@(\w+)@", path.read_text())) for path in CONF.glob("*.conf")}


def test_the_values_of_the_configuration_files_are_those_that_make_run_supplies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplied: dict[str, str] = {}

    class Recorder(Asterisk):
        def start(self) -> None:
            supplied.update(self.values | self._directories())

    (tmp_path / "asterisk-root/usr/lib/x/asterisk/modules").mkdir(parents=True)
    monkeypatch.setattr(run, "Asterisk", Recorder)
    monkeypatch.setattr(run, "VAR", tmp_path)
    monkeypatch.setattr(run, "LOGS", tmp_path)
    secrets = {"AMI_SECRET": "x", "ASTERISK_DB_PASSWORD": "x"}
    running: list[Any] = []
    run.start_asterisk(run.DEFAULTS | secrets, "postgresql://user@127.0.0.1:5432/db", running)

    assert set().union(*placeholders().values()) == set(supplied)


def test_a_placeholder_is_spelled_so_that_it_is_found() -> None:
    """An at-sign that is left over would be taken literally."""
    assert all(name.isupper() for names in placeholders().values() for name in names)
    for path in CONF.glob("*.conf"):
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith(";")]
        left = re.sub(r"@[A-Z][A-Z0-9_]*@", "", "\n".join(lines))
        if path.name != "extensions.conf":  # Realtime/context@family, and PJSIP/number@endpoint.
            assert "@" not in left, path.name


def test_every_cache_of_single_objects_is_one_that_the_agent_knows() -> None:
    from webapp.agent.outbox import CACHES

    named = set(re.findall(r"memory_cache,name=(\w+)", (CONF / "sorcery.conf").read_text()))

    assert named == {*CACHES, "identify"}


def test_asterisk_asks_for_secrets_in_the_realm_of_the_digests() -> None:
    assert re.findall(r"^default_realm = (.*)$", (CONF / "pjsip.conf").read_text(), re.MULTILINE) == [sip.REALM]


def test_the_manager_lets_the_agent_in_from_this_machine_only() -> None:
    settings = (CONF / "manager.conf").read_text()

    assert "bindaddr = 127.0.0.1" in settings
    assert "deny = 0.0.0.0/0.0.0.0" in settings
    assert re.findall(r"^permit = (.*)$", settings, re.MULTILINE) == ["127.0.0.1/255.255.255.255"]
    assert re.findall(r"^write = (.*)$", settings, re.MULTILINE) == ["system,command,reporting"]


# ---- the project


def project_files() -> Iterator[tuple[Path, str]]:
    """Every text of the project: not what is made, nor what is fetched."""
    made = {".git", "var", "node_modules", "__pycache__", ".venv", ".hypothesis"}
    for path in sorted(PROJECT.rglob("*")):
        if path.is_file() and not made & set(path.relative_to(PROJECT).parts) and ".egg-info" not in str(path):
            try:
                yield path, path.read_text()
            except UnicodeDecodeError:
                continue


def test_no_file_names_a_package_registry() -> None:
    """Which one is used is for the machine's own settings to say."""
    hosts = ["py" + "pi.org", "deb.deb" + "ian.org", "registry.np" + "mjs.org", "files.python" + "hosted.org"]
    hosts += ["np" + "mjs.com"]
    found = []
    for path, source in project_files():
        if path.name == "package-lock.json":
            source = re.sub(r'"funding": (\{[^}]*\}|\[[^\]]*\]|"[^"]*")', "", source)
        found += [(str(path.relative_to(PROJECT)), host) for host in hosts if host in source]

    assert len(list(project_files())) > 100
    assert found == []
