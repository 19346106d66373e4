"""Forms drawn from schemas: WTForms shows what a schema says is valid, and asks the schema whether it is."""

from __future__ import annotations

import datetime as dt
import re
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar, Union

from annotated_types import MaxLen
from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy import Select, func, inspect, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from werkzeug.routing import BuildError
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # types-WTForms is older
from wtforms.widgets import TextArea, TextInput

from webapp import peers, store, typed
from webapp.accounts.models import AuditEntry
from webapp.ext import Managed, db
from webapp.resume import RETYPE
from webapp.validation import N_, Html, Schema, messages, translated

S = TypeVar("S", bound=Schema)
M = TypeVar("M", bound=Managed)


class SchemaForm(FlaskForm, Generic[S]):  # type: ignore[misc]  # flask_wtf has no types
    """A form whose fields and rules are those of SCHEMA. Make one with `form_for`."""

    SCHEMA: type[S]
    version = HiddenField()  # Tells whether somebody else saved the thing in the meantime.

    conflict = False  # Whether what stands at the fields is what somebody else changed.
    anew = ""  # Where what was deleted meanwhile can be made anew, if that is not the area's own form.
    valid: S  # What was typed, as the schema understood it; there once `validate` has said yes.

    class Meta:
        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """Only what a browser sends as a form. An empty one is one too, and a JSON body is none."""
            return request.form if request.method == "POST" else None

    def is_submitted(self) -> bool:
        """What was restored is only shown: it is stored when it is sent from here."""
        return super().is_submitted() and "restored" not in request.args

    def process(self, formdata: Any = None, obj: Any = None, **values: Any) -> None:
        """A thing that is not stored yet has nothing to show: its form begins with the schema's defaults."""
        stored = obj is not None and inspect(obj).persistent
        super().process(formdata, obj if stored else None, **values)
        # A secret does not go through the sign-in with the rest (resume.py).
        for name in set(request.form.getlist(RETYPE)) & self.SCHEMA.model_fields.keys():
            self._show({name: [gettext("Type it again: it was not kept.")]})

    def validate(self, extra_validators: Any = None) -> bool:
        """Ask the schema; what it refuses stands at the fields, what it accepts in `valid`."""
        if not super().validate(extra_validators):
            return False
        payload = self._payload()
        unclear = {name: [str(value)] for name, value in payload.items() if isinstance(value, typed.Unclear)}
        try:
            self.valid = self.SCHEMA.model_validate(payload)
        except ValidationError as error:
            self._show(messages(error) | unclear)
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
            self._show_change(thing)
            return False
        try:
            action()
        except store.Refused as refused:
            self.refuse(refused)
            return False
        except store.Stale:
            kind, [id] = type(thing), inspect(thing).identity or [None]
            self._show_change(find(kind, id, self.anew))
            return False
        return True

    def _show_change(self, thing: Managed) -> None:
        """Somebody else was faster. Say who changed what, and let a second save go over it knowingly."""
        changes = _changes_since(thing, str(self.version.data))
        self.conflict = True
        self.version.data = str(thing.version)
        self.form_errors.append(gettext(SAVE_AGAIN))
        for name, entry in changes.items():
            if name in self.SCHEMA.model_fields:
                told = gettext("%(user)s changed this on %(time)s.", user=entry.username, time=typed.when(entry.at))
                stored = "" if name in store.SECRETS else _stored(self[name], getattr(thing, name))
                self._show({name: [f"{told} {stored}".strip()]})

    def _fill(self, thing: Managed) -> None:
        for name in self.SCHEMA.model_fields:
            setattr(thing, name, getattr(self.valid, name))

    def refuse(self, refused: store.Refused) -> None:
        """Show what a database constraint refused, at its field."""
        field, message = refusal(self.SCHEMA, refused)
        self._show({field: [message]})

    def _payload(self) -> dict[str, Any]:
        """What was typed, under the schema's names and as a program would write it. A field left empty is left out,
        which means its default. What has no clear meaning stands there as the reason, which no schema accepts."""
        payload: dict[str, Any] = {}
        for name in self.SCHEMA.model_fields:
            field = self[name]
            if isinstance(field, BooleanField):
                payload[name] = field.data
                continue
            # What was typed, not field.data: of a field that was not sent, that is what is stored.
            text = (field.raw_data or [""])[0].strip()
            if isinstance(field, KeptPasswordField) and not text:
                text = field.kept
            if text:
                payload[name] = _plain(field, text)
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


SAVE_AGAIN = N_(
    "Somebody else changed this in the meantime. Nothing was saved, and what you typed still stands here. "
    "Save again to store it all the same."
)


def _changes_since(thing: Managed, version: str) -> dict[str, AuditEntry]:
    """Field -> who changed it last, since the thing had that version. Every save is one version and one entry."""
    count = thing.version - int(version) if re.fullmatch("[0-9]{1,9}", version) else 0
    entries = db.session.scalars(
        select(AuditEntry)
        .where(AuditEntry.kind == thing.__tablename__, AuditEntry.thing_id == thing.id, AuditEntry.action == "update")  # type: ignore[attr-defined]  # every model has one
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(max(count, 0))
    )
    found: dict[str, AuditEntry] = {}
    for entry in entries:
        for name in entry.after:
            found.setdefault(name, entry)
    return found


def _stored(field: Field, value: Any) -> str:
    """What is stored, in the words of its field."""
    if isinstance(field, BooleanField):
        text = gettext("yes") if value else gettext("no")
    elif isinstance(field, ThingField) and field.is_searched:
        text = field.key_of(value)
    elif isinstance(field, SelectField):
        options: Any = field.choices
        text = next((str(option.label) for option in options if option.value == _text(value)), "")
    elif isinstance(field, SpelledField):
        text = field.shown(value)
    else:
        text = ", ".join(value) if isinstance(value, list) else _text(value)
    return str(gettext("Stored now: “%(value)s”.", value=text) if text else gettext("Stored now: nothing."))


def find(kind: type[M], id: uuid.UUID | None, anew: str = "") -> M:
    """The thing whose form is asked for, a new one for no id; 404 if it is not there.

    If it was deleted while its form was open, what was typed goes on to the form of a new one: to the address `anew`,
    or else to that of the area.
    """
    thing = db.session.get(kind, id) if id else kind()
    if thing is None and request.method == "POST" and (anew := anew or _anew()):
        _flash_deletion(kind, id)
        abort(redirect(anew, 307))  # The browser sends what was typed once more, to that form.
    return thing or abort(404)


def _flash_deletion(kind: type[Managed], id: uuid.UUID | None) -> None:
    name_of_kind = kind.__tablename__  # type: ignore[attr-defined]  # every model has one
    mine = (AuditEntry.kind == name_of_kind, AuditEntry.thing_id == id)
    deleted = select(AuditEntry).where(*mine, AuditEntry.action == "delete")
    entry = db.session.scalar(deleted.limit(1))
    name = entry.label if entry else gettext("this")
    flash(
        gettext(
            "%(user)s deleted %(name)s in the meantime. What you typed stands here; save it to make a new one.",
            user=entry.username if entry else gettext("Somebody else"),
            name=name,
        ),
        "warning",
    )


def _anew() -> str:
    """The form of a new thing, to be shown with what was typed and without storing it; empty if this is no form."""
    if not (request.endpoint or "").endswith(".edit"):
        return ""
    try:
        return url_for(".edit", restored=1)
    except BuildError:
        return url_for(".new", restored=1)


def refusal(schema: type[Schema], refused: store.Refused) -> tuple[str, str]:
    """The field and the translated message of a broken constraint."""
    if refused.constraint in schema.REFUSALS:
        field, message = schema.REFUSALS[refused.constraint]
        holder = peers.taken(refused.existing) if refused.constraint == "ex_peer_addresses_overlap" else ""
        return field, holder or translated(message, {})
    if refused.constraint.startswith(("pk_ps_", "uq_asterisk_")):
        return "", gettext("Something else in Asterisk's tables already has this name; choose another one.")
    raise refused


def _plain(field: Field, text: str) -> Any:
    """What was typed as a program would write it; if that is unclear, the reason."""
    try:
        return field.plain(text) if isinstance(field, SpelledField | ThingField) else text
    except typed.Unclear as unclear:
        return unclear


class ListField(StringField):
    """Several values in one line."""

    separator = ", "

    def _value(self) -> str:
        return self.separator.join(self.data) if isinstance(self.data, list) else self.data or ""


class LinesField(ListField):
    """Several values, one in each line."""

    separator = "\n"
    widget = TextArea()


class SpelledField(StringField):
    """What people and programs write differently. `plain` is how a program writes what was typed."""

    def shown(self, value: Any) -> str:
        raise NotImplementedError

    def plain(self, text: str) -> str:
        raise NotImplementedError

    def _value(self) -> str:
        if self.data is None or isinstance(self.data, str):
            return self.data or ""
        return self.shown(self.data)


class NumberField(SpelledField):
    """A number with decimals, in the reader's spelling."""

    def shown(self, value: Any) -> str:
        return typed.shown_number(value)

    def plain(self, text: str) -> str:
        return typed.number(text)


class WholeNumberField(NumberField):
    def plain(self, text: str) -> str:
        return typed.whole_number(text)


class MomentField(SpelledField):
    """Date and time, in the reader's spelling and the operator's time zone."""

    def shown(self, value: Any) -> str:
        return typed.shown_moment(value)

    def plain(self, text: str) -> str:
        return typed.moment(text)

    @property
    def notes(self) -> list[str]:
        example = gettext("Such as %(example)s; a date alone is its 00:00.", example=typed.moment_example())
        return [self.description, example] if self.description else [example]


class ThingField(SelectField):
    """A thing to be chosen from a list. From a long one it is searched: its code or name is typed, with suggestions.

    Without JavaScript there are no suggestions, and a code or name typed in full is understood all the same.
    """

    is_searched = False

    def search(self, query: Select[Any], key: InstrumentedAttribute[str], suggestions: str) -> None:
        """Take the text `key` of one of the things of `query`; what matches comes from the address `suggestions`."""
        self.is_searched, self.query, self.key = True, query, key
        self.widget = TextInput()
        self.render_kw = {
            **(self.render_kw or {}),
            "list": f"{self.id}-options",
            "autocomplete": "off",
            "hx-get": suggestions,
            "hx-trigger": "input changed delay:200ms, focus once",
            "hx-target": f"#{self.id}-options",
        }

    def key_of(self, value: Any) -> str:
        """The code or name of the thing with this id; what is no id is what was typed."""
        id = _uuid(_text(value))
        found = self.query.with_only_columns(self.key).where(self.key.class_.id == id) if id else None
        return _text(value) if found is None else db.session.scalar(found) or ""

    def plain(self, text: str) -> str:
        if not self.is_searched or _uuid(text):
            return text
        wanted = func.lower(self.key) == text.replace("\0", "").lower()
        id = db.session.scalar(self.query.with_only_columns(self.key.class_.id).where(wanted))
        if id is None:
            raise typed.Unclear(gettext("“%(text)s” is not there. Type the code or name in full.", text=text[:80]))
        return str(id)

    def _value(self) -> str:
        return self.key_of(self.data)

    @property
    def notes(self) -> list[str]:
        found = [self.description] if self.description else []
        return [*found, gettext("Type the beginning and choose.")] if self.is_searched else found


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


class KeptPasswordField(PasswordField):
    """A secret that is never shown; left empty, the stored one stays."""

    kept = ""
    if_empty = ""  # What it means to leave it empty where nothing is stored yet, in the reader's language.

    def process_data(self, value: Any) -> None:
        self.kept = value or ""
        super().process_data("")

    @property
    def notes(self) -> list[str]:
        """What to know: how to keep what is stored, and that what was typed is not shown again after an error."""
        typed = bool(self.raw_data and self.raw_data[0])
        found = [note for note in [self.description if self.kept else self.if_empty] if note]
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
        options = [SelectChoice(value, lazy_gettext(labels[value])) for value in typing.get_args(kind)]
        if info.is_required():  # Nobody has chosen yet, and a first option would look as if somebody had.
            options.insert(0, SelectChoice("", lazy_gettext("Choose …")))
        return SelectField(choices=options, validate_choice=False, **arguments)
    if kind is uuid.UUID or widget == "choice":
        return ThingField(choices=[], validate_choice=False, coerce=_text, **arguments)
    if widget == "password":
        return KeptPasswordField(**arguments)
    if typing.get_origin(kind) is list:
        return LinesField(**arguments) if widget == "lines" else ListField(**arguments)
    spelled: dict[Any, type[SpelledField]] = {Decimal: NumberField, int: WholeNumberField, dt.datetime: MomentField}
    return spelled.get(kind, StringField)(**arguments)


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
        elif isinstance(limit, Html):
            attributes["maxlength"] = limit.maxlength
            if limit.inputmode:
                attributes["inputmode"] = limit.inputmode
    if kind is int:
        attributes["inputmode"] = "numeric"
    elif kind is Decimal:
        attributes["inputmode"] = "decimal"
    return attributes


def choices(field: Field, things: typing.Iterable[Managed], nothing: str = "") -> None:
    """Fill a select field with things; `nothing` is the label for none of them."""
    first = SelectChoice("", nothing or gettext("Choose …"))
    field.choices = [first, *(SelectChoice(str(thing.id), str(thing)) for thing in things)]  # type: ignore[attr-defined]


LONG_LIST = 100  # A longer list is searched.


def choose(
    field: ThingField, query: Select[Any], key: InstrumentedAttribute[str], suggestions: str, nothing: str = ""
) -> None:
    """Let one of the things of `query` be chosen: from a list, or from a long one by its `key`."""
    things = db.session.scalars(query.limit(LONG_LIST + 1)).all()
    if len(things) > LONG_LIST:
        field.search(query, key, suggestions)
    else:
        choices(field, things, nothing)


def suggested(query: Select[Any], key: InstrumentedAttribute[str], name: InstrumentedAttribute[str], text: str) -> str:
    """What is suggested for the `text` of a field: the options that hold it in their key or their name."""
    q = text.replace("\0", "").strip()[:80]
    matching = or_(key.icontains(q, autoescape=True), name.icontains(q, autoescape=True))
    options = query.where(matching).with_only_columns(key, name).order_by(None).order_by(key).limit(20)
    return render_template("_options.html", options=db.session.execute(options))


KINDS = {
    "gateways": N_("Gateways"),
    "dids": N_("DIDs"),
    "routes": N_("Routes"),
    "extensions": N_("Extensions"),
    "customer_dids": N_("Allocated DIDs"),
    "customers": N_("Customers"),
    "payments": N_("Payments"),
    "settings": N_("Settings"),
}


def delete_page(
    thing: Managed,
    kind: str,
    index: str,
    back: str,
    lost: str = "",
    *,
    remove: Callable[[Any], object] | None = None,
    refusals: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    **index_values: Any,
) -> Any:
    """The page that asks before `thing` (a `kind`, in the reader's language) is deleted, and the deletion itself.

    `lost` is what goes with it, or what becomes of things without it, in a sentence; `refusals` are the words for
    the constraints that `remove` may break; `index_values` are what the address of the list `index` needs.
    """
    name, reason, notice = str(thing), "", ""
    cancel_url = url_for(back, id=thing.id)
    if request.method == "POST" and request.form.get("seen", str(thing.version)) != str(thing.version):
        notice = gettext("Somebody else changed this in the meantime. Look at it again before you delete it.")
    elif request.method == "POST":
        try:
            (remove or store.delete)(thing)
        except store.InUse as use:
            reason = in_use(name, use)
        except store.Refused as refused:
            if refused.constraint in refusals:
                reason = gettext(refusals[refused.constraint][1])
            else:
                reason = gettext("%(name)s cannot be deleted: something else came to depend on it just now.", name=name)
        except store.Stale:
            reason = gettext(CHANGED_MEANWHILE)
        else:
            flash(gettext("%(name)s was deleted.", name=name), "success")
            return redirect(url_for(index, **index_values))
    page = render_template(
        "delete.html",
        thing=thing,
        name=name,
        kind=kind,
        reason=reason,
        notice=notice,
        lost=lost,
        cancel_url=cancel_url,
    )
    return page, 409 if reason or notice else 200


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
