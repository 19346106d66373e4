"""What is done with rules: they are changed, tried on past calls, armed and disarmed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import psycopg2.errors
import structlog
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from webapp import store, who
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.fraud_rules.models import FraudRule, FraudTest

log = structlog.get_logger()

SHOWN = 50  # Of the customers whom a rule would have hit, those who would have cost most.
LONGEST_SECONDS = 20

# Attributes are taken by their names, for there may come to be more.
_BACKTEST = text("""
    SELECT h.customer_id, h.at, h.calls, h.seconds, h.amount, h.stopped_calls, h.stopped_amount, h.known_calls
    FROM public.fraud_rules AS rule, public.fraud_backtest(rule, :since, :until) AS h
    WHERE rule.id = :id
    ORDER BY h.stopped_amount DESC, h.amount DESC, h.customer_id
""")
_EVIDENCE = text("""
    SELECT public.fraud_evidence(rule, CAST(:customer_id AS uuid), :at, false)
    FROM public.fraud_rules AS rule WHERE rule.id = :id
""")


class TooMuch(Exception):
    """There are more calls than can be looked through while somebody waits."""


class NotTested(Exception):
    """The rule was not tried on past calls as it is now."""


class PastCall(BaseModel):
    """The call at which a rule would have hit."""

    started_at: dt.datetime
    number: str


class PastHit(BaseModel):
    """A customer whom the rule would have hit, when first, and what its action would have stopped since."""

    customer_id: uuid.UUID
    at: dt.datetime
    calls: int = Field(description="What the window of the rule held then.")
    seconds: int
    amount: Decimal
    last: PastCall | None = Field(description="The call at which it hit.")
    stopped_calls: int = Field(description="Answered calls after that which would have been refused.")
    stopped_amount: Decimal = Field(description="What they came to.")
    known_calls: int = Field(description="Of them, those to numbers the customer had called in the month before.")


class Result(BaseModel):
    """What a rule would have done with the calls of some days, if nobody had released anybody."""

    since: dt.datetime
    until: dt.datetime
    customers: int
    stopped_calls: int
    stopped_amount: Decimal
    known_calls: int
    hits: list[PastHit] = Field(description=f"The {SHOWN} where most would have been stopped.")


def save(rule: FraudRule) -> None:
    """Store a rule that was made or changed. It is a draft until somebody arms it: nobody knows yet what it does."""
    rule.state = "draft"
    rule.changed_at = func.clock_timestamp()
    store.save(rule)


def test(rule: FraudRule, days: int) -> Result:
    """Try a rule on the calls of the last days, and keep what came of it. TooMuch if that takes too long."""
    id, tested_at = rule.id, db.session.execute(select(func.clock_timestamp())).scalar_one()
    until = tested_at.replace(second=0, microsecond=0)
    try:
        found = _backtest(id, until - dt.timedelta(days=days), until)
    except OperationalError as error:
        if not isinstance(error.orig, psycopg2.errors.QueryCanceled):
            raise
        db.session.rollback()
        log.warning("fraud rule not tested", rule=str(id), days=days, reason="it took too long")
        raise TooMuch from None
    values = {"days": days, "tested_at": tested_at, "username": who.username(), "result": to_jsonable_python(found)}
    stored = insert(FraudTest).values(rule_id=id, **values)
    store.note(stored.on_conflict_do_update(index_elements=[FraudTest.rule_id], set_=values))
    log.info("fraud rule tested", rule=str(id), days=days, customers=found.customers)
    return found


def arm(rule: FraudRule, anyway: bool) -> None:
    """Let the agents look by it. NotTested unless it was tried as it is now, or that does not matter."""
    if not rule.is_tested and not anyway:
        raise NotTested
    rule.state = "armed"
    store.save(rule)


def disarm(rule: FraudRule) -> None:
    """Nobody looks by it any more. Its open cases stay until they are released."""
    rule.state = "draft"
    store.save(rule)


def result(rule: FraudRule) -> Result | None:
    """What came of the last time it was tried, if it is still the same rule."""
    return Result.model_validate(rule.test.result) if rule.test and rule.is_tested else None


def names(hits: Sequence[PastHit]) -> dict[uuid.UUID, Customer]:
    """The customers of hits, as far as they are still there."""
    found = db.session.scalars(select(Customer).where(Customer.id.in_({hit.customer_id for hit in hits})))
    return {customer.id: customer for customer in found}


def _backtest(id: uuid.UUID, since: dt.datetime, until: dt.datetime) -> Result:
    db.session.execute(text(f"SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'"))
    rows = db.session.execute(_BACKTEST, {"id": id, "since": since, "until": until}).mappings().all()
    return Result(
        since=since,
        until=until,
        customers=len(rows),
        stopped_calls=sum(row["stopped_calls"] for row in rows),
        stopped_amount=sum((row["stopped_amount"] for row in rows), Decimal(0)),
        known_calls=sum(row["known_calls"] for row in rows),
        hits=[PastHit(**row, last=_last(id, row)) for row in rows[:SHOWN]],
    )


def _last(id: uuid.UUID, row: Any) -> dict[str, Any] | None:
    calls = db.session.scalar(_EVIDENCE, {"id": id, "customer_id": row["customer_id"], "at": row["at"]})
    return calls[-1] if calls else None
