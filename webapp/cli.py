"""The command `asterisk-admin`: what is done from a shell rather than a browser."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar, cast

import click
import psycopg2
from alembic.util.exc import CommandError
from cryptography.fernet import Fernet
from psycopg2.errors import InvalidSchemaName, LockNotAvailable, UndefinedColumn, UndefinedTable
from psycopg2.extensions import encrypt_password
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from schema import migrate
from webapp import config, create_app, encryption, logs

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.rotation import Stored

P = ParamSpec("P")
R = TypeVar("R")
N = TypeVar("N", bound=config.NodeSettings)


def main() -> None:
    """Entry point: a setting that makes no sense or a database that is away ends in one sentence."""
    try:
        group(prog_name="asterisk-admin")
    except config.SettingsError as error:
        sys.exit(f"Settings: {error}.")
    except CommandError as error:
        sys.exit(f"Migrations: {error}")
    except (OperationalError, ProgrammingError) as error:
        _exit_for(error.orig)
    except psycopg2.Error as error:
        _exit_for(error)
    except encryption.WrongKey as error:
        sys.exit(f"{error}. See: asterisk-admin check-keys")


def _exit_for(error: BaseException | None) -> NoReturn:
    """What the database said, in a sentence, if the person at the shell can do something about it."""
    reason = str(error).strip().splitlines()[0]
    if isinstance(error, UndefinedTable | UndefinedColumn | InvalidSchemaName):
        sys.exit("The database is not what this program expects. Run: asterisk-admin migrate")
    if isinstance(error, LockNotAvailable):
        sys.exit(f"Somebody holds a table that must be changed; try again: {reason}")
    if isinstance(error, psycopg2.OperationalError):
        sys.exit(f"The database does not answer: {reason}")
    raise error or RuntimeError("no error")


@click.group(help=__doc__)
def group() -> None:
    pass


def in_application(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command where stored things can be read and saved."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        with create_app().app_context():
            return command(*arguments, **options)

    return run


@group.command("migrate")
@click.option("--back-to", metavar="REVISION", help="Go back to this revision instead; `base` removes everything.")
def migrate_command(back_to: str | None) -> None:
    """Bring the database to the newest schema."""
    settings = config.load(config.MigrationSettings)
    encryption.use(settings.encryption_key.get_secret_value())
    secret_key = settings.secret_key.get_secret_value()
    if back_to:
        migrate.downgrade(settings.database_url, back_to, secret_key)
    else:
        migrate.upgrade(settings.database_url, secret_key)


@group.command("generate-key")
def generate_key() -> None:
    """Print a new key for ENCRYPTION_KEY."""
    click.echo(Fernet.generate_key().decode())


@group.command("check-keys")
@in_application
def check_keys() -> None:
    """Say under which keys of ENCRYPTION_KEY the stored secrets are; exit status 1 if one is under none of them."""
    from webapp import rotation

    _tell_keys(rotation.look())


@group.command("rotate-keys")
@in_application
def rotate_keys() -> None:
    """Encrypt all stored secrets under the first key of ENCRYPTION_KEY. Web and calls go on meanwhile."""
    from webapp import rotation

    _tell_keys(rotation.rotate())


@group.command("renew-secrets")
@click.argument("phones", nargs=-1, metavar="[SIP_USER]...")
@in_application
def renew_secrets(phones: tuple[str, ...]) -> None:
    """When a key is lost: take passwords of gateways from Asterisk's table, and give these phones new secrets.

    Only those that cannot be read are touched. The new secrets are printed: a phone cannot register until it has its.
    """
    from webapp import rotation

    for name, found in rotation.take_back_passwords():
        click.echo(f"{name}: " + ("its password is back." if found else "its password is lost; enter it anew."))
    for user, secret in rotation.renew_phones(phones):
        click.echo(f"{user}  {secret}")
    _tell_keys(rotation.look())


def _tell_keys(found: list[Stored]) -> None:
    for each in found:
        click.echo(f"{each.name}: {each.first} under the first key, {each.older} under another one.")
    if unreadable := sum(each.unreadable for each in found):
        where = ", ".join(f"{each.name} ({each.unreadable})" for each in found if each.unreadable)
        sys.exit(
            f"{unreadable} stored secrets cannot be read, for ENCRYPTION_KEY has not the key under which they were "
            f"encrypted: {where}. Put that key behind the others, with a comma."
        )
    if any(each.older for each in found):
        click.echo("All keys are needed; `asterisk-admin rotate-keys` makes the first one enough.")
    else:
        click.echo("The first key of ENCRYPTION_KEY is enough.")


@group.command("asterisk-password")
def asterisk_password() -> None:
    """Set the password of database role `asterisk` to ASTERISK_DB_PASSWORD."""
    password = os.environ.get("ASTERISK_DB_PASSWORD", "")
    if len(password) < 12:
        sys.exit("ASTERISK_DB_PASSWORD must have at least 12 characters.")
    engine = create_engine(config.load(config.DatabaseSettings).database_url, hide_parameters=True)
    with engine.begin() as connection:
        # What is sent is a verifier, so the password cannot end up in the server's log.
        driver = cast(psycopg2.extensions.connection, connection.connection.driver_connection)
        verifier = encrypt_password(password, "asterisk", scope=driver, algorithm="scram-sha-256")
        connection.exec_driver_sql("ALTER ROLE asterisk PASSWORD %s", (verifier,))
    engine.dispose()


@group.command("asterisk-conf")
@click.argument("target", type=click.Path(path_type=Path))
def asterisk_conf(target: Path) -> None:
    """Write Asterisk's configuration files to TARGET, filled in from the environment."""
    from webapp.asterisk.conf import fill

    try:
        fill(os.environ, target)
    except (ValueError, OSError) as error:
        sys.exit(str(error))


@group.command("agent")
@click.option("--node", help="Name of this Asterisk server; else NODE.")
def agent(node: str | None) -> None:
    """Run the agent beside an Asterisk, until it is stopped."""
    from webapp.agent.main import run

    settings = _node_settings(config.AgentSettings, node)
    logs.configure(settings.log_level)
    asyncio.run(run(settings))


@group.command("agent-status")
@click.option("--node", help="Name of the Asterisk server; else NODE.")
def agent_status(node: str | None) -> None:
    """Say whether the agent of a node and its Asterisk are up; exit status 1 if not."""
    from webapp.agent.database import is_up

    settings = _node_settings(config.NodeSettings, node)
    engine = create_engine(settings.database_url, hide_parameters=True)
    up, sentence = is_up(engine, settings.node)
    engine.dispose()
    click.echo(sentence)
    sys.exit(0 if up else 1)


@group.group()
def cdr() -> None:
    """Whether every call is in the books."""


@cdr.command("reconcile")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--node", help="Name of the Asterisk server that wrote it; else NODE.")
def reconcile(file: Path, node: str | None) -> None:
    """Store what is in the journal FILE and not in the database, as the agent beside the Asterisk does by itself."""
    from webapp.agent import journal

    settings = _node_settings(config.NodeSettings, node)
    logs.configure(settings.log_level)
    engine = create_engine(settings.database_url, hide_parameters=True)
    try:
        found = journal.reconcile(engine, settings.node, file)
    except (OSError, journal.NotAJournal) as error:
        sys.exit(str(error))
    finally:
        engine.dispose()
    click.echo(f"{found.seen} records read, {found.inserted} of them were missing and are stored now.")
    if found.waiting:
        click.echo("Some are younger than 15 seconds and left to Asterisk; do it once more.")
    if found.unreadable:
        sys.exit(f"{found.unreadable} places in it make no sense; the log says where.")


@cdr.command("rate")
@in_application
def rate() -> None:
    """Try once more to rate what could not be rated, as the button on the page “Not rated” does."""
    from webapp.reratings import operations as reratings
    from webapp.unrated import operations as unrated

    before = unrated.count()
    if before:
        reratings.rate_unrated(reratings.perform)
    left = unrated.count()
    click.echo(f"{before - left} calls have a price now that had none. {left} are left: see the page “Not rated”.")


def _node_settings(kind: type[N], node: str | None) -> N:
    if node:
        os.environ["NODE"] = node
    return config.load(kind)


@group.command()
@click.option("--repair", is_flag=True, help="Set right what is wrong.")
@click.option("--nodes/--no-nodes", default=True, help="Ask the nodes what they use, or not.  [default: nodes]")
@click.option("--wait", default=300, show_default=True, metavar="SECONDS", help="So long for the nodes to answer.")
@in_application
def check(repair: bool, nodes: bool, wait: int) -> None:
    """Prove that Asterisk's tables, and what each node uses, are what they should be.

    Exit status 0: all is as it should be (or was repaired); 1: something differs; 2: a node could not be checked.
    """
    from webapp import store
    from webapp.proof import operations, report

    proof = operations.wait_for(wait) if nodes else operations.tables_only()
    for line in report.lines(proof):
        click.echo(line)
    if repair:
        try:
            receipt = store.repair()
        except store.Refused as refused:
            sys.exit(f"A row made by hand stands where one of ours belongs; delete it first ({refused.constraint}).")
        if receipt.changes:
            click.echo(f"{len(receipt.changes)} rows set right.")
        if any(part.state == "different" for part in proof.parts[1:]):
            click.echo("The nodes will read anew what they use wrongly.")
    elif proof.differences:
        sys.exit(1)
    if any(part.state in ("asked", "unknown") for part in proof.parts):
        sys.exit(2)


@group.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--web/--no-web", default=None, help="Whether the web is to run here.  [default: if it has settings]")
@click.option(
    "--node/--no-node", default=None, help="Whether an Asterisk is to run here.  [default: if AMI_SECRET is set]"
)
@click.option("--etc", type=click.Path(path_type=Path), default=Path("/etc/asterisk"), show_default=True)
def doctor(as_json: bool, web: bool | None, node: bool | None, etc: Path) -> None:
    """Look at the whole installation, and say what is wrong and what to do. It changes nothing.

    Exit status 0: nothing needs to be done at once; 1: there is a fault; 2: something could not be looked at.
    """
    from webapp.doctor import checkup, report
    from webapp.doctor.place import Place, looked_around

    with looked_around(Place(etc=etc), web, node) as place:
        found = checkup.look(place)
    for line in [report.as_json(found)] if as_json else report.lines(found):
        click.echo(line)
    sys.exit(checkup.exit_status(each for findings in found.values() for each in findings))


@group.command("create-admin")
@in_application
def create_admin() -> None:
    """Create the first administrator, `admin`, with ADMIN_PASSWORD or a password that is printed once."""
    from webapp import store
    from webapp.accounts.models import User
    from webapp.ext import db

    if db.session.scalar(select(User.id).where(User.role == "admin").limit(1)):
        return
    given = os.environ.get("ADMIN_PASSWORD", "")
    password = given or secrets.token_urlsafe(12)
    user = User(username="admin", role="admin")
    try:
        user.set_password(password)
    except ValueError as error:
        sys.exit(f"ADMIN_PASSWORD: {error}.")
    try:
        store.save(user)
    except store.Refused:
        sys.exit("There is a user named admin who is no administrator. Give it another name or the role first.")
    if not given:
        click.echo(f"Password of user admin: {password}")


@group.command("reset-password")
@click.argument("username")
@in_application
def reset_password(username: str) -> None:
    """Give USERNAME a new password: NEW_PASSWORD, or one that is asked for. It ends all sessions of the user."""
    from flask_babel import force_locale
    from pydantic import TypeAdapter, ValidationError

    from webapp.accounts import operations
    from webapp.accounts.schemas import NewPassword
    from webapp.validation import messages

    user = _user(username)
    given = os.environ.get("NEW_PASSWORD") or click.prompt("New password", hide_input=True, confirmation_prompt=True)
    try:
        user.set_password(TypeAdapter(NewPassword).validate_python(given.strip()))
    except ValidationError as error:
        with force_locale("en"):
            sys.exit(" ".join(messages(error)[""]))
    operations.save(user)


@group.command("disable-totp")
@click.argument("username")
@in_application
def disable_totp(username: str) -> None:
    """Let USERNAME sign in with the password alone, for the telephone is lost and the recovery codes are too."""
    from webapp.accounts import second_factor

    second_factor.remove(_user(username))


def _user(username: str) -> User:
    from webapp.accounts.models import User
    from webapp.ext import db

    user: User | None = db.session.scalar(select(User).where(User.username == username.strip().lower()))
    if user is None:
        sys.exit(f"There is no user named {username}.")
    return user


@group.command()
@click.option("--show", is_flag=True, help="Print the SIP credentials of the demonstration's phones.")
@in_application
def demo(show: bool) -> None:
    """Fill an empty database with a small demonstration."""
    from webapp import demonstration

    if show:
        for user, secret in demonstration.phones():
            click.echo(f"{user}  {secret}")
    elif demonstration.seed():
        click.echo("The demonstration is in the database.")


if __name__ == "__main__":
    main()
