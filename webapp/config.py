"""Settings: read once from the environment or a .env file; a missing or senseless one stops the start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from webapp import encryption

T = TypeVar("T", bound="DatabaseSettings")


class SettingsError(Exception):
    """A setting is missing or makes no sense; the text says which and why, and never shows a value."""


def _postgresql(url: str) -> str:
    """Name the driver: since SQLAlchemy 2.1 a bare `postgresql://` would load psycopg 3, which we do not use."""
    for scheme in ("postgresql+psycopg2://", "postgresql://", "postgres://"):
        if url.startswith(scheme):
            return _checked("postgresql+psycopg2://" + url.removeprefix(scheme))
    raise ValueError("must start with postgresql://")


def _checked(url: str) -> str:
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("is not the address of a database: postgresql://user:password@host:port/name") from None
    return url


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode()) < 32:
        raise ValueError("must have at least 32 characters")
    return key


def _encryption_keys(keys: SecretStr) -> SecretStr:
    try:
        encryption.parse(keys.get_secret_value())
    except ValueError:
        raise ValueError("must be a key made by `asterisk-admin generate-key`, or several with commas") from None
    return keys


def _bearer_token(token: SecretStr) -> SecretStr:
    """What fits into an Authorization header; empty is none."""
    if not re.fullmatch(r"([A-Za-z0-9._~+/-]{16,}=*)?", token.get_secret_value()):
        raise ValueError("must have at least 16 characters, letters and digits")
    return token


class DatabaseSettings(BaseSettings):
    """What every part of the program needs. `.env.example` explains each setting."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_postgresql)] = Field(repr=False)  # It holds a password.
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


class EncryptionSettings(DatabaseSettings):
    """What those need who read or write the secrets that operators enter: web and commands, and not the agent."""

    encryption_key: Annotated[SecretStr, AfterValidator(_encryption_keys)]


class MigrationSettings(EncryptionSettings):
    """What migrations need besides: once, app secrets were encrypted under a key made of SECRET_KEY."""

    secret_key: SecretStr = SecretStr("")


class Settings(EncryptionSettings):
    """What the web process needs besides."""

    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)]
    https: bool = False  # Whether browsers reach us over TLS: cookies are then sent over nothing else.
    proxies: int = Field(default=0, ge=0, le=5)  # How many reverse proxies stand in front of the web process.
    api_rate_limit: int = Field(default=600, ge=1)  # Requests of one program in a minute.
    api_login_limit: int = Field(default=10, ge=1)  # Sign-ins from one address in a minute.
    metrics_token: Annotated[SecretStr, AfterValidator(_bearer_token)] = SecretStr("")  # Empty: this machine only.


class NodeSettings(DatabaseSettings):
    """What tells one Asterisk server from the others."""

    node: str = Field(default="pbx1", pattern=r"^[A-Za-z0-9-]{1,40}$")


class AgentSettings(NodeSettings):
    """What the agent beside an Asterisk needs: no secret of the web process."""

    ami_host: str = "127.0.0.1"
    ami_port: int = Field(default=5038, ge=1, le=65535)
    ami_username: str = "agent"
    ami_secret: SecretStr
    agent_http_port: int = Field(default=0, ge=0, le=65535)  # Of /healthz and /readyz; 0: they are not answered.
    # By which server alerts are sent as e-mails; without a host they are not.
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = Field(default="asterisk-admin@localhost", pattern=r"^[^\s<>,@]+@[^\s<>,@]+$")
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    webhook_secret: SecretStr = SecretStr("")  # Signs what is sent to the webhook; without it nothing is.
    webhook_allow_private: bool = False  # Whether alerts may go to addresses of our own network, and over http.
    asterisk_spool_path: Path = Path("/var/spool/asterisk/outgoing")
    asterisk_journal_path: Path = Path("/var/log/asterisk/cdr-custom/journal.csv")


def load(kind: type[T], *files: Path) -> T:
    """The settings, or a SettingsError that names every one that is wrong. `files` are read rather than .env."""
    try:
        return kind(_env_file=files) if files else kind()
    except ValidationError as error:
        sentences = [f"{str(e['loc'][0]).upper()}: {_reason(e['type'], e['msg'])}" for e in error.errors()]
        raise SettingsError("; ".join(sentences)) from None


def _reason(kind: str, message: str) -> str:
    return "is not set" if kind == "missing" else message.removeprefix("Value error, ")
