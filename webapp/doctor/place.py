"""The installation on this machine: where its parts are, and those that answer."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from webapp import config, logs, pages
from webapp import models as models  # Imported so that what is stored is known.
from webapp.agent.ami import Ami, AmiDown, AmiError, State
from webapp.config import AgentSettings, DatabaseSettings, Settings
from webapp.doctor.findings import NotLooked
from webapp.ext import babel, db

T = TypeVar("T", bound=DatabaseSettings)

ONLY_READ = "-c default_transaction_read_only=on -c statement_timeout=10s -c lock_timeout=2s -c jit=off"
AMI_SECONDS = 10.0
# What Asterisk is asked, in its console's words.
COMMANDS = (
    "core show version",
    "core show settings",
    "module show",
    "rtp show settings",
    "core show taskprocessors",
    "dialplan show",
    "cdr show pgsql status",
    "realtime load canary id 1",
    *(f"sorcery memory cache show {cache}" for cache in ("endpoint", "aor", "auth", "identify")),
)


@dataclass
class Place:
    """What the checks look at. A part that is not there has its reason in `troubles`."""

    settings_folder: Path = Path("/etc/asterisk-admin")  # It is there where the program is installed for good.
    etc: Path = Path("/etc/asterisk")
    backups: Path = Path("/var/backups/asterisk-admin")
    nginx: Path = Path("/etc/nginx")
    proc: Path = Path("/proc")
    web: bool = False  # Whether the web process, ...
    node: bool = False  # ... and whether an Asterisk with its agent are to run on this machine.
    web_settings: Settings | None = None
    agent_settings: AgentSettings | None = None
    database_settings: DatabaseSettings | None = None
    troubles: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str | AmiError | AmiDown] = field(default_factory=dict)

    @property
    def in_production(self) -> bool:
        return self.settings_folder.is_dir()

    @property
    def env_files(self) -> tuple[Path, ...]:
        return Path(".env"), self.settings_folder / "web.env", self.settings_folder / "agent.env"

    @property
    def settings(self) -> DatabaseSettings | None:
        return self.web_settings or self.agent_settings or self.database_settings

    @property
    def agent(self) -> AgentSettings:
        if self.agent_settings is None:
            raise NotLooked("the settings of the agent are not known")
        return self.agent_settings

    @property
    def agent_user(self) -> str:
        """Who runs the agent and its Asterisk: on a machine where people try things, whoever looks."""
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "asterisk" if self.in_production and "asterisk" in names else pwd.getpwuid(os.geteuid()).pw_name

    @property
    def command(self) -> str:
        """How this program is called by root, past what gives its rights up (which may not read all of this)."""
        return str(Path(sys.executable).with_name("asterisk-admin")) if self.in_production else "asterisk-admin"

    def psql(self, statement: str) -> str:
        """What to type to have a statement carried out. Of an installation for good PostgreSQL's own user does it."""
        if self.in_production and self.settings:
            return f'Run: sudo -u postgres psql {make_url(self.settings.database_url).database} -c "{statement}"'
        return f'Run: psql "$DATABASE_URL" -c "{statement}"'

    @property
    def migrate(self) -> str:
        """What to type to have functions and rights made anew, for which the owner needs a right for a moment."""
        if not (self.in_production and self.settings):
            return "Run: asterisk-admin migrate"
        owner = make_url(self.settings.database_url).username
        return (
            f'Run: sudo -u postgres psql -c "ALTER ROLE {owner} CREATEROLE"; asterisk-admin migrate; '
            f'sudo -u postgres psql -c "ALTER ROLE {owner} NOCREATEROLE"'
        )

    def ask(self, statement: str, **values: Any) -> Sequence[Any]:
        """The rows of one of our fixed statements."""
        self.require_database()
        return db.session.execute(text(statement), values).all()

    def require_database(self) -> None:
        """What is wrong with it, one check has said already."""
        if "the database" in self.troubles:
            raise NotLooked("the database does not answer")

    def said(self, command: str) -> str:
        """What Asterisk answered to a command."""
        if self.agent and "Asterisk" in self.troubles:
            raise NotLooked("Asterisk does not answer")
        answer = self.answers[command]
        if isinstance(answer, Exception):
            raise answer
        return answer


def has_setting(name: str, kind: type[DatabaseSettings], *files: Path) -> bool:
    """Whether somebody has given a setting a value, or may have, in a file that is closed to us."""
    try:
        config.load(kind, *files)
    except config.SettingsError as error:
        return f"{name}: is not set" not in str(error)
    except OSError:
        return True
    return True


@contextmanager
def looked_around(place: Place, web: bool | None, node: bool | None) -> Iterator[Place]:
    """Fill in what answers, and be where stored things can be read. None: what is to run here, the settings tell."""
    logs.configure("ERROR")  # What the program warns of while we look is what we say ourselves.
    here, web_env, agent_env = place.env_files
    place.node = has_setting("AMI_SECRET", AgentSettings, here, agent_env) if node is None else node
    place.web = web if web is not None else has_setting("SECRET_KEY", Settings, here, web_env) or not place.node
    if place.web:
        place.web_settings = _settings(place, "settings of the web", Settings, here, web_env)
    if place.node:
        place.agent_settings = _settings(place, "settings of the agent", AgentSettings, here, agent_env)
        _ask_asterisk(place)
    place.database_settings = _settings(place, "settings of the database", DatabaseSettings, *place.env_files)
    with connected(place):
        yield place


@contextmanager
def connected(place: Place) -> Iterator[None]:
    """Be where stored things can be read, and nothing can be changed."""
    if place.settings is None:
        place.troubles["the database"] = "the settings do not say where it is"
        yield
        return
    app = Flask("doctor")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=place.settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "hide_parameters": True,
            "connect_args": {"application_name": "doctor", "connect_timeout": 5, "options": ONLY_READ},
        },
    )
    db.init_app(app)
    babel.init_app(app, timezone_selector=pages.time_zone)
    with app.app_context():
        try:
            db.session.execute(text("SELECT 1"))
        except DBAPIError as error:
            place.troubles["the database"] = f"it does not answer: {first_line(error.orig)}"
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


def _settings(place: Place, part: str, kind: type[T], *files: Path) -> T | None:
    try:
        return config.load(kind, *files)
    except (config.SettingsError, OSError) as error:
        place.troubles[part] = str(error)
        return None


def first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _ask_asterisk(place: Place) -> None:
    """Ask Asterisk everything at once, for a link to it lives no longer than a loop."""
    if place.agent_settings is None:
        return
    try:
        place.answers = asyncio.run(_answers(place.agent_settings))
    except AmiDown as error:
        place.troubles["Asterisk"] = str(error)


async def _answers(settings: AgentSettings) -> dict[str, str | AmiError | AmiDown]:
    state: asyncio.Future[tuple[State, str]] = asyncio.get_running_loop().create_future()

    def on_state(word: State, why: str) -> None:
        if not state.done():
            state.set_result((word, why))

    secret = settings.ami_secret.get_secret_value()
    ami = Ami(settings.ami_host, settings.ami_port, settings.ami_username, secret, on_event=None, on_state=on_state)
    ami.start()
    answers: dict[str, str | AmiError | AmiDown] = {}
    try:
        word, why = await asyncio.wait_for(state, AMI_SECONDS)
        if word != "up":
            raise AmiDown("it refuses the agent's name or secret" if word == "auth-failed" else why)
        for command in (*COMMANDS, f"manager show user {settings.ami_username}"):
            try:
                answers[command] = await ami.command(command, AMI_SECONDS)
            except (AmiError, AmiDown) as error:
                answers[command] = error
        return answers
    except TimeoutError:
        raise AmiDown("it does not answer") from None
    finally:
        ami.close()
