"""XLSX files, written as their rows are read: however many there are, they take no memory and begin at once.

A workbook is a ZIP of XML files. openpyxl writes one only as a whole, when the last row is known, and takes minutes for
a million of them; of all that it can we need a table.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

MOST_ROWS = 1_048_576  # In a sheet; what is more goes on in another one.
PIECE = 64 * 1024  # Sent at a time.
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_DAY_ONE = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no time zones
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# The first style is a plain cell, the second a moment, the third a head.
_STYLES = _HEAD + (
    f"<styleSheet {_MAIN}>"
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


class _Out(io.RawIOBase):
    """A file that only keeps what has not been taken from it yet."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.kept += data
        return len(data)

    def taken(self) -> bytes:
        piece = bytes(self.kept)
        self.kept.clear()
        return piece


def workbook(
    heads: Sequence[str], rows: Iterable[Sequence[Any]], zone: ZoneInfo, most_rows: int = MOST_ROWS
) -> Iterator[bytes]:
    """A workbook in pieces: the heads, and below them the rows. Moments are those of the zone."""
    out = _Out()
    remaining = iter(rows)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        count, following = 0, next(remaining, None)
        while following is not None or not count:
            count += 1
            first = [] if following is None else [following]
            with file.open(f"xl/worksheets/sheet{count}.xml", "w", force_zip64=True) as sheet:
                for text in _sheet(heads, islice(chain(first, remaining), most_rows - 1), zone):
                    sheet.write(text.encode())
                    if len(out.kept) > PIECE:
                        yield out.taken()
            following = next(remaining, None)
        for name, text in _parts(count).items():
            file.writestr(name, text)
    yield out.taken()


def _sheet(heads: Sequence[str], rows: Iterable[Sequence[Any]], zone: ZoneInfo) -> Iterator[str]:
    yield f'{_HEAD}<worksheet {_MAIN}><sheetViews><sheetView workbookViewId="0">'
    yield '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    yield "</sheetView></sheetViews><sheetData>"
    yield "<row>" + "".join(_text(head, ' s="2"') for head in heads) + "</row>"
    for row in rows:
        yield "<row>" + "".join([_cell(value, zone) for value in row]) + "</row>"
    yield "</sheetData></worksheet>"


def _cell(value: Any, zone: ZoneInfo) -> str:
    match value:
        case None | "":
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case int() | Decimal():
            return f"<c><v>{value:f}</v></c>" if isinstance(value, Decimal) else f"<c><v>{value}</v></c>"
        case dt.datetime():
            days = (value.astimezone(zone).replace(tzinfo=None) - _DAY_ONE) / dt.timedelta(days=1)
            return f'<c s="1"><v>{days:.10f}</v></c>'
        case list():
            return _text(" ".join(map(str, value)))
        case _:
            return _text(str(value))


def _text(text: str, style: str = "") -> str:
    """A cell of text: nothing in it is ever taken for a formula."""
    clean = escape(_NOT_XML.sub("", text))
    return f'<c{style} t="inlineStr"><is><t xml:space="preserve">{clean}</t></is></c>'


def _parts(sheets: int) -> dict[str, str]:
    """The files that say what is in the others."""
    numbers = range(1, sheets + 1)
    named = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>' for n in numbers
    )
    relations = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    return {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>{types}</Types>',
        "_rels/.rels": _relationships([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'{_HEAD}<workbook {_MAIN} xmlns:r="{_RELATIONS}"><sheets>{named}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relationships([*relations, (f"rId{sheets + 1}", "styles", "styles.xml")]),
        "xl/styles.xml": _STYLES,
    }


def _relationships(relations: Iterable[tuple[str, str, str]]) -> str:
    lines = (
        f'<Relationship Id="{id}" Type="{_RELATIONS}/{kind}" Target="{target}"/>' for id, kind, target in relations
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(lines)}</Relationships>'
