"""What monitoring systems ask: do we live, can we serve, and how is everything."""

from __future__ import annotations

import hmac
import time
from ipaddress import ip_address
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, g, request

from webapp.monitoring import operations, times
from webapp.pages import DATABASE_FAILURES
from webapp.permissions import public

log = structlog.get_logger()
bp = Blueprint("monitoring", __name__)


@bp.get("/healthz")
@public
def healthz() -> Any:
    """200 while the process serves; it asks nothing of the database."""
    return {"status": "ok"}


@bp.get("/readyz")
@public
def readyz() -> Any:
    """200 while what is saved would reach an Asterisk, else 503; a line for each thing looked at."""
    checks = operations.checks()
    lines = [f"{name}: {trouble or 'ok'}" for name, trouble in checks.items()]
    return _plain(lines, 503 if any(checks.values()) else 200)


@bp.get("/metrics")
@public
def metrics() -> Any:
    """The figures, for who has the token. Where there is none, for this machine."""
    if not _may_read():
        return _plain(
            ["This takes METRICS_TOKEN as a bearer token; where none is set, only this machine may ask."], 403
        )
    try:
        figures = operations.exposition(operations.metrics()) + times.exposition()
    except DATABASE_FAILURES as error:
        log.error("no metrics", reason=str(error).strip().splitlines()[0])
        return _plain(["The database does not answer."], 503)
    return Response(figures, content_type="text/plain; version=0.0.4; charset=utf-8")


@bp.after_app_request
def told(response: Response) -> Response:
    times.tell(request.endpoint, response.status_code, time.perf_counter() - g.began)
    return response


def _may_read() -> bool:
    token = current_app.config["METRICS_TOKEN"]
    if token:
        given = request.authorization
        known = given.token if given and given.type == "bearer" else ""
        return hmac.compare_digest((known or "").encode(), token.encode())
    # All that a reverse proxy on this machine passes on comes from this machine, too.
    return _is_ours(request.remote_addr or "") and "X-Forwarded-For" not in request.headers


def _is_ours(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _plain(lines: list[str], status: int) -> Response:
    return Response("\n".join(lines) + "\n", status, content_type="text/plain; charset=utf-8")
