"""Whether the settings make sense and stay secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from sqlalchemy import make_url

from webapp.config import DatabaseSettings
from webapp.doctor.findings import Finding, counted, fault, ok, unknown, warning
from webapp.doctor.place import Place

LEAST_CHARACTERS = 10  # Different ones in a key that nobody guesses.
EXAMPLES = re.compile(
    r"((change|your|my|the|example|password|secret|senha|troque|key|me|this|here|please)\W*)+\d*", re.IGNORECASE
)


def complete(place: Place) -> Iterator[Finding]:
    """Each part of the program has what it needs."""
    for wanted, part, settings in (
        (place.web, "settings of the web", place.web_settings),
        (place.node, "settings of the agent", place.agent_settings),
    ):
        if not wanted:
            continue
        name = part.capitalize()
        if settings:
            yield ok(name, "complete")
            continue
        reason = place.troubles[part]
        if "Permission denied" in reason:
            yield unknown(name, "they may not be read by you", f"Run as root: {place.command} doctor")
        else:
            yield fault(
                name, reason, f"Set it in the environment or in {_file(place, part)}; .env.example explains it."
            )


def _file(place: Place, part: str) -> str:
    here, web, agent = place.env_files
    if not place.in_production:
        return str(here)
    return str(web if "web" in part else agent)


def files(place: Place) -> Iterator[Finding]:
    """They hold passwords: nobody else may read them."""
    there = [path for path in (place.env_files[0], *place.settings_folder.glob("*.env")) if os.path.lexists(path)]
    open_to_all = [path for path in there if path.stat().st_mode & 0o007]
    for path in open_to_all:
        yield fault(
            "Settings files", f"everybody on this machine may read or change {path}", f"Run: chmod o= {path.absolute()}"
        )
    if there and not open_to_all:
        yield ok("Settings files", "closed to others")


def secrets(place: Place) -> Iterator[Finding]:
    """None of them is one that stands in an example or that somebody guesses."""
    weak = []
    if place.web_settings:
        key = place.web_settings.secret_key.get_secret_value()
        if len(set(key)) < LEAST_CHARACTERS or EXAMPLES.fullmatch(key):
            weak.append(("SECRET_KEY", 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'))
    if place.agent_settings:
        secret = place.agent_settings.ami_secret.get_secret_value()
        if len(secret) < 12 or len(set(secret)) < 6 or EXAMPLES.fullmatch(secret):
            weak.append(("AMI_SECRET", "openssl rand -hex 16"))
    if place.settings and (make_url(place.settings.database_url).password or "").upper() in ("PASSWORD", "POSTGRES"):
        weak.append(("the password in DATABASE_URL", "openssl rand -hex 16"))
    for name, maker in weak:
        yield fault("Secrets", f"{name} is one that somebody guesses", f"Make another one: {maker}")
    if not weak and place.settings:
        yield ok("Secrets", "none is of an example or easily guessed")


def reverse_proxy(place: Place) -> Iterator[Finding]:
    """HTTPS and PROXIES go with what stands in front of the web process."""
    if not (place.web_settings and place.in_production):
        return
    https, proxies = place.web_settings.https, place.web_settings.proxies
    web_env = place.env_files[1]
    behind_nginx = any(place.nginx.glob("sites-enabled/*asterisk-admin*"))
    if behind_nginx and not proxies:
        yield warning(
            "Reverse proxy",
            "nginx stands in front, and PROXIES is 0: one person's wrong passwords make all others wait",
            f"Set PROXIES=1 in {web_env} and run: systemctl restart asterisk-admin-web",
        )
    if not https:
        yield warning(
            "Encryption",
            "HTTPS is not set: the cookie of a session would also be sent over an open connection",
            f"Set HTTPS=true in {web_env} and run: systemctl restart asterisk-admin-web",
        )
    if https and (proxies or not behind_nginx):
        yield ok("Encryption", f"HTTPS, behind {counted(proxies, 'reverse proxy', 'reverse proxies')}")


def same_database(place: Place) -> Iterator[Finding]:
    """The web and the agent of one machine mean the same database."""
    if not (place.web_settings and place.agent_settings):
        return
    web, agent = map(_database, (place.web_settings, place.agent_settings))
    if web == agent:
        yield ok("One database", f"{agent[2]} at {agent[0]}:{agent[1]}, for web and agent")
    else:
        yield fault(
            "One database",
            f"the web uses {web[2]} at {web[0]}:{web[1]}, the agent {agent[2]} at {agent[0]}:{agent[1]}",
            f"Set the right DATABASE_URL in {place.settings_folder}/web.env and agent.env.",
        )


def _database(settings: DatabaseSettings) -> tuple[str, int, str]:
    url = make_url(settings.database_url)
    host = url.host or str(url.query.get("host", "this machine"))
    return host, url.port or 5432, url.database or ""
