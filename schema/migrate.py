"""Bring a database to the newest schema, or back: Alembic for the tables, then the functions, triggers and roles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

HERE = Path(__file__).parent
SQL = HERE / "sql"

# What can run any number of times, each file after those it builds on; the role comes last, for it grants.
REPEATABLE = (
    "functions/peer_addresses.sql",
    "functions/normalise_number.sql",
    "functions/route_call.sql",
    "functions/call_requests.sql",
    "functions/tariffs.sql",
    "functions/rating.sql",
    "functions/live.sql",
    "functions/prepaid.sql",
    "functions/fraud.sql",
    "functions/landing.sql",
    "functions/relanding.sql",
    "functions/rerating.sql",
    "functions/call_totals.sql",
    "functions/invoice_checks.sql",
    "functions/outbox.sql",
    "functions/sign_of_life.sql",
    "functions/registrations.sql",
    "functions/last_admin.sql",
    "functions/quarantine.sql",
    "role.sql",
)

# Asterisk reads the tables while we change them, through one connection that every call of a node waits for: rather
# give up than let a queue form behind us: after a second their queries fail (role.sql).
LOCK_TIMEOUT = "1s"


def upgrade(url: str, secret_key: str = "") -> None:
    """Migrate to the newest revision and apply the repeatable SQL, in one transaction."""
    with _connection(url, secret_key) as (connection, config):
        command.upgrade(config, "head")
        for name in REPEATABLE:
            execute_file(connection, name)


def downgrade(url: str, revision: str, secret_key: str = "") -> None:
    """Go back to `revision`; `base` removes everything that is ours, data included."""
    with _connection(url, secret_key) as (_, config):
        command.downgrade(config, revision)


def newest_revision() -> str | None:
    """To which a database is brought by upgrade()."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def execute_file(connection: Connection, name: str) -> None:
    """Run one of our .sql files as it stands (no parameters, so a % or a colon means itself)."""
    connection.connection.cursor().execute((SQL / name).read_text())


@contextmanager
def _connection(url: str, secret_key: str) -> Iterator[tuple[Connection, Config]]:
    """A transaction in which no other migration runs, and Alembic set up to use it."""
    config = _config()
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('asterisk-admin migrate'))"))
            config.attributes["connection"] = connection
            config.attributes["secret_key"] = secret_key
            yield connection, config
    finally:
        engine.dispose()
