"""A program that saves gateways and is killed (signal 9) while it does so: at each step another."""

from __future__ import annotations

import os
import signal
import sys

from flask import Flask

from tests.calls.exchange import settings
from tests.faults.points import POINTS, at
from webapp import create_app, store
from webapp.gateways.models import Gateway


def save(app: Flask, provider_id: str, number: int, point: str) -> None:
    with app.app_context(), at(point, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        store.save(Gateway(name=f"gateway-{number}", provider_id=provider_id, ip_address=f"203.0.113.{number}"))


def main(url: str, provider_id: str) -> None:
    """Say of each point whether the save was killed there."""
    app = create_app(settings(url))
    for number, point in enumerate(POINTS):
        child = os.fork()
        if not child:
            save(app, provider_id, number, point)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(number, os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
