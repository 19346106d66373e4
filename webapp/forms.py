"""Forms drawn from schemas: WTForms shows what a schema says is valid, and asks the schema whether it is."""

from __future__ import annotations

import datetime as dt
import types
import typing
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar, Union

from annotated_types import MaxLen
from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy import inspect
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # types-WTForms is older
from wtforms.widgets import TextArea

from webapp import store
from webapp.ext import Managed, db
from webapp.validation import N_, Schema, messages, operators_zone, translated

S = TypeVar("S", bound=Schema)


class SchemaForm(FlaskForm, Generic[S]):  # type: ignore[misc]  # flask_wtf has no types
    """A form whose fields and rules are those of SCHEMA. Make one with `form_for`."""

    SCHEMA: type[S]
    version = HiddenField()  # Tells whether somebody else saved the thing in the meantime.

    valid: S  # What was typed, as the schema understood it; there once `validate` has said yes.

    class Meta:
        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """Only what a browser sends as a form. An empty one is one too, and a JSON body is none."""
            return request.form if request.method == "POST" else None

    def process(self, formdata: Any = None, obj: Any = None, **values: Any) -> None:
        """A thing that is not stored yet has nothing to show: its form begins with the schema's defaults."""
        stored = obj is not None and inspect(obj).persistent
        super().process(formdata, obj if stored else None, **values)

    def validate(self, extra_validators: Any = None) -> bool:
        """Ask the schema; what it refuses stands at the fields, what it accepts in `valid`."""
        if not super().validate(extra_validators):
            return False
        try:
            self.valid = self.SCHEMA.model_validate(self._payload())
        except ValidationError as error:
            self._show(messages(error))
            return False
        return True

    def save(self, thing: Managed, action: Callable[[], object] | None = None) -> bool:
        """Copy what is valid into `thing` and store it, by `action` where there is more to it than storing."""

        def fill_and_store() -> None:
            self._fill(thing)
            if action:
                action()
            else:
                store.save(thing)

        return self.attempt(thing, fill_and_store)

    def attempt(self, thing: Managed, action: Callable[[], object]) -> bool:
        """Do something that changes `thing`. False: it was refused, and the reason stands in the form."""
        if thing.version is not None and self.version.data != str(thing.version):
            self.form_errors.append(gettext(CHANGED_MEANWHILE))
            return False
        try:
            action()
        except store.Refused as refused:
            self.refuse(refused)
            return False
        except store.Stale:
            if not _is_still_there(thing):
                abort(404)
            self.form_errors.append(gettext(CHANGED_MEANWHILE))
            return False
        return True

    def _fill(self, thing: Managed) -> None:
        for name in self.SCHEMA.model_fields:
            setattr(thing, name, getattr(self.valid, name))

    def refuse(self, refused: store.Refused) -> None:
        """Show what a database constraint refused, at its field."""
        field, message = refusal(self.SCHEMA, refused)
        self._show({field: [message]})

    def _payload(self) -> dict[str, Any]:
        """What was typed, under the schema's names. A field left empty is left out, which means its default."""
        payload = {}
        for name in self.SCHEMA.model_fields:
            field = self[name]
            # What was typed, not field.data: of a field that was not sent, that is what is stored.
            value = field.data if isinstance(field, BooleanField) else (field.raw_data or [""])[0].strip()
            if isinstance(field, KeptPasswordField) and not value:
                value = field.kept
            if value != "":
                payload[name] = value
        return payload

    def _show(self, found: dict[str, list[str]]) -> None:
        for name, texts in found.items():
            if name in self and name not in ("version", "csrf_token"):
                self[name].errors = [*self[name].errors, *texts]
            else:
                self.form_errors.extend(texts)


CHANGED_MEANWHILE = N_(
    "Somebody else changed this in the meantime. Nothing was saved; open it again to see the change."
)


def _is_still_there(thing: Managed) -> bool:
    return db.session.get(type(thing), inspect(thing).identity) is not None


def refusal(schema: type[Schema], refused: store.Refused) -> tuple[str, str]:
    """The field and the translated message of a broken constraint."""
    if refused.constraint in schema.REFUSALS:
        field, message = schema.REFUSALS[refused.constraint]
        return field, translated(message, {})
    if refused.constraint.startswith(("pk_ps_", "uq_asterisk_")):
        return "", gettext("Something else in Asterisk's tables already has this name; choose another one.")
    raise refused


class ListField(StringField):
    """Several values in one line."""

    separator = ", "

    def _value(self) -> str:
        return self.separator.join(self.data) if isinstance(self.data, list) else self.data or ""


class LinesField(ListField):
    """Several values, one in each line."""

    separator = "\n"
    widget = TextArea()


class MomentField(StringField):
    """A date and time in the operator's zone."""

    def _value(self) -> str:
        if isinstance(self.data, dt.datetime):
            return self.data.astimezone(operators_zone()).replace(tzinfo=None).isoformat(" ").removesuffix(":00")
        return self.data or ""


class KeptPasswordField(PasswordField):
    """A secret that is never shown; left empty, the stored one stays."""

    kept = ""

    def process_data(self, value: Any) -> None:
        self.kept = value or ""
        super().process_data("")

    @property
    def notes(self) -> list[str]:
        """What to know: how to keep what is stored, and that what was typed is not shown again after an error."""
        typed = bool(self.raw_data and self.raw_data[0])
        found = [self.description] if self.kept else []
        return [*found, gettext("Type it again: a password is not sent back.")] if typed else found


def form_for(schema: type[S]) -> type[SchemaForm[S]]:
    """The form class of a schema: one field for each of the schema's, with labels, help and HTML limits from it."""
    fields = {name: _field(info) for name, info in schema.model_fields.items()}
    return type(f"{schema.__name__}Form", (SchemaForm,), {"SCHEMA": schema, **fields})


def _field(info: FieldInfo) -> Any:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    kind, limits = _resolved(info)
    arguments: dict[str, Any] = {
        "label": lazy_gettext(str(info.title)),
        "description": lazy_gettext(info.description) if info.description else "",
        "render_kw": _attributes(kind, limits, extra),
    }
    if info.is_required():
        arguments["render_kw"]["required"] = True
    elif info.default is not PydanticUndefined:
        arguments["default"] = info.default
    widget = extra.get("widget")
    if widget == "hidden":
        return HiddenField(arguments["label"])
    if kind is bool:
        arguments["render_kw"].pop("required", None)
        return BooleanField(**arguments)
    if typing.get_origin(kind) is Literal:
        labels = typing.cast(dict[str, str], extra["choices"])
        return SelectField(
            choices=[SelectChoice(value, lazy_gettext(labels[value])) for value in typing.get_args(kind)],
            validate_choice=False,
            **arguments,
        )
    if kind is dt.datetime:
        return MomentField(**arguments)
    if kind is uuid.UUID:
        return SelectField(choices=[], validate_choice=False, coerce=_text, **arguments)
    if widget == "password":
        return KeptPasswordField(**arguments)
    if typing.get_origin(kind) is list:
        return LinesField(**arguments) if widget == "lines" else ListField(**arguments)
    return StringField(**arguments)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _resolved(info: FieldInfo) -> tuple[Any, list[Any]]:
    """The type below Annotated and Optional, and the limits found on the way."""
    kind, limits = info.annotation, list(info.metadata)
    while True:
        origin = typing.get_origin(kind)
        if origin in (Union, types.UnionType):
            [kind] = [each for each in typing.get_args(kind) if each is not type(None)]
        elif origin is typing.Annotated:
            kind, *more = typing.get_args(kind)
            for each in more:
                limits.extend(each.metadata if isinstance(each, FieldInfo) else [each])
        else:
            return kind, limits


def _attributes(kind: Any, limits: list[Any], extra: dict[str, Any]) -> dict[str, Any]:
    """HTML attributes that help to type the right thing; the schema judges it all the same."""
    attributes: dict[str, Any] = dict(extra.get("attributes", {}))
    for limit in limits:
        if isinstance(limit, MaxLen) and kind is str:
            attributes["maxlength"] = limit.max_length
    if kind is int:
        attributes["inputmode"] = "numeric"
    elif kind is Decimal:
        attributes["inputmode"] = "decimal"
    return attributes


def choices(field: Field, things: typing.Iterable[Managed], nothing: str = "") -> None:
    """Fill a select field with things; `nothing` is the label for none of them."""
    first = SelectChoice("", nothing or gettext("Choose …"))
    field.choices = [first, *(SelectChoice(str(thing.id), str(thing)) for thing in things)]  # type: ignore[attr-defined]


KINDS = {
    "gateways": N_("Gateways"),
    "dids": N_("DIDs"),
    "routes": N_("Routes"),
    "extensions": N_("Extensions"),
    "customer_dids": N_("Allocated DIDs"),
    "customers": N_("Customers"),
}


def delete_page(
    thing: Managed,
    kind: str,
    index: str,
    edit: str,
    *,
    warning: str = "",
    delete: Callable[[Any], object] | None = None,
    **index_values: Any,
) -> Any:
    """The page that asks before `thing` (a `kind`, in the reader's language) is deleted, and the deletion itself.

    `warning` says what goes with it, `delete` does it where there is more to it than deleting, and `index_values` are
    what the address of the list `index` needs.
    """
    name, reason = str(thing), ""
    cancel_url = url_for(edit, id=thing.id)
    if request.method == "POST":
        try:
            (delete or store.delete)(thing)
        except store.InUse as use:
            reason = in_use(name, use)
        except store.Refused:
            reason = gettext("%(name)s cannot be deleted: something else came to depend on it just now.", name=name)
        except store.Stale:
            reason = gettext(CHANGED_MEANWHILE)
        else:
            flash(gettext("%(name)s was deleted.", name=name), "success")
            return redirect(url_for(index, **index_values))
    page = render_template("delete.html", thing=name, kind=kind, reason=reason, warning=warning, cancel_url=cancel_url)
    return page, 409 if reason else 200


def in_use(name: str, use: store.InUse) -> str:
    """Why something cannot be deleted, naming what depends on it."""
    names = ", ".join(use.names)
    more = use.count - len(use.names)
    if more:
        names = gettext("%(names)s and %(count)s more", names=names, count=more)
    return str(
        gettext(
            "%(name)s cannot be deleted, because other things depend on it. %(kind)s: %(names)s.",
            name=name,
            kind=gettext(KINDS[use.kind]),
            names=names,
        )
    )
