"""What the doctor finds in files and on the machine, where no database and no Asterisk is needed."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from deploy.embedded.process import free_port
from tests.calls.exchange import settings
from webapp.asterisk import conf as asterisk_conf
from webapp.config import AgentSettings
from webapp.doctor import conf, machine, upkeep, versions
from webapp.doctor import settings as doctor_settings
from webapp.doctor.checkup import Check, _alone
from webapp.doctor.place import Place, has_setting

DATABASE = "postgresql://owner:hush-hush@db.invalid:5432/admin"
AMI_SECRET = "2d7c1f3a9b8e4d60"
ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A machine with the files of an Asterisk, below a folder of the test's own."""
    for folder in ("spool/outgoing", "spool/tmp", "log/cdr-custom", "nginx/sites-enabled", "backups"):
        (tmp_path / folder).mkdir(parents=True)
    values = {
        "NODE": "pbx1",
        "SIP_BIND": "127.0.0.1",
        "SIP_PORT": str(free_port()),
        "RTP_START": "10000",
        "RTP_END": "10999",
        "AMI_PORT": str(free_port()),
        "AMI_SECRET": AMI_SECRET,
        "DB_HOST": "db.invalid",
        "DB_PORT": "5432",
        "DB_NAME": "admin",
        "DB_PASSWORD": "hush-hush-too",
        "SPOOL_DIR": str(tmp_path / "spool"),
        "LOG_DIR": str(tmp_path / "log"),
        **dict.fromkeys(("ETC_DIR", "MODULE_DIR", "VARLIB_DIR", "DATA_DIR", "RUN_DIR", "DB_DIR"), "/x"),
    }
    asterisk_conf.fill(values, tmp_path / "etc")
    key = SecretStr("zQ8w-3nF6kPbV1xYtR5mLh2cJd9sGa7e")
    return Place(
        settings_folder=tmp_path / "settings",
        etc=tmp_path / "etc",
        backups=tmp_path / "backups",
        nginx=tmp_path / "nginx",
        web=True,
        node=True,
        web_settings=settings(DATABASE).model_copy(update={"secret_key": key}),
        agent_settings=AgentSettings(
            database_url=DATABASE,
            node="pbx1",
            ami_port=int(values["AMI_PORT"]),
            ami_secret=SecretStr(AMI_SECRET),
            asterisk_spool_path=tmp_path / "spool/outgoing",
            asterisk_journal_path=tmp_path / "log/cdr-custom/journal.csv",
            _env_file=None,
        ),
    )


def wrong(check: Check, place: Place) -> list[tuple[str, str]]:
    """What is not well, with its sentence; nothing secret may stand in it, and each says what to do."""
    found = [each for each in _alone(check, place) if each.state != "ok"]
    assert all(each.to_do for each in found if each.state != "unknown")
    assert not any("hush" in str(each) or AMI_SECRET in str(each) for each in found)
    return [(each.state, each.found) for each in found]


def one(check: Check, place: Place) -> tuple[str, str]:
    [found] = wrong(check, place)
    return found


@pytest.mark.parametrize(
    "check",
    [
        conf.files,
        conf.secrets,
        conf.agreement,
        machine.spool,
        machine.journal,
        machine.memory,
        doctor_settings.complete,
        doctor_settings.files,
        doctor_settings.secrets,
        doctor_settings.same_database,
    ],
)
def test_a_healthy_one_has_no_fault(place: Place, check: Check) -> None:
    assert wrong(check, place) == []


# ---- Asterisk's files


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "state", "words"),
    [
        (
            "rtp.conf",
            "strictrtp = yes",
            "strictrtp = no",
            "warning",
            "differs from this version's in [general] strictrtp",
        ),
        ("extensions.conf", "Goto(refuse,34,1)", "Hangup(34)", "fault", "differs from this version's in [no-database]"),
        ("extconfig.conf", "canary => pgsql,asterisk,asterisk.sign_of_life", "", "fault", "[settings] canary"),
        ("sorcery.conf", "endpoint/cache", ";endpoint/cache", "fault", "[res_pjsip] endpoint/cache"),
        ("modules.conf", "load = res_pjsip_acl.so", "load = app_system.so", "warning", "load=res_pjsip_acl.so"),
        ("pjsip.conf", "[transport-udp]", "[another]\npassword = hush\n[transport-udp]", "warning", "has of its own"),
    ],
)
def test_a_file_that_is_older_or_was_changed(
    place: Place, name: str, old: str, new: str, state: str, words: str
) -> None:
    _edit(place.etc / name, old, new)

    assert one(conf.files, place)[0] == state
    assert words in one(conf.files, place)[1]


def test_comments_and_blanks_are_nobodys_business(place: Place) -> None:
    _edit(place.etc / "rtp.conf", "strictrtp = yes", "; Strict.\n\n  strictrtp=yes")

    assert wrong(conf.files, place) == []


def test_a_file_that_is_missing(place: Place) -> None:
    (place.etc / "features.conf").unlink()

    state, words = one(conf.files, place)

    assert (state, words.endswith("features.conf")) == ("fault", True)


def test_no_folder_at_all(place: Place) -> None:
    place.etc = place.etc / "nowhere"
    place.agent.asterisk_journal_path.parent.rmdir()

    assert one(conf.files, place) == ("fault", f"there is no folder {place.etc}")
    assert one(conf.agreement, place) == ("unknown", f"there is no folder {place.etc}")
    assert one(machine.journal, place)[1].endswith("Asterisk writes none")


def test_a_secret_that_everybody_may_read(place: Place) -> None:
    (place.etc / "manager.conf").chmod(0o644)

    assert one(conf.secrets, place) == ("fault", "holds a secret, and everybody on this machine may read it")


@pytest.mark.parametrize("text", [None, "", "; [transport-tls]\n", "[another]\nprotocol = tls\n"])
def test_whoever_uses_tls_needs_it(place: Place, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.setattr(Place, "ask", lambda *_: [("gateway Carrier",)])
    path = place.etc / "pjsip_tls.conf"
    if text is not None:
        path.write_text(text)

    assert one(conf.tls, place)[0] == "fault"
    assert "gateway Carrier cannot be reached" in one(conf.tls, place)[1]
    path.write_text("[transport-tls](nat)\nprotocol = tls\n")
    assert wrong(conf.tls, place) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("res_pgsql.conf", "dbappname = pbx1", "dbappname = pbx2", "NODE"),
        ("cdr_pgsql.conf", "dbname = admin", "dbname = other", "the name in DATABASE_URL"),
        ("manager.conf", f"secret = {AMI_SECRET}", "secret = hush", "AMI_SECRET"),
        ("asterisk.conf", "spool\n", "spoon\n", "ASTERISK_SPOOL_PATH"),
    ],
)
def test_agent_and_asterisk_are_told_different_things(place: Place, name: str, old: str, new: str, words: str) -> None:
    _edit(place.etc / name, old, new)

    state, found = one(conf.agreement, place)

    assert state == "fault"
    assert found.endswith(f"of {words}")


# ---- settings


def test_settings_that_everybody_may_read(place: Place) -> None:
    place.settings_folder.mkdir()
    file = place.settings_folder / "web.env"
    file.write_text("SECRET_KEY=x\n")
    file.chmod(0o640)
    assert wrong(doctor_settings.files, place) == []

    file.chmod(0o644)

    assert one(doctor_settings.files, place) == ("fault", f"everybody on this machine may read or change {file}")


def test_secrets_of_an_example(place: Place) -> None:
    assert place.agent_settings
    place.web_settings = settings(DATABASE).model_copy(update={"secret_key": SecretStr("x" * 40)})
    place.agent_settings.ami_secret = SecretStr("Change-Me-Please")

    assert [found for _, found in wrong(doctor_settings.secrets, place)] == [
        "SECRET_KEY is one that somebody guesses",
        "AMI_SECRET is one that somebody guesses",
    ]


def test_two_databases(place: Place) -> None:
    assert place.agent_settings
    place.agent_settings.database_url = "postgresql://owner:hush@elsewhere.invalid/admin"

    assert one(doctor_settings.same_database, place) == (
        "fault",
        "the web uses admin at db.invalid:5432, the agent admin at elsewhere.invalid:5432",
    )


def test_behind_nginx(place: Place) -> None:
    assert place.web_settings
    assert wrong(doctor_settings.reverse_proxy, place) == [], "nobody asks for it where people try things"
    place.settings_folder.mkdir()
    (place.nginx / "sites-enabled/asterisk-admin").touch()
    assert [state for state, _ in wrong(doctor_settings.reverse_proxy, place)] == ["warning", "warning"]

    place.web_settings.https = True
    place.web_settings.proxies = 1

    assert wrong(doctor_settings.reverse_proxy, place) == []


def test_a_setting_may_be_in_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMI_SECRET", raising=False)
    file = tmp_path / "agent.env"
    assert not has_setting("AMI_SECRET", AgentSettings, file)

    file.write_text("AMI_SECRET=hush\n")
    assert has_setting("AMI_SECRET", AgentSettings, file)

    monkeypatch.setenv("AMI_SECRET", "hush")
    assert has_setting("AMI_SECRET", AgentSettings, tmp_path / "none")


# ---- ports

TCP = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def _listen(place: Place, tmp_path: Path, **files: list[tuple[str, int, str]]) -> None:
    """What /proc/net would say; of UDP, how many were thrown away."""
    place.proc = tmp_path / "proc"
    (place.proc / "net").mkdir(parents=True, exist_ok=True)
    for name, sockets in files.items():
        lines = [f"   0: {address}:{port:04X} 0 {state} 0 0 0 0 0 1 2 0 7\n" for address, port, state in sockets]
        (place.proc / "net" / name).write_text(TCP + "".join(lines))


def test_addresses_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    place = Place()
    mapped = "0000000000000000FFFF00000100007F"
    _listen(
        place,
        tmp_path,
        tcp=[("0100007F", 5038, "0A"), ("0100007F", 5039, "01")],
        tcp6=[(mapped, 1, "0A"), ("00000000000000000000000001000000", 2, "0A"), ("0" * 32, 3, "0A")],
    )

    found = [(each.address, each.port, each.is_public) for each in machine.sockets(place.proc)]

    assert found == [("127.0.0.1", 5038, False), ("127.0.0.1", 1, False), ("::1", 2, False), ("::", 3, True)]


def test_the_manager_interface_must_not_be_open_to_others(place: Place, tmp_path: Path) -> None:
    port = place.agent.ami_port
    _listen(place, tmp_path, tcp=[("0100007F", port, "0A")])
    assert wrong(machine.closed_ports, place) == []

    _listen(place, tmp_path, tcp=[("00000000", port, "0A")])

    assert one(machine.closed_ports, place) == ("fault", f"the manager interface listens on 0.0.0.0, port {port}")


def test_sip_ports(place: Place, tmp_path: Path) -> None:
    port = int(next(iter(conf.installed(place.etc).values["SIP_PORT"])))
    _listen(place, tmp_path, tcp=[("0100007F", port, "0A")])
    assert one(machine.sip_ports, place) == ("fault", f"nobody listens on udp port {port}")

    _listen(place, tmp_path, udp=[("0100007F", port, "07")])

    assert one(machine.sip_ports, place) == (
        "warning",
        "7 messages were thrown away that Asterisk did not read in time",
    )


def test_a_name_without_an_address(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(*_: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)

    assert "every call waits" in one(machine.own_name, place)[1]
    assert one(machine.database_name, place) == ("fault", "db.invalid has no address")


def test_a_name_that_takes_its_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    assert wrong(machine.own_name, place) == []

    monkeypatch.setattr(machine, "SLOW_SECONDS", -1)

    assert "calls wait" in one(machine.own_name, place)[1]


# ---- folders and disks


def test_call_files_need_both_folders(place: Place) -> None:
    (place.agent.asterisk_spool_path.parent / "tmp").rmdir()

    assert one(machine.spool, place)[1].startswith("there is no folder ")


def test_call_files_that_nobody_takes(place: Place) -> None:
    file = place.agent.asterisk_spool_path / "old.call"
    file.touch()
    assert wrong(machine.spool, place) == []

    os.utime(file, (0, 0))

    assert one(machine.spool, place) == ("warning", "1 have not been taken by Asterisk")


def test_a_folder_in_which_the_agent_may_not_write(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.agent_settings = place.agent.model_copy()
    monkeypatch.setattr(Place, "agent_user", "nobody")
    place.agent.asterisk_spool_path.chmod(0o755)
    place.agent.asterisk_journal_path.touch(0o600)

    assert one(machine.spool, place)[1].startswith("nobody may not write in ")
    assert "stay lost" in one(machine.journal, place)[1]


def test_rights_are_read_from_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o604)
    assert machine.may(file, "nobody", stat.S_IROTH)
    assert not machine.may(file, "nobody", stat.S_IWOTH)
    assert machine.may(file, ME, 4)


def test_a_disk_that_is_full(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(total=10**12, free=10**9))

    assert {state for state, _ in wrong(machine.disks, place)} == {"fault"}


# ---- upkeep


def test_a_backup_that_is_old_or_not_there(place: Place) -> None:
    assert wrong(upkeep.backup, place) == [], "nobody asks for it where people try things"
    place.settings_folder.mkdir()
    assert one(upkeep.backup, place) == ("fault", f"there is none in {place.backups}")

    file = place.backups / "monday.dump"
    file.write_text("x")
    assert wrong(upkeep.backup, place) == []

    day = 86400
    os.utime(file, (file.stat().st_mtime - 3 * day,) * 2)
    assert one(upkeep.backup, place) == ("fault", f"the newest is 3 days old: {file}")

    (place.backups / "tuesday.dump").touch()
    assert "empty" in one(upkeep.backup, place)[1]


@pytest.fixture
def certificate(place: Place) -> Callable[[int], None]:
    """Have nginx show a certificate that is good for so many days."""
    file = place.nginx / "pbx.pem"
    (place.nginx / "sites-enabled/pbx").write_text(
        f"server {{\n  ssl_certificate {file};\n  ssl_certificate_key /x;\n}}\n"
    )

    def make(days: int) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pbx.example")])
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateBuilder(
            name, name, key.public_key(), 1, now - dt.timedelta(90), now + dt.timedelta(days, seconds=60)
        )
        file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    return make


def test_a_certificate_that_ends(place: Place, certificate: Callable[[int], None]) -> None:
    assert one(upkeep.certificates, place)[1].startswith("there is no ")
    for days, state in ((60, None), (5, "warning"), (-3, "fault")):
        certificate(days)
        assert [each for each, _ in wrong(upkeep.certificates, place)] == ([state] if state else [])


# ---- packages


def test_packages_that_are_not_those_of_setup_cfg(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong(versions.packages, place) == []
    there = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "flask" else there(name))

    state, words = one(versions.packages, place)

    assert state == "warning"
    assert words.startswith("flask 0.1 (needs ")
