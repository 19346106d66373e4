"""What processes take of the machine: time of the processor, and memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def seconds(pid: int) -> float:
    """What a process has worked so far, its children that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[n]) for n in (11, 12, 13, 14)) / TICKS


def below(pid: int) -> list[int]:
    """A process and all that it has started, and they."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def seconds_of(pids: Iterable[int]) -> float:
    total = 0.0
    for pid in pids:
        with suppress(OSError):  # It has ended; its parent has its time then.
            total += seconds(pid)
    return total


def memory(pids: Iterable[int]) -> float:
    """Megabytes that these processes have for themselves and, of what they share, their part (PSS).

    Without memory that is there to be shared, as PostgreSQL's buffers are: they fill up, and then stay as they are.
    """
    total = 0
    for pid in pids:
        with suppress(OSError):
            _, *entries = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            sizes = {name: size for name, size, *_ in map(str.split, entries)}
            total += int(sizes["Pss:"]) - int(sizes.get("Pss_Shmem:", 0))
    return total / 1024


def packets() -> int:
    """UDP packets that this machine has delivered so far."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")
    )
    return int(values[names.index("InDatagrams")])
