"""Settings that make no sense stop the start in a sentence that names them; so do values of configuration files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.embedded.run import remembered
from webapp.asterisk.conf import SOURCE, fill
from webapp.config import AgentSettings, DatabaseSettings, Settings, SettingsError, load

RIGHT = {
    "DATABASE_URL": "postgresql://user:hush-hush@db.example/asterisk",
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "ENCRYPTION_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "AMI_SECRET": "hush-ami",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Only what is right, and no .env file."""
    names = {name.upper() for kind in (Settings, AgentSettings) for name in kind.model_fields}
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in RIGHT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


# ---- settings


@pytest.mark.usefixtures("environment")
def test_what_is_not_set_has_a_sensible_default() -> None:
    web, agent = load(Settings), load(AgentSettings)

    assert (web.https, web.proxies, web.log_level) == (False, 0, "INFO")
    assert (agent.node, agent.ami_host, agent.ami_port) == ("pbx1", "127.0.0.1", 5038)
    assert (agent.ami_username, agent.log_level) == ("agent", "INFO")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql+psycopg2://u:p@h:5433/d"),
        ("postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql+psycopg2:///d?host=/run/postgresql"),
    ],
)
def test_the_forms_of_a_database_url(environment: pytest.MonkeyPatch, given: str, used: str) -> None:
    environment.setenv("DATABASE_URL", given)

    assert load(Settings).database_url == used


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "mysql://u:hush-hush@h/d",
        "sqlite:///x",
        "postgresql+asyncpg://u:hush-hush@h/d",
        "postgresql:u:hush-hush@h/d",
        "postgresql://u:hush-hush@h:port/d",
        "postgresql://u:hush-hush@[::1/d",
    ],
)
def test_a_database_url_that_makes_no_sense_is_named_and_not_shown(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("DATABASE_URL", url)

    with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as error:
        load(Settings)

    assert "hush-hush" not in str(error.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "SECRET_KEY", "ENCRYPTION_KEY", "AMI_SECRET"])
def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)

    with pytest.raises(SettingsError) as error:
        load(_who_needs(name))

    assert str(error.value) == f"{name}: is not set"


def test_the_agent_needs_no_secret_of_the_web_process(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SECRET_KEY")
    environment.delenv("ENCRYPTION_KEY")

    assert {"secret_key", "encryption_key"} & load(AgentSettings).model_dump().keys() == set()


def test_what_make_run_makes_up_is_for_nobody_else_and_makes_sense(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = remembered(tmp_path / "secrets.env")

    assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600
    assert remembered(tmp_path / "secrets.env") == made
    for name in ("SECRET_KEY", "ENCRYPTION_KEY"):
        environment.setenv(name, made[name])
    assert load(Settings).encryption_key.get_secret_value() == made["ENCRYPTION_KEY"]


def _who_needs(name: str) -> type[DatabaseSettings]:
    return Settings if name.lower() in Settings.model_fields else AgentSettings


def test_all_that_is_wrong_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    environment.setenv("SECRET_KEY", "hush-hush")

    with pytest.raises(SettingsError) as error:
        load(Settings)

    assert str(error.value) == "DATABASE_URL: is not set; SECRET_KEY: must have at least 32 characters"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "hush-hush"),
        ("SECRET_KEY", "hush-hush".ljust(31, "x")),
        ("SECRET_KEY", ""),
        ("ENCRYPTION_KEY", ""),
        ("ENCRYPTION_KEY", "hush-hush"),
        ("ENCRYPTION_KEY", RIGHT["ENCRYPTION_KEY"] + ","),
        ("ENCRYPTION_KEY", RIGHT["ENCRYPTION_KEY"] + ",hush-hush"),
        ("HTTPS", "hush-hush"),
        ("PROXIES", "hush-hush"),
        ("PROXIES", "-1"),
        ("PROXIES", "6"),
        ("LOG_LEVEL", "hush-hush"),
        ("LOG_LEVEL", "info"),
        ("METRICS_TOKEN", "hush-hush"),
        ("METRICS_TOKEN", "hush-hush hush-hush"),
        ("METRICS_TOKEN", "hush-hush-hush-hush\n"),
        ("METRICS_TOKEN", "hush-hush=hush-hush"),
        ("NODE", "hush-hush!"),
        ("NODE", "a b"),
        ("NODE", ""),
        ("NODE", "x" * 41),
        ("NODE", "pbx1\n"),
        ("AMI_PORT", "hush-hush"),
        ("AMI_PORT", "0"),
        ("AMI_PORT", "65536"),
        ("AGENT_HTTP_PORT", "-1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)

    with pytest.raises(SettingsError, match=f"^{name}: [^;]+$") as error:
        load(_who_needs(name))

    assert "hush-hush" not in str(error.value)
    assert error.value.__cause__ is None, "what pydantic says comes along and shows values"
    assert error.value.__suppress_context__


def test_what_pydantic_itself_says_shows_no_value(environment: pytest.MonkeyPatch) -> None:
    """For whoever makes settings without load()."""
    environment.setenv("SECRET_KEY", "hush-hush")

    with pytest.raises(ValidationError) as error:
        Settings()

    assert "hush-hush" not in str(error.value)


@pytest.mark.usefixtures("environment")
def test_settings_that_are_printed_show_no_secret() -> None:
    printed = "".join(f"{load(kind)!r} {load(kind)}" for kind in (Settings, AgentSettings))

    assert RIGHT["SECRET_KEY"] not in printed
    assert RIGHT["AMI_SECRET"] not in printed
    assert "hush-hush" not in printed, "the password in DATABASE_URL"


def test_a_file_sets_what_the_environment_does_not(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("NODE=from-file\nAMI_PORT=1234\nSOMETHING_ELSE=x\n")
    environment.setenv("AMI_PORT", "4321")

    settings = load(AgentSettings)

    assert (settings.node, settings.ami_port) == ("from-file", 4321)


# ---- configuration files of Asterisk


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.conf").write_text("; a comment\nport = @PORT@\nsecret = @SECRET@ ; twice @PORT@\n")
    (folder / "b.conf").write_text("nothing to fill in, me@example.com\n")
    (folder / "c.txt").write_text("@NOT_ONE@")
    return folder


def test_values_are_filled_in(source: Path, tmp_path: Path) -> None:
    fill({"PORT": "5060", "SECRET": "hush^$%/=@", "MORE": "x"}, tmp_path / "deep" / "target", source)

    written = {path.name: path.read_text() for path in (tmp_path / "deep" / "target").iterdir()}
    assert written == {
        "a.conf": "; a comment\nport = 5060\nsecret = hush^$%/=@ ; twice 5060\n",
        "b.conf": "nothing to fill in, me@example.com\n",
    }


def test_a_value_is_not_filled_in_itself(source: Path, tmp_path: Path) -> None:
    fill({"PORT": "@SECRET@", "SECRET": "hush"}, tmp_path / "target", source)

    assert "port = @SECRET@\n" in (tmp_path / "target" / "a.conf").read_text()


def test_what_is_written_is_its_owners_alone(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"

    fill({"PORT": "1", "SECRET": "hush"}, target, source)

    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o600}


def test_a_file_that_was_open_to_all_is_so_no_more(source: Path, tmp_path: Path) -> None:
    """Packages bring such files, and secrets are about to be written into them."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.conf").write_text("of the package")
    (target / "a.conf").chmod(0o644)

    fill({"PORT": "1", "SECRET": "hush"}, target, source)

    assert stat.S_IMODE((target / "a.conf").stat().st_mode) == 0o600


def test_a_missing_value_is_named_and_nothing_is_written(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.conf needs a value for SECRET\."):
        fill({"PORT": "1"}, tmp_path / "target", source)

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    "value", ["x\ny", "x\r", "x;y", "x y", 'x"y', "x'y", "x\\y", " x", "x\t", "\n", "x\x0b", "x\u2028y"]
)
def test_a_value_that_would_mean_something_else_is_refused_and_nothing_is_written(
    source: Path, tmp_path: Path, value: str
) -> None:
    (source / "z.conf").write_text("the last = @SECRET@\n")
    (source / "a.conf").write_text("port = @PORT@\n")

    with pytest.raises(ValueError, match=r"^SECRET must not contain") as error:
        fill({"PORT": "1", "SECRET": value}, tmp_path / "target", source)

    assert repr(value)[1:-1] not in str(error.value)
    assert not (tmp_path / "target").exists()


def test_our_own_files_can_be_filled(tmp_path: Path) -> None:
    names = {
        name
        for path in SOURCE.glob("*.conf")
        for name in path.read_text().split("@")
        if name.isupper() and name.replace("_", "").isalnum()
    }

    fill(dict.fromkeys(names, "x"), tmp_path / "target")

    assert {path.name for path in (tmp_path / "target").iterdir()} == {path.name for path in SOURCE.glob("*.conf")}
