"""/api/v1: the same things for programs. Each area registers its own; what they share is here.

One schema validates form and API alike, and a field is named as its column is. Answers: a list is
{"items": [...], "next_cursor": ...}, a refusal 422 {"errors": {field: [message]}}, any other error {"error": message}.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from flask import Response, abort, current_app, jsonify, make_response, request
from flask_babel import gettext
from flask_login import current_user
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import to_jsonable_python
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption
from werkzeug.exceptions import BadRequest

from webapp import limits, store
from webapp.ext import Managed, csrf, db
from webapp.forms import CHANGED_MEANWHILE, in_use, refusal
from webapp.listing import Filter, ListOf, NoSuch
from webapp.pages import http_error
from webapp.paging import Column, keyset, matches
from webapp.permissions import may, permission, public
from webapp.store import SECRETS
from webapp.validation import Schema, messages

DESCRIPTION = """\
What the pages do, for programs. A field has one name everywhere, and one schema says what is valid.

* Send `Authorization: Bearer ...` with an API token (page “API tokens”), or with what `/auth/login` answers.
* A list answers `items` and `next_cursor`; ask again with `cursor` until it is null.
* What is refused answers 422 with `errors`, by field; rules over several fields are under the empty name.
* Every answer says in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` how often you may still ask, and
  in how many seconds anew. Beyond that it is 429 with `Retry-After`.
* Amounts are texts with a decimal point, moments ISO 8601.
"""

MOST = 500  # Things in one answer.
Keys = Sequence[InstrumentedAttribute[Any]]


class Errors(BaseModel):
    """What is wrong with which field; rules over several fields are under the empty name."""

    errors: dict[str, list[str]]


class Error(BaseModel):
    """What went wrong, in a sentence."""

    error: str


class Secret(BaseModel):
    """A secret, for who may see it. It is recorded that it was asked for."""

    secret: str


class Identified(BaseModel):
    id: uuid.UUID


class Expected(BaseModel):
    version: int | None = Field(None, description="Answer 409 if the thing has another version by now.")


class Listing(BaseModel):
    """How to ask for a list."""

    q: str = Field("", max_length=80, description="Search, as on the page.")
    limit: int = Field(50, ge=1, le=MOST)
    cursor: str = Field("", max_length=1000, description="next_cursor of the answer before.")


class Answer(BaseModel):
    """What every stored thing has."""

    id: uuid.UUID
    version: int = Field(description="Grows with each change.")
    created_at: dt.datetime
    updated_at: dt.datetime


bp = APIBlueprint(
    "api",
    __name__,
    url_prefix="/api/v1",
    abp_security=[{"jwt": []}],
    abp_responses={**dict.fromkeys((400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503), Error), 422: Errors},
)
csrf.exempt(bp)


bp.before_request(limits.count)  # First, so that what is refused counts too.
bp.after_request(limits.tell)


@bp.errorhandler(RecursionError)
def too_deep(_error: RecursionError) -> Any:
    """JSON that is nested deeper than Python follows it makes no sense to us either."""
    return http_error(BadRequest())


@bp.before_request
def only_who_may() -> None:
    """Ask for the permission before the request is looked at: who may not, learns nothing from our refusals."""
    needed = getattr(current_app.view_functions[request.endpoint or ""], "permission", "")
    if needed == "public":
        return
    if not current_user.is_authenticated:
        abort(401)
    if not may(needed):
        abort(403)


@bp.get("/openapi.json", doc_ui=False)
@public
def openapi() -> Any:
    """The description of all this (OpenAPI 3.1)."""
    return jsonify(current_app.api_doc)  # type: ignore[attr-defined]  # our application is an OpenAPI


def resource(
    area: str,
    kind: type[Managed],
    schema: type[Schema],
    *,
    order: Keys = (),
    search: Keys = (),
    listing: ListOf | None = None,
    answer: type[Answer] | None = None,
    options: Sequence[ExecutableOption] = (),
    save: Callable[[Any], object] = store.save,
    remove: Callable[[Any], object] | None = None,
    creatable: bool = True,
    at_first: Callable[[], dict[str, Any]] = dict,
    rights: str = "",
    asked: type[Listing] = Listing,
    narrowed: Callable[[Any], Sequence[ColumnElement[bool]]] = lambda query: (),
) -> type[BaseModel]:
    """Register list, create, read, replace, change and delete of one kind of thing under /api/v1/<area>/.

    `listing` is the list as the page has it, with its sorting and filters; without one, `order` are the columns a list
    is sorted by, unique together. `asked` is how to ask for it besides, and `narrowed` the conditions that follow.
    `at_first` is what fields begin with in a new thing where that is not always the same.
    `answer` says what is shown of a thing, which is else what the schema takes. `rights` is the area whose permissions
    count, if it is another one. The model of a list is returned, for further answers of the area.
    """
    rights = rights or area
    one = answer or _answer(schema)
    many = create_model(f"{one.__name__}List", items=(list[one], ...), next_cursor=(str | None, ...))  # type: ignore[valid-type]
    tags: list[Tag | dict[str, Any]] = [Tag(name=area, description=(kind.__doc__ or "").partition("\n")[0])]
    noun = " ".join(re.findall("[A-Z][a-z]*", kind.__name__)).lower().replace("did", "DID")
    a_noun = f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"

    @permission(f"{rights}.read")
    def index(query: Any) -> Response:
        """In pages: `next_cursor` leads to the next one."""
        if listing:
            return narrowed_list(one, listing, query, *narrowed(query))
        wanted = select(kind).options(*options).where(*matches(*search), *narrowed(query))
        things, following = page(wanted, order, query)
        return listed(one, things, following)

    @permission(f"{rights}.write")
    def create(body: Any) -> Response:
        """A field that is left out gets its default; the limits of a new customer, what the settings have for them."""
        thing = kind()
        said = body.model_fields_set
        body = body.model_copy(update={name: value for name, value in at_first().items() if name not in said})
        return _store(schema, thing, body, save) or make_response(shown(one, thing), 201)

    @permission(f"{rights}.read")
    def read(path: Identified) -> Response:
        """Without its secrets, which can be written only."""
        return jsonify(shown(one, db.get_or_404(kind, path.id)))

    @permission(f"{rights}.write")
    def replace(path: Identified, query: Expected, body: Any) -> Response:
        """A field that is left out gets its default, but a secret stays."""
        thing = _expected(kind, path, query)
        return _store(schema, thing, body, save) or jsonify(shown(one, thing))

    @permission(f"{rights}.write")
    def change(path: Identified, query: Expected, body: Any) -> Response:
        """A field that is left out stays as it is."""
        thing = _expected(kind, path, query)
        return _change(schema, thing, body, save) or jsonify(shown(one, thing))

    @permission(f"{rights}.write")
    def delete(path: Identified, query: Expected) -> Response:
        """Refused with 409 while other things depend on it."""
        thing = _expected(kind, path, query)
        try:
            (remove or store.delete)(thing)
        except store.InUse as use:
            return conflict(in_use(str(thing), use))
        except store.Refused as broken:
            return conflict(gettext(schema.REFUSALS.get(broken.constraint, ("", CHANGED_MEANWHILE))[1]))
        except store.Stale:
            return conflict(gettext(CHANGED_MEANWHILE))
        return make_response("", 204)

    index.__annotations__["query"] = query_of(area, listing, asked) if listing else asked
    create.__annotations__["body"] = replace.__annotations__["body"] = schema
    change.__annotations__["body"] = _partial(schema)
    many_rule, one_rule = f"/{area}/", f"/{area}/<uuid:id>"
    bp.get(
        many_rule,
        tags=tags,
        summary=f"List {area.replace('dids', 'DIDs')}",
        responses={200: many},
        endpoint=f"{area}_index",
    )(index)
    if creatable:
        bp.post(many_rule, tags=tags, summary=f"Create {a_noun}", responses={201: one}, endpoint=f"{area}_create")(
            create
        )
    bp.get(one_rule, tags=tags, summary=f"Read {a_noun}", responses={200: one}, endpoint=f"{area}_read")(read)
    bp.put(one_rule, tags=tags, summary=f"Replace {a_noun}", responses={200: one}, endpoint=f"{area}_replace")(replace)
    bp.patch(one_rule, tags=tags, summary=f"Change {a_noun}", responses={200: one}, endpoint=f"{area}_change")(change)
    bp.delete(one_rule, tags=tags, summary=f"Delete {a_noun}", responses={204: None}, endpoint=f"{area}_delete")(delete)
    return many


def single(area: str, schema: type[Schema], find: Callable[[], Managed]) -> None:
    """Register read, replace and change of what there is one of, under /api/v1/<area>/."""
    one = _answer(schema)
    tags: list[Tag | dict[str, Any]] = [Tag(name=area)]

    @permission(f"{area}.read")
    def read() -> Response:
        return jsonify(shown(one, find()))

    @permission(f"{area}.write")
    def replace(body: Any) -> Response:
        thing = find()
        return _store(schema, thing, body, store.save) or jsonify(shown(one, thing))

    @permission(f"{area}.write")
    def change(body: Any) -> Response:
        thing = find()
        return _change(schema, thing, body, store.save) or jsonify(shown(one, thing))

    replace.__annotations__["body"] = schema
    change.__annotations__["body"] = _partial(schema)
    bp.get(f"/{area}/", tags=tags, responses={200: one}, endpoint=f"{area}_read")(read)
    bp.put(f"/{area}/", tags=tags, responses={200: one}, endpoint=f"{area}_replace")(replace)
    bp.patch(f"/{area}/", tags=tags, responses={200: one}, endpoint=f"{area}_change")(change)


# ---- answers


def shown(answer: type[BaseModel], thing: Any) -> dict[str, Any]:
    """A thing as JSON; amounts are texts, so that nobody rounds them."""
    return dict(to_jsonable_python({name: getattr(thing, name) for name in answer.model_fields}))


def listed(answer: type[BaseModel], things: Sequence[Any], following: str | None = None, **more: Any) -> Response:
    return jsonify(items=[shown(answer, thing) for thing in things], next_cursor=following, **more)


def invalid(error: ValidationError) -> Response:
    """What flask-openapi answers when a request does not fit its model."""
    return refused(messages(error))


def refused(found: dict[str, list[str]]) -> Response:
    """422: which field is wrong, and why."""
    return make_response(jsonify(errors=found), 422)


def conflict(sentence: str) -> Response:
    """409: what stands in the way."""
    return make_response(jsonify(error=sentence), 409)


def attempt(schema: type[Schema], action: Callable[[], object]) -> Response | None:
    """Do something that stores; its refusal as an answer, or None when it worked."""
    try:
        action()
    except store.Refused as broken:
        field, message = refusal(schema, broken)
        return refused({field: [message]})
    except store.Stale:
        return conflict(gettext(CHANGED_MEANWHILE))
    return None


def _expected(kind: type[Managed], path: Identified, query: Expected) -> Any:
    """The stored thing, if it has still the version that the program has read, where it names one."""
    thing = db.get_or_404(kind, path.id)
    if query.version not in (None, thing.version):
        abort(conflict(gettext(CHANGED_MEANWHILE)))
    return thing


def _store(schema: type[Schema], thing: Managed, valid: Any, save: Callable[[Any], object]) -> Response | None:
    for name in schema.model_fields:
        # A secret cannot be read, so whoever writes the whole thing back cannot send it: the stored one stays.
        if name not in SECRETS or name in valid.model_fields_set or not getattr(thing, name):
            setattr(thing, name, getattr(valid, name))
    return attempt(schema, lambda: save(thing))


def _change(schema: type[Schema], thing: Managed, body: BaseModel, save: Callable[[Any], object]) -> Response | None:
    """Store what is said; what is not said stays as it is."""
    current = {name: getattr(thing, name) for name in schema.model_fields}
    try:
        whole = schema.model_validate(current | body.model_dump(exclude_unset=True))
    except ValidationError as error:
        return refused(messages(error))
    return _store(schema, thing, whole, save)


# ---- models


def _answer(schema: type[Schema]) -> type[Answer]:
    """What is shown of a thing: what the schema takes, without its secrets."""
    fields: dict[str, Any] = {
        name: (info.annotation, Field(title=info.title, description=info.description))
        for name, info in schema.model_fields.items()
        if name not in SECRETS
    }
    return create_model(schema.__name__.removesuffix("Schema"), __base__=Answer, **fields)


def _partial(schema: type[Schema]) -> type[BaseModel]:
    """The same fields, each of which may be left out: what is not said stays as it is."""
    fields: dict[str, Any] = {
        name: (
            Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation,
            Field(None, title=info.title, description=info.description),
        )
        for name, info in schema.model_fields.items()
    }
    name = f"{schema.__name__.removesuffix('Schema')}Change"
    return create_model(name, __config__=ConfigDict(**Schema.model_config), **fields)


# ---- lists

_Cursor = TypeAdapter(list[str])


def query_of(area: str, listing: ListOf, asked: type[Listing] = Listing) -> type[Listing]:
    """How to ask for this list: what it may be sorted and narrowed by besides."""
    sorts = [sign + column.name for column in listing.columns if column.keys for sign in ("", "-")]
    fields: dict[str, Any] = {
        "sort": (Literal[("", *sorts)], Field("", description="The column, with a minus for downwards.")),
        **filters_of(listing),
    }
    return create_model(f"{area.title()}Query", __base__=asked, **fields)


def filters_of(listing: ListOf) -> dict[str, Any]:
    """The fields of a model by which a list is narrowed."""
    return {filter.name: (_values(filter), Field("", description=filter.hint or None)) for filter in listing.filters}


def _values(filter: Filter) -> Any:
    return Literal[("", *filter.words)] if filter.words else str


def narrowed_list(
    answer: type[BaseModel], listing: ListOf, query: Any, *conditions: ColumnElement[bool], **more: Any
) -> Response:
    """The part of a list that was asked for by its query_of(), and of that what the conditions leave.

    `more` is answered besides.
    """
    try:
        wanted = listing.narrow(listing.query.where(*conditions), query.model_dump())
    except NoSuch as wrong:
        return no_such(wrong)
    keys, descending = listing.keys(query.sort)
    return listed(answer, *page(wanted, keys, query, descending, listing.things), **more)


def no_such(wrong: NoSuch) -> Response:
    """422: a query parameter has a value that cannot be."""
    return refused({wrong.name: [gettext("Choose one of the options.")]})


def page(
    wanted: Select[Any],
    order: Sequence[Column],
    query: Listing,
    descending: bool = False,
    things: Select[Any] | None = None,
) -> tuple[list[Any], str | None]:
    """The things after the cursor, and the cursor for those after them."""
    try:
        after = _Cursor.validate_json(base64.urlsafe_b64decode(query.cursor)) if query.cursor else None
        rows, last = keyset(wanted, order, after, query.limit, descending, things)
    except ValueError:
        abort(400, gettext("The cursor is not one of ours."))
    return rows, base64.urlsafe_b64encode(json.dumps(last).encode()).decode() if last else None
