"""The doctor beside a real Asterisk and its agent: a healthy exchange has no fault, and what is broken is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import text

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import Carrier
from tests.calls.exchange import ENCRYPTION_KEY, SECRET_KEY, AgentProcess, query, until
from webapp.ext import db


def carry_out(statement: str) -> None:
    db.session.execute(text(statement))
    db.session.commit()


def test_the_doctor(carrier: Carrier, asterisk: Asterisk, agent: AgentProcess, tmp_path: Path) -> None:
    """In one go, for each look takes some seconds."""
    etc = asterisk.directory / "etc"
    keys = {"SECRET_KEY": SECRET_KEY, "ENCRYPTION_KEY": ENCRYPTION_KEY}  # Of the web, which is on the same server.
    until(lambda: "cdr_pgsql.so" in asterisk.rx("module show like cdr_"), "the agent to load what stores calls", 60)
    carrier.settled()

    def look(**changes: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
        done = subprocess.run(
            [sys.executable, "-m", "webapp.cli", "doctor", "--json", "--etc", str(etc)],
            env={**agent.environment, **keys, "PYTHONPATH": os.getcwd(), **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert not any(secret in done.stdout for secret in secrets)
        found: dict[str, list[dict[str, Any]]] = {}
        for each in json.loads(done.stdout)["findings"]:
            found.setdefault(each["state"], []).append(each)
        return done.returncode, found

    secrets = [asterisk.values["AMI_SECRET"], asterisk.values["DB_PASSWORD"], *keys.values()]
    query(carrier.url, "SELECT public.keep_partitions()")

    _, found = look()
    # What other tests left is not the installation's.
    faults = [each for each in found.get("fault", []) if each["subject"] != "Nodes and books"]
    assert [each for each in faults if each["what"] != "Administrator"] == []
    assert found.get("unknown", []) == []
    well = {each["what"] for each in found["ok"]}
    assert well >= {
        "Agreement",
        "Asterisk's login",
        "Call files",
        "Call records",
        "Closed ports",
        "Dialplan",
        "Files",
        "Its account",
        "Its grants",
        "Manager interface",
        "Modules",
        "Node",
        "Open files",
        "Realtime",
        "pbx1",
    }

    # One by one, and what was broken is mended.
    (etc / "manager.conf").chmod(0o644)
    (etc / "rtp.conf").write_text((etc / "rtp.conf").read_text().replace("strictrtp = yes", "strictrtp = no"))
    connections = {name: (etc / name).read_text() for name in ("res_pgsql.conf", "cdr_pgsql.conf")}
    for name, text_ in connections.items():
        (etc / name).write_text(text_.replace(asterisk.values["DB_PASSWORD"], "another-password"))
    dialplan = (etc / "extensions.conf").read_text()
    (etc / "extensions.conf").write_text(dialplan.replace("Hangup(${EXTEN})", "Hangup(34)"))
    asterisk.rx("module unload func_timeout.so")
    carry_out("REVOKE SELECT ON asterisk.ps_domain_aliases FROM asterisk")
    carry_out("INSERT INTO nodes (name, seen_at) VALUES ('pbx9', now() - interval '1 hour')")
    try:
        status, found = look(NODE="pbx2")
    finally:
        (etc / "manager.conf").chmod(0o600)
        (etc / "rtp.conf").write_text((etc / "rtp.conf").read_text().replace("strictrtp = no", "strictrtp = yes"))
        (etc / "extensions.conf").write_text(dialplan)
        for name, text_ in connections.items():
            (etc / name).write_text(text_)
        asterisk.rx("module load func_timeout.so")
        carry_out("GRANT SELECT ON asterisk.ps_domain_aliases TO asterisk")
        carry_out("DELETE FROM nodes WHERE name = 'pbx9'")
    assert status == 1
    said = {(each["what"], each["found"]) for each in found["fault"]}
    assert said >= {
        ("manager.conf", "holds a secret, and everybody on this machine may read it"),
        ("Dialplan", f"Asterisk runs another one than that of {etc}/extensions.conf"),
        ("extensions.conf", "differs from this version's in [refuse]"),
        ("Modules", "do not run: func_timeout.so"),
        ("Its grants", "missing: SELECT on asterisk.ps_domain_aliases; calls or call records fail"),
        ("Node", "Asterisk calls itself pbx1, the agent calls it pbx2"),
        ("pbx2", "its agent has never signed in"),
    }
    assert any(what == "pbx9" and "does not sign in since" in words for what, words in said)
    assert any(what == "Asterisk's login" and "password authentication failed" in words for what, words in said)
    assert any(each["what"] == "rtp.conf" for each in found["warning"])

    status, found = look(AMI_SECRET="another-secret")
    assert status == 1
    assert [each["to_do"] for each in found["fault"] if each["what"] == "Manager interface"] == [
        f"Set AMI_SECRET to the secret in {etc}/manager.conf."
    ]
    assert [each["found"].split(": ")[-1] for each in found["unknown"]] == ["Asterisk does not answer"] * 2
