"""What is done with customers besides filling in and saving."""

from __future__ import annotations

from typing import Any

from webapp.settings.operations import current

_SETTLED = (
    "max_channels",
    "calls_per_second",
    "max_price_per_minute",
    "daily_limit",
    "blocked_list_id",
    "allowed_list_id",
)


def at_first() -> dict[str, Any]:
    """What a new customer is limited to and may not call where nothing is said of it: what the company has settled."""
    settings = current()
    return {name: getattr(settings, f"default_{name}") for name in _SETTLED}
