"""The node's journal of call records (cdr_custom.conf): what the database missed is taken from there."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from sqlalchemy import Connection, Engine, text

log = structlog.get_logger()

# The fields in the order of cdr_custom.conf. Journals of before the last were added go on in the same file.
_NAMES = (
    "uniqueid linkedid sequence start answer end duration billsec disposition amaflags src dst clid dcontext channel "
    "dstchannel lastapp lastdata accountcode peeraccount userfield direction customer_id provider_id gateway_id did "
    "number request"
)
OLDEST_FIELDS = _NAMES.split()
OLDER_FIELDS = [*OLDEST_FIELDS, "pdd", "previous_cause", "previous_status"]
FIELDS = [*OLDER_FIELDS, "cause"]
# Contexts whose records are no calls: what says how the last leg ended, and what leads into a conference (landing.sql).
NO_CALLS = ("hang-up", "conference-call")

# Asterisk writes the journal and the database one after the other. A record that is missing in the database is left
# to Asterisk for so long.
SETTLING_SECONDS = 15.0
PART_BYTES = 1 << 18  # Of a file, looked at in one transaction.
# Calls that end meanwhile wait for what we store, so it is not much at a time.
MOST_INSERTED = 50
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")

Record = dict[str, str | None]


class NotAJournal(Exception):
    """A file holds no record of this node."""


@dataclass
class Found:
    """What a look at the journal came to. A record that is `waiting` is missing, but too young to be called lost."""

    seen: int = 0
    inserted: int = 0
    unreadable: int = 0
    waiting: bool = False


@dataclass(frozen=True)
class Piece:
    """A part of a file from one beginning of a record to the next: one record, if it is clean, and where it ends."""

    records: list[Record]
    end: int
    clean: bool


def reconcile(engine: Engine, node: str, path: Path) -> Found:
    """Store what a node's journal holds, under its name and those it was given when it was rotated, and the database
    does not. It goes on where the last one stopped, two at once share the work, and nothing comes twice.
    """
    found = Found()
    for each in sorted(_files(path), key=lambda each: each.stat().st_mtime):
        with each.open("rb") as file:
            first = file.readline(PART_BYTES)
            if not first.endswith(b"\n"):
                continue  # It is empty, or being written.
            if not _beginning(node).search(first + file.read(PART_BYTES)):
                if each == path:
                    raise NotAJournal(f"{path} is no journal of {node}")
                continue
            digest = hashlib.sha256(first).hexdigest()
            while _read_on(engine, node, each, digest, file, found):
                pass
        if found.waiting:
            break  # What follows comes after it.
    if found.inserted or found.unreadable:
        log.warning("journal", seen=found.seen, inserted=found.inserted, unreadable=found.unreadable)
    return found


def _files(path: Path) -> Iterator[Path]:
    """The journal and what it was called before: journal.csv, journal.csv.1, journal.csv-20261231."""
    for each in path.parent.glob(f"{path.name}*"):
        if each.is_file() and each.suffix not in COMPRESSED:
            yield each


def _read_on(engine: Engine, node: str, path: Path, first_line: str, file: BinaryIO, found: Found) -> bool:
    """Look at the next part of a file, in one transaction. False: there is nothing more to look at now."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('journal'), hashtext(:node))"), {"node": node})
        position, counted = _position(connection, node, first_line, file)
        file.seek(position)
        data = file.read(PART_BYTES) + file.readline()
        at_the_end = not file.read(1)
        settled = _now() - os.fstat(file.fileno()).st_mtime > SETTLING_SECONDS
        pieces = list(_pieces(node, data, at_the_end=at_the_end, settled=settled))
        missing = _missing(connection, node, [record for piece in pieces for record in piece.records])
        taken: list[Piece] = []
        inserted: list[Record] = []
        for piece in pieces:
            lost = [record for record in piece.records if _key(record) in missing]
            found.waiting = any(_is_young(record) for record in lost)
            if found.waiting or len(inserted) >= MOST_INSERTED:
                break
            taken.append(piece)
            inserted += lost
            missing.difference_update(map(_key, lost))  # Should it stand there twice.
        if not taken:
            return False
        _insert(connection, node, inserted)
        end = position + taken[-1].end
        new = [piece for piece in taken if position + piece.end > counted]
        seen = [record for piece in new for record in piece.records]
        unreadable = sum(not piece.clean for piece in new)
        _count(connection, node, seen, inserted, unreadable)
        _move_on(connection, node, first_line, path, end, max(end, counted))
    found.seen += len(seen)
    found.inserted += len(inserted)
    found.unreadable += unreadable
    if unreadable:
        log.error("journal is not readable", path=str(path), position=position, until=end)
    return not found.waiting


def _position(connection: Connection, node: str, first_line: str, file: BinaryIO) -> tuple[int, int]:
    """Where to read on, and how far the records are counted.

    What is read ends with a line. Where no line ends, the power took the end of the file, and others followed: it is
    read from its beginning.
    """
    query = text("SELECT position, counted FROM journals WHERE node = :node AND first_line = :first_line")
    known = connection.execute(query, {"node": node, "first_line": first_line}).one_or_none()
    if known is None:
        return 0, 0
    file.seek(known.position - 1)
    return (known.position if file.read(1) == b"\n" else 0), known.counted


def _move_on(connection: Connection, node: str, first_line: str, path: Path, position: int, counted: int) -> None:
    """Remember how far the file is read.

    Call records are committed without waiting for the disk. This commit does wait, and takes along all that was seen:
    a crash that loses one of them takes this back as well.
    """
    statement = text(
        """
        INSERT INTO journals (node, first_line, path, position, counted)
        VALUES (:node, :first_line, :path, :position, :counted)
        ON CONFLICT (node, first_line) DO UPDATE SET
            path = excluded.path,
            position = excluded.position,
            counted = excluded.counted,
            read_at = excluded.read_at
        """
    )
    values = {"node": node, "first_line": first_line, "path": str(path), "position": position, "counted": counted}
    connection.execute(statement, values)


# ---- records


def _beginning(node: str) -> re.Pattern[bytes]:
    """How a record begins: with the unique id, which begins with the name of the node (asterisk.conf).

    Within a field a quotation mark is doubled, so nothing that a caller sends looks like it, line breaks included.
    """
    return re.compile(rb'^\0*"' + re.escape(node.encode()) + b"-", re.MULTILINE)


def _pieces(node: str, data: bytes, *, at_the_end: bool, settled: bool) -> Iterator[Piece]:
    """The records of a part of a file that begins and, but for what is just being written, ends with a line.

    The last record may have its rest still to come, unless the file has been left alone for long enough.
    """
    whole = data[: data.rfind(b"\n") + 1]
    starts = [match.start() for match in _beginning(node).finditer(whole)]
    if not starts or starts[0]:
        starts = [0, *starts]
    for start, end in zip(starts, [*starts[1:], len(whole)], strict=True):
        part = whole[start:end]
        record = _record(part)
        goes_on = end == len(whole) and not (settled if at_the_end else start == 0)
        if record:
            yield Piece([record], end, clean=True)
        elif goes_on:
            return
        elif part:
            yield Piece(_salvaged(node, part), end, clean=not part.strip(b"\0\r\n "))


def _salvaged(node: str, part: bytes) -> list[Record]:
    """The records in what is none as a whole: one was not written to its end, and another follows in its line."""
    found: list[Record] = []
    end = len(part)
    for match in reversed(list(re.finditer(b'"' + re.escape(node.encode()) + b"-", part))):
        candidate = part[match.start() : end]
        if record := _record(candidate) or _record(candidate[: candidate.rfind(b"\n") + 1]):
            found.insert(0, record)
            end = match.start()
    return found


def _record(part: bytes) -> Record | None:
    """The record that a part of the file is, as cdr_pgsql would have stored it; None if it makes no sense."""
    content = part.replace(b"\0", b"")
    try:
        line = content.decode()
    except UnicodeDecodeError:
        line = content.decode("latin-1")
    try:
        rows = list(csv.reader(StringIO(line, newline=""), strict=True))
    except csv.Error:
        return None
    if len(rows) != 1 or len(rows[0]) not in [len(OLDEST_FIELDS), len(OLDER_FIELDS), len(FIELDS)]:
        return None
    record: Record = {name: value or None for name, value in zip(FIELDS, rows[0], strict=False)}
    try:
        start, answer, end = (Decimal(record[name] or "") for name in ("start", "answer", "end"))
        record |= {
            "sequence": str(int(record["sequence"] or "")),
            "start": _moment(start),
            "answer": _moment(answer) if answer else None,
            "end": _moment(end),
            "duration": f"{end - start:.6f}",
            "billsec": f"{end - answer:.6f}" if answer else "0.000000",
        }
    except (ValueError, InvalidOperation, OverflowError):
        return None
    # With a quotation mark it is two that ran into each other.
    return record if record["uniqueid"] and '"' not in record["uniqueid"] else None


def _moment(seconds: Decimal) -> str:
    """In UTC, to the second: two records of one leg must agree about its start."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _key(record: Record) -> tuple[str, str]:
    return str(record["uniqueid"]), str(record["sequence"])


def _is_young(record: Record) -> bool:
    ended = dt.datetime.strptime(str(record["end"]), "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)
    return abs(_now() - ended.timestamp()) < SETTLING_SECONDS


def _now() -> float:
    return dt.datetime.now(dt.UTC).timestamp()


# ---- the database


def _missing(connection: Connection, node: str, records: list[Record]) -> set[tuple[str, str]]:
    """Which of the records are not stored."""
    if not records:
        return set()
    query = text(
        """
        SELECT r.uniqueid, r.sequence
        FROM unnest(CAST(:uniqueids AS text[]), CAST(:sequences AS text[])) AS r (uniqueid, sequence)
        WHERE NOT EXISTS (
            SELECT FROM asterisk.cdr c WHERE c.uniqueid = r.uniqueid AND c.sequence = r.sequence AND c.node = :node)
        """
    )
    uniqueids, sequences = zip(*map(_key, records), strict=True)
    rows = connection.execute(query, {"node": node, "uniqueids": list(uniqueids), "sequences": list(sequences)})
    return {(row.uniqueid, row.sequence) for row in rows}


def _insert(connection: Connection, node: str, records: list[Record]) -> None:
    """As Asterisk does it, so that the same trigger makes calls of them."""
    if not records:
        return
    names = ", ".join(f'"{name}"' for name in FIELDS)
    statement = text(
        f"""
        INSERT INTO asterisk.cdr (node, {names})
        SELECT :node, {names}
        FROM ROWS FROM (json_populate_recordset(NULL::asterisk.cdr, CAST(:records AS json))) WITH ORDINALITY
        ORDER BY ordinality
        """  # noqa: S608 - our own names
    )
    connection.execute(statement, {"node": node, "records": _json(records)})


def _count(connection: Connection, node: str, records: list[Record], inserted: list[Record], unreadable: int) -> None:
    """Keep the books of the days. Records that only say how a call ended are no calls."""
    statement = text(
        """
        INSERT INTO journal_days AS known (day, node, calls, recovered, unreadable)
        SELECT date_trunc('day', start AT TIME ZONE 'UTC', s.time_zone), :node, sum(calls), sum(recovered),
               sum(unreadable)
        FROM (
            SELECT r.start::timestamp, 1, 0, 0 FROM json_populate_recordset(NULL::asterisk.cdr, CAST(:seen AS json)) r
            UNION ALL
            SELECT r.start::timestamp, 0, 1, 0 FROM json_populate_recordset(NULL::asterisk.cdr, CAST(:taken AS json)) r
            UNION ALL
            SELECT now() AT TIME ZONE 'UTC', 0, 0, :unreadable WHERE :unreadable > 0
        ) AS each (start, calls, recovered, unreadable), settings s
        GROUP BY 1 ORDER BY 1
        ON CONFLICT (day, node) DO UPDATE SET
            calls = known.calls + excluded.calls,
            recovered = known.recovered + excluded.recovered,
            unreadable = known.unreadable + excluded.unreadable
        """
    )
    seen, taken = (
        [{"start": record["start"]} for record in each if record["dcontext"] not in NO_CALLS]
        for each in (records, inserted)
    )
    values = {"node": node, "seen": _json(seen), "taken": _json(taken), "unreadable": unreadable}
    connection.execute(statement, values)


def _json(records: list[Any]) -> str:
    return json.dumps(records)
