"""Letting a customer call again, and who is stopped."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import func, select

from webapp import store, who
from webapp.ext import db
from webapp.fraud_cases.models import FraudCase


def release(cases: Sequence[FraudCase], exempt_hours: int = 0) -> None:
    """Lift what these cases of one customer stop, at once. One that somebody else has just released stays as it is.

    No call from before is counted again, and for so many hours no call at all.
    """
    for case in cases:
        if not case.is_open:
            continue
        now = db.session.execute(select(func.clock_timestamp())).scalar_one()
        case.released_at, case.released_by = now, who.username()
        case.exempt_until = now + dt.timedelta(hours=exempt_hours) if exempt_hours else None
        with suppress(store.Stale):  # Two clicked: it is released.
            store.save(case)


def open_cases(customer_id: uuid.UUID) -> Sequence[FraudCase]:
    """The open cases of a customer, the first at first."""
    query = select(FraudCase).where(FraudCase.customer_id == customer_id, FraudCase.released_at.is_(None))
    return db.session.scalars(query.order_by(FraudCase.created_at, FraudCase.id)).all()


def count() -> int:
    """How many cases are open."""
    query = select(func.count()).select_from(FraudCase).where(FraudCase.released_at.is_(None))
    return db.session.scalar(query) or 0
