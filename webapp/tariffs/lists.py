"""What the lists of price plans, of their tariffs and of decks show, and by what they are searched and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, Select, func, select, true

from webapp.customers.models import Customer
from webapp.listing import Column, Filter, ListOf
from webapp.paging import Column as Expression
from webapp.tariffs import prices
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tariffs.schemas import ProviderTariffSchema, TariffSchema
from webapp.validation import Schema

_TARIFFS = select(func.count()).where(Tariff.price_plan_id == PricePlan.id).correlate(PricePlan).scalar_subquery()
_CUSTOMERS = select(func.count()).where(Customer.price_plan_id == PricePlan.id).correlate(PricePlan).scalar_subquery()

PRICE_PLANS = ListOf(
    query=select(PricePlan),
    columns=[
        Column("name", lazy_gettext("Name"), PricePlan.name),
        Column("tariffs", lazy_gettext("Tariffs"), _TARIFFS, end=True),
        Column("customers", lazy_gettext("Customers"), _CUSTOMERS, end=True),
    ],
    order=[PricePlan.name],
    search=[PricePlan.name],
    export={"name": PricePlan.name, "tariffs": _TARIFFS, "customers": _CUSTOMERS},
)


# ---- the lines of price plans, and those of decks

STATES = {
    "current": lazy_gettext("Current"),
    "future": lazy_gettext("Not yet"),
    "past": lazy_gettext("Past"),
    "all": lazy_gettext("Past and future too"),
}
LOSS = {"loss": lazy_gettext("Sold below cost")}


@dataclass(frozen=True, kw_only=True)
class ShownFilter(Filter):
    """Lines in a state, of which most readers want those that count now; or those that lose money now."""

    kind: prices.Kind

    @property
    def hint(self) -> str:
        losses = " Up to 20 000 tariffs are compared with the decks of providers, more with their own cost only."
        return "What the lines are now; all of them, if it is left out." + (losses if "loss" in self.words else "")

    def narrow(self, query: Select[Any], value: str) -> Select[Any]:
        if value == "loss" and value in self.words:
            now = prices.is_now(self.kind, "current")
            return query.where(now, prices.is_below_cost(decks=prices.few(query)))
        return super().narrow(query, value)

    def condition(self, value: str) -> ColumnElement[bool]:
        if value not in self.words:
            raise ValueError(value)
        return true() if value == "all" else prices.is_now(self.kind, value)


def _shown(kind: prices.Kind, words: dict[str, Any]) -> ShownFilter:
    label = lazy_gettext("Which tariffs")
    return ShownFilter("show", label, kind.valid_from, words=words, default="current", kind=kind)


def _columns(kind: prices.Kind, *amounts: Column) -> Sequence[Column]:
    """The columns of a list of lines. A state follows from the clock and from other lines: it is filtered by."""
    return [
        Column("prefix", lazy_gettext("Prefix"), kind.prefix),
        Column("description", lazy_gettext("Description"), kind.description),
        *amounts,
        Column("connect_fee", lazy_gettext("Connect fee"), kind.connect_fee, end=True),
        Column("minimum_seconds", lazy_gettext("Charged"), [kind.minimum_seconds, kind.increment_seconds]),
        Column("valid_from", lazy_gettext("Valid from"), kind.valid_from),
        Column("state", lazy_gettext("State")),
    ]


def _file(kind: prices.Kind, schema: type[Schema], owner: str) -> dict[str, Expression]:
    """All that a form holds, so that the import takes the file as it is; whose lines they are, it asks."""
    return {name: getattr(kind, name) for name in schema.model_fields if name != owner}


TARIFFS = ListOf(
    query=select(Tariff),
    columns=_columns(
        Tariff,
        # By the cost of its own. Whoever has none shows the cheapest provider's, which is found for one page at a time:
        # to sort by that, or by the margin over it, each tariff of a plan would have to be held against every deck.
        Column("cost_per_minute", lazy_gettext("Cost"), Tariff.cost_per_minute, end=True),
        Column("price_per_minute", lazy_gettext("Price"), Tariff.price_per_minute, end=True),
        Column("margin", lazy_gettext("Margin"), end=True),
    ),
    order=[Tariff.price_plan_id, Tariff.prefix, Tariff.valid_from],
    search=[Tariff.description],
    number=Tariff.prefix,
    filters=[_shown(Tariff, STATES | LOSS)],
    export=_file(Tariff, TariffSchema, "price_plan_id"),
    index=".show",
    file=".export_tariffs",
    bulk=".bulk_tariffs",
)

DECKS = ListOf(
    query=select(ProviderTariff),
    columns=_columns(
        ProviderTariff,
        Column("cost_per_minute", lazy_gettext("Cost"), ProviderTariff.cost_per_minute, end=True),
        # What all price plans say of a prefix is looked up for one page at a time, too.
        Column("price", lazy_gettext("Lowest price"), end=True),
        Column("margin", lazy_gettext("Margin"), end=True),
    ),
    order=[ProviderTariff.provider_id, ProviderTariff.prefix, ProviderTariff.valid_from],
    search=[ProviderTariff.description],
    number=ProviderTariff.prefix,
    filters=[_shown(ProviderTariff, STATES)],
    export=_file(ProviderTariff, ProviderTariffSchema, "provider_id"),
    index=".deck",
    file=".export_deck",
    bulk=".bulk_deck",
)
