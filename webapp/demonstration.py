"""A small carrier to look at: what `make run` puts into an empty database."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import select

from webapp import store
from webapp.customers.models import Customer
from webapp.dids import operations
from webapp.dids.models import Did
from webapp.dids.schemas import AllocationSchema, DidRangeSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.extensions.schemas import new_secret
from webapp.gateways.models import Gateway
from webapp.payments import operations as payments
from webapp.payments.models import Payment
from webapp.providers.models import Provider
from webapp.routes.models import Route
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

CUSTOMER = "demo"  # The customer whose phones one can register.

SINCE = dt.datetime(2026, 1, 1, 3, tzinfo=dt.UTC)  # From when on its tariffs count: New Year in São Paulo.
# Prefix, what it is, what a minute costs us and what we sell it for. Mobile numbers begin with 9 after the area code.
TARIFFS = (
    ("55", "Brasil, fixo", "0.045", "0.12"),
    ("5511", "São Paulo, fixo", "0.028", "0.08"),
    ("55119", "São Paulo, móvel", "0.08", "0.25"),
    ("55219", "Rio de Janeiro, móvel", "0.08", "0.25"),
    ("55319", "Belo Horizonte, móvel", "0.085", "0.25"),
    ("55619", "Brasília, móvel", "0.085", "0.25"),
    ("1", "Estados Unidos e Canadá", "0.06", "0.19"),
    ("351", "Portugal, fixo", "0.09", "0.25"),
    ("3519", "Portugal, móvel", "0.92", "0.85"),
)


def seed() -> bool:
    """Enter the demonstration if there is no provider yet, and say whether; its addresses are nobody's (RFC 5737)."""
    if db.session.scalar(select(Provider.id).limit(1)):
        return False
    provider = Provider(name="Telefônica Exemplo", type="both", cost_per_minute=Decimal("0.045"))
    store.save(provider)
    main = Gateway(name="GW_Exemplo_SP", provider_id=provider.id, ip_address="192.0.2.10")
    spare = Gateway(name="GW_Exemplo_RJ", provider_id=provider.id, ip_address="192.0.2.20", tech_prefix="77")
    plan = PricePlan(name="Varejo", tariffs=[_tariff(*line) for line in TARIFFS])
    deck = [_deck_line(provider, prefix, name, cost) for prefix, name, cost, _ in TARIFFS]
    trunk = Customer(
        code="padaria", name="Padaria Central (PABX)", type="trunk", trunk_ip=["192.0.2.100"], price_plan=plan
    )
    office = Customer(code=CUSTOMER, name="Escritório Demo", type="extension", price_plan=plan, number_rules="brazil")
    prepaid = Customer(
        code="taxi",
        name="Ponto de Táxi (pré-pago)",
        type="extension",
        price_plan=plan,
        number_rules="brazil",
        prepaid=True,
    )
    store.save(main, spare, plan, *deck, trunk, office, prepaid)
    payments.record(Payment(customer_id=prepaid.id, amount=Decimal(50), note="PIX"))
    phones = [
        Extension(customer_id=office.id, extension="100", name="Recepção", secret=new_secret()),
        Extension(customer_id=office.id, extension="101", name="João", secret=new_secret()),
    ]
    routes = [
        Route(name="Brasil", pattern="55.", gateway_id=main.id, priority=10),
        Route(name="Brasil, reserva", pattern="55.", gateway_id=spare.id, priority=20),
        Route(name="Emergência", pattern="19X", gateway_id=main.id, priority=1),
    ]
    store.save(*phones, *routes)
    operations.create_range(
        DidRangeSchema(number="551140001000", count=10, provider_id=provider.id, gateway_id=main.id)
    )
    dids = db.session.scalars(select(Did).order_by(Did.number)).all()
    operations.allocate(dids[0], AllocationSchema(customer_id=trunk.id))
    operations.allocate(dids[1], AllocationSchema(customer_id=office.id, destination="100"))
    return True


def _tariff(prefix: str, description: str, cost: str, price: str) -> Tariff:
    return Tariff(
        prefix=prefix,
        description=description,
        cost_per_minute=Decimal(cost),
        price_per_minute=Decimal(price),
        valid_from=SINCE,
    )


def _deck_line(provider: Provider, prefix: str, description: str, cost: str) -> ProviderTariff:
    return ProviderTariff(
        provider_id=provider.id,
        prefix=prefix,
        description=description,
        cost_per_minute=Decimal(cost),
        valid_from=SINCE,
    )


def phones() -> list[tuple[str, str]]:
    """SIP user and secret of the demonstration's phones."""
    query = select(Extension).join(Extension.customer).where(Customer.code == CUSTOMER).order_by(Extension.extension)
    return [(phone.sip_user, phone.secret) for phone in db.session.scalars(query)]
