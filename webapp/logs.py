"""Log lines: one JSON object each, with the request id that also stands in the audit log."""

from __future__ import annotations

import logging
import sys
import time
import uuid

import structlog
from flask import Response, g, request

from webapp import who

log = structlog.get_logger()


def configure(level: str) -> None:
    """Send our log lines and those of the libraries to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),  # type: ignore[arg-type]  # it only writes
    )
    logging.basicConfig(level=level, format="%(levelname)s %(name)s %(message)s")


class _StandardError:
    """sys.stderr as it is when a line is written, for tests and servers exchange it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def begin_request() -> None:
    """Give the request an id, put it on every log line of the request, and note the time."""
    g.began = time.perf_counter()
    g.request_id = uuid.uuid4().hex[:12]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def log_request(response: Response) -> Response:
    """One line for each request: who asked for what, and what came of it. Query strings may hold names: left out."""
    if request.endpoint != "static":
        log.info(
            "request",
            user=getattr(g.get("_login_user"), "username", ""),  # If somebody asked; not worth a query.
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - g.began) * 1000),
        )
    response.headers["X-Request-Id"] = who.request_id()
    return response
