"""What can be brought in: for each kind of thing, what its lines hold and how they meet what is stored."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import force_locale, gettext
from sqlalchemy import ColumnElement, Uuid, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import LateralFromClause

from webapp.customers.models import Customer
from webapp.dids import operations as dids
from webapp.dids.models import Allocation, Did
from webapp.dids.schemas import AllocationSchema, DidLineSchema
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.imports.models import DidLine, Import, ImportChange, TariffLine
from webapp.pages import LANGUAGES
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tariffs.schemas import ProviderTariffSchema, TariffSchema
from webapp.validation import N_, Schema


@dataclass(frozen=True)
class Rule:
    """What only the database can judge of a line: when it is refused, at which field, which value, and why."""

    broken: ColumnElement[bool]
    field: str
    value: Any
    message: str


@dataclass(frozen=True)
class Kind:
    """Lines of `line`, valid by `schema`, that become things of `thing`.

    A line finds its thing by the first column of `key`, among those of the import's target (`scope`, `targets`).
    Things whose key holds valid_from have a life: the line is compared with what is in force when it begins.
    """

    title: str
    permission: str
    schema: type[Schema]
    thing: type[Any]  # One of the models.
    line: type[Any]
    key: tuple[str, ...]
    values: tuple[str, ...]
    synonyms: Mapping[str, str]  # Field -> what others call it, in words as `heading` leaves them.
    scope: str = ""
    targets: type[Any] | None = None

    @property
    def fields(self) -> list[str]:
        """What a file may hold, in the order of the schema."""
        return [name for name in self.schema.model_fields if name != self.scope]

    @property
    def staged(self) -> list[str]:
        """The columns of a line that hold values."""
        return [name for name in self.fields if name in self.line.__table__.c]

    @property
    def shown(self) -> list[str]:
        """The columns of a preview, besides the key."""
        return list(self.values)

    @property
    def dated(self) -> bool:
        return "valid_from" in self.key

    def context(self) -> dict[str, Any]:
        """What the schema looks names up in."""
        return {}

    def fixed(self, import_: Any) -> dict[str, Any]:
        """What is the same for every line, unless the line says otherwise."""
        values = {self.scope: import_.target_id} if self.scope else {}
        return values | {"valid_from": import_.valid_from or import_.created_at} if self.dated else values

    def named(self) -> list[tuple[Any, Any]]:
        """Name and id of the things that its columns refer to."""
        return []

    def before(self, import_: Import) -> LateralFromClause:
        """What is stored where a line belongs: the thing it would change, or take the place of."""
        thing, line = self.thing.__table__.c, self.line.__table__.c
        found = select(thing.id, thing.version, *(thing[name] for name in (*self.key, *self.values)))
        found = found.where(thing[self.scope] == import_.target_id) if self.scope else found
        found = found.where(thing[self.key[0]] == line[self.key[0]])
        if self.dated:
            found = found.where(thing.valid_from <= line.valid_from).order_by(thing.valid_from.desc()).limit(1)
        return found.lateral("before")

    def wanted(self, import_: Import, before: LateralFromClause) -> dict[str, ColumnElement[Any]]:
        """What each column is to be: what the line says; what the file has no column for stays as it is."""
        line, thing = self.line.__table__.c, self.thing.__table__.c
        found: dict[str, ColumnElement[Any]] = {}
        for name in self.values:
            default = literal(self.schema.model_fields[name].default, thing[name].type)
            found[name] = line[name] if name in import_.columns else func.coalesce(before.c[name], default)
        return found

    def rules(self, before: LateralFromClause) -> Iterable[Rule]:
        return ()

    def seen_by_asterisk(self, import_: Import) -> bool:
        """Whether Asterisk must know of what the file says."""
        return False

    def apply(self, session: Session, import_: Import) -> list[uuid.UUID]:
        """What there is to do besides storing; the ids of the things whose rows in Asterisk are concerned."""
        return []

    def undo(self, session: Session, import_: Import) -> list[uuid.UUID]:
        """What there is to do before it is taken back."""
        return []


def by_name(kind: Any, name: Any) -> dict[str, uuid.UUID]:
    """Name -> id, as it is written, and in small letters where no other name is the same then."""
    names: dict[str, uuid.UUID] = dict(db.session.execute(select(name, kind.id)).all())
    alike = Counter(map(str.casefold, names))
    return {text.casefold(): id for text, id in names.items() if alike[text.casefold()] == 1} | names


# ---- DIDs

STATUS_WORDS = {
    "available": N_("Available"),
    "reserved": N_("Reserved"),
    "allocated": N_("Allocated"),
    "quarantine": N_("Quarantine"),
    "blocked": N_("Blocked"),
}


def _statuses() -> dict[str, str]:
    """A status by its own name, and by the word for it in each language."""
    words = {status: status for status in STATUS_WORDS}
    for language in LANGUAGES:
        with force_locale(language):
            words |= {gettext(word).casefold(): status for status, word in STATUS_WORDS.items()}
    return words


@dataclass(frozen=True)
class Dids(Kind):
    """Numbers, and who has them. A file gives numbers away; it never takes one back."""

    @property
    def shown(self) -> list[str]:
        return [name for name in self.values if name != "quarantine_until"]

    def context(self) -> dict[str, Any]:
        return {
            "providers": by_name(Provider, Provider.name),
            "gateways": by_name(Gateway, Gateway.name),
            "customers": by_name(Customer, Customer.code),
            "statuses": _statuses(),
        }

    def named(self) -> list[tuple[Any, Any]]:
        kinds = [(Provider.name, Provider.id), (Gateway.name, Gateway.id)]
        return [*kinds, (Customer.code, Customer.id), (Extension.extension, Extension.id)]

    def before(self, import_: Import) -> LateralFromClause:
        did, line = Did.__table__.c, DidLine.__table__.c
        return (
            select(did.id, did.version, did.number, *(did[name] for name in DID_COLUMNS))
            .add_columns(Allocation.customer_id, Allocation.extension_id)
            .select_from(Did)
            .outerjoin(Allocation, and_(Allocation.did_id == Did.id, Allocation.released_at.is_(None)))
            .where(did.number == line.number)
            .lateral("before")
        )

    def wanted(self, import_: Import, before: LateralFromClause) -> dict[str, ColumnElement[Any]]:
        line, stored = DidLine.__table__.c, before.c
        given = line.customer_id.is_not(None)
        status = case((given, "allocated"), else_=func.coalesce(line.status, stored.status, "available"))
        return {
            "provider_id": line.provider_id,
            "gateway_id": line.gateway_id if "gateway_id" in import_.columns else stored.gateway_id,
            "status": status,
            "description": (
                line.description if "description" in import_.columns else func.coalesce(stored.description, "")
            ),
            "quarantine_until": case((status == "quarantine", stored.quarantine_until)),
            "customer_id": func.coalesce(line.customer_id, stored.customer_id),
            "extension_id": case((given, _extension()), else_=stored.extension_id),
        }

    def rules(self, before: LateralFromClause) -> Iterable[Rule]:
        line, stored = DidLine.__table__.c, before.c
        customer_type = select(Customer.type).where(Customer.id == line.customer_id).scalar_subquery()
        resting = and_(stored.status == "quarantine", stored.quarantine_until > func.now())
        code = select(Customer.code).where(Customer.id == line.customer_id).scalar_subquery()
        given, nobody = line.customer_id.is_not(None), line.customer_id.is_(None)
        silent, says = line.destination.is_(None), line.destination.is_not(None)
        refusals = {
            "ck_dids_free": (and_(given, or_(stored.status == "blocked", resting)), code),
            "ck_customer_dids_trunk_has_no_extension": (and_(customer_type == "trunk", says), line.destination),
            "ck_customer_dids_needs_extension": (and_(customer_type == "extension", silent), ""),
            "ck_customer_dids_extension_exists": (
                and_(customer_type == "extension", says, _extension().is_(None)),
                line.destination,
            ),
        }
        for name, (broken, value) in refusals.items():
            field, message = AllocationSchema.REFUSALS[name]
            yield Rule(broken, field, value, message)
        kept = and_(nobody, stored.status == "allocated", line.status != "allocated")
        yield Rule(kept, "status", line.status, N_("Somebody has this number. Take it back first."))
        lost = and_(nobody, line.status == "allocated", stored.status.is_distinct_from("allocated"))
        yield Rule(lost, "customer_id", "", N_("Say which customer has it."))
        rests = and_(nobody, line.status == "quarantine", stored.status.is_distinct_from("quarantine"))
        yield Rule(rests, "status", line.status, N_("Only a number that is taken back goes into quarantine."))

    def seen_by_asterisk(self, import_: Import) -> bool:
        return "customer_id" in import_.columns

    def apply(self, session: Session, import_: Import) -> list[uuid.UUID]:
        if not self.seen_by_asterisk(import_):
            return []
        line, change = DidLine.__table__.c, ImportChange.__table__.c
        phone = _extension()
        wanted = (
            select(Did.id, line.customer_id, phone)
            .select_from(ImportChange)
            .join(Did, Did.id == change.thing_id)
            .join(DidLine, line.number == Did.number)
            .where(change.import_id == import_.id, line.import_id == import_.id, line.customer_id.is_not(None))
            .where(or_(change.before.is_(None), *_other_holder(change.before, line.customer_id, phone)))
        )
        return dids.give(session, wanted)

    def undo(self, session: Session, import_: Import) -> list[uuid.UUID]:
        if not self.seen_by_asterisk(import_):
            return []
        change = ImportChange.__table__.c
        now = and_(Allocation.did_id == change.thing_id, Allocation.released_at.is_(None))
        changed = (
            select(change.thing_id, *_holder(change.before))
            .select_from(ImportChange.__table__.outerjoin(Allocation, now))
            .where(change.import_id == import_.id, change.before.is_not(None))
            .where(or_(*_other_holder(change.before, Allocation.customer_id, Allocation.extension_id)))
        )
        moved = session.execute(changed).all()
        dids.end(session, [row[0] for row in moved])
        dids.give_back(session, [tuple(row) for row in moved if row[1]])
        added = session.scalars(select(change.thing_id).where(change.import_id == import_.id, change.before.is_(None)))
        return [*(row[0] for row in moved), *added]


def _holder(before: Any) -> list[ColumnElement[Any]]:
    """Customer and phone that had a number before an import."""
    return [before[name].astext.cast(Uuid) for name in ("customer_id", "extension_id")]


def _other_holder(before: Any, customer_id: Any, extension_id: Any) -> list[ColumnElement[bool]]:
    was_customer, was_extension = _holder(before)
    return [was_customer.is_distinct_from(customer_id), was_extension.is_distinct_from(extension_id)]


def _extension() -> ColumnElement[Any]:
    """The phone that a line names."""
    line = DidLine.__table__.c
    return (
        select(Extension.id)
        .where(Extension.customer_id == line.customer_id, Extension.extension == line.destination)
        .scalar_subquery()
    )


DID_COLUMNS = ("provider_id", "gateway_id", "status", "description", "quarantine_until")

_TARIFF_WORDS = {
    "prefix": "prefixo|codigo|code|dial code|area code|dialcode|prefixes|ddd|ddi",
    "description": "destino|destination|descricao|country|pais|name|nome|destination name|operadora|localidade",
    "minimum_seconds": "minimo|minimum|min|minimum duration|tempo minimo|tarifacao minima|initial|minimum increment",
    "increment_seconds": "incremento|increment|step|cadencia|intervalo|subsequent|interval",
    "connect_fee": "connect fee|connection fee|taxa de conexao|conexao|setup|setup fee|taxa de completamento",
    "valid_from": "vigencia|inicio|data|inicio da vigencia|effective|effective date|effective from|start date|validade",
}
_COST_WORDS = "custo|cost|buy|buy rate|custo minuto|custo por minuto|cost per minute|preco de custo"
_PRICE_WORDS = "tarifa|preco|price|rate|valor|sell|sell rate|preco por minuto|valor por minuto|valor minuto|venda"
_TARIFF_VALUES = ("description", "cost_per_minute", "minimum_seconds", "increment_seconds", "connect_fee")

KINDS: dict[str, Kind] = {
    "dids": Dids(
        title=N_("DIDs"),
        permission="dids",
        schema=DidLineSchema,
        thing=Did,
        line=DidLine,
        key=("number",),
        values=(*DID_COLUMNS, "customer_id", "extension_id"),
        synonyms={
            "number": "numero|did|telefone|phone|phone number|ddr|linha",
            "provider_id": "fornecedor|provedor|operadora|carrier|vendor|supplier",
            "gateway_id": "tronco|trunk",
            "status": "estado|situacao|state",
            "description": "descricao|observacao|obs|note|notes|comentario",
            "customer_id": "cliente|codigo do cliente|customer code|client|account|conta",
            "destination": "destino|ramal|extension",
        },
    ),
    "tariffs": Kind(
        title=N_("Tariffs"),
        permission="tariffs",
        schema=TariffSchema,
        thing=Tariff,
        line=TariffLine,
        key=("prefix", "valid_from"),
        values=(*_TARIFF_VALUES, "price_per_minute"),
        synonyms={**_TARIFF_WORDS, "cost_per_minute": _COST_WORDS, "price_per_minute": _PRICE_WORDS},
        scope="price_plan_id",
        targets=PricePlan,
    ),
    "provider_tariffs": Kind(
        title=N_("Provider's tariffs"),
        permission="tariffs",
        schema=ProviderTariffSchema,
        thing=ProviderTariff,
        line=TariffLine,
        key=("prefix", "valid_from"),
        values=_TARIFF_VALUES,
        synonyms={**_TARIFF_WORDS, "cost_per_minute": f"{_COST_WORDS}|{_PRICE_WORDS}"},
        scope="provider_id",
        targets=Provider,
    ),
}
