"""What the agent answers on this machine: whether it lives, whether it can work, how often it has connected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

PATIENCE_SECONDS = 5.0
LONGEST_REQUEST = 8192

# What has to be well, each with what is wrong with it; empty: nothing.
Checks = Callable[[], Mapping[str, str]]

CONNECTIONS = """\
# HELP asterisk_admin_agent_connections_total How often the agent has connected to its Asterisk since it was started.
# TYPE asterisk_admin_agent_connections_total counter
asterisk_admin_agent_connections_total{{node="{node}"}} {count}
"""


async def serve(port: int, checks: Checks, metrics: Callable[[], str]) -> asyncio.Server:
    """Answer /healthz, /readyz and /metrics over HTTP, to this machine only, until the server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(request, checks(), metrics()))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # Nobody who speaks HTTP, or nobody any more.
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    return await asyncio.start_server(answer, "127.0.0.1", port, limit=LONGEST_REQUEST)


def _answer(request: bytes, checks: Mapping[str, str], metrics: str) -> bytes:
    status, lines = "404 Not Found", ["Ask for /healthz, /readyz or /metrics."]
    if request.startswith(b"GET /healthz "):
        status, lines = "200 OK", ["ok"]
    elif request.startswith(b"GET /readyz "):
        status = "503 Service Unavailable" if any(checks.values()) else "200 OK"
        lines = [f"{name}: {trouble or 'ok'}" for name, trouble in checks.items()]
    elif request.startswith(b"GET /metrics "):
        status, lines = "200 OK", metrics.splitlines()
    body = "".join(f"{line}\n" for line in lines).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
