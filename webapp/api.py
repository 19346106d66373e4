"""/api/v1: the same things for programs. Each area registers its own; what they share is here.

One schema validates form and API alike, and a field is named as its column is. Answers: a list is
{"items": [...], "next_cursor": ...}, a refusal 422 {"errors": {field: [message]}}, any other error {"error": message}.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from flask import Response, abort, current_app, jsonify, make_response, request
from flask_babel import gettext
from flask_login import current_user
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import to_jsonable_python
from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption

from webapp import store
from webapp.ext import Managed, csrf, db
from webapp.forms import CHANGED_MEANWHILE, in_use, refusal
from webapp.paging import keyset, matches
from webapp.permissions import may, permission, public
from webapp.store import SECRETS
from webapp.validation import Schema, messages

MOST = 500  # Things in one answer.
Keys = Sequence[InstrumentedAttribute[Any]]


class Errors(BaseModel):
    """What is wrong with which field; rules over several fields are under the empty name."""

    errors: dict[str, list[str]]


class Error(BaseModel):
    """What went wrong, in a sentence."""

    error: str


class Identified(BaseModel):
    id: uuid.UUID


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
    abp_responses={**dict.fromkeys((400, 401, 403, 404, 405, 409, 413, 415, 500, 503), Error), 422: Errors},
)
csrf.exempt(bp)


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
    order: Keys,
    search: Keys,
    answer: type[Answer] | None = None,
    options: Sequence[ExecutableOption] = (),
    save: Callable[[Any], object] = store.save,
    remove: Callable[[Any], object] | None = None,
    creatable: bool = True,
) -> type[BaseModel]:
    """Register list, create, read, replace, change and delete of one kind of thing under /api/v1/<area>/.

    `order` are the columns a list is sorted by, unique together; `answer` says what is shown of a thing, which is
    else what the schema takes. The model of a list is returned, for further answers of the area.
    """
    one = answer or _answer(schema)
    many = create_model(f"{one.__name__}List", items=(list[one], ...), next_cursor=(str | None, ...))  # type: ignore[valid-type]
    tags: list[Tag | dict[str, Any]] = [Tag(name=area)]

    @permission(f"{area}.read")
    def index(query: Listing) -> Response:
        wanted = select(kind).options(*options).where(*matches(*search))
        things, following = page(wanted, order, query)
        return listed(one, things, following)

    @permission(f"{area}.write")
    def create(body: Any) -> Response:
        thing = kind()
        return _store(schema, thing, body, save) or make_response(shown(one, thing), 201)

    @permission(f"{area}.read")
    def read(path: Identified) -> Response:
        return jsonify(shown(one, db.get_or_404(kind, path.id)))

    @permission(f"{area}.write")
    def replace(path: Identified, body: Any) -> Response:
        thing = db.get_or_404(kind, path.id)
        return _store(schema, thing, body, save) or jsonify(shown(one, thing))

    @permission(f"{area}.write")
    def change(path: Identified, body: Any) -> Response:
        thing = db.get_or_404(kind, path.id)
        current = {name: getattr(thing, name) for name in schema.model_fields}
        try:
            whole = schema.model_validate(current | body.model_dump(exclude_unset=True))
        except ValidationError as error:
            return refused(messages(error))
        return _store(schema, thing, whole, save) or jsonify(shown(one, thing))

    @permission(f"{area}.write")
    def delete(path: Identified) -> Response:
        thing = db.get_or_404(kind, path.id)
        try:
            (remove or store.delete)(thing)
        except store.InUse as use:
            return conflict(in_use(str(thing), use))
        except store.Refused as broken:
            return conflict(gettext(schema.REFUSALS.get(broken.constraint, ("", CHANGED_MEANWHILE))[1]))
        except store.Stale:
            return conflict(gettext(CHANGED_MEANWHILE))
        return make_response("", 204)

    create.__annotations__["body"] = replace.__annotations__["body"] = schema
    change.__annotations__["body"] = _partial(schema)
    many_rule, one_rule = f"/{area}/", f"/{area}/<uuid:id>"
    bp.get(many_rule, tags=tags, responses={200: many}, endpoint=f"{area}_index")(index)
    if creatable:
        bp.post(many_rule, tags=tags, responses={201: one}, endpoint=f"{area}_create")(create)
    bp.get(one_rule, tags=tags, responses={200: one}, endpoint=f"{area}_read")(read)
    bp.put(one_rule, tags=tags, responses={200: one}, endpoint=f"{area}_replace")(replace)
    bp.patch(one_rule, tags=tags, responses={200: one}, endpoint=f"{area}_change")(change)
    bp.delete(one_rule, tags=tags, responses={204: None}, endpoint=f"{area}_delete")(delete)
    return many


# ---- answers


def shown(answer: type[Answer], thing: Managed) -> dict[str, Any]:
    """A thing as JSON; amounts are texts, so that nobody rounds them."""
    return dict(to_jsonable_python({name: getattr(thing, name) for name in answer.model_fields}))


def listed(answer: type[Answer], things: Sequence[Managed], following: str | None = None) -> Response:
    return jsonify(items=[shown(answer, thing) for thing in things], next_cursor=following)


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


def _store(schema: type[Schema], thing: Managed, valid: Any, save: Callable[[Any], object]) -> Response | None:
    for name in schema.model_fields:
        # A secret cannot be read, so whoever writes the whole thing back cannot send it: the stored one stays.
        if name not in SECRETS or name in valid.model_fields_set:
            setattr(thing, name, getattr(valid, name))
    return attempt(schema, lambda: save(thing))


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


def page(wanted: Select[Any], order: Keys, query: Listing) -> tuple[list[Any], str | None]:
    """The things after the cursor, and the cursor for those after them."""
    try:
        after = list(json.loads(base64.urlsafe_b64decode(query.cursor))) if query.cursor else None
        things, last = keyset(wanted, order, after, query.limit)
    except (ValueError, TypeError, AttributeError):  # What is not ours may be of any shape.
        abort(400, gettext("The cursor is not one of ours."))
    return things, base64.urlsafe_b64encode(json.dumps(last).encode()).decode() if last else None
