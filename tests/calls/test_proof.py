"""The proof that Asterisk has what was said: it finds whatever is otherwise, and raises no alarm. Repair cures it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import BLOCK, Carrier
from tests.calls.exchange import ENCRYPTION_KEY, SECRET_KEY, AgentProcess, query, until
from webapp import store
from webapp.agent.outbox import SECOND_EXPIRY_SECONDS
from webapp.asterisk.projection.sip import identify_id
from webapp.customers.models import Customer
from webapp.ext import Managed, db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.proof import operations

SECRETS = ("secret-of-17", "another-secret", "provider's secret")


def proved(scope: str = "") -> operations.Proof:
    """The proof, when every part of it is finished."""
    operations.ask(scope)
    return finished(scope)


def finished(scope: str = "") -> operations.Proof:
    def find() -> operations.Proof | None:
        db.session.rollback()  # Else it would see what was there when it first looked.
        proof = operations.last(scope)
        return None if proof.working else proof

    until(lambda: find() is not None, "the proof to be finished", timeout=90)
    proof = find()
    assert proof is not None
    assert [part.state for part in proof.parts if part.state not in ("right", "different")] == []
    return proof


def found(proof: operations.Proof, node: str = "") -> set[tuple[str, str, str]]:
    """Table, key and what is wrong; of what is different, by the column."""
    [part] = [part for part in proof.parts if part.node == node]
    assert part.check
    return {
        (finding["table"], finding["key"], name)
        for finding in part.check.findings
        for name in [field["name"] for field in finding["fields"]] or [finding["what"]]
    }


@pytest.fixture
def things(carrier: Carrier) -> Iterator[dict[str, Any]]:
    """Phones, one in fixed networks, a trunk and gateways that register; names and secrets are hard to compare."""
    office = carrier.ids["office"]
    phones = {
        number: Extension(
            customer_id=office, extension=str(number), name="José, (x) 'y'", secret=f"{SECRETS[0]};^3B{number}"
        )
        for number in range(170, 176)
    }
    gateways = {
        name: Gateway(
            name=name,
            provider_id=carrier.ids["provider"],
            ip_address=f"{BLOCK}.{50 + number}",
            registration=True,
            username="account",
            password=f"{SECRETS[2]} {name}",
            domain="sip.example.com" if number else "",
            source_ips=["10.1.0.0/16", "2001:db8::/64"],
            inbound_prepend="55",
            qualify_frequency=60 * number,
        )
        for number, name in enumerate(("proved", "a-name-that-a-cache-shows-cut-short", "lost"))
    }
    trunk = Customer(
        code="proved",
        name="Proved",
        type="trunk",
        trunk_ip=[f"{BLOCK}.60", f"{BLOCK}.61", "10.2.0.0/24"],
        codecs=["g729", "opus", "g722", "gsm", "ilbc", "ulaw"],
        qualify_frequency=0,
    )
    fixed = Customer(code="fixed", name="Fixed", type="extension", phone_networks=["10.3.0.0/24", "2001:db8::7"])
    store.save(*phones.values(), *gateways.values(), trunk, fixed)
    phones[100] = Extension(customer_id=fixed.id, extension="100", secret=SECRETS[0])
    store.save(phones[100])
    carrier.settled()
    time.sleep(SECOND_EXPIRY_SECONDS + 1)  # What is made stale sooner, the agent would read anew by itself.
    yield {"phones": phones, "gateways": gateways, "trunk": trunk}
    db.session.rollback()
    stored: list[Managed] = [*phones.values(), *gateways.values(), trunk, fixed]
    ids = [(type(thing), inspect(thing).identity) for thing in stored]
    db.session.expunge_all()
    for kind, id in ids:
        if thing := db.session.get(kind, id):
            store.delete(thing)
    carrier.settled()


def test_where_all_is_well_it_finds_nothing(
    carrier: Carrier, things: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the other tests have left, too."""
    did = carrier.did("551140000171", "office", "101")
    assert carrier.stranger.register("office-170", f"{SECRETS[0]};^3B170") == 200

    monkeypatch.setattr(operations, "AT_ONCE", 0)  # As a large carrier's tables are compared.
    proof = proved()

    assert (found(proof), found(proof, "pbx1")) == (set(), set())
    assert proof.state == "right"
    for thing in (things["gateways"]["lost"], did):
        assert proved(f"{type(thing).__name__.lower()}:{thing.id}").state == "right"

    store.delete(things["phones"][170])  # It is registered, and that must go with it.
    right = "Asterisk's tables are what they should be.\npbx1 uses what it should.\n"
    assert command(carrier, "check") == (0, right)


def command(carrier: Carrier, *arguments: str) -> tuple[int, str]:
    """Exit status and output of asterisk-admin."""
    done = subprocess.run(
        [sys.executable, "-m", "webapp.cli", *arguments],
        env={
            **os.environ,
            "DATABASE_URL": carrier.url,
            "SECRET_KEY": SECRET_KEY,
            "ENCRYPTION_KEY": ENCRYPTION_KEY,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


@contextmanager
def unseen(url: str) -> Iterator[None]:
    """What is changed within in the tables of SIP objects is afterwards as it was before; nobody is told."""
    tables = ("ps_endpoints", "ps_aors", "ps_auths", "ps_endpoint_id_ips")
    with create_engine(url).begin() as connection:
        for table in tables:
            connection.exec_driver_sql(f"CREATE TABLE kept_{table} AS TABLE asterisk.{table}")
    yield
    with create_engine(url).begin() as connection:
        for table in tables:
            connection.exec_driver_sql(f"DELETE FROM asterisk.{table}")  # noqa: S608 - fixed texts
            connection.exec_driver_sql(f"INSERT INTO asterisk.{table} TABLE kept_{table}")
            connection.exec_driver_sql(f"DROP TABLE kept_{table}")


def test_whatever_is_otherwise_is_found_and_cured(
    carrier: Carrier, asterisk: Asterisk, things: dict[str, Any], agent: AgentProcess
) -> None:
    def sql(statement: str, **values: Any) -> None:
        assert query(carrier.url, f"{statement} RETURNING 1", **values), statement

    def read(kind: str, name: str) -> None:
        asterisk.rx(f"sorcery memory cache expire {kind} {name}")
        asterisk.rx(f"pjsip show {kind} {name}")

    phone = {number: f"extension:{thing.id}" for number, thing in things["phones"].items()}
    long, gone = "gateway-a-name-that-a-cache-shows-cut-short", f"gateway:{uuid.uuid4()}"
    disabled = things["phones"][173]
    carrier.did("551140000170", "office", "101")
    assert carrier.stranger.register("office-175", f"{SECRETS[0]};^3B175") == 200

    # A phone is disabled, but has a row again.
    disabled.enabled = False
    store.save(disabled)
    carrier.settled()
    sql("INSERT INTO asterisk.ps_aors (id, max_contacts, owner) VALUES ('office-173', 1, :owner)", owner=phone[173])
    # What Asterisk keeps becomes stale: it reads wrong rows, which then are as before.
    with unseen(carrier.url):
        sql("UPDATE asterisk.ps_endpoints SET context = 'from-trunk', callerid = NULL WHERE id = 'office-174'")
        sql("UPDATE asterisk.ps_aors SET max_contacts = 7 WHERE id = 'office-174'")
        sql("UPDATE asterisk.ps_auths SET md5_cred = md5('another-secret') WHERE id = 'office-174'")
        sql("UPDATE asterisk.ps_endpoints SET deny = NULL, permit = NULL WHERE id = 'fixed-100'")
        sql("UPDATE asterisk.ps_endpoints SET allow = '!all,ulaw', direct_media = 'yes' WHERE id = 'trunk-proved'")
        sql("UPDATE asterisk.ps_aors SET contact = 'sip:192.0.2.1:5060' WHERE id = 'trunk-proved'")
        sql("UPDATE asterisk.ps_endpoint_id_ips SET match = '192.0.2.7' WHERE endpoint = 'trunk-proved'")
        sql("UPDATE asterisk.ps_endpoint_id_ips SET id = 'elsewhere' WHERE endpoint = :id", id=long)
        sql("INSERT INTO asterisk.ps_endpoints (id, context) VALUES ('nobodys', 'from-trunk')")
        sql("INSERT INTO asterisk.ps_aors (id) VALUES ('nobodys-with-a-very-long-name')")
        for kind in ("endpoint", "aor", "auth"):
            read(kind, "office-174")
        for kind in ("endpoint", "aor"):
            read(kind, "trunk-proved")
        read("endpoint", "fixed-100")
        read("endpoint", "nobodys")
        read("aor", "nobodys-with-a-very-long-name")
        asterisk.rx("sorcery memory cache populate identify")
    # A phone is deleted, and nobody tells Asterisk of its contact.
    for table in ("ps_endpoints", "ps_aors", "ps_auths", "extensions"):
        sql(f"DELETE FROM asterisk.{table} WHERE owner = :owner", owner=phone[175])  # noqa: S608 - fixed texts
    sql("DELETE FROM public.extensions WHERE id = :id", id=things["phones"][175].id)
    for kind in ("endpoint", "aor", "auth"):
        asterisk.rx(f"sorcery memory cache expire {kind} office-175")
    # Somebody changes rows by hand,
    sql("DELETE FROM asterisk.ps_endpoints WHERE id = 'office-170'")
    sql("DELETE FROM asterisk.extensions WHERE exten = 'office-170'")
    sql("UPDATE asterisk.ps_endpoints SET context = 'from-trunk' WHERE id = 'office-171'")
    sql("UPDATE asterisk.ps_aors SET max_contacts = 9 WHERE id = 'office-171'")
    sql("UPDATE asterisk.ps_auths SET md5_cred = md5('another-secret') WHERE id = 'office-172'")
    sql("UPDATE asterisk.ps_endpoint_id_ips SET match = '192.0.2.8' WHERE endpoint = 'gateway-proved'")
    sql("UPDATE asterisk.extensions SET appdata = 'to-phone,s,1(x)' WHERE exten = '551140000170'")
    sql("UPDATE asterisk.ps_registrations SET expiration = 77 WHERE id = 'gateway-proved'")
    sql("DELETE FROM asterisk.ps_registrations WHERE id = 'gateway-lost'")
    sql("INSERT INTO asterisk.ps_aors (id, owner) VALUES ('one-too-many', :owner)", owner=phone[172])
    sql("INSERT INTO asterisk.ps_endpoints (id, context, owner) VALUES ('of-nobody', 'x', :owner)", owner=gone)
    # and makes some that are none of ours.
    sql("INSERT INTO asterisk.ps_endpoints (id, context, aors) VALUES ('by-hand', 'from-internal', 'by-hand')")
    sql("INSERT INTO asterisk.ps_aors (id, contact) VALUES ('by-hand', 'sip:192.0.2.9:5060')")
    sql("INSERT INTO asterisk.ps_endpoint_id_ips (id, endpoint, match) VALUES ('by-hand', 'by-hand', '192.0.2.9')")
    read("endpoint", "by-hand")

    proof = proved()

    assert found(proof) == {
        ("ps_endpoints", "office-170", "missing"),
        ("extensions", "phones/office-170/1", "missing"),
        ("ps_endpoints", "office-171", "context"),
        ("ps_aors", "office-171", "max_contacts"),
        ("ps_auths", "office-172", "md5_cred"),
        ("ps_aors", "office-173", "left_over"),
        ("ps_endpoint_id_ips", identify_id("gateway-proved"), "match"),
        ("extensions", "from-trunk/551140000170/1", "appdata"),
        ("ps_registrations", "gateway-proved", "expiration"),
        ("ps_registrations", "gateway-lost", "missing"),
        ("ps_aors", "one-too-many", "left_over"),
        ("ps_endpoints", "of-nobody", "left_over"),
    }
    assert found(proof, "pbx1") == {
        ("ps_endpoints", "office-174", "context"),
        ("ps_endpoints", "office-174", "callerid"),
        ("ps_aors", "office-174", "max_contacts"),
        ("ps_auths", "office-172", "md5_cred"),  # What is entered it cannot know: of secrets the row counts.
        ("ps_auths", "office-174", "md5_cred"),
        ("ps_endpoints", "fixed-100", "deny"),
        ("ps_endpoints", "trunk-proved", "allow"),
        ("ps_endpoints", "trunk-proved", "direct_media"),
        ("ps_aors", "trunk-proved", "contact"),
        ("ps_endpoint_id_ips", identify_id("trunk-proved"), "match"),
        ("ps_endpoint_id_ips", identify_id(long), "missing"),
        ("ps_endpoint_id_ips", "elsewhere", "left_over"),
        ("ps_endpoints", "nobodys", "left_over"),
        ("ps_aors", "nobodys-with-a-very-long-…", "left_over"),
        ("ps_registrations", "gateway-proved", "expiration"),  # To look at one is to take it up.
        ("ps_registrations", "gateway-lost", "missing"),
        ("ps_registrations", "gateway-lost", "left_over"),  # It goes on to register.
        ("contacts", contact(proof), "left_over"),
    }
    assert contact(proof).startswith("office-175;@")
    assert proof.by_hand == {
        "ps_endpoints": ["by-hand"],
        "ps_aors": ["by-hand"],
        "ps_endpoint_id_ips": ["by-hand"],
    }
    status, output = command(carrier, "check", "--repair")
    lines = output.splitlines()
    assert status == 0
    assert "pbx1: left over: ps_endpoints nobodys" in lines
    assert "made by hand: 3 rows, which are left alone: " in output
    assert f"different: ps_auths office-172 ({phone[172]}): md5_cred is another one" in lines
    assert "12 rows set right." in lines
    [stored] = query(carrier.url, "SELECT string_agg(findings::text, '') FROM sync_checks")[0]
    told = stored + output + agent.log.read_text()
    assert [secret for secret in (*SECRETS, "^3B17") if secret in told] == []
    proof = proved()

    assert (found(proof), found(proof, "pbx1")) == (set(), set())
    assert proof.by_hand["ps_endpoints"] == ["by-hand"]
    assert "by-hand" in asterisk.rx("pjsip show identifies")
    assert "office-175" not in asterisk.rx("database show registrar")
    assert carrier.stranger.register("office-174", f"{SECRETS[0]};^3B174") == 200
    for table in ("ps_endpoints", "ps_aors", "ps_endpoint_id_ips"):
        sql(f"DELETE FROM asterisk.{table} WHERE id = 'by-hand'")  # noqa: S608 - fixed texts
    asterisk.rx("sorcery memory cache populate identify")


def contact(proof: operations.Proof) -> str:
    return next(key for table, key, _ in found(proof, "pbx1") if table == "contacts")
