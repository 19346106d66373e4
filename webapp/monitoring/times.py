"""How long requests take, in the buckets of Prometheus; told of all processes of the web together.

With PROMETHEUS_MULTIPROC_DIR, an empty folder at the start, the processes count there (prometheus_client's way);
without it each tells only its own.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

disable_created_metrics()  # type: ignore[no-untyped-call]  # it is not typed
_REGISTRY = CollectorRegistry()
_SECONDS = Histogram(
    "asterisk_admin_request_seconds",
    "Seconds until a request was answered, by what was asked and the first digit of the status.",
    ["endpoint", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_REGISTRY,
)


def tell(endpoint: str | None, status: int, seconds: float) -> None:
    """A request was answered. What is no address of ours has no endpoint: whoever tries names makes no new ones."""
    _SECONDS.labels(endpoint or "none", f"{status // 100}xx").observe(seconds)


def exposition() -> str:
    """As Prometheus reads them."""
    registry = _REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it is not typed
    return generate_latest(registry).decode()
