"""Which tariff counts, what the same minute costs us, and whether anything is earned."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Numeric,
    Select,
    and_,
    case,
    column,
    exists,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import LateralFromClause

from webapp.ext import db
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

MOST_LOSSES = 1000
MOST_COMPARED = 20_000  # To compare more prices with every deck takes longer than anybody waits.

Kind = type[Tariff] | type[ProviderTariff]
Line = Tariff | ProviderTariff


@dataclass(frozen=True)
class Appraisal:
    """What there is to say about a line of a price plan or a deck."""

    state: str  # current, future or past
    cost: Decimal | None = None  # What the price is compared with; None: nobody knows.
    provider: str = ""  # Whose deck says that cost; empty: the tariff itself does.
    cheapest: Decimal | None = None  # What the cheapest deck says, whatever the tariff says.
    cheapest_provider: str = ""
    price: Decimal | None = None  # Of a line of a deck: the lowest price that a plan sells it for.
    plan: str = ""


def tariff_for(price_plan_id: uuid.UUID, number: str, at: dt.datetime) -> Tariff | None:
    """The tariff that counts for a number at a time."""
    return db.session.scalar(select(Tariff).where(counts_for(Tariff, number, at, price_plan_id)))


def provider_tariff_for(provider_id: uuid.UUID, number: str, at: dt.datetime) -> ProviderTariff | None:
    """The line of a provider's deck that counts for a number at a time."""
    return db.session.scalar(select(ProviderTariff).where(counts_for(ProviderTariff, number, at, provider_id)))


def counts_for(kind: Kind, number: str, at: Any, owner_id: uuid.UUID | None = None) -> ColumnElement[bool]:
    """The condition that a line is the one that counts for a number at a time, of one price plan or deck or of each."""
    lists: type[PricePlan | Provider] = PricePlan if kind is Tariff else Provider
    function = func.public.tariff_for if kind is Tariff else func.public.provider_tariff_for
    line = function(lists.id, number, at).table_valued(column("id")).lateral("line")
    found = select(line.c.id).select_from(lists).join(line, true())
    return kind.id.in_(found.where(lists.id == owner_id) if owner_id else found)


def counts(kind: Kind, at: Any) -> ColumnElement[bool]:
    """The condition that a line is the one that counts for its prefix at a time: valid, and none newer is."""
    return and_(kind.valid_from <= at, ~_replaced(kind, at))


def is_now(kind: Kind, state: str) -> ColumnElement[bool]:
    """The condition that a line is current, future or past now."""
    now = func.now()
    states = {
        "current": counts(kind, now),
        "future": kind.valid_from > now,
        "past": and_(kind.valid_from <= now, _replaced(kind, now)),
    }
    return states[state]


def few(query: Select[Any]) -> bool:
    """Whether the lines of a query are so few that each price can be compared with every deck while somebody waits."""
    some = query.with_only_columns(literal(1)).limit(MOST_COMPARED + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(some)) or 0) <= MOST_COMPARED


def is_below_cost(*, decks: bool) -> ColumnElement[bool]:
    """The condition that a tariff is sold for less than its own cost, or with `decks` than the cheapest deck's.

    To ask the decks takes a few lookups for each tariff and provider.
    """
    below_its_own = Tariff.price_per_minute < Tariff.cost_per_minute
    if not decks:
        return below_its_own
    cheapest = _cheapest(Tariff.prefix, func.now())
    return or_(below_its_own, Tariff.price_per_minute < select(cheapest.c.cost).scalar_subquery())


def owner(kind: Any) -> Any:
    """The column that says whose line it is."""
    return kind.provider_id if inspect(kind).mapper.class_ is ProviderTariff else kind.price_plan_id


def losses(price_plan_id: uuid.UUID) -> int:
    """How many tariffs of a plan are now sold for less than their own cost, counted up to MOST_LOSSES."""
    mine = Tariff.price_plan_id == price_plan_id, Tariff.price_per_minute < Tariff.cost_per_minute
    found = select(Tariff.id).where(*mine, counts(Tariff, func.now())).limit(MOST_LOSSES).subquery()
    return db.session.scalar(select(func.count()).select_from(found)) or 0


def left_without(lines: Sequence[Line]) -> int:
    """For how many prefixes nothing would count now any more, not even a line of a shorter one, without these lines."""
    [kind], ids = {type(line) for line in lines}, [line.id for line in lines]
    other = aliased(kind)
    counting_then = exists().where(
        owner(other) == owner(kind),
        other.prefix.in_([func.left(kind.prefix, digits) for digits in range(1, 16)]),
        other.valid_from <= func.now(),
        other.id.not_in(ids),
    )
    lost = select(func.count()).where(kind.id.in_(ids), counts(kind, func.now()), ~counting_then)
    return db.session.scalar(lost) or 0


def appraise(tariffs: Iterable[Tariff]) -> dict[uuid.UUID, Appraisal]:
    """What there is to say about each of a few tariffs, in one query.

    A tariff's own cost is what its price is compared with; where it has none, the cheapest deck's for that prefix, as
    it is now or when a future tariff begins.
    """
    cheapest = _cheapest(Tariff.prefix, func.greatest(Tariff.valid_from, func.now()))
    query = (
        select(Tariff.id, _state(Tariff), Tariff.cost_per_minute, cheapest.c.cost, cheapest.c.provider)
        .outerjoin(cheapest, true())
        .where(Tariff.id.in_([tariff.id for tariff in tariffs]))
    )
    return {
        id: Appraisal(
            state=state,
            cost=own or deck,
            provider="" if own else provider or "",
            cheapest=deck,
            cheapest_provider=provider or "",
        )
        for id, state, own, deck, provider in db.session.execute(query)
    }


def appraise_deck(lines: Iterable[ProviderTariff]) -> dict[uuid.UUID, Appraisal]:
    """Whether each of a few lines of a deck counts, and the lowest price for its prefix, as it is now or when a future
    line begins, in one query."""
    lowest = _lowest(ProviderTariff.prefix, func.greatest(ProviderTariff.valid_from, func.now()))
    query = (
        select(ProviderTariff.id, _state(ProviderTariff), lowest.c.price, lowest.c.plan)
        .outerjoin(lowest, true())
        .where(ProviderTariff.id.in_([line.id for line in lines]))
    )
    return {
        id: Appraisal(state=state, price=price, plan=plan or "") for id, state, price, plan in db.session.execute(query)
    }


def _replaced(kind: Kind, at: Any) -> ColumnElement[bool]:
    newer = aliased(kind)
    return exists().where(
        owner(newer) == owner(kind),
        newer.prefix == kind.prefix,
        newer.valid_from > kind.valid_from,
        newer.valid_from <= at,
    )


def _state(kind: Kind) -> ColumnElement[str]:
    return case(
        (kind.valid_from > func.now(), "future"),
        (_replaced(kind, func.now()), "past"),
        else_="current",
    )


def _cheapest(prefix: Any, at: Any) -> LateralFromClause:
    """What the cheapest provider's deck says for a prefix at a time: cost and provider."""
    line = (
        func.public.provider_tariff_for(Provider.id, prefix, at)
        .table_valued(column("cost_per_minute", Numeric))
        .lateral("line")
    )
    return (
        select(line.c.cost_per_minute.label("cost"), Provider.name.label("provider"))
        .select_from(Provider)
        .join(line, true())
        .order_by(line.c.cost_per_minute, Provider.name)
        .limit(1)
        .lateral("cheapest")
    )


def _lowest(prefix: Any, at: Any) -> LateralFromClause:
    """The lowest price of all plans for a prefix at a time: price and plan."""
    tariff = (
        func.public.tariff_for(PricePlan.id, prefix, at)
        .table_valued(column("price_per_minute", Numeric))
        .lateral("tariff")
    )
    return (
        select(tariff.c.price_per_minute.label("price"), PricePlan.name.label("plan"))
        .select_from(PricePlan)
        .join(tariff, true())
        .order_by(tariff.c.price_per_minute, PricePlan.name)
        .limit(1)
        .lateral("lowest")
    )
