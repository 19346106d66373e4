"""A list, declared once: its page, its CSV file, its bulk actions and the API all go by the same declaration.

An area says in its lists.py what its list is, and in views.py has three short views for it:

    GATEWAYS = ListOf(
        query=select(Gateway).join(Gateway.provider),         every row, with whatever is shown, sorted or searched
        options=[contains_eager(Gateway.provider)],           so that a page takes one query
        columns=[Column("name", lazy_gettext("Name"), Gateway.name), ...],       ?sort=name, or -name for downwards
        order=[Gateway.name],                                 unique together; decides among equals, and is the default
        default="-created_at",                                what it begins with, if not as `order`
        search=[Gateway.name, Provider.name],                 ?q=
        filters=[Filter("enabled", ..., Gateway.enabled, words=STATES), ...],    ?enabled=true
        export={"name": Gateway.name, "provider": Provider.name, ...},           the columns of the CSV file
    )

    index     render_template("gateways/index.html", page=GATEWAYS.page(), actions=ACTIONS)     extends _list.html
    export    csv_file(GATEWAYS, "gateways")                              at export.csv; the list then offers the file
    bulk      bulk_page(GATEWAYS, ACTIONS)                                see bulk.py; the rows then can be selected

and in api.py gives it to resource(..., listing=GATEWAYS). What a list is sorted by may not be NULL: coalesce() it.

What belongs to one owner is listed on the owner's page: TARIFFS.of(Tariff.price_plan_id, id) is then the list, and
TARIFFS says at which endpoints it is.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import abort, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.sql.base import ExecutableOption

from webapp import paging, typed
from webapp.ext import Managed, db

Expression = paging.Column

STATES = {"true": lazy_gettext("Enabled"), "false": lazy_gettext("Disabled")}


@dataclass(frozen=True)
class Column:
    """A column as the page shows it: its name in ?sort=, its head, and what it is sorted by (never NULL), if at all."""

    name: str
    label: Any  # A lazy text.
    by: Expression | Sequence[Expression] = ()
    end: bool = False  # Figures stand at the right.

    @property
    def keys(self) -> list[Expression]:
        return list(self.by) if isinstance(self.by, list | tuple) else [self.by]  # type: ignore[list-item]  # it is one


@dataclass(frozen=True)
class DrawnFilter:
    """A filter as the page draws it: a select of its options, or without them a field to type in."""

    name: str
    label: Any
    value: str
    options: list[tuple[str, Any]] | None
    type: str = "text"  # Of the field.
    optional: bool = True  # Whether none of them may be chosen.
    rare: bool = False  # Whether it stands with those that are unfolded first.


@dataclass(frozen=True)
class Filter:
    """A query parameter, named as the field, that leaves only the rows whose `column` has the value given."""

    name: str
    label: Any  # A lazy text.
    column: Expression
    words: Mapping[str, Any] = field(default_factory=dict)  # Its values, and the words for them; or ...
    things: type[Managed] | None = None  # ... what it refers to by its id: all of these are offered.
    default: str | Callable[[], str] = ""  # Where a reader chooses none; “all” is then another. Programs get all rows.
    type: str = "text"  # Of the field, where there is nothing to choose from.
    rare: bool = False  # Whether few need it: a page unfolds it then.

    @property
    def hint(self) -> str:
        """What programs are told of its values."""
        return ""

    @property
    def first(self) -> str:
        """The value as long as a reader has chosen none."""
        return self.default() if callable(self.default) else self.default

    def narrow(self, query: Select[Any], value: str) -> Select[Any]:
        """ValueError if there cannot be such a value."""
        return query.where(self.condition(value))

    def condition(self, value: str) -> ColumnElement[bool]:
        if (self.words and value not in self.words) or "\x00" in value:
            raise ValueError(value)
        wanted: ColumnElement[bool] = self.column == paging.typed(self.column, value)
        return wanted

    def drawn(self, value: str) -> DrawnFilter:
        optional = not self.default
        return DrawnFilter(self.name, self.label, value, self._options(), self.type, optional, self.rare)

    def _options(self) -> list[tuple[str, Any]] | None:
        if self.things is None:
            return list(self.words.items()) or None
        things = db.session.scalars(select(self.things))
        return sorted(((str(thing.id), str(thing)) for thing in things), key=lambda option: option[1])


@dataclass(frozen=True, kw_only=True)
class TypedFilter(Filter):
    """A filter by one of thousands: in a link by its id, and in the field by its code or by a part of its name."""

    things: type[Managed]
    code: Expression
    title: Expression

    def condition(self, value: str) -> ColumnElement[bool]:
        if _is_id(value):
            return super().condition(value)
        if id := db.session.scalar(select(self.things.id).where(self.code == value.strip().lower())):
            return super().condition(str(id))
        return self.column.in_(select(self.things.id).where(self.title.icontains(value.strip(), autoescape=True)))

    def drawn(self, value: str) -> DrawnFilter:
        if _is_id(value):
            value = db.session.scalar(select(self.code).where(self.things.id == uuid.UUID(value))) or value
        return DrawnFilter(self.name, self.label, value, None, rare=self.rare)


@dataclass(frozen=True, kw_only=True)
class PeriodFilter(Filter):
    """From a day on, or to the end of one: days where the operator is. Programs may give a moment instead."""

    end: bool = False

    @property
    def hint(self) -> str:
        first = "Before this moment, or to the end of this day" if self.end else "From this moment or day on"
        return f"{first}: ISO 8601, a moment with its offset, days in the company's time zone."

    def condition(self, value: str) -> ColumnElement[bool]:
        if value == "all" and self.default:
            return true()
        moment = as_moment(value, end=self.end)
        wanted: ColumnElement[bool] = self.column < moment if self.end else self.column >= moment
        return wanted

    def drawn(self, value: str) -> DrawnFilter:
        return DrawnFilter(self.name, self.label, value[:10] if value != "all" else "", None, "date")


@dataclass(frozen=True)
class Head:
    """The head of a column: where a click leads, if anywhere, and how the list is sorted by it now."""

    label: Any
    url: str | None
    direction: str | None
    end: bool


@dataclass(frozen=True)
class ListPage(paging.Page):
    """A page of a list, with all that surrounds the rows."""

    heads: Sequence[Head]
    filters: Sequence[DrawnFilter]
    chosen: Mapping[str, str]  # What the list is narrowed and sorted by, as query parameters.
    clear_url: str | None  # There if anything is searched or filtered.
    all_url: str
    hides: bool  # Whether there are rows, though nobody filtered: none of them is what the list begins with.
    export_url: str | None
    listing: ListOf


@dataclass(frozen=True)
class ListOf:
    query: Select[Any]
    columns: Sequence[Column]
    order: Sequence[Expression]
    search: Sequence[Expression | paging.Through | paging.Words]
    options: Sequence[ExecutableOption] = ()
    number: Expression | None = None  # The column of telephone numbers, which are found as they are shown.
    filters: Sequence[Filter] = ()
    default: str = ""  # What it is sorted by unless a reader wants it otherwise, as in ?sort=; else by `order`.
    export: Mapping[str, Expression] = field(default_factory=dict)
    index: str = ".index"  # The endpoints of its page, ...
    file: str = ".export"  # ... of its CSV file, ...
    bulk: str = ".bulk"  # ... and of what is done to many of its rows.
    path: Mapping[str, Any] = field(default_factory=dict)  # What their addresses hold besides.

    def of(self, owner: Expression, id: uuid.UUID) -> ListOf:
        """Only what belongs to one: whose it is says the column `owner`, by which nobody needs to sort any more."""
        order = [key for key in self.order if key is not owner]
        return replace(self, query=self.query.where(owner == id), order=order, path={"id": id})

    def url(self, endpoint: str, **values: Any) -> str:
        """Where a page of this list is."""
        return url_for(endpoint, **self.path, **values)

    @property
    def kind(self) -> type[Managed]:
        kind: type[Managed] = self.query.column_descriptions[0]["entity"]
        return kind

    @property
    def things(self) -> Select[Any]:
        """Every row, with what belongs to it."""
        return self.query.options(*self.options)

    def narrow(self, query: Select[Any], values: Mapping[str, str]) -> Select[Any]:
        """Only what is searched for, and what the filters let through. NoSuch if there is no such value."""
        query = query.where(*paging.matches(*self.search, number=self.number))
        for filter in self.filters:
            if value := values.get(filter.name, filter.first):
                try:
                    query = filter.narrow(query, value)
                except ValueError:
                    raise NoSuch(filter.name) from None
        return query

    def keys(self, sort: str) -> tuple[list[Expression], bool]:
        """What the list is sorted by, unique together, and whether downwards. NoSuch if there is no such column."""
        sort = sort or self.default
        if not sort:
            return list(self.order), False
        for column in self.columns:
            if column.keys and column.name == sort.removeprefix("-"):
                others = [key for key in self.order if not any(key is each for each in column.keys)]
                return [*column.keys, *others], sort.startswith("-")
        raise NoSuch("sort")

    def sort(self, query: Select[Any], sort: str) -> Select[Any]:
        keys, descending = self.keys(sort)
        return query.order_by(*(key.desc() if descending else key for key in keys))

    def page(self) -> ListPage:
        """The page that the request asks for; 404 if it asks for what cannot be."""
        chosen = self.chosen()
        sort = chosen.get("sort", "")
        try:
            keys, descending = self.keys(sort)
            query = self.narrow(self.query, chosen)
            things, last = paging.keyset(query, keys, paging.after(), paging.PAGE, descending, self.things)
        except ValueError:
            abort(404)
        clear_url = self.url(self.index, sort=sort or None) if chosen.keys() - {"sort"} else None
        return ListPage(
            things=things,
            next_url=self.url(self.index, **chosen, after=last) if last else None,
            first_url=self.url(self.index, **chosen) if paging.after() else None,
            q=paging.search(),
            heads=[self._head(column, chosen) for column in self.columns],
            filters=[filter.drawn(chosen.get(filter.name, filter.first)) for filter in self.filters],
            chosen=chosen,
            clear_url=clear_url,
            all_url=self.url(self.index, **dict.fromkeys(self._defaults, "all")),
            hides=not (things or clear_url) and bool(self._defaults) and self._has_rows(),
            export_url=self.url(self.file, **chosen) if self.export else None,
            listing=self,
        )

    def chosen(self) -> dict[str, Any]:
        """What the request narrows and sorts the list by; parameters that mean nothing here are left out."""
        names = [*(filter.name for filter in self.filters), "sort"]
        found = {name: request.args.get(name, "").replace("\x00", "") for name in names} | {"q": paging.search()}
        return {name: value for name, value in found.items() if value and value != self._defaults.get(name)}

    @property
    def _defaults(self) -> dict[str, str]:
        return {filter.name: filter.first for filter in self.filters if filter.default}

    def _has_rows(self) -> bool:
        return bool(db.session.scalar(select(self.query.exists())))

    def _head(self, column: Column, chosen: Mapping[str, Any]) -> Head:
        """A click sorts upwards by the column; one on the column that the list is sorted by turns it round."""
        sort = chosen.get("sort", self.default)
        if not column.keys:
            return Head(column.label, None, None, column.end)
        if not sort and column.keys[0] is self.order[0]:
            sort = column.name
        directions = {column.name: "ascending", f"-{column.name}": "descending"}
        turned = f"-{column.name}" if sort == column.name else column.name
        url = self.url(self.index, **{**chosen, "sort": turned})
        return Head(column.label, url, directions.get(sort), column.end)


class NoSuch(ValueError):
    """What was asked for cannot be: the query parameter."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def as_moment(text: str, end: bool = False) -> dt.datetime:
    """A moment; for a day where the operator is its beginning, or its end. ValueError if it is neither."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None or not 1970 <= moment.year <= 9000:
            raise
        return moment
    if not 1970 <= day.year <= 9000:
        raise ValueError(text)
    return dt.datetime.combine(day + dt.timedelta(days=end), dt.time(), typed.zone())


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
