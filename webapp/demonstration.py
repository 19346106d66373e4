"""A small carrier to look at: what `make run` puts into an empty database."""

from __future__ import annotations

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
from webapp.providers.models import Provider
from webapp.routes.models import Route
from webapp.tariffs.models import PricePlan, Tariff

CUSTOMER = "demo"  # The customer whose phones one can register.


def seed() -> bool:
    """Enter the demonstration if there is no provider yet, and say whether; its addresses are nobody's (RFC 5737)."""
    if db.session.scalar(select(Provider.id).limit(1)):
        return False
    provider = Provider(name="Telefônica Exemplo", type="both", cost_per_minute=Decimal("0.045"))
    store.save(provider)
    main = Gateway(name="GW_Exemplo_SP", provider_id=provider.id, ip_address="192.0.2.10")
    spare = Gateway(name="GW_Exemplo_RJ", provider_id=provider.id, ip_address="192.0.2.20", tech_prefix="77")
    plan = PricePlan(
        name="Varejo",
        tariffs=[
            Tariff(
                prefix="55",
                description="Brasil",
                cost_per_minute=Decimal("0.045"),
                price_per_minute=Decimal("0.12"),
            ),
            Tariff(
                prefix="55119",
                description="São Paulo, móvel",
                cost_per_minute=Decimal("0.08"),
                price_per_minute=Decimal("0.25"),
            ),
        ],
    )
    trunk = Customer(
        code="padaria", name="Padaria Central (PABX)", type="trunk", trunk_ip=["192.0.2.100"], price_plan=plan
    )
    office = Customer(code=CUSTOMER, name="Escritório Demo", type="extension", price_plan=plan, number_rules="brazil")
    store.save(main, spare, plan, trunk, office)
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


def phones() -> list[tuple[str, str]]:
    """SIP user and secret of the demonstration's phones."""
    query = select(Extension).join(Extension.customer).where(Customer.code == CUSTOMER).order_by(Extension.extension)
    return [(phone.sip_user, phone.secret) for phone in db.session.scalars(query)]
