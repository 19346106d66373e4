"""`make install-test`: deploy/install on a clean system, really, with systemd running in a folder below ./var.

Installed twice, upgraded during a call, attacked, damaged and restored; a further node joins. It takes some ten
minutes, root, and the packages mmdebstrap, systemd-container and curl.
SUITE says which system: bookworm (Debian 12), trixie (Debian 13) or noble (Ubuntu 24.04).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.install.machine import Machine, wait_for

PROJECT = Path(__file__).parents[2]
SUITE = os.environ.get("SUITE", "bookworm")
# The version of each one's Python, for which packages are fetched.
PYTHON = {"bookworm": "3.11", "trixie": "3.13", "noble": "3.12"}
FOLDER = PROJECT / "var" / "install" / SUITE
BASE = FOLDER / "base.tar"
SOURCE = "/srv/asterisk-admin"
WHEELS = "/srv/wheels"
# An address of the machine's own that is not 127.0.0.1, and one from which it is attacked.
ADDRESS, ATTACKER = "10.9.0.1", "10.9.0.2"
STARTED = (
    "systemctl show --property=ActiveEnterTimestampMonotonic 'postgresql@*' asterisk nginx fail2ban"
    " asterisk-admin-web asterisk-admin-agent"
)
SNAPSHOT = (
    "cd /; sha256sum $(find etc/asterisk-admin etc/asterisk etc/nginx etc/fail2ban etc/logrotate.d etc/systemd/system"
    " etc/postgresql usr/local -type f | sort); ls -l opt/asterisk-admin opt/asterisk-admin/releases;"
    " stat --format='%n %Y %a %U' $(find etc/asterisk-admin etc/asterisk etc/systemd/system usr/local -type f | sort)"
)


def main() -> None:
    prepare()
    environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
    machine = Machine(FOLDER / "pbx1", environment)
    ports = {"SIP_PORT": "5070", "AMI_PORT": "5048", "RTP_START": "20000", "RTP_END": "20100"}
    node = Machine(FOLDER / "pbx2", environment | ports)
    try:
        password = step("install without systemd", install_without_systemd, machine)
        step("boot: everything starts by itself", everything_runs, machine)
        step("sign in", sign_in, machine, password)
        step("units are hardened, nobody runs as root", hardened, machine)
        step("secrets are closed", secrets_are_closed, machine)
        step("the second run changes nothing", second_run, machine)
        step("upgrade during a call", upgrade_during_a_call, machine)
        step("Asterisk starts anew when convenient", restart_when_convenient, machine, "asterisk-conf/modules.conf")
        unit = "deploy/production/units/asterisk.service"
        step("and under a new unit", restart_when_convenient, machine, unit)
        step("logs are rotated, the journal stays readable", rotation, machine)
        step("attackers are banned, customers are not while the database is away", bans, machine)
        step("backup, damage, restore", backup_and_restore, machine, password)
        step("the doctor finds no fault", healthy, machine)
        step("a further node", further_node, machine, node)
    finally:
        node.stop()
        machine.stop()
    for each in (machine, node):
        shutil.rmtree(each.root, ignore_errors=True)


def step(title: str, do: Callable[..., Any], *arguments: Any) -> Any:
    began = time.monotonic()
    print(f"{title} ...", flush=True)
    result = do(*arguments)
    print(f"    holds ({time.monotonic() - began:.0f} s)", flush=True)
    return result


def prepare() -> None:
    """What is fetched once: the Python packages, in the versions of constraints.txt."""
    if SUITE not in PYTHON:
        sys.exit(f"SUITE is {SUITE}: one of {', '.join(PYTHON)} is needed.")
    for program in ("mmdebstrap", "systemd-nspawn", "curl"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install mmdebstrap systemd-container curl")
    wheels = FOLDER / "wheels"
    if not wheels.exists():
        unfinished = FOLDER / "wheels.unfinished"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(unfinished)]
        command += ["--only-binary=:all:", f"--python-version={PYTHON[SUITE]}"]
        needed = ["setuptools>=77", *re.findall(r"^    (\S+==\S+)$", options("install_requires"), re.MULTILINE)]
        subprocess.run([*command, "--constraint", str(PROJECT / "constraints.txt"), *needed], check=True)
        unfinished.rename(wheels)


def options(name: str) -> str:
    """The lines of an option of setup.cfg."""
    _, _, rest = (PROJECT / "setup.cfg").read_text().partition(f"\n{name} =\n")
    return rest.partition("\n\n")[0]


def copy_source(machine: Machine) -> None:
    target = machine.root / SOURCE.removeprefix("/")
    target.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    pack = subprocess.Popen(
        ["tar", "-c", "--null", "-T", "-"], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    unpack = subprocess.Popen(["tar", "-x", "-C", target], stdin=pack.stdout)
    assert pack.stdin
    pack.stdin.write(files)
    pack.stdin.close()
    assert (pack.wait(), unpack.wait()) == (0, 0)
    shutil.copytree(FOLDER / "wheels", machine.root / WHEELS.removeprefix("/"), dirs_exist_ok=True)


def install(machine: Machine, arguments: str = "") -> str:
    return machine.run(f"cd {SOURCE} && deploy/install {arguments} 2>&1")


def install_without_systemd(machine: Machine) -> str:
    machine.make(SUITE, BASE)
    copy_source(machine)
    said = install(machine)
    assert "systemd is not running: start these by hand" in said
    [password] = re.findall(r"Password of user admin: (\S+)", said)
    # It is nowhere but on the screen.
    found = machine.attempt(f"grep -rl -- {shlex.quote(password)} /etc /opt /var").stdout
    assert not found, found
    return str(password)


def everything_runs(machine: Machine) -> None:
    machine.boot()
    machine.run(f"ip address add {ADDRESS}/32 dev lo")
    wait_for("the agent and its Asterisk", lambda: machine.attempt("asterisk-admin agent-status").returncode == 0)
    wait_for("the web is ready", lambda: status(machine, "/readyz") == "200")
    assert not machine.run("systemctl --failed --plain --no-legend")
    for service in ("asterisk-admin-backup.timer", "fail2ban", "nginx", "asterisk"):
        machine.run(f"systemctl is-active {service}")
    # What was noted before there was a systemd is taken up now.
    install(machine)
    wait_for("the agent and its Asterisk", lambda: machine.attempt("asterisk-admin agent-status").returncode == 0)
    assert "location: https://127.0.0.1:443/login" in machine.curl("--head http://127.0.0.1/login").lower()
    assert "Asterisk 2" in machine.run("asterisk -rx 'core show version'")
    machine.run("nginx -t 2>&1 && nft --check --file /etc/asterisk-admin/nftables-example.conf")


def status(machine: Machine, path: str) -> str:
    """The status with which the web answers, through nginx."""
    return machine.curl(f"--write-out '%{{http_code}}' --output /dev/null https://127.0.0.1{path}")


def sign_in(machine: Machine, password: str) -> str:
    """A token for the API, by the password that the installation printed."""
    body = json.dumps({"username": "admin", "password": password})
    said = machine.curl(
        f"--header 'Content-Type: application/json' --data {shlex.quote(body)} https://127.0.0.1/api/v1/auth/login"
    )
    page = machine.curl("--include https://127.0.0.1/login").lower()
    assert "set-cookie: __host-asterisk_admin=" in page
    assert "secure; httponly" in page
    assert status(machine, "/metrics") == "403"
    return str(json.loads(said)["access_token"])


def hardened(machine: Machine) -> None:
    for unit in ("asterisk-admin-web", "asterisk-admin-agent"):
        said = machine.run(f"systemd-analyze security {unit} --threshold=25 --no-pager")
        print("   ", said.strip().splitlines()[-1])
    running = machine.run("ps -eo user:20,args --no-headers")
    for what in ("gunicorn", "asterisk-admin agent", "-fn -C /etc/asterisk/asterisk.conf"):
        users = {line.split()[0] for line in running.splitlines() if what in line and "bash -c" not in line}
        assert users in ({"asterisk-admin"}, {"asterisk"}), (what, users)
    # PostgreSQL and the manager interface are open to this machine alone, and the web's own port is none.
    listening = machine.run("ss --listening --tcp --numeric --no-header | awk '{print $4}'").split()
    assert {each for each in listening if not each.startswith(("127.0.0.1:", "[::1]:"))} == {
        "0.0.0.0:80", "0.0.0.0:443", "[::]:80", "[::]:443", "0.0.0.0:5060",
    }  # fmt: skip


def secrets_are_closed(machine: Machine) -> None:
    """No secret is in a file that everybody may read, in the log of the installation, or in the list of processes."""
    values = machine.run("cat /etc/asterisk-admin/*.env")
    secrets = re.findall(
        r"^(?:SECRET_KEY|ENCRYPTION_KEY|METRICS_TOKEN|AMI_SECRET|ASTERISK_DB_PASSWORD)=(.*)", values, re.M
    )
    secrets += re.findall(r"^DATABASE_URL=.*://.*?:(.*?)@", values, re.M)
    assert len(secrets) == 7, len(secrets)
    (machine.root / "root/secrets").write_text("\n".join(secrets) + "\n")
    open_files = "find /etc /opt/asterisk-admin /var -xdev -type f -perm /004 -print0"
    assert not machine.attempt(
        f"{open_files} | xargs -0 grep --files-with-matches --fixed-strings -f /root/secrets"
    ).stdout
    assert not machine.attempt("grep -F -f /root/secrets /var/log/asterisk-admin-install.log").stdout
    assert not machine.attempt(
        "grep -rlF -f /root/secrets /var/log/postgresql /var/log/journal /var/log/asterisk"
    ).stdout
    assert not machine.attempt("ps -eo args | grep -F -f /root/secrets").stdout
    assert machine.run("stat --format='%a %U:%G' /etc/asterisk-admin/{web,agent,install}.env").split("\n")[:3] == [
        "640 root:asterisk-admin", "640 root:asterisk", "600 root:root",
    ]  # fmt: skip
    roles = machine.run(
        sql("SELECT rolname, rolcreaterole, rolsuper FROM pg_roles WHERE rolname LIKE 'asterisk%' ORDER BY 1")
    )
    assert roles.split() == ["asterisk|f|f", "asterisk_admin|f|f"]


def sql(statement: str) -> str:
    """The line of shell that asks the database."""
    return f"cd / && runuser -u postgres -- psql -XAtq asterisk_admin -c {shlex.quote(statement)}"


def second_run(machine: Machine) -> None:
    machine.run("asterisk-admin demo")
    before = machine.run(SNAPSHOT)
    counted = machine.run(sql("SELECT count(*) FROM customers"))
    started = machine.run(STARTED)
    said = install(machine)
    assert [line for line in machine.run(SNAPSHOT).splitlines() if line not in before.splitlines()] == []
    assert machine.run(STARTED) == started, said
    assert machine.run(sql("SELECT count(*) FROM customers")) == counted != "0\n"
    assert "Password" not in said


def phone(machine: Machine, which: int = 0) -> tuple[str, str]:
    user, secret = machine.run("asterisk-admin demo --show").splitlines()[which].split()
    return user, secret


def call(machine: Machine, user: str, secret: str) -> subprocess.Popen[str]:
    """A phone that talks with Asterisk until `hang_up`."""
    talking = machine.start(f"exec python3 {SOURCE}/tests/install/phone.py 127.0.0.1 {user} {secret} answer")
    assert talking.stdout
    assert [talking.stdout.readline().strip() for _ in range(2)] == ["SIP/2.0 401 Unauthorized", "SIP/2.0 200 OK"]
    file = f"Channel: PJSIP/{user}\nApplication: Wait\nData: 600\n"
    machine.run(
        f"printf {shlex.quote(file)} > /var/spool/asterisk/tmp/call && chown asterisk: /var/spool/asterisk/tmp/call"
        " && mv /var/spool/asterisk/tmp/call /var/spool/asterisk/outgoing/"
    )
    assert talking.stdout.readline().strip() == "talking"
    return talking


def hang_up(talking: subprocess.Popen[str]) -> None:
    said, _ = talking.communicate("", timeout=30)
    assert said.strip() == "SIP/2.0 200 OK", said


def channels(machine: Machine) -> list[str]:
    """The calls that go on, by their unique ids."""
    said = machine.run("asterisk -rx 'core show channels concise' 2>/dev/null")
    return [line.split("!")[-1] for line in said.splitlines() if "!" in line]


def call_records(machine: Machine) -> str:
    return machine.run(sql("SELECT uniqueid FROM asterisk.cdr ORDER BY id")).strip()


def upgrade_during_a_call(machine: Machine) -> None:
    """New code, and a dialplan that can be reloaded: the call, Asterisk and each request to the web go on."""
    talking = call(machine, *phone(machine))
    [going_on] = channels(machine)
    asterisk = machine.run("systemctl show --property=MainPID --value asterisk; cat /run/asterisk/asterisk.pid")
    append(machine, "asterisk-conf/extensions.conf", "; a newer dialplan")
    append(machine, "webapp/logs.py", "# a newer program")
    refused: list[str] = []
    done = threading.Event()

    def browse() -> None:
        while not done.is_set():
            if (said := status(machine, "/login")) != "200":
                refused.append(said)
            time.sleep(0.1)

    browser = threading.Thread(target=browse)
    browser.start()
    try:
        said = install(machine)
    finally:
        done.set()
        browser.join()
    assert refused == []
    assert "Making a backup first" in said
    assert "Asterisk: dialplan reload" in said
    assert channels(machine) == [going_on]
    assert machine.run("systemctl show --property=MainPID --value asterisk; cat /run/asterisk/asterisk.pid") == asterisk
    assert "a newer program" in machine.run("tail -n 1 /opt/asterisk-admin/app/webapp/logs.py")
    assert machine.run("ls /opt/asterisk-admin/releases | wc -l").strip() == "2"
    hang_up(talking)
    wait_for("the call record", lambda: going_on in call_records(machine))
    wait_for("the agent and its Asterisk", lambda: machine.attempt("asterisk-admin agent-status").returncode == 0)


def append(machine: Machine, path: str, line: str) -> None:
    with (machine.root / SOURCE.removeprefix("/") / path).open("a") as file:
        file.write(f"{line}\n")


def restart_when_convenient(machine: Machine, changed: str) -> None:
    talking = call(machine, *phone(machine))
    [going_on] = channels(machine)
    append(machine, changed, "; newer" if changed.endswith(".conf") else "# newer")
    said = install(machine)
    assert "Asterisk must start anew for this" in said
    assert channels(machine) == [going_on]
    hang_up(talking)
    wait_for("Asterisk starts anew", lambda: "seconds" in uptime(machine) and "minute" not in uptime(machine))
    wait_for("the call record", lambda: going_on in call_records(machine))
    wait_for("the agent and its Asterisk", lambda: machine.attempt("asterisk-admin agent-status").returncode == 0)


def uptime(machine: Machine) -> str:
    return next(
        (line for line in machine.attempt("asterisk -rx 'core show uptime'").stdout.splitlines() if "System" in line),
        "",
    )


def rotation(machine: Machine) -> None:
    machine.run("logrotate --force /etc/logrotate.d/asterisk-admin")
    journals = machine.run("stat --format='%n %U %a' /var/log/asterisk/cdr-custom/*").splitlines()
    assert journals == [
        "/var/log/asterisk/cdr-custom/journal.csv asterisk 640",
        "/var/log/asterisk/cdr-custom/journal.csv.1 asterisk 640",
    ]
    talking = call(machine, *phone(machine))
    hang_up(talking)
    journal = machine.root / "var/log/asterisk/cdr-custom/journal.csv"
    wait_for("the journal goes on", lambda: journal.stat().st_size > 0)


def bans(machine: Machine) -> None:
    """From an address of its own, over the real jail, its action and all."""
    machine.run(
        "ip netns add attacker && ip link add wire type veth peer name far netns attacker"
        f" && ip address add {ADDRESS}/24 dev wire && ip link set wire up"
        f" && ip -n attacker address add {ATTACKER}/24 dev far && ip -n attacker link set far up"
    )
    user, secret = phone(machine)
    attack = f"ip netns exec attacker python3 {SOURCE}/tests/install/phone.py {ADDRESS} {user}"
    machine.run("systemctl stop postgresql && systemctl restart asterisk")
    wait_for("Asterisk", lambda: machine.attempt("asterisk -rx 'core waitfullybooted'").returncode == 0)
    for _ in range(12):
        assert "200" not in machine.run(f"{attack} {secret}")  # A customer, whom Asterisk cannot know now.
    wait_for("fail2ban has read it", lambda: "Ignore 10.9.0.2 by command" in fail2ban_log(machine))
    assert not is_banned(machine)
    machine.run("systemctl start postgresql")
    wait_for("the agent and its Asterisk", lambda: machine.attempt("asterisk-admin agent-status").returncode == 0)
    wait_for("the phone", lambda: "200" in machine.run(f"{attack} {secret}"))
    # Ten minutes later.
    machine.run("touch --date='11 minutes ago' /run/asterisk-admin-database-away")
    wait_for("the ban", lambda: is_banned(machine) or machine.attempt(f"{attack} wrong") is None)
    assert ATTACKER in machine.run("nft list ruleset")
    machine.run(f"fail2ban-client unban {ATTACKER} && ip netns delete attacker")


def is_banned(machine: Machine) -> bool:
    return ATTACKER in machine.run("fail2ban-client banned")


def fail2ban_log(machine: Machine) -> str:
    return (machine.root / "var/log/fail2ban.log").read_text()


def backup_and_restore(machine: Machine, password: str) -> None:
    customers = machine.run(sql("SELECT * FROM customers ORDER BY id"))
    settings = machine.run("cat /etc/asterisk-admin/*.env")
    machine.run("systemctl start asterisk-admin-backup")
    backup = machine.run("ls -d /var/backups/asterisk-admin/20* | tail -n 1").strip()
    assert set(machine.run(f"stat --format='%a %U' {backup} {backup}/*").splitlines()) == {"700 root", "600 root"}
    # One more call, which the backup does not have, and then the damage.
    talking = call(machine, *phone(machine))
    [going_on] = channels(machine)
    hang_up(talking)
    wait_for("the call record", lambda: going_on in call_records(machine))
    machine.run(sql("TRUNCATE customers CASCADE; TRUNCATE asterisk.ps_endpoints, users CASCADE"))
    machine.run(sql("DROP TABLE asterisk.extensions CASCADE"))
    machine.run("rm /etc/asterisk-admin/*.env; touch /etc/asterisk-admin/web.env; rm -r /etc/asterisk")
    said = machine.run(f"cd {SOURCE} && deploy/restore {backup} 2>&1")
    assert "Restored." in said, said
    assert machine.run(sql("SELECT * FROM customers ORDER BY id")) == customers
    assert machine.run("cat /etc/asterisk-admin/*.env") == settings
    sign_in(machine, password)
    wait_for("the agent and its Asterisk", lambda: machine.attempt("asterisk-admin agent-status").returncode == 0)
    wait_for("the record of the later call is back", lambda: going_on in call_records(machine))
    machine.run("asterisk-admin check", 400)
    hang_up(call(machine, *phone(machine)))
    secrets_are_closed(machine)


def healthy(machine: Machine) -> None:
    """What is busy for a moment after all that may settle; a fault that stays is one."""
    wait_for("the doctor to be content", lambda: machine.attempt("asterisk-admin doctor").returncode == 0)
    print(machine.run("asterisk-admin doctor"))


def further_node(machine: Machine, node: Machine) -> None:
    said = install(machine, f"--allow-node {ADDRESS}")
    assert "systemctl restart postgresql@" in said
    machine.run("systemctl restart postgresql")
    node.make(SUITE, BASE)
    copy_source(node)
    shutil.copy(machine.root / "etc/asterisk-admin/node.env", node.root / "root/node.env")
    # What takes long to fetch and is the same everywhere.
    unpacked = "opt/asterisk-admin/asterisk"
    if (machine.root / unpacked).exists():
        (node.root / "opt/asterisk-admin").mkdir()
        subprocess.run(["cp", "--archive", machine.root / unpacked, node.root / unpacked], check=True)
    said = install(node, "--node pbx2 --from /root/node.env --no-start")
    assert "Node pbx2 is installed." in said
    assert not (node.root / "etc/postgresql").exists()
    assert not (node.root / "etc/nginx").exists()
    node.boot(f"--network-namespace-path={machine.network}")
    wait_for("the node", lambda: machine.attempt("asterisk-admin agent-status --node pbx2").returncode == 0)
    assert "Node pbx2 is installed." in install(node)  # It stays a node, and an upgrade is the same command.
    wait_for("the node", lambda: node.attempt("asterisk-admin agent-status").returncode == 0)


if __name__ == "__main__":
    main()
