"""The API does what its own description says, whatever it is asked: schemathesis makes up the requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.embedded.postgres import Postgres
from tests.browser.live import serve
from webapp.accounts import tokens
from webapp.accounts.models import User
from webapp.ext import db

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_every_answer_is_described(cluster: Postgres, empty_database: str, tmp_path: Path) -> None:
    cluster.create_database("described", template=empty_database)
    with serve(cluster.url("described")) as site:
        api = f"{site.url}/api/v1"
        token = site.stored(
            lambda: tokens.issue(db.session.scalars(db.select(User).where(User.role == "admin").limit(1)).one())
        )
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{api}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--checks", ",".join(CHECKS)),
            *("--phases", "coverage,fuzzing", "--max-examples", "5", "--seed", "1", "--no-color"),
            *("--generation-database", "none"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No operations" not in done.stdout
