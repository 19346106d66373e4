"""Anything in any order, with crashes in between: what was acknowledged is there, Asterisk's tables say the same, and
a node that does what it is told knows it all."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from werkzeug.datastructures import FileStorage

from tests.faults.conftest import empty
from tests.faults.points import POINTS, at
from webapp import store
from webapp.asterisk.check import check
from webapp.customers.models import Customer
from webapp.dids import operations as dids
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.imports import operations as imports
from webapp.imports import working
from webapp.imports.models import Import
from webapp.imports.schemas import ImportSchema
from webapp.providers.models import Provider
from webapp.settings.models import Node

SOAK = bool(os.environ.get("SOAK"))
KINDS: dict[str, tuple[type[Any], str]] = {
    "customers": (Customer, "code"),
    "extensions": (Extension, "extension"),
    "gateways": (Gateway, "name"),
    "dids": (Did, "number"),
}
REFUSALS = (store.Refused, store.Stale, store.InUse, imports.Unfit, imports.NotNow)
# What Asterisk keeps of which table, and the orders by which it reads one row of it, or all of it, anew.
CACHES = {"ps_endpoints": "endpoint", "ps_aors": "aor", "ps_auths": "auth"}
WHOLE = {"ps_endpoint_id_ips": "populate_identify", "ps_registrations": "reload_registrations"}

Stored = dict[str, dict[str, bool]]


class Crash(Exception):
    """Whoever saves ends."""


def crash() -> None:
    raise Crash


def sent_away() -> None:
    """The database ends the connection."""
    pid = db.session.scalars(text("SELECT pg_backend_pid()")).one()
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


CRASHES = st.one_of(
    st.none(),
    st.none(),
    st.tuples(
        st.sampled_from([name for name in POINTS if name != "after the commit"]), st.sampled_from([crash, sent_away])
    ),
)
PICK = st.integers(0, 7)


def stored() -> Stored:
    """Kind -> name -> whether it is in use: enabled, or for a number allocated."""
    found: Stored = {}
    for kind, (model, name) in KINDS.items():
        state = "status = 'allocated'" if model is Did else "enabled"
        rows = db.session.execute(text(f"SELECT {name}, {state} FROM {kind}"))  # noqa: S608 - our own names
        found[kind] = {key: bool(in_use) for key, in_use in rows}
    db.session.rollback()
    return found


class Asterisk:
    """A node that keeps what it has read until it is told to look again, as sorcery.conf has it."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, str]] = {table: rows(table) for table in (*CACHES, *WHOLE)}

    def obey(self) -> None:
        """Do what is owed."""
        orders = db.session.execute(
            text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL RETURNING action, object")
        )
        for action, name in orders.all():
            for table, kind in CACHES.items():
                if action in (f"expire_{kind}", f"refresh_{kind}"):
                    self.known[table].pop(name, None)
                    self.known[table] |= {key: row for key, row in rows(table).items() if key == name}
            for table, order in WHOLE.items():
                if action == order:
                    self.known[table] = rows(table)
        db.session.commit()


def rows(table: str) -> dict[str, str]:
    found = db.session.execute(text(f"SELECT id, t::text FROM asterisk.{table} t"))  # noqa: S608 - our own names
    return {key: row for key, row in found}  # noqa: C416 - a row is no pair to mypy


class Machine(RuleBasedStateMachine):
    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count(1)
        self.context = self.app.test_request_context()
        self.context.push()

    @initialize()
    def begin(self) -> None:
        empty()
        provider, office = Provider(name="Norte"), Customer(code="office", name="O", type="extension")
        db.session.add(Node(name="pbx1"))
        store.save(provider, office, Customer(code="pbx", name="P", type="trunk", trunk_ip=["198.51.100.251"]))
        store.save(
            Extension(customer_id=office.id, extension="100", secret="secret-of-it"),
            Gateway(name="g", provider_id=provider.id, ip_address="203.0.113.251"),
            Did(number="551140000000", provider_id=provider.id),
        )
        self.stored = stored()
        self.asterisk = Asterisk()

    def do(self, deed: Callable[[], object], broken: Any = None) -> None:
        """Do it, or have it crash; whether it is acknowledged decides what must be there."""
        before = stored()
        assert before == self.stored, "what was acknowledged is not there"
        trap: AbstractContextManager[None] = at(*broken) if broken else nullcontext()
        try:
            with trap:
                deed()
        except (*REFUSALS, Crash, DBAPIError, store.Unsure):
            db.session.remove()
            assert stored() == before, "what was refused, or never said to be done, left something behind"
        db.session.remove()
        self.stored = stored()

    def one(self, kind: type[Any], pick: int) -> Any:
        """Some thing of a kind, or None."""
        found = db.session.scalars(select(kind).order_by(kind.created_at, kind.id)).all()
        return found[pick % len(found)] if found else None

    def made(self, kind: str, number: int, customer: Customer | None) -> Any:
        """A new thing, or None if it would need a customer."""
        provider_id = self.one(Provider, 0).id
        if kind == "customers" and number % 2:
            return Customer(code=f"c{number}", name="C", type="extension")
        if kind == "customers":
            return Customer(code=f"c{number}", name="C", type="trunk", trunk_ip=[f"198.51.100.{number % 250}"])
        if kind == "gateways":
            return Gateway(name=f"g{number}", provider_id=provider_id, ip_address=f"203.0.113.{number % 250}")
        if kind == "dids":
            return Did(number=str(551140000000 + number), provider_id=provider_id)
        return customer and Extension(customer_id=customer.id, extension=str(100 + number), secret="secret-of-it")

    # ---- what people do

    @rule(kind=st.sampled_from(["customers", "extensions", "gateways", "dids"]), pick=PICK, broken=CRASHES)
    def new(self, kind: str, pick: int, broken: Any) -> None:
        thing = self.made(kind, next(self.numbers), self.one(Customer, pick))
        if thing:
            name = KINDS[kind][1]
            key = getattr(thing, name)
            self.do(lambda: store.save(thing), broken)
            if not broken and not isinstance(thing, Extension):
                assert key in self.stored[kind], "it was saved"

    @rule(pick=PICK, broken=CRASHES)
    def rename(self, pick: int, broken: Any) -> None:
        if customer := self.one(Customer, pick):
            customer.code = f"r{next(self.numbers)}"
            self.do(lambda: store.save(customer), broken)

    @rule(kind=st.sampled_from(["customers", "extensions", "gateways"]), pick=PICK, broken=CRASHES)
    def switch(self, kind: str, pick: int, broken: Any) -> None:
        if thing := self.one(KINDS[kind][0], pick):
            thing.enabled = not thing.enabled
            self.do(lambda: store.save(thing), broken)

    @rule(kind=st.sampled_from(["customers", "extensions", "gateways"]), enabled=st.booleans(), broken=CRASHES)
    def switch_all(self, kind: str, enabled: bool, broken: Any) -> None:
        things = db.session.scalars(select(KINDS[kind][0])).all()
        self.do(lambda: store.change(things, enabled=enabled), broken)

    @rule(kind=st.sampled_from(list(KINDS)), pick=PICK, broken=CRASHES)
    def delete(self, kind: str, pick: int, broken: Any) -> None:
        if thing := self.one(KINDS[kind][0], pick):
            self.do(lambda: store.delete(thing), broken)

    @rule(number=PICK, pick=PICK, broken=CRASHES)
    def allocate(self, number: int, pick: int, broken: Any) -> None:
        did, customer = self.one(Did, number), self.one(Customer, pick)
        if did and customer:
            phone = db.session.scalars(select(Extension.extension).filter_by(customer_id=customer.id)).first()
            wanted = AllocationSchema(customer_id=customer.id, destination=phone)
            self.do(lambda: dids.allocate(did, wanted), broken)

    @rule(number=PICK, broken=CRASHES)
    def deallocate(self, number: int, broken: Any) -> None:
        if did := self.one(Did, number):
            self.do(lambda: dids.deallocate(did), broken)

    @rule(broken=CRASHES)
    def bring_in(self, broken: Any) -> None:
        """A file with numbers, applied at once."""
        first = next(self.numbers)
        lines = "".join(f"{551150000000 + first + n};Norte\n" for n in range(3))
        file = FileStorage(io.BytesIO(f"Number;Provider\n{lines}".encode()), "numbers.csv")
        imports.bring_in(ImportSchema(kind="dids", file=file))
        import_ = db.session.scalars(select(Import).filter_by(state="ready").order_by(Import.created_at.desc())).first()
        assert import_
        self.do(lambda: imports.apply(import_), broken)

    @rule(pick=PICK, broken=CRASHES)
    def undo(self, pick: int, broken: Any) -> None:
        if import_ := self.one(Import, pick):
            self.do(lambda: imports.undo(import_), broken)

    @rule(pick=PICK)
    def two_at_once(self, pick: int) -> None:
        """One renames a customer while another changes its phone, or gives it a number."""
        number = next(self.numbers)

        def rename() -> None:
            if customer := self.one(Customer, pick):
                customer.code = f"t{number}"
                store.save(customer)

        def change() -> None:
            if phone := self.one(Extension, pick):
                phone.secret = f"secret-number-{number}"
                store.save(phone)

        def in_a_thread(deed: Callable[[], None]) -> None:
            with self.app.app_context():
                try:
                    deed()
                except REFUSALS:
                    pass
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=in_a_thread, args=(deed,)) for deed in (rename, change)]
        db.session.rollback()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.stored = stored()

    # ---- what must be so

    @invariant()
    def asterisks_tables_are_right(self) -> None:
        if hasattr(self, "asterisk"):
            assert check(db.session()) == []
            db.session.rollback()

    @invariant()
    def a_node_that_obeys_knows_it_all(self) -> None:
        if hasattr(self, "asterisk"):
            self.asterisk.obey()
            for table in CACHES:
                there = rows(table)
                stale = {key for key, row in self.asterisk.known[table].items() if there.get(key) != row}
                # The account of a gateway that is gone is kept on purpose: it is needed to unregister.
                assert not {key for key in stale if key in there or table != "ps_auths"}, f"nobody said so: {stale}"
                self.asterisk.known[table] |= there  # It looks up what it does not know when it is called.
            for table in WHOLE:
                assert self.asterisk.known[table] == rows(table), f"nobody said so: {table}"
            db.session.rollback()

    def teardown(self) -> None:
        db.session.remove()
        empty()
        db.session.remove()
        self.context.pop()


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import is done by whoever asks for it, who is then the one that crashes."""

    def start(import_: Import, step: working.Step) -> None:
        id = import_.id
        db.session.commit()
        working.perform(id, step, working.asked(), working.Progress())

    monkeypatch.setattr(working, "start", start)
    monkeypatch.setattr(dids, "quarantine_days", lambda: 0)


@pytest.mark.usefixtures("_at_once")
def test_anything_in_any_order(faults_app: Flask) -> None:
    many = settings(
        max_examples=60 if SOAK else 8,
        stateful_step_count=40 if SOAK else 15,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(type("OfThisApp", (Machine,), {"app": faults_app}), settings=many)
