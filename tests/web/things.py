"""Things for the tests of the pages: made through the store, and read back as they are stored."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import undefer

from webapp import store
from webapp.calls.models import Call
from webapp.conferences.models import Conference, Participant
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.dialling.models import NumberRule
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import Base, Managed, db
from webapp.extensions.models import Extension
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules import operations as fraud
from webapp.fraud_rules.models import FraudRule
from webapp.gateways.models import Gateway
from webapp.invoice_checks.models import InvoiceCheck
from webapp.providers.models import Provider
from webapp.reratings.models import Rerating
from webapp.routes.models import Route
from webapp.settings.models import CompanySettings
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

RISKY = "Destinos de alto risco e de tarifa especial"  # The list that comes with the system for new customers.
_ids = itertools.count(1)
COMPANY = ZoneInfo("America/Sao_Paulo")
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # From when on tariffs count.

T = TypeVar("T", bound=Base)
M = TypeVar("M", bound=Managed)


def provider(name: str = "Norte", **values: Any) -> Provider:
    return _stored(Provider(name=name, **values))


def gateway(name: str = "GW1", ip_address: str = "10.0.0.1", **values: Any) -> Gateway:
    if "provider_id" not in values:
        values["provider_id"] = provider(f"Provider of {name}").id
    return _stored(Gateway(name=name, ip_address=ip_address, **values))


def trunk(code: str = "padaria", address: str = "10.1.0.1", **values: Any) -> Customer:
    return _stored(Customer(code=code, name=f"Customer {code}", type="trunk", trunk_ip=[address], **values))


def office(code: str = "acme", **values: Any) -> Customer:
    return _stored(Customer(code=code, name=f"Customer {code}", type="extension", **values))


def extension(customer: Customer, number: str = "100", **values: Any) -> Extension:
    return _stored(Extension(customer_id=customer.id, extension=number, **{"secret": "secret-of-a-phone", **values}))


def route(name: str = "Brazil", **values: Any) -> Route:
    if "gateway_id" not in values:
        values["gateway_id"] = gateway().id
    return _stored(Route(name=name, **{"pattern": "55.", **values}))


def price_plan(name: str = "Retail", **values: Any) -> PricePlan:
    return _stored(PricePlan(name=name, **values))


def tariff(plan: PricePlan, prefix: str = "55", price: str = "0.12", **values: Any) -> Tariff:
    values = {"valid_from": START, **values}
    return _stored(Tariff(price_plan_id=plan.id, prefix=prefix, price_per_minute=Decimal(price), **values))


def deck_line(provider: Provider, prefix: str = "55", cost: str = "0.05", **values: Any) -> ProviderTariff:
    values = {"valid_from": START, **values}
    return _stored(ProviderTariff(provider_id=provider.id, prefix=prefix, cost_per_minute=Decimal(cost), **values))


def destination_list(name: str = "International", *prefixes: str) -> DestinationList:
    return _stored(DestinationList(name=name, prefixes=list(prefixes) or ["1", "44"]))


def fraud_rule(name: str = "Abroad", **values: Any) -> FraudRule:
    rule = FraudRule(name=name, **{"kind": "spending", "max_amount": Decimal(10), **values})
    fraud.save(rule)
    db.session.refresh(rule)
    db.session.expunge_all()
    _let_go()
    return rule


def fraud_case(customer: Customer, action: str = "block_international", **values: Any) -> FraudCase:
    """A rule has hit a customer, as an agent finds it."""
    call = {"started_at": START.isoformat(), "number": "442071234567", "seconds": 60, "price": "30.00000000"}
    made = {"rule_name": "Abroad", "calls": 2, "seconds": 600, "amount": Decimal(60), "evidence": [call], **values}
    return _stored(FraudCase(customer_id=customer.id, action=action, **made))


def no_destination_lists() -> None:
    """Those that come with the system are gone."""
    db.session.execute(update(CompanySettings).values(default_blocked_list_id=None))
    db.session.execute(delete(DestinationList))
    _let_go()


def number_rule(**values: Any) -> NumberRule:
    return _stored(NumberRule(**{"position": 1, "pattern": "0.", "strip": 1, **values}))


def dids(number: str = "551140001000", count: int = 1, **values: Any) -> list[Did]:
    if "provider_id" not in values:
        values["provider_id"] = provider(f"Provider of {number}").id
    operations.create_range(DidRangeSchema(number=number, count=count, **values))
    return [one(Did, number=str(int(number) + n)) for n in range(count)]


def did(number: str = "551140001000", **values: Any) -> Did:
    return dids(number, **values)[0]


def allocate(number: Did, customer: Customer, destination: str | None = None) -> None:
    found = db.session.get_one(Did, number.id)
    operations.allocate(found, AllocationSchema(customer_id=customer.id, destination=destination))
    _let_go()


def one(kind: type[T], **values: Any) -> T:
    """The stored thing with these values, as it is now, its secret included."""
    found = db.session.scalars(select(kind).options(undefer("*")).filter_by(**values)).one()
    db.session.expunge_all()
    _let_go()
    return found


def count(kind: type[Base] | type[Managed], **values: Any) -> int:
    """How many things with these values are stored."""
    number = db.session.scalar(select(func.count()).select_from(kind).filter_by(**values)) or 0
    _let_go()
    return number


def asterisk(question: str, **values: Any) -> Any:
    """One value out of Asterisk's tables; None if there is none."""
    answer = db.session.scalar(text(question), values)
    _let_go()
    return answer


def call(started_at: dt.datetime = START, **values: Any) -> Call:
    """A rated leg, as the database writes it where call records come in."""
    midnight = dt.datetime.combine(started_at.astimezone(COMPANY).date(), dt.time(), COMPANY)
    made = {
        "day": midnight,
        "direction": "outbound",
        "disposition": "ANSWERED",
        "duration": 70,
        "billsec": 65,
        "uniqueid": str(uuid.uuid4()),
        "sequence": 1,
        **values,
    }
    call = Call(id=next(_ids), started_at=started_at, node="n1", **made)
    db.session.add(call)
    db.session.commit()
    return call


def rerating(**values: Any) -> Rerating:
    """Calls that are to be rated again, as it is recorded."""
    rerating = Rerating(username="olga", state="compared", since=START, until=START + dt.timedelta(1), **values)
    rerating.reached_at = START
    store.bulk(lambda session: session.add(rerating))
    store.record("rerate", "reratings", rerating.id, str(rerating), since=START)
    store.save()
    return rerating


def invoice_check(provider: Provider) -> InvoiceCheck:
    """A bill that is to be read, as it is recorded."""
    settled = {"time_zone": "UTC", "tolerance_seconds": 60, "tolerance_duration": 1, "tolerance_amount": Decimal(0)}
    check = InvoiceCheck(
        id=uuid.uuid4(),
        file_name="bill.csv",
        username="olga",
        language="en",
        state="mapping",
        header=[["?"]],
        provider_id=provider.id,
        **settled,
    )
    db.session.add(check)
    store.record("create", "invoice_checks", check.id, str(check), provider_id=provider.id)
    store.save()
    return check


def conference(customer: Customer, *numbers: str, **values: Any) -> Conference:
    """Numbers that are to be called, as it is recorded; no node looks after it."""
    called = [Participant(position=place, number=number) for place, number in enumerate(numbers)]
    values = {"name": "Board", "node": "n1", "username": "olga", "participants": called, **values}
    return _stored(Conference(customer_id=customer.id, numbers=list(numbers), **values))


def edit_path(thing: Managed) -> str:
    """Where the form of a thing is."""
    area = thing.__tablename__  # type: ignore[attr-defined]  # every model has one
    return current_app.url_map.bind("").build(f"{area}.edit", {"id": thing.id})


def _stored(thing: M) -> M:
    store.save(thing)
    db.session.refresh(thing)
    db.session.expunge_all()
    _let_go()
    return thing


def _let_go() -> None:
    """End the transaction of the test's own session. Left open, what requests commit would be undone with it."""
    db.session.commit()
