"""What a query finds as CSV, written by the database itself (COPY): nothing is made of the rows on the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
from sqlalchemy import Select, text
from sqlalchemy.orm import Session

from webapp.ext import db

PIECE = 64 * 1024  # Bytes, which is also what a pipe holds.


def copied(query: Select[Any], delimiter: str) -> Iterator[bytes]:
    """The rows of a query as CSV, without heads, and no faster than they are read.

    It has a session of its own, for the view's ends before the first piece is sent.
    """
    with Session(db.engine, join_transaction_mode="create_savepoint") as session:
        connection = session.connection()
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        cursor = connection.connection.cursor()
        # COPY takes no parameters, so they are put in as psycopg2 puts in those of every other statement.
        found = query.compile(connection).construct_expanded_state()
        values = {name: _processed(found.processors.get(name), value) for name, value in found.parameters.items()}
        rows = cursor.mogrify(found.statement, values)
        head, tail = cursor.mogrify("COPY (|) TO STDOUT (FORMAT csv, DELIMITER %s)", [delimiter]).split(b"|")
        try:
            yield from _pieces(cursor, head + rows + tail)
        except BaseException:
            session.invalidate()  # It may still be sending what nobody reads any more.
            raise


def _processed(processor: Any, value: Any) -> Any:
    return processor(value) if processor else value


def _pieces(cursor: Any, statement: bytes) -> Iterator[bytes]:
    """What the statement sends. psycopg2 wants to write it somewhere: into a pipe, from a thread of its own."""
    reading, writing = os.pipe()
    failures: list[Exception] = []

    def write() -> None:
        try:
            with open(writing, "wb") as file:
                cursor.copy_expert(statement, file)
        except (psycopg2.Error, OSError) as failure:  # OSError: the reader went away.
            failures.append(failure)

    thread = threading.Thread(target=write, name="copy")
    thread.start()
    try:
        with open(reading, "rb", buffering=0) as pipe:
            while piece := pipe.read(PIECE):
                yield piece
    finally:
        thread.join()
    if failures:
        raise failures[0]
