"""Looking by the armed rules against toll fraud, once a minute by one of the agents, whichever comes first.

What a rule sees and whom it hits is for the database to say (schema/sql/functions/fraud.sql). A case stops the
customer's calls from the moment it is committed, for route_call() asks for it: no Asterisk has to be told.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, insert, text
from sqlalchemy.exc import DBAPIError

from webapp.accounts.models import AuditEntry
from webapp.agent import alerts

log = structlog.get_logger()

PAUSE_SECONDS = 10.0  # Between two looks whether a rule is due.
SHARE = 5

# Only one agent at a time; it is given back with the connection, should the agent die.
_TRY = text("SELECT pg_try_advisory_lock(hashtext('asterisk-admin fraud'))")
_GIVE_BACK = text("SELECT pg_advisory_unlock(hashtext('asterisk-admin fraud'))")
_DUE = text("""
    SELECT r.id, r.name FROM public.fraud_rules r
    LEFT JOIN public.fraud_looks l ON l.rule_id = r.id
    WHERE r.state = 'armed' AND (l.looked_at IS NULL OR l.looked_at <= now() - interval '55 seconds')
    ORDER BY l.looked_at NULLS FIRST, r.name
""")
_LOOK = text("""
    SELECT f.id, f.rule_name, f.customer_id, c.name AS customer, c.code AS customer_code, f.action, f.calls, f.seconds,
           f.amount, s.currency, r.window_minutes
    FROM public.open_fraud_cases(:id) AS f
    JOIN public.customers c ON c.id = f.customer_id
    JOIN public.fraud_rules r ON r.id = f.rule_id
    CROSS JOIN public.settings s
""")
_LOOKED = text("""
    INSERT INTO public.fraud_looks AS l (rule_id, looked_at, milliseconds, error)
    SELECT id, clock_timestamp(), :milliseconds, :error FROM public.fraud_rules WHERE id = :id
    ON CONFLICT (rule_id) DO UPDATE
    SET looked_at = excluded.looked_at, milliseconds = excluded.milliseconds, error = excluded.error
""")


async def look(engine: Engine) -> None:
    """Look by the rules that are due, unless another agent does."""
    await asyncio.to_thread(look_by_rules, engine)


def look_by_rules(engine: Engine) -> None:
    """Look by each rule that is due. One that fails says so on its page, and keeps none of the others."""
    with engine.connect() as connection:
        with connection.begin():
            is_ours = connection.execute(_TRY).scalar()
        if not is_ours:
            return
        try:
            with connection.begin():
                due = connection.execute(_DUE).all()
            for rule in due:
                _look_by(connection, rule)
        finally:
            if not connection.invalidated:
                with connection.begin():
                    connection.execute(_GIVE_BACK)


def _look_by(connection: Connection, rule: Row[Any]) -> None:
    began, error = time.monotonic(), ""
    try:
        with connection.begin():
            for case in connection.execute(_LOOK, {"id": rule.id}).all():
                _record(connection, case)
                log.warning("fraud rule hit", rule=rule.name, customer=case.customer_code, action=case.action)
    except DBAPIError as failed:
        if failed.connection_invalidated:
            raise
        error = str(failed.orig).strip().splitlines()[0]
        log.error("fraud rule failed", rule=rule.name, reason=error)
    took = round(1000 * (time.monotonic() - began))
    with connection.begin():
        connection.execute(_LOOKED, {"id": rule.id, "milliseconds": took, "error": error})


def _record(connection: Connection, case: Row[Any]) -> None:
    """What there is to tell of a case, and that it was opened."""
    about = {
        "case": str(case.id),
        "rule": case.rule_name,
        "customer": case.customer,
        "customer_code": case.customer_code,
        "action": case.action,
        "calls": case.calls,
        "seconds": case.seconds,
        "amount": format(case.amount, "f"),
        "currency": case.currency,
        "window_minutes": case.window_minutes,
    }
    alerts.write(connection, "fraud", about)
    after = {
        "customer_id": str(case.customer_id),
        "action": case.action,
        "calls": case.calls,
        "amount": about["amount"],
    }
    connection.execute(
        insert(AuditEntry).values(
            username="agent",
            action="create",
            kind="fraud_cases",
            thing_id=uuid.UUID(str(case.id)),
            label=case.rule_name,
            before={},
            after=after,
        )
    )
