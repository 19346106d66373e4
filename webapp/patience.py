"""How long we wait for the database, the web and the agent alike: to connect, for a lock, for an answer.

A network that is cut says nothing. Left to itself, TCP would wait a quarter of an hour for an answer to what was sent,
and for what is to come for ever; so would the database at its end, with every lock that we hold there.
"""

from __future__ import annotations

from typing import Any

SILENCE_SECONDS = 10  # A peer that is silent for so long is gone.


def connect_args(name: str, *, connect: int, statement: int, lock: int, **options: str) -> dict[str, Any]:
    """What psycopg2 takes: who asks, and for how many seconds it waits."""
    silence = {
        "keepalives_idle": SILENCE_SECONDS // 2,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_SECONDS * 1000,
    }
    settings = {
        "statement_timeout": f"{statement}s",
        "lock_timeout": f"{lock}s",
        # Nobody waits long for a lock whose holder has stopped, such as a process that is suspended.
        "idle_in_transaction_session_timeout": "120s",
        # And the database waits no longer for us than we for it.
        **{f"tcp_{option.removeprefix('tcp_')}": str(value) for option, value in silence.items()},
        **options,
    }
    given = " ".join(f"-c {option}={value}" for option, value in settings.items())
    return {"application_name": name, "connect_timeout": connect, **silence, "options": given}
