"""What is done with gateways besides filling in and saving."""

from __future__ import annotations

from webapp import store
from webapp.gateways.models import Gateway


def reveal(gateway: Gateway) -> str:
    """The password that the provider gave us. That somebody saw it is recorded."""
    password = gateway.password
    store.record("reveal", Gateway.__tablename__, gateway.id, str(gateway))
    store.save()
    return password
