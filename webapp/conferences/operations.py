"""Holding conferences: what is asked of the agent of a node, and what came of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import abort
from flask_babel import gettext
from sqlalchemy import ColumnElement, and_, func, or_, select

from webapp import routing, store, who
from webapp.calls.models import Call
from webapp.conferences.models import Conference, Participant
from webapp.conferences.schemas import MOST, ConferenceSchema
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.live import operations as live
from webapp.nodes import operations as nodes
from webapp.settings import operations as settings
from webapp.settings.models import Node


class Impossible(Exception):
    """It cannot be: why, by field, in the reader's language. Nobody was called."""

    def __init__(self, field: str, *sentences: str) -> None:
        super().__init__(*sentences)
        self.errors = {field: list(sentences)}


# ---- what is asked for


def hold(wanted: ConferenceSchema, id: uuid.UUID | None = None) -> Conference:
    """Have numbers called and joined. One that is asked for twice with the same id is held once."""
    customer = _payer(wanted.customer_id)
    if refusals := _refusals(customer, wanted.numbers, wanted.caller_id):
        raise Impossible("numbers", *refusals)
    conference = Conference(
        **wanted.model_dump() | {"id": id or uuid.uuid4(), "customer_id": customer.id},
        node=_node(customer, wanted.numbers),
        username=who.username(),
        participants=[Participant(position=place, number=number) for place, number in enumerate(wanted.numbers)],
    )
    try:
        store.save(conference)
    except store.Refused as refused:
        if refused.constraint != "pk_conferences":
            raise
        return db.session.get_one(Conference, id)  # The other click was faster.
    return conference


def call(id: uuid.UUID, number: str) -> None:
    """Have one more number called, or one once more that was not reached."""
    conference = _held(id)
    _require_open(conference)
    present = [each for each in conference.participants if each.active]
    if number in {each.number for each in present}:
        raise Impossible("number", gettext("%(number)s is being called, or in the room.", number=number))
    if len(conference.participants) >= 3 * MOST:
        raise Impossible("number", gettext("No more calls fit into this conference."))
    customer = _payer(conference.customer_id)
    if refusals := _refusals(customer, [number], conference.caller_id):
        raise Impossible("number", *refusals)
    conference.numbers = [*conference.numbers, number]
    conference.participants.append(Participant(position=len(conference.participants), number=number))
    store.save(conference)


def drop(id: uuid.UUID, participant_id: uuid.UUID) -> str:
    """Have a participant leave, or not called any more; its number, or 404 if there is none."""
    conference = _held(id)
    participant = next((each for each in conference.participants if each.id == participant_id), None) or abort(404)
    if participant.active and participant.dropping_at is None:
        participant.dropping_at = dt.datetime.now(dt.UTC)
        store.record("drop", "conferences", conference.id, str(conference), number=participant.number)
        store.save()
    return participant.number


def close(id: uuid.UUID) -> None:
    """Have everybody leave, and nobody called any more."""
    conference = _held(id)
    if conference.state == "open":
        conference.closing_at = dt.datetime.now(dt.UTC)
        store.save(conference)


def _held(id: uuid.UUID) -> Conference:
    """The conference as it is now, and stays until we are done; 404 if there is none."""
    query = select(Conference).where(Conference.id == id).with_for_update()
    return db.session.scalar(query.execution_options(populate_existing=True)) or abort(404)


def _require_open(conference: Conference) -> None:
    if conference.state != "open" or conference.ends_at < dt.datetime.now(dt.UTC):
        raise Impossible("number", gettext("The conference is over."))


def _payer(customer_id: uuid.UUID | None) -> Customer:
    """Who pays: the customer that is named, else the one that the settings name."""
    customer_id = customer_id or settings.current().conference_customer_id
    if customer_id is None:
        raise Impossible("customer_id", gettext("Say who pays: the settings name nobody for conferences."))
    customer = db.session.get(Customer, customer_id)
    if customer is None:
        raise Impossible("customer_id", gettext("This customer no longer exists."))
    if not customer.enabled:
        raise Impossible("customer_id", str(routing.REASONS["customer_disabled"]))
    return customer


def _refusals(customer: Customer, numbers: Sequence[str], caller: str) -> list[str]:
    """Why numbers would not be called, asked as the dialplan will ask."""
    refusals: list[str] = []
    emergencies = set(settings.current().emergency_numbers)
    meant: dict[str, str] = {}
    outside = 0
    for number in numbers:
        answer = routing.ask(customer.id, number, caller=caller, channels=outside + 1)
        outside += answer.verdict in ("route", "did")
        if {number.removeprefix("+"), answer.number} & emergencies:
            reason = gettext("Who calls for help dials it himself.")
        elif answer.verdict == "refused" and answer.reason != "calls_per_second":  # In a moment it may be another.
            reason = str(routing.REASONS.get(answer.reason, answer.reason))
        elif answer.number in meant:
            reason = gettext("It is the same as %(number)s.", number=meant[answer.number])
        else:
            meant[answer.number or number] = number
            continue
        refusals.append(f"{number}: {reason}")
    return refusals


def _node(customer: Customer, numbers: Sequence[str]) -> str:
    """The node that is to call: of those that are there, where most of the phones are registered, for a node reaches
    only its own; then the one with the fewest conferences."""
    there = [each.name for each in nodes.states() if each.state in ("up_to_date", "catching_up")]
    if not there:
        raise Impossible("", gettext("No Asterisk is there to call anybody. Look at the nodes."))
    conferences = func.count().label("conferences")
    query = select(Conference.node, conferences).where(Conference.is_open).group_by(Conference.node)
    held = {row.node: row.conferences for row in db.session.execute(query)}
    phones = live.phones_at(Extension.customer_id == customer.id, Extension.extension.in_(numbers))
    return min(there, key=lambda name: (-phones[name], held.get(name, 0), name))


# ---- what came of it


@dataclass(frozen=True)
class Line:
    """A participant, and what became of its call."""

    participant: Participant
    outcome: str  # left, refused, busy, no_answer, failed, cancelled; empty as long as it is not known.
    reason: str  # Why it was refused.
    cause: int | None
    sip_status: int | None
    call: Call | None  # The leg that was answered, or the last one.
    price: Decimal | None

    @property
    def reason_words(self) -> str:
        return str(routing.REASONS.get(self.reason, self.reason))


_OUTCOMES = {"BUSY": "busy", "NO ANSWER": "no_answer"}


def lines(conference: Conference) -> list[Line]:
    """The participants in their order."""
    calls = _calls(conference)
    return [_line(each, calls.get(str(each.id), [])) for each in conference.participants]


def is_known(conference: Conference) -> bool:
    """Whether it is known what goes on there now: the agent of the node and its Asterisk are there."""
    found = nodes.states(Node.name == conference.node)
    return bool(found) and found[0].alive and found[0].asterisk_up


def _line(participant: Participant, legs: Sequence[Call]) -> Line:
    if not legs:
        joined = participant.state == "over" and participant.joined_at
        return Line(participant, "left" if joined else "", "", None, None, None, None)
    last = legs[-1]
    return Line(
        participant,
        "" if participant.active else _outcome(last),
        last.reason if last.reason != "cancelled" else "",
        last.cause,
        last.sip_status,
        last,
        None if last.unrated else sum((leg.price for leg in legs), Decimal(0)),
    )


def _outcome(call: Call) -> str:
    if call.answered_at:
        return "left"
    if call.reason:
        return "cancelled" if call.reason == "cancelled" else "refused"
    return _OUTCOMES.get(call.disposition, "failed")


def _calls(conference: Conference) -> Mapping[str, Sequence[Call]]:
    """The legs of the calls that ended, by participant. They began soon after a participant was called."""
    around = dt.timedelta(minutes=10)  # The clocks of servers differ by less.
    ended = [each for each in conference.participants if each.called_at and not each.active]
    found: dict[str, list[Call]] = defaultdict(list)
    if ended:
        query = select(Call).where(Call.customer_id == conference.customer_id, or_(*_near(ended, around)))
        for leg in db.session.scalars(query.order_by(Call.started_at, Call.sequence)):
            found[leg.request].append(leg)
    return found


def _near(participants: Iterable[Participant], around: dt.timedelta) -> Iterable[ColumnElement[bool]]:
    for each in participants:
        if each.called_at:
            yield and_(
                Call.request == str(each.id), Call.started_at.between(each.called_at - around, each.called_at + around)
            )
