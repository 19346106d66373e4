"""Price plans, their tariffs, and what providers charge, for programs."""

from __future__ import annotations

import uuid

from pydantic import Field
from sqlalchemy import ColumnElement, func

from webapp.api import Listing, resource
from webapp.tariffs import operations, prices
from webapp.tariffs.lists import DECKS, PRICE_PLANS, TARIFFS
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tariffs.schemas import PricePlanSchema, ProviderTariffSchema, TariffSchema
from webapp.validation import DialledNumber, Moment, Prefix


class LineListing(Listing):
    """How to ask for the lines of price plans or decks."""

    prefix: Prefix | None = Field(None, description="Lines of exactly this prefix.")
    number: DialledNumber | None = Field(
        None, description="Of each list the line that counts for this number, now or at `at`."
    )
    at: Moment | None = Field(None, description="Lines that count at this moment; all lines, if it is left out.")


class TariffListing(LineListing):
    price_plan_id: uuid.UUID | None = Field(None, description="Lines of this price plan.")


class ProviderTariffListing(LineListing):
    provider_id: uuid.UUID | None = Field(None, description="Lines of this provider's deck.")


def _conditions(kind: prices.Kind, owner_id: uuid.UUID | None, query: LineListing) -> list[ColumnElement[bool]]:
    conditions = []
    if owner_id:
        conditions.append(prices.owner(kind) == owner_id)
    if query.prefix:
        conditions.append(kind.prefix == query.prefix)
    if query.number:
        conditions.append(prices.counts_for(kind, query.number, query.at or func.now(), owner_id))
    elif query.at:
        conditions.append(prices.counts(kind, query.at))
    return conditions


resource(
    "price-plans",
    PricePlan,
    PricePlanSchema,
    listing=PRICE_PLANS,
    remove=operations.delete,
    rights="tariffs",
)
resource(
    "tariffs",
    Tariff,
    TariffSchema,
    listing=TARIFFS,
    asked=TariffListing,
    narrowed=lambda query: _conditions(Tariff, query.price_plan_id, query),
)
resource(
    "provider-tariffs",
    ProviderTariff,
    ProviderTariffSchema,
    listing=DECKS,
    rights="tariffs",
    asked=ProviderTariffListing,
    narrowed=lambda query: _conditions(ProviderTariff, query.provider_id, query),
)
