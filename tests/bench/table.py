"""What the measurements print: tables in Markdown, as docs/benchmarks.md has them."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path


def head(title: str, command: str) -> None:
    """What was measured when, where and how."""
    print(f"\n### {title}\n")
    print(f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {machine()}: `{command}`\n", flush=True)


def machine() -> str:
    text = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2
    name = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores ({name}), {memory:.0f} GB, load {os.getloadavg()[0]:.1f} at the beginning"


def columns(*names: str) -> None:
    print("| " + " | ".join(names) + " |")
    print("|---|" + "---:|" * (len(names) - 1), flush=True)


def row(name: str, *figures: object) -> None:
    print("| " + " | ".join([name, *(_text(figure) for figure in figures)]) + " |", flush=True)


def note(text: str) -> None:
    print(f"\n{text}", flush=True)


def quantiles(figures: Iterable[float], shares: Sequence[float] = (0.5, 0.95, 0.99)) -> list[float]:
    """The figures below which such a share of all lies."""
    ordered = sorted(figures)
    if not ordered:
        return [float("nan")] * len(shares)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in shares]


def _text(figure: object) -> str:
    if isinstance(figure, float):
        return f"{figure:.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
    return str(figure)


def commit() -> str:
    """Which state of the project this is, if it is known."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
