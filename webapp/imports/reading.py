"""Files as lines of cells, whatever spreadsheet program wrote them: CSV in its dialects, or XLSX."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, BinaryIO

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from webapp.validation import N_

MOST_BYTES = 32 * 1024 * 1024
MOST_LINES = 1_000_000
MOST_COLUMNS = 60
_SAMPLE = 64 * 1024
# What an XLSX may become when it is unpacked: a small file can hold gigabytes of zeros.
MOST_UNPACKED = 384 * 1024 * 1024
_MOST_TEXTS = 96 * 1024 * 1024  # All but the sheets is held in memory as a whole.
# What describes the workbook, such as its styles, becomes an object for each element.
_MOST_DESCRIBED = 2 * 1024 * 1024
# What XML weighs in memory, in elements: of all texts together, and of one line, which is held until it ends.
_HEAVIEST_TEXTS = 5_000_000
_HEAVIEST_LINE = 500_000
_BYTES_OF_AN_ELEMENT = 100  # That text of so many bytes weighs as much as.


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
        parts = _Parts(file)
        if sum(part.file_size for part in parts.infolist()) > MOST_UNPACKED:
            raise Unreadable(TOO_MUCH)
        if any(p.file_size > _MOST_TEXTS for p in parts.infolist() if not p.filename.startswith("xl/worksheets/")):
            raise Unreadable(TOO_MUCH)
        book = _Book(file, parts)
    except _BROKEN:
        raise Unreadable(NOT_A_TABLE) from None
    try:
        yield _rows(book)
    finally:
        parts.close()


class _Parts(zipfile.ZipFile):
    """The parts of a workbook. A few thousand bytes can hold millions of elements, each of which takes memory: openpyxl
    does not ask how many there are."""

    weight = 0  # Of what was read since the part was opened, or since the line before.
    heaviest = _HEAVIEST_TEXTS
    listing = False  # Whether the sheets are only being listed.

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        """A part as a whole."""
        if self.getinfo(name).file_size > _MOST_DESCRIBED:
            raise Unreadable(TOO_MUCH)
        with super().open(name, pwd=pwd) as part:
            return part.read()

    def open(self, name: Any, *_: Any, **__: Any) -> Any:
        """A part to be read bit by bit."""
        self.weight = 0
        return io.BytesIO(b"<worksheet/>") if self.listing else _Part(super().open(name), self)


class _Part(io.BufferedIOBase):
    """A part that is weighed as it is read."""

    def __init__(self, file: IO[bytes], parts: _Parts) -> None:
        self._file = file
        self._parts = parts

    def read(self, size: int | None = -1) -> bytes:
        data = self._file.read(-1 if size is None else size)
        self._parts.weight += data.count(b"<") + len(data) // _BYTES_OF_AN_ELEMENT
        if self._parts.weight > self._parts.heaviest:
            raise Unreadable(TOO_MUCH)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


class _Book(ExcelReader):  # type: ignore[misc]  # openpyxl has no types
    """A workbook without all that is not needed to read its cells."""

    def __init__(self, file: IO[bytes], parts: _Parts) -> None:
        super().__init__(file, read_only=True, data_only=True, keep_links=False)
        self.archive = self.parts = parts
        self.read_manifest()
        self.read_strings()
        self.read_workbook()
        apply_stylesheet(parts, self.wb)
        # Each sheet would be read once more to find out its size, which need not be true.
        parts.listing = True
        self.sheets = [
            ReadOnlyWorksheet(self.wb, sheet.name, rel.target, self.shared_strings)
            for sheet, rel in self.parser.find_sheets()
            if rel.target in self.valid_files and "chartsheet" not in rel.Type
        ]
        parts.listing, parts.heaviest = False, _HEAVIEST_LINE


# All that openpyxl raises for a file that is a ZIP and no workbook, or a damaged one (RuntimeError: encrypted, or
# packed as nobody does).
_BROKEN = (
    *(InvalidFileException, zipfile.BadZipFile, zlib.error, LookupError, ArithmeticError, AttributeError),
    *(ValueError, TypeError, SyntaxError, EOFError, OSError, RuntimeError),
)


def _rows(book: _Book) -> Lines:
    try:
        if not book.sheets:
            return
        rows = book.sheets[0].iter_rows(max_col=MOST_COLUMNS, max_row=MOST_LINES + 1, values_only=True)
        for number, values in enumerate(rows, start=1):
            yield number, [_text(value) for value in values]
            book.parts.weight = 0
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
