"""Files as lines of cells, whatever spreadsheet program wrote them: CSV in its dialects, or XLSX."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, BinaryIO

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from webapp.validation import N_

MOST_BYTES = 32 * 1024 * 1024
MOST_LINES = 1_000_000
MOST_COLUMNS = 60
_SAMPLE = 64 * 1024
# What an XLSX may become when it is unpacked: a small file can hold gigabytes of zeros.
MOST_UNPACKED = 384 * 1024 * 1024
_MOST_TEXTS = 96 * 1024 * 1024  # All but the sheets is held in memory as a whole.


Lines = Iterator[tuple[int, list[str]]]


class Unreadable(Exception):
    """The file cannot be read; the sentence says why, and is translated where it is shown."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.values = values


NOT_A_TABLE = N_("This is neither a CSV nor an XLSX file.")
TOO_MANY_LINES = N_("The file has more than {count} lines. Split it.")
TOO_MUCH = N_("The file is too large when it is unpacked. Save it as CSV and bring in that.")
BAD_CELL = N_("Line {line} cannot be read: a cell is too long, or a quotation mark is not closed.")


@contextmanager
def lines(file: BinaryIO) -> Iterator[Lines]:
    """The lines of a file that are not blank, each with its number as a spreadsheet shows it."""
    with _sheet(file) if _is_workbook(file) else _csv(file) as found:
        yield _filled(found)


def count(file: BinaryIO) -> int:
    """About how many lines there are, to measure progress by; 0 if that is not known at once."""
    if _is_workbook(file):
        return 0
    return sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b"")) + 1


def first_lines(file: BinaryIO, many: int) -> list[list[str]]:
    """The first lines that are not blank; Unreadable if there is none."""
    with lines(file) as found:
        some = [cells for _, cells in islice(found, many)]
    if not some:
        raise Unreadable(N_("The file is empty."))
    return some


def _is_workbook(file: BinaryIO) -> bool:
    """Whether it is a ZIP, which an XLSX file is. It is then at its beginning."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start == b"PK\x03\x04"


def _filled(found: Lines) -> Lines:
    for number, cells in found:
        if number > MOST_LINES:
            raise Unreadable(TOO_MANY_LINES, count=MOST_LINES)
        if "".join(cells).strip():
            yield number, cells[:MOST_COLUMNS]


# ---- CSV


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Lines]:
    encoding = _encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    try:
        sample = text.read(_SAMPLE)
        if "\x00" in sample:
            raise Unreadable(NOT_A_TABLE)
        text.seek(0)
        yield _records(csv.reader(text, delimiter=_delimiter(sample)))
    finally:
        text.detach()  # Else it would close the file, which is needed again.


def _records(reader: Any) -> Lines:
    before = 0
    try:
        for cells in reader:
            yield before + 1, cells
            before = reader.line_num  # A quoted cell may hold line breaks: a line is known by where it begins.
    except csv.Error:
        raise Unreadable(BAD_CELL, line=before + 1) from None


def _encoding(file: BinaryIO) -> str:
    """UTF-8, else what Windows writes in Brazil; UTF-16 only if the file says so."""
    start = file.read(2)
    if start in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    file.seek(0)
    return "utf-8-sig" if _is_utf8(file) else "cp1252"


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for part in iter(lambda: file.read(1 << 20), b""):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(sample: str) -> str:
    """The one of the usual signs that the first line holds most of, outside of quotation marks."""
    first = next((line for line in sample.splitlines() if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return max(";\t,", key=outside.count)


# ---- XLSX


@contextmanager
def _sheet(file: IO[bytes]) -> Iterator[Lines]:
    """The first sheet of a workbook. Of a formula, the value that the spreadsheet program stored with it."""
    try:
        parts = zipfile.ZipFile(file).infolist()
        if sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise Unreadable(TOO_MUCH)
        if any(part.file_size > _MOST_TEXTS for part in parts if not part.filename.startswith("xl/worksheets/")):
            raise Unreadable(TOO_MUCH)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except _BROKEN:
        raise Unreadable(NOT_A_TABLE) from None
    try:
        yield _rows(book)
    finally:
        book.close()


# All that openpyxl raises for a file that is a ZIP and no workbook, or a damaged one.
_BROKEN = (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, EOFError, OSError)


def _rows(book: Any) -> Lines:
    try:
        if not book.worksheets:
            return
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # What the file says of its size need not be true.
        rows = sheet.iter_rows(max_col=MOST_COLUMNS, max_row=MOST_LINES + 1, values_only=True)
        for number, values in enumerate(rows, start=1):
            yield number, [_text(value) for value in values]
    except _BROKEN:
        raise Unreadable(NOT_A_TABLE) from None


def _text(value: Any) -> str:
    """A cell as somebody would have typed it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(value, ".10f").rstrip("0")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
    return str(value)
